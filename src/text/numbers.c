/* numbers.c - prices and quantities as buyers write them: "5 000,50", "4,5 тыс", "5-6к", "полторы тысячи".
 *
 * No amounts, and left out: percentages, cards, times, dates, versions, digits that are part of a name (iphone13,
 * A1B2), more digits than AVITO_NUMBER_DIGITS. There are no negative amounts: a dash before a number is a dash. */
#include <utf8proc.h>

#include "finders.h"

struct word {
  const char *text; /* its beginning only when it ends in '*' */
  double value;
};

static const struct word spelled[] = {
    {"ноль", 0},          {"нуля", 0},         {"нулю", 0},        {"один", 1},          {"одна", 1},
    {"одно", 1},          {"одну", 1},         {"одного", 1},      {"одной", 1},         {"одному", 1},
    {"два", 2},           {"две", 2},          {"двух", 2},        {"двум", 2},          {"двумя", 2},
    {"три", 3},           {"трех", 3},         {"трем", 3},        {"тремя", 3},         {"четыре", 4},
    {"четырех", 4},       {"четырем", 4},      {"четырьмя", 4},    {"пять", 5},          {"пяти", 5},
    {"пятью", 5},         {"шесть", 6},        {"шести", 6},       {"шестью", 6},        {"семь", 7},
    {"семи", 7},          {"семью", 7},        {"восемь", 8},      {"восьми", 8},        {"восемью", 8},
    {"девять", 9},        {"девяти", 9},       {"девятью", 9},     {"десять", 10},       {"десяти", 10},
    {"десятью", 10},      {"одиннадцат*", 11}, {"двенадцат*", 12}, {"тринадцат*", 13},   {"четырнадцат*", 14},
    {"пятнадцат*", 15},   {"шестнадцат*", 16}, {"семнадцат*", 17}, {"восемнадцат*", 18}, {"девятнадцат*", 19},
    {"двадцать", 20},     {"двадцати", 20},    {"двадцатью", 20},  {"тридцать", 30},     {"тридцати", 30},
    {"тридцатью", 30},    {"сорок", 40},       {"сорока", 40},     {"пятьдесят", 50},    {"пятидесяти", 50},
    {"шестьдесят", 60},   {"шестидесяти", 60}, {"семьдесят", 70},  {"семидесяти", 70},   {"восемьдесят", 80},
    {"восьмидесяти", 80}, {"девяносто", 90},   {"девяноста", 90},  {"сто", 100},         {"ста", 100},
    {"двести", 200},      {"двухсот", 200},    {"двумстам", 200},  {"триста", 300},      {"трехсот", 300},
    {"четыреста", 400},   {"четырехсот", 400}, {"пятьсот", 500},   {"пятисот", 500},     {"шестьсот", 600},
    {"шестисот", 600},    {"семьсот", 700},    {"семисот", 700},   {"восемьсот", 800},   {"восьмисот", 800},
    {"девятьсот", 900},   {"девятисот", 900},  {NULL, 0},
};

static const struct word one_and_a_half[] = {{"полтора", 1.5}, {"полторы", 1.5}, {"полутора", 1.5}, {NULL, 0}};

/* Numbers only with a multiplier behind them. */
static const struct word vague[] = {{"пол", 0.5}, {"пара", 2}, {"пару", 2}, {NULL, 0}};

/* Numbers by themselves. */
static const struct word whole[] = {
    {"тысяча", 1e3},      {"тысячу", 1e3},  {"тысячей", 1e3}, {"тыща", 1e3},  {"тыщу", 1e3},    {"косарь", 1e3},
    {"полтысячи", 500},   {"полтыщи", 500}, {"сотня", 100},   {"сотню", 100}, {"миллион", 1e6}, {"лям", 1e6},
    {"полмиллиона", 5e5}, {"полляма", 5e5}, {"полсотни", 50}, {NULL, 0},
};

static const struct word multipliers[] = {
    {"тысяч*", 1e3}, {"тыщ*", 1e3},     {"тыс", 1e3},     {"тыр", 1e3},  {"тр", 1e3},   {"косар*", 1e3},
    {"млн", 1e6},    {"миллион*", 1e6}, {"мильон*", 1e6}, {"лям*", 1e6}, {"млрд", 1e9}, {"миллиард*", 1e9},
    {"сотня", 100},  {"сотни", 100},    {"сотен", 100},   {NULL, 0},
};

/* Only right behind a digit: with a space before them they are other words. */
static const struct word glued_multipliers[] = {{"к", 1e3}, {"кр", 1e3}, {"т", 1e3}, {"кк", 1e6}, {NULL, 0}};

