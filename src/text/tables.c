/* tables.c - what a message is looked up in: where each clause hangs, the table of literals and its filter. */
#include "index.h"

_Static_assert(sizeof(struct avito_known) == AVITO_LINE, "a literal fills a line of the cache");

static void use_concepts(struct avito_index *index, uint32_t owner)
{
  const struct avito_owner *user = avito_owner_at(index, owner);
  for (uint32_t i = 0; i < user->clauses_count; i++) {
    const struct avito_clause *clause = avito_clause_at(index, user->clauses + i);
    for (uint32_t j = 0; j < (uint32_t)clause->positives + clause->exclusions; j++) {
      const struct avito_test *test = avito_test_at(index, clause->tests + j);
      if (test->words == 0)
        avito_owner_at(index, test->first)->used = true;
    }
  }
}

/* Concepts that no pattern uses cost nothing. */
static void find_used(struct avito_index *index)
{
  for (uint32_t i = 0; i < index->patterns; i++)
    use_concepts(index, i);
  for (uint32_t i = index->patterns + index->concepts; i-- > index->patterns;)
    if (avito_owner_at(index, i)->used)
      use_concepts(index, i);
}

static bool is_used(const struct avito_index *index, const struct avito_clause *clause)
{
  return avito_owner_at(index, clause->owner)->used;
}

/* How often a literal is to be expected in messages, going by how many clauses have it; short words and short
 * beginnings are met more often. */
static uint64_t frequency(const struct avito_index *index, uint32_t number)
{
  const struct avito_known *known = avito_known_at(index, number);
  uint64_t factor = 1;
  if (known->prefix)
    factor = known->length <= 2 ? 64 : known->length == 3 ? 16 : known->length == 4 ? 4 : 2;
  else if (known->length <= 3)
    factor = 8;
  return factor * known->uses;
}

static uint32_t key_of(const struct avito_index *index, const struct avito_test *test)
{
  return *avito_reference_at(index, test->first + test->key);
}

static void count_uses(const struct avito_index *index)
{
  for (uint32_t i = 0; i < index->clauses.count; i++) {
    const struct avito_clause *clause = avito_clause_at(index, i);
    if (!is_used(index, clause))
      continue;
    for (uint32_t j = 0; j < clause->positives; j++) {
      const struct avito_test *test = avito_test_at(index, clause->tests + j);
      for (uint32_t k = 0; k < test->words; k++)
        avito_known_at(index, *avito_reference_at(index, test->first + k))->uses++;
    }
  }
}

static void choose_keys(const struct avito_index *index)
{
  for (uint32_t i = 0; i < index->clauses.count; i++) {
    const struct avito_clause *clause = avito_clause_at(index, i);
    if (!is_used(index, clause))
      continue;
    for (uint32_t j = 0; j < (uint32_t)clause->positives + clause->exclusions; j++) {
      struct avito_test *test = avito_test_at(index, clause->tests + j);
      for (uint16_t k = 1; k < test->words; k++)
        if (frequency(index, *avito_reference_at(index, test->first + k)) < frequency(index, key_of(index, test)))
          test->key = k;
      if (test->words > 0) {
        test->wanted = key_of(index, test);
        avito_known_at(index, test->wanted)->sought = true;
      }
    }
  }
}

/* The rarest of what must hold. */
static const struct avito_test *choose_test(const struct avito_index *index, const struct avito_clause *clause)
{
  const struct avito_test *best = avito_test_at(index, clause->tests);
  for (uint32_t i = 1; i < clause->positives; i++) {
    const struct avito_test *test = avito_test_at(index, clause->tests + i);
    if (test->words > 0 &&
        (best->words == 0 || frequency(index, key_of(index, test)) < frequency(index, key_of(index, best))))
      best = test;
  }
  return best;
}

