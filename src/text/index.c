/* index.c - a message against an index. Nothing here allocates. */
#include "index.h"

/* ---- what a clause asks of the message ---- */

/* Are the literal's points these? */
static inline bool has_points(const struct avito_index *index, const struct avito_known *known, const uint32_t *points)
{
  if (known->length <= AVITO_NEAR_POINTS)
    return memcmp(known->near, points, known->length * sizeof *points) == 0;
  return memcmp(avito_points_of(index, known), points, known->length * sizeof *points) == 0;
}

static const uint32_t *points_of(const struct avito_index *index, uint32_t word)
{
  const struct avito_scratch *scratch = &index->scratch;
  return (const uint32_t *)scratch->points.items + ((const struct avito_span *)scratch->words.items)[word].at;
}

static uint32_t length_of(const struct avito_index *index, uint32_t word)
{
  return ((const struct avito_span *)index->scratch.words.items)[word].length;
}

bool avito_literal_covers(const struct avito_index *index, uint32_t number, uint32_t word)
{
  const struct avito_known *known = avito_known_at(index, number);
  uint32_t length = length_of(index, word);
  if (known->prefix ? length < known->length : length != known->length)
    return false;
  return has_points(index, known, points_of(index, word));
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
  const struct avito_known *known = avito_known_at(index, test->wanted);
  if (known->message != scratch->message)
    return AVITO_NONE;
  uint32_t found = AVITO_NONE;
  for (uint32_t hit = known->hit; hit != AVITO_NONE;) {
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
  return ((const uint16_t *)index->scratch.holds.items)[owner] == index->scratch.message;
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

static void ask(struct avito_index *index, const struct avito_hanging *hanging, uint32_t count);

/* Recurses as deep as concepts use each other. */
static void hold(struct avito_index *index, uint32_t owner)
{
  struct avito_scratch *scratch = &index->scratch;
  if (owner_holds(index, owner))
    return;
  ((uint16_t *)scratch->holds.items)[owner] = scratch->message;
  if (owner < index->patterns) {
    ((uint32_t *)scratch->matched.items)[scratch->matched.count++] = owner;
  } else {
    const struct avito_owner *concept = avito_owner_at(index, owner);
    ask(index, (const struct avito_hanging *)index->hanging.items + concept->hang, concept->hangs);
  }
}

/* Remembers a clause of a concept until those that it may ask for are settled. */
static void ask_concept(struct avito_index *index, uint32_t number)
{
  struct avito_scratch *scratch = &index->scratch;
  uint32_t concept = avito_clause_at(index, number)->owner - index->patterns;
  uint32_t *waiting = (uint32_t *)scratch->waiting.items + concept;
  ((uint32_t *)scratch->before.items)[number] = *waiting;
  *waiting = number;
  ((uint64_t *)scratch->concepts.items)[concept / 64] |= UINT64_C(1) << concept % 64;
}

static void ask(struct avito_index *index, const struct avito_hanging *hanging, uint32_t count)
{
  struct avito_scratch *scratch = &index->scratch;
  for (uint32_t i = 0; i < count; i++) {
    uint32_t what = hanging[i].what;
    if ((what & AVITO_ALONE) != 0)
      hold(index, what & ~AVITO_ALONE);
    else if ((what & AVITO_OF_CONCEPT) != 0)
      ask_concept(index, what & ~AVITO_OF_CONCEPT);
    else
      ((struct avito_hanging *)scratch->asked.items)[scratch->asked.count++] = hanging[i];
  }
}

/* A concept asks only for those before it, so that one walk does; a walk may add bits, behind it only. */
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

static bool is_met(const struct avito_index *index, uint32_t known)
{
  return known == AVITO_NONE || avito_known_at(index, known)->message == index->scratch.message;
}

/* In rounds, as the words are looked up. */
static void settle_patterns(struct avito_index *index)
{
  const struct avito_scratch *scratch = &index->scratch;
  struct avito_hanging *asked = scratch->asked.items;
  size_t left = 0;
  for (size_t i = 0; i < scratch->asked.count; i++)
    if (is_met(index, asked[i].besides)) {
      __builtin_prefetch(avito_clause_at(index, asked[i].what));
      asked[left++] = asked[i];
    }
  for (size_t i = 0; i < left; i++)
    __builtin_prefetch(avito_test_at(index, avito_clause_at(index, asked[i].what)->tests));
  for (size_t i = 0; i < left; i++) {
    const struct avito_clause *clause = avito_clause_at(index, asked[i].what);
    if (!owner_holds(index, clause->owner) && avito_clause_holds(index, clause))
      hold(index, clause->owner);
  }
}

/* ---- the words of the message ---- */

static void meet(struct avito_index *index, struct avito_known *known, uint32_t word)
{
  struct avito_scratch *scratch = &index->scratch;
  bool first = known->message != scratch->message;
  ((struct avito_hit *)scratch->hits.items)[scratch->hits.count] =
      (struct avito_hit){word, first ? AVITO_NONE : known->hit};
  known->hit = (uint32_t)scratch->hits.count++;
  if (!first)
    return;
  known->message = scratch->message;
  ask(index, known->hangs == 1 ? &known->only : (const struct avito_hanging *)index->hanging.items + known->hang,
      known->hangs);
}

static inline size_t place_of(const struct avito_index *index, uint64_t hash)
{
  return avito_hash_place(hash) & (index->places.count - 1);
}

static inline bool may_be_known(const struct avito_index *index, uint64_t hash)
{
  uint64_t bits = avito_filter_bits(hash);
  return (((const uint64_t *)index->filter.items)[hash >> index->filter_shift] & bits) == bits;
}

static inline void guess(struct avito_index *index, uint64_t hash, uint32_t word, uint32_t length, bool prefix)
{
  struct avito_array *guesses = &index->scratch.guesses;
  if (!may_be_known(index, hash))
    return;
  __builtin_prefetch((const struct avito_place *)index->places.items + place_of(index, hash));
  ((struct avito_guess *)guesses->items)[guesses->count++] =
      (struct avito_guess){.hash = hash, .word = word, .length = (uint16_t)length, .prefix = prefix};
}

static void guess_word(struct avito_index *index, uint32_t word)
{
  const uint32_t *points = points_of(index, word);
  uint32_t whole = length_of(index, word);
  uint32_t length = whole < AVITO_PATTERN_WORD ? whole : AVITO_PATTERN_WORD;
  uint64_t hash = AVITO_HASH_SEED;
  for (uint32_t i = 1; i <= length; i++) {
    hash = avito_hash_step(hash, points[i - 1]);
    if ((index->lengths >> i & 1) != 0)
      guess(index, hash, word, i, true);
  }
  if (whole == length)
    guess(index, avito_hash_whole(hash), word, length, false);
}

/* The literal that the table has at the guess's hash, from the place on; AVITO_NONE at the end. */
static uint32_t find(const struct avito_index *index, const struct avito_guess *guess, size_t *place)
{
  const struct avito_place *places = index->places.items;
  size_t mask = index->places.count - 1;
  while (places[*place].known != AVITO_NONE && places[*place].tag != (uint32_t)(guess->hash >> 32))
    *place = (*place + 1) & mask;
  return places[*place].known;
}

static void check_guess(struct avito_index *index, const struct avito_guess *guess)
{
  size_t place = place_of(index, guess->hash);
  size_t mask = index->places.count - 1;
  const uint32_t *points = points_of(index, guess->word);
  for (uint32_t number; (number = find(index, guess, &place)) != AVITO_NONE; place = (place + 1) & mask) {
    struct avito_known *known = avito_known_at(index, number);
    if (known->length == guess->length && known->prefix == guess->prefix && has_points(index, known, points)) {
      meet(index, known, guess->word);
      return;
    }
  }
}

/* In rounds over all words, each of which asks for the memory that the next one reads: so the waits overlap. */
static void look_up_words(struct avito_index *index)
{
  struct avito_scratch *scratch = &index->scratch;
  for (uint32_t word = 0; word < scratch->words.count; word++)
    guess_word(index, word);
  const struct avito_guess *guesses = scratch->guesses.items;
  for (size_t i = 0; i < scratch->guesses.count; i++) {
    size_t place = place_of(index, guesses[i].hash);
    uint32_t known = find(index, &guesses[i], &place);
    if (known != AVITO_NONE)
      __builtin_prefetch(avito_known_at(index, known));
  }
  for (size_t i = 0; i < scratch->guesses.count; i++)
    check_guess(index, &guesses[i]);
}

/* The next number, which nothing in the scratch has yet. */
static void begin_message(struct avito_index *index)
{
  struct avito_scratch *scratch = &index->scratch;
  scratch->words.count = 0;
  scratch->guesses.count = 0;
  scratch->hits.count = 0;
  scratch->asked.count = 0;
  scratch->matched.count = 0;
  if (++scratch->message != 0)
    return;
  for (uint32_t i = 0; i < index->known.count; i++)
    avito_known_at(index, i)->message = 0;
  if (scratch->holds.count > 0)
    memset(scratch->holds.items, 0, scratch->holds.count * sizeof(uint16_t));
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
  look_up_words(index);
  settle_concepts(index);
  settle_patterns(index);
  sort(index->scratch.matched.items, index->scratch.matched.count);
  return index->scratch.matched.count;
}
