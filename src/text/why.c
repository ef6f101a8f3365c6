/* why.c - what decided about a pattern: asked for by people, so it may take its time. */
#include "index.h"

/* How far a clause came. */
struct progress {
  uint32_t missing_count;
  uint32_t found;
  struct avito_why why;
};

static const struct avito_test *tests_of(const struct avito_index *index, const struct avito_clause *clause)
{
  return avito_test_at(index, clause->tests);
}

/* The literal that keeps the test's words from counting, or AVITO_NONE where there are none. */
static uint32_t guard_of(const struct avito_index *index, const struct avito_test *test)
{
  if (test->words != 1)
    return AVITO_NONE;
  uint32_t own = *avito_reference_at(index, test->first);
  for (uint32_t word = 0; word < index->scratch.words.count; word++)
    for (uint32_t i = 0; i < test->guards_count && avito_literal_covers(index, own, word); i++) {
      uint32_t guard = *avito_reference_at(index, test->guards + i);
      if (avito_literal_covers(index, guard, word))
        return guard;
    }
  return AVITO_NONE;
}

static struct progress judge(const struct avito_index *index, uint32_t number)
{
  const struct avito_clause *clause = avito_clause_at(index, number);
  struct progress progress = {
      .why = {.clause = number, .missing = AVITO_NONE, .excluded = AVITO_NONE, .guard = AVITO_NONE}};
  for (uint32_t i = 0; i < clause->positives; i++) {
    const struct avito_test *test = tests_of(index, clause) + i;
    if (avito_test_holds(index, test)) {
      progress.found++;
      continue;
    }
    if (progress.missing_count++ == 0) {
      progress.why.missing = clause->tests + i;
      progress.why.guard = guard_of(index, test);
    }
  }
  for (uint32_t i = 0; i < clause->exclusions && progress.why.excluded == AVITO_NONE; i++)
    if (avito_test_holds(index, tests_of(index, clause) + clause->positives + i))
      progress.why.excluded = clause->tests + clause->positives + i;
  progress.why.matched = progress.missing_count == 0 && progress.why.excluded == AVITO_NONE;
  return progress;
}

static bool is_closer(const struct progress *a, const struct progress *b)
{
  if (a->why.matched != b->why.matched)
    return a->why.matched;
  if (a->missing_count != b->missing_count)
    return a->missing_count < b->missing_count;
  bool kept_out = a->why.guard != AVITO_NONE;
  if (kept_out != (b->why.guard != AVITO_NONE))
    return kept_out;
  return a->found > b->found;
}

/* Marks what the clause found; of a concept, what the first of its clauses that holds did. Recurses as deep as concepts
 * use each other. */
static void mark(const struct avito_index *index, const struct avito_clause *clause, bool *marks)
{
  for (uint32_t i = 0; i < clause->positives; i++) {
    const struct avito_test *test = tests_of(index, clause) + i;
    if (!avito_test_holds(index, test))
      continue;
    if (test->words > 0) {
      memset(marks + avito_test_word(index, test), true, test->words);
      continue;
    }
    const struct avito_owner *concept = avito_owner_at(index, test->first);
    uint32_t number = concept->clauses;
    while (!avito_clause_holds(index, avito_clause_at(index, number)))
      number++;
    mark(index, avito_clause_at(index, number), marks);
  }
}

void avito_index_why(struct avito_index *index, const char *text, size_t length, uint32_t pattern,
                     struct avito_why *why, bool *marks)
{
  avito_index_match(index, text, length);
  memset(marks, 0, AVITO_MESSAGE_WORDS * sizeof *marks);
  const struct avito_owner *owner = avito_owner_at(index, pattern);
  struct progress best = judge(index, owner->clauses);
  for (uint32_t i = 1; i < owner->clauses_count; i++) {
    struct progress progress = judge(index, owner->clauses + i);
    if (is_closer(&progress, &best))
      best = progress;
  }
  mark(index, avito_clause_at(index, best.why.clause), marks);
  *why = best.why;
}