/* Where in `hanging` what hangs at the test's key begins, and how much does. */
static void find_hook(const struct avito_index *index, const struct avito_test *test, uint32_t **from, uint32_t **count)
{
  if (test->words > 0) {
    struct avito_known *known = avito_known_at(index, key_of(index, test));
    *from = &known->hang;
    *count = &known->hangs;
  } else {
    struct avito_owner *owner = avito_owner_at(index, test->first);
    *from = &owner->hang;
    *count = &owner->hangs;
  }
}

/* A clause that hangs at a literal is not looked at where another, of those that it has as such, is absent. */
static uint32_t besides(const struct avito_index *index, const struct avito_clause *clause, const struct avito_test *at)
{
  for (uint32_t i = 0; i < clause->positives; i++) {
    const struct avito_test *test = avito_test_at(index, clause->tests + i);
    if (test != at && test->words > 0)
      return test->wanted;
  }
  return AVITO_NONE;
}

static struct avito_hanging what_hangs(const struct avito_index *index, uint32_t number, const struct avito_test *at)
{
  const struct avito_clause *clause = avito_clause_at(index, number);
  bool alone = clause->positives == 1 && clause->exclusions == 0 && at->words <= 1 && at->guards_count == 0;
  if (alone)
    return (struct avito_hanging){clause->owner | AVITO_ALONE, AVITO_NONE};
  return (struct avito_hanging){clause->owner < index->patterns ? number : number | AVITO_OF_CONCEPT,
                                besides(index, clause, at)};
}

static bool hang_clauses(struct avito_index *index)
{
  if (!avito_array_zeroed(&index->memory, &index->hanging, index->clauses.count, sizeof(struct avito_hanging)))
    return false;
  uint32_t *from;
  uint32_t *count;
  for (uint32_t i = 0; i < index->clauses.count; i++)
    if (is_used(index, avito_clause_at(index, i))) {
      find_hook(index, choose_test(index, avito_clause_at(index, i)), &from, &count);
      ++*count;
    }
  uint32_t total = 0;
  for (uint32_t i = 0; i < index->known.count; i++) {
    struct avito_known *known = avito_known_at(index, i);
    known->hang = total;
    total += known->hangs;
    known->hangs = 0;
  }
  for (uint32_t i = index->patterns; i < index->owners.count; i++) {
    struct avito_owner *owner = avito_owner_at(index, i);
    owner->hang = total;
    total += owner->hangs;
    owner->hangs = 0;
  }
  struct avito_hanging *hanging = index->hanging.items;
  for (uint32_t i = 0; i < index->clauses.count; i++)
    if (is_used(index, avito_clause_at(index, i))) {
      const struct avito_test *test = choose_test(index, avito_clause_at(index, i));
      find_hook(index, test, &from, &count);
      hanging[*from + (*count)++] = what_hangs(index, i, test);
    }
  for (uint32_t i = 0; i < index->known.count; i++) {
    struct avito_known *known = avito_known_at(index, i);
    if (known->hangs == 1)
      known->only = hanging[known->hang];
  }
  return true;
}

/* Half of the places stay empty; 16 bits of the filter, or more, for each literal. */
static bool make_table(struct avito_index *index)
{
  size_t sought = 0;
  for (uint32_t i = 0; i < index->known.count; i++)
    sought += avito_known_at(index, i)->sought;
  size_t places = 16;
  while (places < 2 * sought)
    places *= 2;
  size_t words = 2;
  index->filter_shift = 63;
  for (; words * 64 < 16 * sought; words *= 2)
    index->filter_shift--;
  if (!avito_array_zeroed(&index->memory, &index->places, places, sizeof(struct avito_place)) ||
      !avito_array_zeroed(&index->memory, &index->filter, words, sizeof(uint64_t)))
    return false;
  struct avito_place *table = index->places.items;
  memset(table, 0xff, places * sizeof *table);
  for (uint32_t i = 0; i < index->known.count; i++) {
    const struct avito_known *known = avito_known_at(index, i);
    if (!known->sought)
      continue;
    uint64_t hash = avito_hash_literal(avito_points_of(index, known), known->length, known->prefix);
    size_t place = avito_hash_place(hash) & (places - 1);
    while (table[place].known != AVITO_NONE)
      place = (place + 1) & (places - 1);
    table[place] = (struct avito_place){(uint32_t)(hash >> 32), i};
    ((uint64_t *)index->filter.items)[hash >> index->filter_shift] |= avito_filter_bits(hash);
    if (known->prefix)
      index->lengths |= UINT64_C(1) << known->length;
  }
  return true;
}