/* What is measured, not paid: "13 256гб" are two numbers, and so are "5 тыс 200 км". */
static const char *const memory[] = {"гб", "тб", "мб", "gb", "tb", "mb", "гиг*", NULL};
static const char *const measures[] = {"км", "м",  "см",    "мм",    "кг",  "г", "л",
                                       "мл", "шт", "штук*", "метр*", "лет", NULL};

/* Something that may be multiplied: digits, or words. */
struct part {
  double value; /* times scale, so that 4,35 тыс are 4350 and no less */
  double scale;
  size_t end;
  bool digits;
  bool vague;
  bool three; /* exactly three digits, and no more */
};

static const struct word *word_at(const struct avito_letter *letters, size_t i, size_t end, const struct word *words)
{
  for (; words->text != NULL; words++)
    if (avito_word_is(letters, i, end, words->text))
      return words;
  return NULL;
}

/* Words */

size_t avito_number_spelled(const struct avito_letter *letters, size_t i, unsigned *value)
{
  size_t end = i;
  unsigned total = 0;
  unsigned room = 1000; /* the next word is below it */
  for (size_t at = i; room > 1; at = avito_skip_spaces(letters, end)) {
    size_t word_end = avito_word_end(letters, at);
    const struct word *word = word_end > at ? word_at(letters, at, word_end, spelled) : NULL;
    unsigned number = word != NULL ? (unsigned)word->value : room;
    if (number >= room || (number == 0 && end > i))
      break;
    total += number;
    end = word_end;
    room = number >= 100 ? 100 : number >= 20 ? 10 : 1;
  }
  *value = total;
  return end;
}

static struct part read_words(const struct avito_letter *letters, size_t i)
{
  unsigned value = 0;
  struct part part = {0, 1, avito_number_spelled(letters, i, &value), false, false, false};
  part.value = value;
  if (part.end > i)
    return part;
  size_t end = avito_word_end(letters, i);
  const struct word *word = end > i ? word_at(letters, i, end, one_and_a_half) : NULL;
  if (word == NULL && end > i) {
    word = word_at(letters, i, end, vague);
    part.vague = word != NULL;
  }
  if (word != NULL) {
    part.value = word->value;
    part.end = end;
  }
  return part;
}

/* Multipliers */

/* "т.р", "т р", "т/р", "т.руб" at i: its end, or i. */
static size_t thousand_roubles(const struct avito_letter *letters, size_t i)
{
  size_t end = avito_word_end(letters, i);
  if (!avito_word_is(letters, i, end, "т"))
    return i;
  size_t at = end + (letters[end].point == '.' || letters[end].point == '/');
  at = avito_skip_spaces(letters, at);
  size_t word = avito_word_end(letters, at);
  return avito_word_is(letters, at, word, "р") || avito_word_is(letters, at, word, "руб*") ? word : i;
}

/* What the part before i is multiplied with, 1 when nothing; *end is the end of it. */
static double multiplier_at(const struct avito_letter *letters, size_t i, bool digits, size_t *end)
{
  size_t at = avito_skip_spaces(letters, i);
  size_t word_end = avito_word_end(letters, at);
  *end = i;
  if (word_end == at)
    return 1;
  size_t roubles = digits ? thousand_roubles(letters, at) : at;
  const struct word *word = word_at(letters, at, word_end, multipliers);
  if (word == NULL && digits && at == i)
    word = word_at(letters, at, word_end, glued_multipliers);
  if (roubles > at) {
    *end = roubles;
    return 1e3;
  }
  if (word == NULL)
    return 1;
  *end = word_end;
  return word->value;
}

static bool is_measured(const struct avito_letter *letters, size_t i, const char *const *units)
{
  size_t at = avito_skip_spaces(letters, i);
  return avito_word_among(letters, at, avito_word_end(letters, at), units) >= 0;
}

/* Digits */

static double digits_value(const struct avito_letter *letters, size_t i, size_t end)
{
  double value = 0;
  for (; i < end; i++)
    if (avito_point_is_digit(letters[i].point))
      value = value * 10 + (letters[i].point - '0');
  return value;
}

/* Whether the mark at i, behind digits, parts thousands: *kind tells the kind of mark, the same throughout a number. */
static bool parts_thousands(const struct avito_letter *letters, size_t i, uint32_t *kind)
{
  uint32_t mark = letters[i].point;
  if (avito_point_is_space(mark))
    mark = ' ';
  else if (mark == 0x2019)
    mark = '\'';
  else if (mark != '.' && mark != ',' && mark != '\'')
    return false;
  if (*kind != 0 && *kind != mark)
    return false;
  if (avito_digits_end(letters, i + 1) != i + 4)
    return false;
  if (mark == ' ' && is_measured(letters, i + 4, memory))
    return false;
  *kind = mark;
  return true;
}

