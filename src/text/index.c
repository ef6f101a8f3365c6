/* index.c - a message against an index. Nothing here allocates. */
#include "index.h"

/* ---- what a clause asks of the message ---- */

bool avito_literal_covers(const struct avito_index *index, uint32_t known, uint32_t word)
{
  const struct avito_known *literal = avito_known_at(index, known);
  const struct avito_span *span = (const struct avito_span *)index->scratch.words.items + word;
  if (literal->prefix ? span->length < literal->length : span->length != literal->length)
    return false;
  const uint32_t *points = (const uint32_t *)index->points.items + literal->at;
  return memcmp((const uint32_t *)index->scratch.points.items + span->at, points, literal->length * sizeof *points) ==
         0;
}

static bool is_guarded(const struct avito_index *index, const struct avito_test *test, uint32_t word)
{
  for (uint32_t i = 0; i < test->guards_count; i++)
    if (avito_literal_covers(index, *avito_reference_at(index, test->guards + i), word))
      return true;
  return false;
}

/* Are the words of a phrase where its key is the word `key`? */
static bool is_phrase_at(const struct avito_index *index, const struct avito_test *test, uint32_t key)
{
  uint32_t first = key - test->key;
  if (key < test->key || first + test->words > index->scratch.words.count)
    return false;
  for (uint32_t i = 0; i < test->words; i++)
    if (i != test->key && !avito_literal_covers(index, *avito_reference_at(index, test->first + i), first + i))
      return false;
  return true;
}

uint32_t avito_test_word(const struct avito_index *index, const struct avito_test *test)
{
  const struct avito_scratch *scratch = &index->scratch;
  uint32_t key = *avito_reference_at(index, test->first + test->key);
  const struct avito_met *met = (const struct avito_met *)scratch->met.items + key;
  if (met->message != scratch->message)
    return AVITO_NONE;
  uint32_t found = AVITO_NONE;
  for (uint32_t hit = met->hit; hit != AVITO_NONE;) {
    const struct avito_hit *at = (const struct avito_hit *)scratch->hits.items + hit;
    bool counts = test->words == 1 ? !is_guarded(index, test, at->word) : is_phrase_at(index, test, at->word);
    if (counts)
      found = at->word - test->key;
    hit = counts ? AVITO_NONE : at->next;
  }
  return found;
}

static bool owner_holds(const struct avito_index *index, uint32_t owner)
{
  return ((const uint32_t *)index->scratch.holds.items)[owner] == index->scratch.message;
}

bool avito_test_holds(const struct avito_index *index, const struct avito_test *test)
{
  if (test->words == 0)
    return owner_holds(index, test->first);
  return avito_test_word(index, test) != AVITO_NONE;
}

bool avito_clause_holds(const struct avito_index *index, const struct avito_clause *clause)
{
  const struct avito_test *test = avito_test_at(index, clause->tests);
  for (uint32_t i = 0; i < clause->positives; i++)
    if (!avito_test_holds(index, test++))
      return false;
  for (uint32_t i = 0; i < clause->exclusions; i++)
    if (avito_test_holds(index, test++))
      return false;
  return true;
}

/* ---- what follows from what is met ---- */

static void ask(struct avito_index *index, const uint32_t *hanging, uint32_t count);

/* Recurses as deep as concepts use each other. */
static void hold(struct avito_index *index, uint32_t owner) // NOLINT(misc-no-recursion)
{
  struct avito_scratch *scratch = &index->scratch;
  if (owner_holds(index, owner))
    return;
  ((uint32_t *)scratch->holds.items)[owner] = scratch->message;
  if (owner < index->patterns) {
    ((uint32_t *)scratch->matched.items)[scratch->matched.count++] = owner;
  } else {
    const struct avito_owner *concept = avito_owner_at(index, owner);
    ask(index, (const uint32_t *)index->hanging.items + concept->hang, concept->hangs);
  }
}

