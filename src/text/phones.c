/* phones.c - phone numbers, also those written so that a filter does not see them: "восемь девятьсот 12З 45 6 7",
 * "8 9OO 123.45.67", "8️⃣9️⃣0️⃣0️⃣…".
 *
 * A candidate is a row of groups of digits with at most a few marks between them. Whether it is a phone number is
 * decided by the groups it ends with: a phone number ends where a group ends. */
#include "finders.h"

enum { MARKS = 4, RUSSIAN = 11, NATIONAL = 10, FOREIGN_LEAST = 8 };

struct group {
  size_t length; /* digits of the candidate up to its end */
  size_t end;
  bool ends; /* a phone number may end here */
};

struct candidate {
  bool plus;
  char digits[AVITO_PHONE_DIGITS];
  struct group groups[AVITO_PHONE_DIGITS]; /* each has a digit at least */
  size_t count;
};

struct country {
  const char *code;
  size_t length; /* with the code */
};

/* Those whose numbers have one length, so that what follows is not taken for a part of them. */
static const struct country countries[] = {
    {"375", 12}, {"380", 12}, {"998", 12}, {"996", 12}, {"992", 12}, {"993", 11}, {"994", 12}, {"995", 12}, {"374", 11},
    {"373", 11}, {"371", 11}, {"370", 11}, {"972", 12}, {"90", 12},  {"86", 13},  {"1", 11},   {"48", 11},  {"34", 11},
};

/* The word before digits that are no phone number. */
static const char *const other_ids[] = {"инн",      "имей*",   "снилс", "огрн*", "заказ*",     "трек*",
                                        "артикул*", "арт",     "id",    "ид",    "объявлени*", "код*",
                                        "счет*",    "серийн*", "imei",  "sn",    "накладн*",   NULL};

/* What follows a price. */
static const char *const currencies[] = {"р", "руб*", "тыс*", "тр", "млн", "миллион*", "млрд", "миллиард*", NULL};

/* What a letter stands for among digits, or 0. */
static char trick(uint32_t point)
{
  switch (point) {
  case 'o':
  case 0x43e:
    return '0';
  case 0x437:
    return '3';
  default:
    return 0;
  }
}

static bool is_mark(uint32_t point)
{
  return avito_point_is_space(point) || avito_point_is_dash(point) ||
         (point > 0 && point < 0x80 && strchr(".,()/*_'", (int)point) != NULL) || point == 0xb7 || point == 0x2022;
}

/* Adds the group letters[i .. end) whose digits are given; false when it is too long. */
static bool add_group(struct candidate *candidate, const char *digits, size_t length, size_t end, bool ends)
{
  size_t before = candidate->count > 0 ? candidate->groups[candidate->count - 1].length : 0;
  if (before + length > AVITO_PHONE_DIGITS)
    return false;
  memcpy(candidate->digits + before, digits, length);
  candidate->groups[candidate->count++] = (struct group){before + length, end, ends};
  return true;
}

/* A number in words: "девятьсот" are three digits. Its end, or i. */
static size_t read_words(const struct avito_letter *letters, size_t i, struct candidate *candidate)
{
  unsigned value;
  size_t end = avito_number_spelled(letters, i, &value);
  if (end == i)
    return i;
  char digits[3];
  size_t length = 0;
  if (value >= 100)
    digits[length++] = (char)('0' + value / 100);
  if (value >= 10)
    digits[length++] = (char)('0' + value / 10 % 10);
  digits[length++] = (char)('0' + value % 10);
  return add_group(candidate, digits, length, end, true) ? end : i;
}

