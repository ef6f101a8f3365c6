/* build.c - reads patterns and concepts into an index: literals, tests, clauses. */
#include "index.h"

#include <stdlib.h>

enum { UNSEEN, UNDER_WAY, DONE };

struct concept {
  uint32_t uses; /* in builder.uses, what it uses */
  uint32_t uses_count;
  uint32_t rank;
  uint16_t height; /* concepts in a row that it stands on, itself included */
  uint8_t state;
};

struct use {
  uint32_t concept;
  uint32_t column;
};

struct named {
  struct avito_source name;
  uint32_t concept;
};

struct builder {
  struct avito_index *index;
  const struct avito_source *names;
  const struct avito_source *sources; /* of the concepts */
  struct avito_array pattern;         /* struct avito_pattern, one */
  struct avito_array concepts;        /* struct concept */
  struct avito_array uses;            /* struct use */
  struct avito_array named;           /* struct named, in the order of names */
  struct avito_array interned;        /* uint32_t: literals, by hash; AVITO_NONE in an empty place */
  struct avito_array ranked;          /* uint32_t: concepts, each after those it uses */
  struct avito_culprit *culprit;
  struct avito_problem *problem;
  const struct avito_term *exclusions[2 * AVITO_ALTERNATIVE_TERMS]; /* of the clause at hand */
  size_t alone; /* those at their beginning that count in every alternative */
  size_t exclusions_count;
};

static struct avito_pattern *pattern_of(const struct builder *builder)
{
  return builder->pattern.items;
}

static struct concept *concept_at(const struct builder *builder, uint32_t concept)
{
  return (struct concept *)builder->concepts.items + concept;
}

/* ---- concepts by name, and their order ---- */

static int compare_sources(const struct avito_source *a, const struct avito_source *b)
{
  size_t length = a->length < b->length ? a->length : b->length;
  int order = length > 0 ? memcmp(a->text, b->text, length) : 0;
  return order != 0 ? order : (a->length > b->length) - (a->length < b->length);
}

static int compare_named(const void *a, const void *b)
{
  return compare_sources(&((const struct named *)a)->name, &((const struct named *)b)->name);
}

static uint32_t find_concept(const struct builder *builder, const struct avito_source *name)
{
  struct named wanted = {.name = *name};
  const struct named *found = NULL;
  if (builder->named.count > 0)
    found = bsearch(&wanted, builder->named.items, builder->named.count, sizeof wanted, compare_named);
  return found != NULL ? found->concept : AVITO_NONE;
}

static enum avito_built sort_names(struct builder *builder, size_t count)
{
  if (!avito_array_zeroed(&builder->index->memory, &builder->named, count, sizeof(struct named)))
    return AVITO_NO_MEMORY;
  struct named *named = builder->named.items;
  for (size_t i = 0; i < count; i++)
    named[i] = (struct named){builder->names[i], (uint32_t)i};
  qsort(named, count, sizeof *named, compare_named);
  return AVITO_BUILT;
}

/* Reads a pattern, and looks whether its concepts are there. */
static enum avito_built read_pattern(const struct builder *builder, bool concept, size_t number,
                                     const struct avito_source *source)
{
  *builder->culprit = (struct avito_culprit){concept, number};
  struct avito_pattern *pattern = pattern_of(builder);
  if (!avito_pattern_read(pattern, source, builder->problem))
    return AVITO_BAD_PATTERN;
  for (size_t i = 0; i < pattern->terms_count; i++) {
    const struct avito_term *term = &pattern->terms[i];
    if (term->words > 0)
      continue;
    struct avito_source name = avito_concept_name(source, term);
    if (find_concept(builder, &name) == AVITO_NONE) {
      avito_problem_at(builder->problem, term->column, "there is no concept '%s'", &name);
      builder->problem->unknown = name;
      return AVITO_BAD_PATTERN;
    }
  }
  return AVITO_BUILT;
}

static bool is_name(const struct avito_source *name)
{
  bool fine = name->length > 0;
  for (size_t i = 0; i < name->length; i++)
    fine = fine && (unsigned char)name->text[i] > ' ' && strchr("|\"*()~", name->text[i]) == NULL;
  return fine;
}