static bool make_scratch(struct avito_index *index)
{
  const struct avito_memory *memory = &index->memory;
  struct avito_scratch *scratch = &index->scratch;
  size_t points = AVITO_FOLD_ROOM(AVITO_MESSAGE_BYTES);
  bool made = avito_array_reserve(memory, &scratch->points, 2 * points, sizeof(uint32_t)) &&
              avito_array_reserve(memory, &scratch->words, AVITO_MESSAGE_WORDS, sizeof(struct avito_span)) &&
              avito_array_reserve(memory, &scratch->hits, AVITO_GUESSES, sizeof(struct avito_hit)) &&
              avito_array_reserve(memory, &scratch->guesses, AVITO_GUESSES, sizeof(struct avito_guess)) &&
              avito_array_zeroed(memory, &scratch->holds, index->owners.count, sizeof(uint16_t)) &&
              avito_array_reserve(memory, &scratch->asked, index->clauses.count, sizeof(struct avito_hanging)) &&
              avito_array_zeroed(memory, &scratch->waiting, index->concepts, sizeof(uint32_t)) &&
              avito_array_zeroed(memory, &scratch->before, index->clauses.count, sizeof(uint32_t)) &&
              avito_array_zeroed(memory, &scratch->concepts, index->concepts / 64 + 1, sizeof(uint64_t)) &&
              avito_array_reserve(memory, &scratch->matched, index->patterns, sizeof(uint32_t));
  if (made && index->concepts > 0)
    memset(scratch->waiting.items, 0xff, index->concepts * sizeof(uint32_t));
  return made;
}

/* Moves the literals to where each has a line of the cache for itself. */
static bool align_literals(struct avito_index *index)
{
  struct avito_array lines = {0};
  if (!avito_array_reserve(&index->memory, &lines, index->known.count + 1, sizeof(struct avito_known)))
    return false;
  lines.count = index->known.count;
  uintptr_t off = (uintptr_t)lines.items % AVITO_LINE;
  char *from = (char *)lines.items + (off > 0 ? AVITO_LINE - off : 0);
  if (index->known.count > 0)
    memcpy(from, index->known.items, index->known.count * sizeof(struct avito_known));
  avito_array_free(&index->memory, &index->known);
  index->known = lines;
  index->literals = (struct avito_known *)(void *)from;
  return true;
}

bool avito_index_finish(struct avito_index *index)
{
  if (!align_literals(index))
    return false;
  find_used(index);
  count_uses(index);
  choose_keys(index);
  index->ready = hang_clauses(index) && make_table(index) && make_scratch(index);
  return index->ready;
}

void avito_index_free(struct avito_index *index)
{
  struct avito_scratch *scratch = &index->scratch;
  struct avito_array *arrays[] = {
      &index->texts,    &index->owners,    &index->points,   &index->known,      &index->references,
      &index->tests,    &index->clauses,   &index->hanging,  &index->places,     &index->filter,
      &scratch->points, &scratch->words,   &scratch->hits,   &scratch->guesses,  &scratch->holds,
      &scratch->asked,  &scratch->waiting, &scratch->before, &scratch->concepts, &scratch->matched,
  };
  for (size_t i = 0; i < sizeof arrays / sizeof arrays[0]; i++)
    avito_array_free(&index->memory, arrays[i]);
  index->ready = false;
}
