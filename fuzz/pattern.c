/* pattern.c - libFuzzer harness of patterns and of the index.
 *
 * The input is four parts, parted by 0xff: the concept a, the concept b, a pattern, a message. Whether the pattern matches
 * is compared with the plain matcher below, which shares only the reading of patterns and the folding with the index. */
#include "text/index.h"

#include <stdlib.h>

enum { CONCEPT_A, CONCEPT_B, PATTERN, MESSAGE, PARTS };

struct message {
  uint32_t points[AVITO_FOLD_ROOM(4096)];
  uint32_t spare[AVITO_FOLD_ROOM(4096)];
  struct avito_span words[4096];
  size_t count;
};

static struct avito_pattern patterns[3];
static struct avito_source parts[PARTS];
static struct message message;

static void *allocate(void *context, void *block, size_t old_size, size_t new_size)
{
  (void)context;
  (void)old_size;
  if (new_size == 0) {
    free(block);
    return NULL;
  }
  return realloc(block, new_size);
}

/* Of the exact size, for AddressSanitizer. */
static struct avito_source copy(const uint8_t *data, size_t size)
{
  char *text = malloc(size + (size == 0));
  if (size > 0)
    memcpy(text, data, size);
  return (struct avito_source){text, size};
}

static void read_words(void)
{
  size_t count = avito_fold(parts[MESSAGE].text, parts[MESSAGE].length, message.points, message.spare);
  size_t at = 0;
  message.count = 0;
  for (size_t size; (size = avito_next_word(message.points, count, &at)) > 0; at += size)
    message.words[message.count++] = (struct avito_span){(uint32_t)at, (uint32_t)size};
}

static bool covers(const struct avito_pattern *pattern, const struct avito_literal *literal, size_t word)
{
  const struct avito_span *span = &message.words[word];
  if (literal->prefix ? span->length < literal->length : span->length != literal->length)
    return false;
  return memcmp(message.points + span->at, pattern->points + literal->at, literal->length * sizeof(uint32_t)) == 0;
}

/* Whether the exclusion only takes words away from the positive term. */
static bool takes_words(const struct avito_pattern *pattern, const struct avito_term *exclusion,
                        const struct avito_term *positive)
{
  if (positive->excluded || positive->words != 1 || exclusion->words != 1)
    return false;
  const struct avito_literal *p = &pattern->literals[positive->first];
  const struct avito_literal *e = &pattern->literals[exclusion->first];
  return p->prefix && e->length >= p->length &&
         memcmp(pattern->points + p->at, pattern->points + e->at, p->length * sizeof(uint32_t)) == 0;
}

static bool matches(int number);

/* `exclusions` are those that may take words from the term. */
static bool occurs(int number, const struct avito_term *term, const struct avito_term **exclusions, size_t count)
{
  const struct avito_pattern *pattern = &patterns[number];
  if (term->words == 0) {
    struct avito_source name = avito_concept_name(&parts[number], term);
    return matches(name.text[0] == 'a' ? CONCEPT_A : CONCEPT_B);
  }
  for (size_t first = 0; first + term->words <= message.count; first++) {
    bool all = true;
    for (size_t i = 0; i < term->words; i++)
      all = all && covers(pattern, &pattern->literals[term->first + i], first + i);
    for (size_t i = 0; i < count; i++)
      if (takes_words(pattern, exclusions[i], term))
        all = all && !covers(pattern, &pattern->literals[exclusions[i]->first], first);
    if (all)
      return true;
  }
  return false;
}

static bool alternative_matches(int number, const struct avito_alternative *alternative)
{
  static const struct avito_term *room[3][2 * AVITO_PATTERN_TERMS];
  const struct avito_pattern *pattern = &patterns[number];
  const struct avito_term **exclusions = room[number];
  size_t count = 0;
  for (size_t i = 0; i < pattern->alternatives_count; i++) {
    const struct avito_alternative *other = &pattern->alternatives[i];
    for (size_t j = 0; j < other->terms && (other == alternative || other->positives == 0); j++)
      if (pattern->terms[other->first + j].excluded)
        exclusions[count++] = &pattern->terms[other->first + j];
  }
  const struct avito_term *terms = &pattern->terms[alternative->first];
  for (size_t i = 0; i < alternative->terms; i++)
    if (!terms[i].excluded && !occurs(number, &terms[i], exclusions, count))
      return false;
  for (size_t i = 0; i < count; i++) {
    bool taken = false;
    for (size_t j = 0; j < alternative->terms; j++)
      taken = taken || takes_words(pattern, exclusions[i], &terms[j]);
    if (!taken && occurs(number, exclusions[i], NULL, 0))
      return false;
  }
  return true;
}

static bool matches(int number)
{
  const struct avito_pattern *pattern = &patterns[number];
  for (size_t i = 0; i < pattern->alternatives_count; i++)
    if (pattern->alternatives[i].positives > 0 && alternative_matches(number, &pattern->alternatives[i]))
      return true;
  return false;
}

static void check_match(struct avito_index *index)
{
  struct avito_problem problem;
  for (int i = 0; i < MESSAGE; i++)
    if (!avito_pattern_read(&patterns[i], &parts[i], &problem))
      abort();
  read_words();
  bool expected = matches(PATTERN);
  for (int i = 0; i < 2; i++) /* what was met the first time must not change the second */
    if (avito_index_match(index, parts[MESSAGE].text, parts[MESSAGE].length) != expected)
      abort();
  static bool marks[AVITO_MESSAGE_WORDS];
  struct avito_why why;
  avito_index_why(index, parts[MESSAGE].text, parts[MESSAGE].length, 0, &why, marks);
  if (why.matched != expected)
    abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  if (size > 4096)
    return -1;
  for (int i = 0; i < PARTS; i++) {
    const uint8_t *end = size > 0 && i < MESSAGE ? memchr(data, 0xff, size) : NULL;
    size_t length = end != NULL ? (size_t)(end - data) : size;
    parts[i] = copy(data, length);
    data += length + (end != NULL);
    size -= length + (end != NULL);
  }
  struct avito_index index = {.memory = {allocate, NULL}};
  const struct avito_source names[] = {{"a", 1}, {"b", 1}};
  struct avito_culprit culprit;
  struct avito_problem problem;
  switch (avito_index_build(&index, &parts[PATTERN], 1, names, parts, 2, &culprit, &problem)) {
  case AVITO_BUILT:
    check_match(&index);
    break;
  case AVITO_BAD_PATTERN:
    if (problem.message[0] == '\0' || problem.column == 0 ||
        problem.column > parts[culprit.concept ? culprit.number : PATTERN].length + 1)
      abort();
    break;
  default:
    abort();
  }
  avito_index_free(&index);
  for (int i = 0; i < PARTS; i++)
    free((void *)(uintptr_t)parts[i].text);
  return 0;
}