/* Reads a concept only for what it uses. */
static enum avito_built scan_concept(struct builder *builder, uint32_t number)
{
  const struct avito_memory *memory = &builder->index->memory;
  const struct avito_source *source = &builder->sources[number];
  *builder->culprit = (struct avito_culprit){true, number};
  if (!is_name(&builder->names[number])) {
    avito_problem_at(builder->problem, 1, "a concept's name '%s' has no spaces and none of | \" * ( ) ~",
                     &builder->names[number]);
    return AVITO_BAD_PATTERN;
  }
  enum avito_built built = read_pattern(builder, true, number, source);
  if (built != AVITO_BUILT)
    return built;
  const struct avito_pattern *pattern = pattern_of(builder);
  struct concept *concept = concept_at(builder, number);
  concept->uses = (uint32_t)builder->uses.count;
  for (size_t i = 0; i < pattern->terms_count; i++) {
    if (pattern->terms[i].words > 0)
      continue;
    struct avito_source name = avito_concept_name(source, &pattern->terms[i]);
    struct use use = {find_concept(builder, &name), pattern->terms[i].column};
    if (!avito_array_add(memory, &builder->uses, &use, sizeof use))
      return AVITO_NO_MEMORY;
  }
  concept->uses_count = (uint32_t)builder->uses.count - concept->uses;
  return AVITO_BUILT;
}

/* Ranks a concept after those it uses. Recurses once for each concept at most. */
static enum avito_built rank(struct builder *builder, uint32_t number)
{
  struct concept *ranked = concept_at(builder, number);
  ranked->state = UNDER_WAY;
  ranked->height = 1;
  for (uint32_t i = 0; i < ranked->uses_count; i++) {
    const struct use *use = (const struct use *)builder->uses.items + ranked->uses + i;
    const struct concept *used = concept_at(builder, use->concept);
    enum avito_built built = AVITO_BUILT;
    if (used->state == UNSEEN)
      built = rank(builder, use->concept);
    if (built != AVITO_BUILT)
      return built;
    if (used->state == DONE) {
      if (ranked->height <= used->height)
        ranked->height = (uint16_t)(used->height + 1);
      if (ranked->height <= AVITO_CONCEPT_DEPTH)
        continue;
    }
    const char *message = "the concepts use each other more than " AVITO_DIGITS(AVITO_CONCEPT_DEPTH) " deep here";
    if (use->concept == number) {
      message = "the concept uses itself";
    } else if (used->state == UNDER_WAY) {
      message = "the concepts go in a circle: '%s' uses this one in turn";
    }
    *builder->culprit = (struct avito_culprit){true, number};
    avito_problem_at(builder->problem, use->column, message, &builder->names[use->concept]);
    return AVITO_BAD_PATTERN;
  }
  ranked->state = DONE;
  ranked->rank = (uint32_t)builder->ranked.count;
  return avito_array_add(&builder->index->memory, &builder->ranked, &number, sizeof number) ? AVITO_BUILT
                                                                                            : AVITO_NO_MEMORY;
}

static enum avito_built rank_concepts(struct builder *builder, size_t count)
{
  if (!avito_array_zeroed(&builder->index->memory, &builder->concepts, count, sizeof(struct concept)))
    return AVITO_NO_MEMORY;
  enum avito_built built = sort_names(builder, count);
  const struct named *named = builder->named.items; /* in this order: of several mistakes, the same is always told */
  for (size_t i = 0; i < count && built == AVITO_BUILT; i++)
    built = scan_concept(builder, named[i].concept);
  for (size_t i = 0; i < count && built == AVITO_BUILT; i++)
    if (concept_at(builder, named[i].concept)->state == UNSEEN)
      built = rank(builder, named[i].concept);
  return built;
}

/* ---- literals ---- */

static bool grow_interned(struct builder *builder)
{
  const struct avito_index *index = builder->index;
  struct avito_array wider = {0};
  size_t count = builder->interned.count > 0 ? 4 * builder->interned.count : 1024;
  if (!avito_array_zeroed(&index->memory, &wider, count, sizeof(uint32_t)))
    return false;
  uint32_t *places = wider.items;
  memset(places, 0xff, count * sizeof *places);
  for (uint32_t i = 0; i < index->known.count; i++) {
    const struct avito_known *known = avito_known_at(index, i);
    size_t place = avito_hash_literal(avito_points_of(index, known), known->length, known->prefix);
    while (places[place & (count - 1)] != AVITO_NONE)
      place++;
    places[place & (count - 1)] = i;
  }
  avito_array_free(&index->memory, &builder->interned);
  builder->interned = wider;
  return true;
}

