/* split.c - a long text in pieces that may be sent: cut behind sentences and lines, else at spaces, else anywhere but
 * inside a character as its reader sees it. */
#include <utf8proc.h>

#include "finders.h"

/* Words before the dot that a name or a number follows: the sentence goes on, whatever follows. */
static const char *const before_names[] = {"ул", "пер",  "пр",  "пос", "обл", "дер", "им",   "кв",   "стр",   "корп",
                                           "эт", "тел",  "доб", "рис", "см",  "ст",  "проф", "акад", "гр",    "тов",
                                           "св", "прим", "ред", "оф",  "мкр", "наб", "бул",  "пл",   "просп", NULL};

/* A place in the text, and what the cut there is worth. */
struct cut {
  size_t end;  /* of the piece */
  size_t next; /* where the rest begins */
};

struct reader {
  const char *text;
  size_t length;
};

/* The code point at `at`, which is before the end; what is not UTF-8 is one that nothing goes together with. */
static utf8proc_int32_t read_point(const struct reader *reader, size_t at, size_t *size)
{
  utf8proc_int32_t point;
  utf8proc_ssize_t read =
      utf8proc_iterate((const utf8proc_uint8_t *)reader->text + at, (utf8proc_ssize_t)(reader->length - at), &point);
  *size = read > 0 ? (size_t)read : 1;
  return read > 0 ? point : 0;
}

static bool ends_line(utf8proc_int32_t point)
{
  return (point >= '\n' && point <= '\r') || point == 0x85 || point == 0x2028 || point == 0x2029;
}

/* Without the spaces that keep together what is around them. */
static bool is_white(utf8proc_int32_t point)
{
  return point == ' ' || point == '\t' || ends_line(point) || point == 0x1680 ||
         (point >= 0x2000 && point <= 0x200a && point != 0x2007) || point == 0x205f || point == 0x3000;
}

struct white {
  size_t end;
  size_t points;
  bool line;
};

/* The white space at `at`. A space that carries an accent is none. */
static struct white read_white(const struct reader *reader, size_t at)
{
  struct white white = {at, 0, false};
  while (white.end < reader->length) {
    size_t size;
    size_t next_size;
    utf8proc_int32_t point = read_point(reader, white.end, &size);
    if (!is_white(point))
      break;
    if (!ends_line(point) && white.end + size < reader->length &&
        !utf8proc_grapheme_break(point, read_point(reader, white.end + size, &next_size)))
      break;
    white.line = white.line || ends_line(point);
    white.end += size;
    white.points++;
  }
  return white;
}

/* The code point that ends before `at`, and where it begins; 0 at the beginning of the piece. */
static utf8proc_int32_t point_before(const struct reader *reader, size_t start, size_t at, size_t *before)
{
  size_t size;
  *before = at;
  if (at == start)
    return 0;
  do
    --*before;
  while (*before > start && ((unsigned char)reader->text[*before] & 0xc0) == 0x80);
  return read_point(reader, *before, &size);
}

static bool closes(utf8proc_int32_t point)
{
  return point == '"' || point == '\'' || point == ')' || point == ']' || point == 0xbb || point == 0x201c ||
         point == 0x201d || point == 0x2019;
}

static bool is_letter(utf8proc_int32_t point)
{
  return point > 0 &&
         (utf8proc_category(point) >= UTF8PROC_CATEGORY_LU && utf8proc_category(point) <= UTF8PROC_CATEGORY_LO);
}

/* Whether text[from .. end) is one of before_names, whatever its case. */
static bool before_name(const struct reader *reader, size_t from, size_t end)
{
  struct avito_letter letters[16];
  if (end - from >= sizeof letters / sizeof *letters)
    return false;
  size_t count = avito_letters(letters, reader->text + from, end - from);
  return avito_word_among(letters, 0, count, before_names) >= 0;
}

/* Whether the one dot at text[dot] may end a sentence: not behind an initial, a list's number at the start of a line,
 * an abbreviation, nor when what follows is in lower case. */
static bool dot_ends(const struct reader *reader, size_t start, size_t dot, size_t next)
{
  size_t size;
  if (next < reader->length && utf8proc_category(read_point(reader, next, &size)) == UTF8PROC_CATEGORY_LL)
    return false;
  size_t from = dot;
  size_t before;
  size_t points = 0;
  utf8proc_int32_t point = point_before(reader, start, from, &before);
  bool digits = point >= '0' && point <= '9';
  while ((digits ? point >= '0' && point <= '9' : is_letter(point))) {
    from = before;
    points++;
    point = point_before(reader, start, from, &before);
  }
  if (digits)
    return !(from == start || ends_line(point));
  return points != 1 && !before_name(reader, from, dot);
}

/* Whether a sentence ends with text[start .. end), behind which white space and text[next] follow. */
static bool ends_sentence(const struct reader *reader, size_t start, size_t end, size_t next)
{
  size_t before;
  utf8proc_int32_t point = point_before(reader, start, end, &before);
  for (; closes(point); point = point_before(reader, start, end, &before))
    end = before;
  if (point == '!' || point == '?')
    return true;
  if (point != '.' && point != 0x2026)
    return false;
  size_t dot = before;
  return dot_ends(reader, start, dot, next);
}

/* Where the text from `start` on is cut; it does not begin with white space. */
static struct cut find_cut(const struct reader *reader, size_t start, size_t limit)
{
  struct cut sentence = {0, 0};
  struct cut space = {0, 0};
  size_t grapheme = 0; /* matters until there is a space */
  size_t at = start;
  utf8proc_int32_t previous = 0;
  utf8proc_int32_t state = 0;
  for (size_t points = 0;;) {
    size_t size;
    struct white white = read_white(reader, at);
    /* A space may go together with the letter before it, in scripts that have such letters. */
    if (white.end > at && !utf8proc_grapheme_break(previous, read_point(reader, at, &size)))
      white.end = at;
    if (white.end == reader->length)
      return (struct cut){at, white.end};
    if (white.end > at) {
      space = (struct cut){at, white.end};
      if (white.line || ends_sentence(reader, start, at, white.end))
        sentence = space;
      at = white.end;
      points += white.points;
      previous = 0;
      if (points >= limit)
        break;
    }
    utf8proc_int32_t point = read_point(reader, at, &size);
    /* 0 is a control character: there is a break before and behind it. */
    if (utf8proc_grapheme_break_stateful(previous, point, &state) && at > start)
      grapheme = at;
    if (points == limit)
      break;
    previous = point;
    at += size;
    points++;
  }
  if (sentence.end > 0)
    return sentence;
  if (space.end > 0)
    return space;
  /* A character longer than the limit is cut, too. */
  size_t end = grapheme > 0 ? grapheme : at;
  return (struct cut){end, end};
}

size_t avito_split_next(const char *text, size_t length, size_t limit, size_t *at, size_t *start)
{
  struct reader reader = {text, length};
  *start = read_white(&reader, *at).end;
  *at = *start;
  if (*start == length)
    return 0;
  struct cut cut = find_cut(&reader, *start, limit);
  *at = cut.next;
  return cut.end - *start;
}