/* Digits, with О and З among them; letters alone when digits came before. Its end, or i. */
static size_t read_digits(const struct avito_letter *letters, size_t i, struct candidate *candidate)
{
  char digits[AVITO_PHONE_DIGITS];
  size_t length = 0;
  size_t real = 0; /* digits up to the last that is no letter */
  for (size_t at = i;; at++) {
    uint32_t point = letters[at].point;
    bool digit = avito_point_is_digit(point);
    char value = digit ? (char)point : trick(point);
    if (value == 0)
      break;
    if (length == sizeof digits)
      return i;
    digits[length++] = value;
    if (digit)
      real = length;
  }
  if (avito_point_is_letter(letters[i + length].point))
    length = real; /* "…67звоните" */
  if (length == 0 || (real == 0 && length > 3))
    return i;
  uint32_t next = letters[i + length].point;
  bool ends = real > 0 && !(next >= 'a' && next <= 'z' && trick(next) == 0);
  return add_group(candidate, digits, length, i + length, ends) ? i + length : i;
}

static size_t skip_marks(const struct avito_letter *letters, size_t i)
{
  size_t end = i;
  while (end - i < MARKS && is_mark(letters[end].point))
    end++;
  return end;
}

/* Reads as many groups as may belong to one number that begins at i. */
static struct candidate read_candidate(const struct avito_letter *letters, size_t i)
{
  struct candidate candidate = {.plus = false};
  size_t word = avito_word_end(letters, i);
  if (letters[i].point == '+') {
    candidate.plus = true;
    i = skip_marks(letters, i + 1);
  } else if (avito_word_is(letters, i, word, "плюс")) {
    candidate.plus = true;
    i = avito_skip_spaces(letters, word);
  }
  for (;;) {
    size_t end = read_words(letters, i, &candidate);
    if (end == i)
      end = read_digits(letters, i, &candidate);
    if (end == i || avito_point_is_letter(letters[end].point) || avito_point_is_digit(letters[end].point))
      break;
    i = skip_marks(letters, end);
    if (i == end)
      break;
  }
  return candidate;
}

/* The group that ends with the given number of digits, or NULL. */
static const struct group *group_of(const struct candidate *candidate, size_t length)
{
  for (size_t k = 0; k < candidate->count; k++)
    if (candidate->groups[k].length == length)
      return candidate->groups[k].ends ? &candidate->groups[k] : NULL;
  return NULL;
}

/* Two prices look like "8 900 000 9 000": a group of a single digit, not the first, and groups of three behind each. */
static bool looks_like_prices(const struct candidate *candidate, const struct group *last)
{
  bool single = false;
  size_t before = 0;
  size_t previous = 0;
  for (const struct group *group = candidate->groups; group <= last; group++) {
    size_t length = group->length - before;
    if (length != 3 && (length != 1 || previous == 1))
      return false;
    single = single || (length == 1 && before > 0);
    before = group->length;
    previous = length;
  }
  return single && previous == 3;
}

/* Digits of dates, too, may add up to ten: "9.10.2025 100". A number without 8 begins with its code. */
static bool begins_like_code(const struct candidate *candidate, const struct group *last)
{
  if (candidate->groups[0].length >= 3)
    return true;
  size_t before = 0;
  for (const struct group *group = candidate->groups; group <= last; group++) {
    if (group->length - before > 2)
      return false;
    before = group->length;
  }
  return true;
}

static const struct group *foreign(const struct candidate *candidate)
{
  size_t total = candidate->groups[candidate->count - 1].length;
  for (size_t k = 0; k < sizeof countries / sizeof *countries; k++) {
    size_t code = strlen(countries[k].code);
    if (total >= code && memcmp(candidate->digits, countries[k].code, code) == 0)
      return group_of(candidate, countries[k].length);
  }
  for (size_t k = candidate->count; k > 0; k--) {
    const struct group *group = &candidate->groups[k - 1];
    if (group->length >= FOREIGN_LEAST && group->ends)
      return group;
  }
  return NULL;
}

/* The last group of the phone number the candidate begins with, and how many of its digits are not part of the national
 * number. NULL when it begins with none. */