/* The number of a literal of the pattern at hand; AVITO_NONE for want of memory. */
static uint32_t intern(struct builder *builder, const struct avito_literal *literal)
{
  struct avito_index *index = builder->index;
  if (2 * index->known.count >= builder->interned.count && !grow_interned(builder))
    return AVITO_NONE;
  const uint32_t *points = pattern_of(builder)->points + literal->at;
  uint32_t *places = builder->interned.items;
  size_t mask = builder->interned.count - 1;
  size_t place = avito_hash_literal(points, literal->length, literal->prefix) & mask;
  for (; places[place] != AVITO_NONE; place = (place + 1) & mask) {
    const struct avito_known *known = avito_known_at(index, places[place]);
    if (known->length == literal->length && known->prefix == literal->prefix &&
        memcmp(avito_points_of(index, known), points, literal->length * sizeof *points) == 0)
      return places[place];
  }
  struct avito_known known = {
      .at = (uint32_t)index->points.count, .length = literal->length, .prefix = literal->prefix};
  size_t near = literal->length < AVITO_NEAR_POINTS ? literal->length : AVITO_NEAR_POINTS;
  memcpy(known.near, points, near * sizeof *points);
  if (!avito_array_reserve(&index->memory, &index->points, literal->length, sizeof(uint32_t)) ||
      !avito_array_add(&index->memory, &index->known, &known, sizeof known))
    return AVITO_NONE;
  index->literals = index->known.items;
  memcpy((uint32_t *)index->points.items + index->points.count, points, literal->length * sizeof *points);
  index->points.count += literal->length;
  places[place] = (uint32_t)index->known.count - 1;
  return places[place];
}

/* ---- clauses ---- */

static bool add_reference(struct builder *builder, const struct avito_literal *literal)
{
  uint32_t known = intern(builder, literal);
  struct avito_index *index = builder->index;
  return known != AVITO_NONE && avito_array_add(&index->memory, &index->references, &known, sizeof known);
}

/* Does the exclusion only take words away from the positive term? It does from a prefix whose letters it begins with. */
static bool is_guard(const struct avito_pattern *pattern, const struct avito_term *exclusion,
                     const struct avito_term *positive)
{
  if (exclusion->words != 1 || positive->words != 1)
    return false;
  const struct avito_literal *from = &pattern->literals[positive->first];
  const struct avito_literal *taken = &pattern->literals[exclusion->first];
  return from->prefix && taken->length >= from->length &&
         memcmp(pattern->points + taken->at, pattern->points + from->at, from->length * sizeof(uint32_t)) == 0;
}

static bool guards_any(const struct avito_pattern *pattern, const struct avito_term *exclusion,
                       const struct avito_term *terms, size_t count)
{
  for (size_t i = 0; i < count; i++)
    if (!terms[i].excluded && is_guard(pattern, exclusion, &terms[i]))
      return true;
  return false;
}

static bool add_test(struct builder *builder, const struct avito_source *source, const struct avito_term *term)
{
  struct avito_index *index = builder->index;
  const struct avito_pattern *pattern = pattern_of(builder);
  struct avito_test test = {.first = (uint32_t)index->references.count, .words = term->words};
  if (term->words == 0) {
    struct avito_source name = avito_concept_name(source, term);
    test.first = index->patterns + concept_at(builder, find_concept(builder, &name))->rank;
  }
  for (size_t i = 0; i < term->words; i++)
    if (!add_reference(builder, &pattern->literals[term->first + i]))
      return false;
  test.guards = (uint32_t)index->references.count;
  for (size_t i = 0; i < builder->exclusions_count && !term->excluded; i++)
    if (is_guard(pattern, builder->exclusions[i], term)) {
      if (!add_reference(builder, &pattern->literals[builder->exclusions[i]->first]))
        return false;
      test.guards_count++;
    }
  return avito_array_add(&index->memory, &index->tests, &test, sizeof test);
}

static bool add_clause(struct builder *builder, uint32_t owner, const struct avito_source *source,
                       const struct avito_alternative *alternative)
{
  struct avito_index *index = builder->index;
  const struct avito_term *terms = pattern_of(builder)->terms + alternative->first;
  struct avito_clause clause = {.owner = owner,
                                .tests = (uint32_t)index->tests.count,
                                .positives = alternative->positives,
                                .from = alternative->from,
                                .to = alternative->to};
  builder->exclusions_count = builder->alone;
  for (size_t i = 0; i < alternative->terms; i++)
    if (terms[i].excluded)
      builder->exclusions[builder->exclusions_count++] = &terms[i];
  for (size_t i = 0; i < alternative->terms; i++)
    if (!terms[i].excluded && !add_test(builder, source, &terms[i]))
      return false;
  for (size_t i = 0; i < builder->exclusions_count; i++) {
    const struct avito_pattern *pattern = pattern_of(builder);
    bool guards = i < builder->alone ? guards_any(pattern, builder->exclusions[i], pattern->terms, pattern->terms_count)
                                     : guards_any(pattern, builder->exclusions[i], terms, alternative->terms);
    if (guards)
      continue;
    if (!add_test(builder, source, builder->exclusions[i]))
      return false;
    clause.exclusions++;
  }
  return avito_array_add(&index->memory, &index->clauses, &clause, sizeof clause);
}