/* The end of the decimals of a whole number letters[i .. end), or `end`. */
static size_t decimals_end(const struct avito_letter *letters, size_t i, size_t end, uint32_t grouped)
{
  uint32_t mark = letters[end].point;
  if ((mark != '.' && mark != ',') || mark == grouped)
    return end;
  if (avito_point_before(letters, i) == mark && avito_point_is_digit(avito_point_before(letters, i - 1)))
    return end; /* inside a list */
  size_t last = avito_digits_end(letters, end + 1);
  size_t length = last - end - 1;
  uint32_t next = letters[last].point;
  if (length == 0 || length > 6 || ((next == ',' || next == '.') && avito_point_is_digit(letters[last + 1].point)))
    return end; /* a list: "1,2,3" */
  bool small = letters[i].point == '0' && end == i + 1;
  bool long_decimals = length > 3 && mark == '.' && end - i <= 3;
  size_t ignored;
  if (length > 2 && !small && !long_decimals && (end - i > 3 || multiplier_at(letters, last, true, &ignored) <= 1))
    return end;
  return last;
}

/* Digits at i with their marks: "5 000,50". There may be too many of them; the caller looks. */
static struct part read_digits(const struct avito_letter *letters, size_t i)
{
  size_t first = avito_digits_end(letters, i);
  size_t end = first;
  uint32_t grouped = 0;
  if (first - i <= 3 && letters[i].point != '0')
    while (parts_thousands(letters, end, &grouped))
      end += 4;
  size_t ignored;
  bool one = end == first + 4 && (grouped == '.' || grouped == ',');
  if (one && multiplier_at(letters, end, true, &ignored) > 1) { /* "1,250 млн" */
    end = first;
    grouped = 0;
  }
  size_t last = decimals_end(letters, i, end, grouped);
  double scale = 1;
  for (size_t k = end + 1; k < last; k++)
    scale *= 10;
  return (struct part){digits_value(letters, i, last), scale, last, true, false, last == first && first - i == 3};
}

/* The end of the number of a card at i, four groups of four digits; or i. */
static size_t card_end(const struct avito_letter *letters, size_t i)
{
  size_t end = i;
  for (size_t at = i; avito_digits_end(letters, at) == at + 4; at = end + 1) {
    end = at + 4;
    if (end - i == 19)
      return end;
    if (!avito_point_is_space(letters[end].point) && !avito_point_is_dash(letters[end].point))
      break;
  }
  return i;
}

/* The end of what looks like a number at i but is none: a card, a time, a date, a version, a code; or i. */
static size_t other_end(const struct avito_letter *letters, size_t i)
{
  size_t card = card_end(letters, i);
  if (card > i)
    return card;
  size_t first = avito_digits_end(letters, i);
  uint32_t mark = letters[first].point;
  bool joins = mark == ':' || mark == '.' || mark == '/' || mark == '-';
  size_t second = joins ? avito_digits_end(letters, first + 1) : first;
  if (first - i > AVITO_NUMBER_DIGITS)
    return first;
  if (mark == ':' && first - i <= 2 && second - first == 3) { /* 18:30, 18:30:00 */
    while (letters[second].point == ':' && avito_point_is_digit(letters[second + 1].point))
      second = avito_digits_end(letters, second + 1);
    return second;
  }
  if (joins && second > first + 1 && letters[second].point == mark) {
    size_t third = avito_digits_end(letters, second + 1);
    bool year = first - i == 4 || third - second == 5;
    bool thousands = second - first == 4 && third - second == 4;
    if (third > second + 1 && (year || (mark == '.' && !thousands))) {
      while (letters[third].point == mark && avito_point_is_digit(letters[third + 1].point))
        third = avito_digits_end(letters, third + 1);
      return third;
    }
  }
  size_t word = first;
  while (letters[word].point >= 'a' && letters[word].point <= 'z')
    word++;
  if (word > first && avito_point_is_digit(letters[word].point) &&
      !(word == first + 1 && letters[first].point == 'x')) {
    while (avito_point_is_digit(letters[word].point) || avito_point_is_letter(letters[word].point))
      word++;
    return word;
  }
  return i;
}

static bool is_percentage(const struct avito_letter *letters, size_t i)
{
  size_t at = avito_skip_spaces(letters, i);
  if (letters[at].point == '%')
    return true;
  return avito_word_is(letters, at, avito_word_end(letters, at), "процент*");
}

/* Whether a number may begin at i: "13" of "iphone13" does not, "200" of "100х200" does. */
static bool may_begin(const struct avito_letter *letters, size_t i)
{
  uint32_t before = avito_point_before(letters, i);
  if (!avito_point_is_digit(letters[i].point))
    return !avito_point_is_letter(before) && !avito_point_is_digit(before) && before != '_';
  if (before == 'x' || before == 0x445)
    return avito_point_is_digit(avito_point_before(letters, i - 1));
  return !avito_point_is_letter(before) && !avito_point_is_digit(before) && before != '_';
}