/* Remembers a clause until what it may ask for is known. */
static void ask_later(struct avito_index *index, uint32_t number)
{
  struct avito_scratch *scratch = &index->scratch;
  uint32_t owner = avito_clause_at(index, number)->owner;
  if (owner < index->patterns) {
    ((uint32_t *)scratch->asked.items)[scratch->asked.count++] = number;
    return;
  }
  uint32_t concept = owner - index->patterns;
  uint32_t *waiting = (uint32_t *)scratch->waiting.items + concept;
  ((uint32_t *)scratch->before.items)[number] = *waiting;
  *waiting = number;
  ((uint64_t *)scratch->concepts.items)[concept / 64] |= UINT64_C(1) << concept % 64;
}

static void ask(struct avito_index *index, const uint32_t *hanging, uint32_t count) // NOLINT(misc-no-recursion)
{
  for (uint32_t i = 0; i < count; i++)
    if ((hanging[i] & AVITO_ALONE) != 0)
      hold(index, hanging[i] & ~AVITO_ALONE);
    else
      ask_later(index, hanging[i]);
}

/* A concept asks only for those before it, so that one walk does; a walk may add bits, before it only. */
static void settle_concepts(struct avito_index *index)
{
  struct avito_scratch *scratch = &index->scratch;
  uint64_t *bits = scratch->concepts.items;
  for (uint32_t concept = 0; concept < index->concepts; concept ++) {
    if (bits[concept / 64] == 0) {
      concept |= 63;
      continue;
    }
    if ((bits[concept / 64] >> concept % 64 & 1) == 0)
      continue;
    bits[concept / 64] &= ~(UINT64_C(1) << concept % 64);
    uint32_t *waiting = (uint32_t *)scratch->waiting.items + concept;
    for (uint32_t number = *waiting; number != AVITO_NONE; number = ((uint32_t *)scratch->before.items)[number])
      if (!owner_holds(index, index->patterns + concept) && avito_clause_holds(index, avito_clause_at(index, number)))
        hold(index, index->patterns + concept);
    *waiting = AVITO_NONE;
  }
}

static void settle_patterns(struct avito_index *index)
{
  const struct avito_scratch *scratch = &index->scratch;
  const uint32_t *asked = scratch->asked.items;
  for (size_t i = 0; i < scratch->asked.count; i++) {
    const struct avito_clause *clause = avito_clause_at(index, asked[i]);
    if (!owner_holds(index, clause->owner) && avito_clause_holds(index, clause))
      hold(index, clause->owner);
  }
}

/* ---- the words of the message ---- */

static void meet(struct avito_index *index, uint32_t known, uint32_t word)
{
  struct avito_scratch *scratch = &index->scratch;
  struct avito_met *met = (struct avito_met *)scratch->met.items + known;
  bool first = met->message != scratch->message;
  if (scratch->hits.count < scratch->hits.capacity) {
    ((struct avito_hit *)scratch->hits.items)[scratch->hits.count] =
        (struct avito_hit){word, first ? AVITO_NONE : met->hit};
    met->hit = (uint32_t)scratch->hits.count++;
  }
  if (first) {
    met->message = scratch->message;
    const struct avito_known *literal = avito_known_at(index, known);
    ask(index, (const uint32_t *)index->hanging.items + literal->hang, literal->hangs);
  }
}

static __attribute__((noinline)) void look_up(struct avito_index *index, uint64_t hash, bool prefix, uint32_t length,
                                              uint32_t word)
{
  const struct avito_place *places = index->places.items;
  size_t mask = index->places.count - 1;
  const uint32_t *points =
      (const uint32_t *)index->scratch.points.items + ((const struct avito_span *)index->scratch.words.items)[word].at;
  for (size_t place = avito_hash_place(hash) & mask; places[place].known != AVITO_NONE; place = (place + 1) & mask) {
    if (places[place].tag != (uint32_t)(hash >> 32))
      continue;
    const struct avito_known *known = avito_known_at(index, places[place].known);
    if (known->length == length && known->prefix == prefix &&
        memcmp((const uint32_t *)index->points.items + known->at, points, length * sizeof *points) == 0) {
      meet(index, places[place].known, word);
      return;
    }
  }
}