/* Collects the exclusions that stand alone. */
static enum avito_built collect_alone(struct builder *builder)
{
  const struct avito_pattern *pattern = pattern_of(builder);
  builder->alone = 0;
  for (size_t i = 0; i < pattern->alternatives_count; i++) {
    const struct avito_alternative *alternative = &pattern->alternatives[i];
    for (size_t j = 0; j < alternative->terms && alternative->positives == 0; j++) {
      const struct avito_term *term = &pattern->terms[alternative->first + j];
      if (builder->alone == AVITO_ALTERNATIVE_TERMS) {
        avito_problem_at(builder->problem, term->column,
                         "too many exclusions stand alone: " AVITO_DIGITS(AVITO_ALTERNATIVE_TERMS) " at most", NULL);
        return AVITO_BAD_PATTERN;
      }
      builder->exclusions[builder->alone++] = term;
    }
  }
  return AVITO_BUILT;
}

/* Room for all texts, so that none moves. */
static bool reserve_texts(const struct builder *builder, const struct avito_source *patterns)
{
  struct avito_index *index = builder->index;
  size_t total = 0;
  for (size_t i = 0; i < index->patterns; i++)
    total += patterns[i].length;
  for (size_t i = 0; i < index->concepts; i++)
    total += builder->names[i].length + builder->sources[i].length;
  return avito_array_reserve(&index->memory, &index->texts, total, sizeof(char));
}

static struct avito_source keep_text(struct avito_index *index, const struct avito_source *source)
{
  char *text = (char *)index->texts.items + index->texts.count;
  if (source->length > 0)
    memcpy(text, source->text, source->length);
  index->texts.count += source->length;
  return (struct avito_source){text, source->length};
}

static enum avito_built add_owner(struct builder *builder, uint32_t owner, bool concept, size_t number,
                                  const struct avito_source *source)
{
  struct avito_index *index = builder->index;
  enum avito_built built = read_pattern(builder, concept, number, source);
  if (built == AVITO_BUILT)
    built = collect_alone(builder);
  if (built != AVITO_BUILT)
    return built;
  const struct avito_pattern *pattern = pattern_of(builder);
  struct avito_owner *added = avito_owner_at(index, owner);
  added->source = keep_text(index, source);
  added->used = !concept;
  added->clauses = (uint32_t)index->clauses.count;
  for (size_t i = 0; i < pattern->alternatives_count; i++)
    if (pattern->alternatives[i].positives > 0 && !add_clause(builder, owner, source, &pattern->alternatives[i]))
      return AVITO_NO_MEMORY;
  added->clauses_count = (uint32_t)index->clauses.count - added->clauses;
  return AVITO_BUILT;
}

static enum avito_built build(struct builder *builder, const struct avito_source *patterns)
{
  struct avito_index *index = builder->index;
  if (!reserve_texts(builder, patterns) ||
      !avito_array_reserve(&index->memory, &builder->pattern, 1, sizeof(struct avito_pattern)) ||
      !avito_array_zeroed(&index->memory, &index->owners, (size_t)index->patterns + index->concepts,
                          sizeof(struct avito_owner)))
    return AVITO_NO_MEMORY;
  enum avito_built built = rank_concepts(builder, index->concepts);
  for (uint32_t i = 0; i < index->concepts && built == AVITO_BUILT; i++) {
    uint32_t number = ((const uint32_t *)builder->ranked.items)[i];
    avito_owner_at(index, index->patterns + i)->name = keep_text(index, &builder->names[number]);
    built = add_owner(builder, index->patterns + i, true, number, &builder->sources[number]);
  }
  for (uint32_t i = 0; i < index->patterns && built == AVITO_BUILT; i++)
    built = add_owner(builder, i, false, i, &patterns[i]);
  return built;
}

enum avito_built avito_index_build(struct avito_index *index, const struct avito_source *patterns,
                                   size_t patterns_count, const struct avito_source *names,
                                   const struct avito_source *concepts, size_t concepts_count,
                                   struct avito_culprit *culprit, struct avito_problem *problem)
{
  struct builder builder = {
      .index = index, .names = names, .sources = concepts, .culprit = culprit, .problem = problem};
  index->patterns = (uint32_t)patterns_count;
  index->concepts = (uint32_t)concepts_count;
  *problem = (struct avito_problem){.column = 1};
  enum avito_built built = build(&builder, patterns);
  avito_array_free(&index->memory, &builder.pattern);
  avito_array_free(&index->memory, &builder.concepts);
  avito_array_free(&index->memory, &builder.uses);
  avito_array_free(&index->memory, &builder.named);
  avito_array_free(&index->memory, &builder.interned);
  avito_array_free(&index->memory, &builder.ranked);
  if (built == AVITO_BUILT && !avito_index_finish(index))
    built = AVITO_NO_MEMORY;
  return built;
}