static const struct group *recognise(const struct candidate *candidate, size_t *prefix)
{
  const char *digits = candidate->digits;
  const struct group *last = NULL;
  if (candidate->count == 0 || (candidate->plus && digits[0] == '0'))
    return NULL;
  *prefix = 1;
  if (candidate->plus && digits[0] == '7')
    return group_of(candidate, RUSSIAN);
  if (candidate->plus && digits[0] == '8' && digits[1] == '9')
    return group_of(candidate, RUSSIAN);
  *prefix = 0;
  if (candidate->plus)
    return foreign(candidate);
  if ((digits[0] == '7' || digits[0] == '8') && strchr("3489", digits[1]) != NULL) {
    *prefix = 1;
    last = group_of(candidate, RUSSIAN);
  } else if (digits[0] == '9') {
    last = group_of(candidate, NATIONAL);
    if (last != NULL && !begins_like_code(candidate, last))
      last = NULL;
  }
  return last != NULL && !looks_like_prices(candidate, last) ? last : NULL;
}

/* What stands before and behind digits tells that they are an order, a card, a price. */
static bool is_other_id(const struct avito_letter *letters, size_t i)
{
  size_t end = i;
  uint32_t point = avito_point_before(letters, end);
  while (i - end < MARKS && (is_mark(point) || point == ':' || point == '#' || point == 0x2116)) {
    if (point == '#' || point == 0x2116)
      return true;
    point = avito_point_before(letters, --end);
  }
  size_t start = end;
  while (avito_point_is_letter(avito_point_before(letters, start)))
    start--;
  return start < end && avito_word_among(letters, start, end, other_ids) >= 0;
}

static bool is_price(const struct avito_letter *letters, size_t end)
{
  size_t at = avito_skip_spaces(letters, end);
  uint32_t point = letters[at].point;
  if (point == '$' || point == 0x20ac || point == 0x20bd)
    return true;
  return avito_word_among(letters, at, avito_word_end(letters, at), currencies) >= 0;
}

/* Whether the digit at i follows digits that are written one by one, as it is: it is the middle of something longer. */
static bool follows_lone_digit(const struct avito_letter *letters, size_t i)
{
  size_t at = i;
  while (i - at < MARKS && is_mark(avito_point_before(letters, at)))
    at--;
  if (at == i || !avito_point_is_digit(avito_point_before(letters, at)) ||
      avito_point_is_digit(avito_point_before(letters, at - 1)))
    return false;
  size_t second = skip_marks(letters, i + 1);
  return second > i + 1 && avito_point_is_digit(letters[second].point) &&
         !avito_point_is_digit(letters[second + 1].point);
}

/* Whether a number may begin at i. */
static bool may_begin(const struct avito_letter *letters, size_t i)
{
  uint32_t point = letters[i].point;
  uint32_t before = avito_point_before(letters, i);
  if (point == '+' || avito_point_is_letter(point))
    return true;
  if (!avito_point_is_digit(point) || (before >= 'a' && before <= 'z'))
    return false;
  return !follows_lone_digit(letters, i) && !is_other_id(letters, i);
}

static bool phone_at(const struct avito_letter *letters, size_t i, struct avito_phone *phone)
{
  size_t prefix;
  struct candidate candidate = read_candidate(letters, i);
  const struct group *last = recognise(&candidate, &prefix);
  if (last == NULL)
    return false;
  bool russian = prefix == 1 || !candidate.plus;
  if (!(candidate.plus && russian) && is_price(letters, last->end))
    return false;
  char *out = phone->text;
  *out++ = '+';
  if (russian)
    *out++ = '7';
  memcpy(out, candidate.digits + prefix, last->length - prefix);
  out[last->length - prefix] = '\0';
  phone->found = (struct avito_found){i, last->end};
  return true;
}

bool avito_find_phone(const struct avito_letter *letters, size_t count, size_t from, struct avito_phone *phone)
{
  for (size_t i = from; i < count;) {
    if (may_begin(letters, i) && phone_at(letters, i, phone))
      return true;
    size_t end = avito_point_is_digit(letters[i].point) ? avito_digits_end(letters, i) : avito_word_end(letters, i);
    i = end > i ? end : i + 1;
  }
  return false;
}