static inline bool may_be_known(const struct avito_index *index, uint64_t hash)
{
  uint64_t bits = avito_filter_bits(hash);
  return (((const uint64_t *)index->filter.items)[hash >> index->filter_shift] & bits) == bits;
}

static void look_up_word(struct avito_index *index, uint32_t word)
{
  const struct avito_span *span = (const struct avito_span *)index->scratch.words.items + word;
  const uint32_t *points = (const uint32_t *)index->scratch.points.items + span->at;
  uint32_t length = span->length < AVITO_PATTERN_WORD ? span->length : AVITO_PATTERN_WORD;
  uint64_t hash = AVITO_HASH_SEED;
  for (uint32_t i = 1; i <= length; i++) {
    hash = avito_hash_step(hash, points[i - 1]);
    if ((index->lengths >> i & 1) != 0 && may_be_known(index, hash))
      look_up(index, hash, true, i, word);
  }
  uint64_t whole = avito_hash_whole(hash);
  if (span->length == length && may_be_known(index, whole))
    look_up(index, whole, false, length, word);
}

/* The next number, which nothing in the scratch has yet. */
static void begin_message(struct avito_index *index)
{
  struct avito_scratch *scratch = &index->scratch;
  scratch->words.count = 0;
  scratch->hits.count = 0;
  scratch->asked.count = 0;
  scratch->matched.count = 0;
  if (++scratch->message != 0)
    return;
  if (scratch->met.count > 0)
    memset(scratch->met.items, 0, scratch->met.count * sizeof(struct avito_met));
  if (scratch->holds.count > 0)
    memset(scratch->holds.items, 0, scratch->holds.count * sizeof(uint32_t));
  scratch->message = 1;
}

/* Where to cut a text that is too long: after a word, where there is one that ends. */
static size_t cut(const char *text)
{
  size_t length = AVITO_MESSAGE_BYTES;
  while (length > AVITO_MESSAGE_BYTES / 2 && text[length] != ' ' && text[length] != '\n')
    length--;
  return length > AVITO_MESSAGE_BYTES / 2 ? length : AVITO_MESSAGE_BYTES;
}

static void read_message(struct avito_index *index, const char *text, size_t length)
{
  struct avito_scratch *scratch = &index->scratch;
  uint32_t *points = scratch->points.items;
  if (length > AVITO_MESSAGE_BYTES)
    length = cut(text);
  size_t count = avito_fold(text, length, points, points + AVITO_FOLD_ROOM(AVITO_MESSAGE_BYTES));
  struct avito_span *words = scratch->words.items;
  size_t at = 0;
  for (size_t size; scratch->words.count < AVITO_MESSAGE_WORDS && (size = avito_next_word(points, count, &at)) > 0;
       at += size)
    words[scratch->words.count++] = (struct avito_span){(uint32_t)at, (uint32_t)size};
  scratch->points_count = count;
}

/* Shell's sort: the numbers are few mostly, and nearly in order. */
static void sort(uint32_t *numbers, size_t count)
{
  size_t gap = 1;
  while (gap < count / 3)
    gap = 3 * gap + 1;
  for (; gap > 0; gap /= 3)
    for (size_t i = gap; i < count; i++) {
      uint32_t number = numbers[i];
      size_t to = i;
      for (; to >= gap && numbers[to - gap] > number; to -= gap)
        numbers[to] = numbers[to - gap];
      numbers[to] = number;
    }
}

size_t avito_index_match(struct avito_index *index, const char *text, size_t length)
{
  begin_message(index);
  read_message(index, text, length);
  for (uint32_t word = 0; word < index->scratch.words.count; word++)
    look_up_word(index, word);
  settle_concepts(index);
  settle_patterns(index);
  sort(index->scratch.matched.items, index->scratch.matched.count);
  return index->scratch.matched.count;
}