/* "две с половиной", "3 с половиной": adds the half. */
static void add_half(const struct avito_letter *letters, struct part *part)
{
  size_t at = avito_skip_spaces(letters, part->end);
  size_t with = avito_word_end(letters, at);
  size_t half = avito_skip_spaces(letters, with);
  size_t end = avito_word_end(letters, half);
  if (!avito_word_is(letters, at, with, "с") || !avito_word_is(letters, half, end, "половиной"))
    return;
  part->value += part->scale / 2;
  part->end = end;
}

static struct part read_part(const struct avito_letter *letters, size_t i)
{
  struct part part = avito_point_is_digit(letters[i].point) ? read_digits(letters, i) : read_words(letters, i);
  if (part.end > i)
    add_half(letters, &part);
  return part;
}

struct amount {
  double value;
  double multiplier; /* of its first part */
  size_t end;
};

/* Where what may still belong to a number that ends at i begins: "5 тыс. 500" goes on, so does "1 млн 200 тыс". */
static size_t next_part(const struct avito_letter *letters, size_t i)
{
  size_t at = avito_skip_spaces(letters, i + (letters[i].point == '.'));
  return at > i + (letters[i].point == '.') ? at : i;
}

/* An amount at i: parts with falling multipliers. Its end is i when there is none. */
static struct amount read_amount(const struct avito_letter *letters, size_t i)
{
  struct amount amount = {0, 1, i};
  double last = 1e18;
  for (size_t at = i; last > 1; at = next_part(letters, amount.end)) {
    size_t word_end = avito_word_end(letters, at);
    const struct word *alone = word_end > at ? word_at(letters, at, word_end, whole) : NULL;
    struct part part = read_part(letters, at);
    if (alone != NULL && amount.end == i)
      return (struct amount){alone->value, alone->value, word_end};
    if (part.end == at)
      break;
    size_t end;
    double multiplier = multiplier_at(letters, part.end, part.digits, &end);
    bool bare = multiplier <= 1;
    if (multiplier >= last || (part.vague && bare))
      break;
    if (amount.end > i && part.digits && bare && (!part.three || is_measured(letters, part.end, measures)))
      break;
    if (amount.end > i &&
        (last < 1e3 || is_percentage(letters, end) || (!part.digits && letters[amount.end].point == '.')))
      break;
    if (amount.end == i)
      amount.multiplier = multiplier;
    amount.value += part.value * multiplier / part.scale;
    amount.end = end;
    last = multiplier;
  }
  return amount;
}

/* The amount that makes a range with the one that ends at i: "5-6 тысяч", "от 5 до 6 тысяч"; its end is i when none. */
static struct amount range_end(const struct avito_letter *letters, size_t i)
{
  static const char *const between[] = {"до", "или", NULL};
  size_t at = avito_skip_spaces(letters, i);
  size_t behind = at;
  if (avito_point_is_dash(letters[at].point))
    behind = at + 1;
  else if (avito_word_among(letters, at, avito_word_end(letters, at), between) >= 0)
    behind = avito_word_end(letters, at);
  if (behind > at) {
    size_t from = avito_skip_spaces(letters, behind);
    if (may_begin(letters, from)) {
      struct amount amount = read_amount(letters, from);
      if (amount.end > from)
        return amount;
    }
  }
  return (struct amount){0, 1, i};
}

bool avito_find_number(const struct avito_letter *letters, size_t count, size_t from, struct avito_number *number)
{
  for (size_t i = from; i < count;) {
    bool digits = avito_point_is_digit(letters[i].point);
    size_t run = digits ? avito_digits_end(letters, i) : avito_word_end(letters, i);
    size_t next = run > i ? run : i + 1;
    if (run > i && may_begin(letters, i)) {
      size_t other = digits ? other_end(letters, i) : i;
      struct amount amount = read_amount(letters, i);
      if (other > i) {
        next = other;
      } else if (amount.end > i) {
        struct amount upper = range_end(letters, amount.end);
        bool ranges = upper.end > amount.end && amount.multiplier <= 1;
        if (ranges && amount.value < upper.value / upper.multiplier)
          amount.value *= upper.multiplier;
        next = amount.end;
        bool percentage = is_percentage(letters, amount.end) || (ranges && is_percentage(letters, upper.end));
        if (!percentage && amount.value <= 9007199254740992.0) {
          *number = (struct avito_number){{i, amount.end}, amount.value};
          return true;
        }
      }
    }
    i = next;
  }
  return false;
}
