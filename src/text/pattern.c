/* pattern.c - see pattern.h: recursive descent, a function for each part of the grammar. */
#include "pattern.h"

#include <string.h>

enum { SHOWN = 60 /* bytes of a name in a message */ };

struct reader {
  struct avito_pattern *pattern;
  const struct avito_source *source;
  struct avito_problem *problem;
  size_t at;
  uint32_t column;
};

enum { END = 0x110000, BROKEN, BLANK }; /* beside the code points */

bool avito_problem_at(struct avito_problem *problem, uint32_t column, const char *message,
                      const struct avito_source *what)
{
  char shown[SHOWN + 8] = "";
  if (what != NULL) {
    size_t length = what->length < SHOWN ? what->length : SHOWN;
    while (length < what->length && length > 0 && ((unsigned char)what->text[length] & 0xc0) == 0x80)
      length--;
    memcpy(shown, what->text, length);
    memcpy(shown + length, length < what->length ? "…" : "", length < what->length ? sizeof "…" : 1);
  }
  size_t used = 0;
  for (const char *p = message; *p != '\0' && used + 1 < sizeof problem->message; p++) {
    if (p[0] == '%' && p[1] == 's') {
      size_t length = strlen(shown);
      if (length > sizeof problem->message - 1 - used)
        length = sizeof problem->message - 1 - used;
      memcpy(problem->message + used, shown, length);
      used += length;
      p++;
    } else {
      problem->message[used++] = *p;
    }
  }
  problem->message[used] = '\0';
  problem->column = column;
  return false;
}

static bool fail(const struct reader *reader, uint32_t column, const char *message)
{
  return avito_problem_at(reader->problem, column, message, NULL);
}

static bool is_blank(uint32_t code)
{
  return code == ' ' || (code >= '\t' && code <= '\r') || code == 0xa0 || (code >= 0x2000 && code <= 0x200a) ||
         code == 0x2028 || code == 0x2029 || code == 0x202f || code == 0x205f || code == 0x3000 || code == 0x85;
}

static uint32_t peek_at(const struct reader *reader, size_t at, size_t *size)
{
  *size = 0;
  if (at >= reader->source->length)
    return END;
  uint32_t code = avito_utf8_read(reader->source->text + at, reader->source->length - at, size);
  if (code == 0xfffd && *size == 1)
    return BROKEN;
  return is_blank(code) ? BLANK : code;
}

static uint32_t peek(const struct reader *reader)
{
  size_t size;
  return peek_at(reader, reader->at, &size);
}

static void advance(struct reader *reader)
{
  size_t size;
  peek_at(reader, reader->at, &size);
  reader->at += size;
  reader->column += size > 0;
}

static bool accept(struct reader *reader, uint32_t code)
{
  if (peek(reader) != code)
    return false;
  advance(reader);
  return true;
}

static void skip_blanks(struct reader *reader)
{
  while (accept(reader, BLANK)) {
  }
}

static bool ends_term(uint32_t code)
{
  return code == END || code == BLANK || code == '|';
}

/* ---- words ---- */

static bool is_word_code(uint32_t code)
{
  bool dropped;
  return code < END && (avito_class_of(code, &dropped) != AVITO_APART || dropped);
}

/* A symbol that is no part of a word may still stand inside of one: the splitter parts the word there. */
static bool is_joiner(uint32_t code)
{
  return code == '-' || code == '.' || code == '/' || code == '\'' || code == '_' || code == '@' || code == 0x2019 ||
         (code >= 0x2010 && code <= 0x2014);
}

static bool unknown_symbol(const struct reader *reader)
{
  size_t size;
  uint32_t code = peek_at(reader, reader->at, &size);
  const char *message = "the symbol '%s' parts words in a message and is never met: leave it out";
  if (code == BROKEN) {
    message = "the pattern is not UTF-8 here";
  } else if (code == '(' || code == ')') {
    message = "there are no parentheses: write the alternatives out, or give them a name as a concept";
  } else if (code == '~') {
    message = "'~' stands before the name of a concept, and after a space";
  } else if (code == '-') {
    message = "'-' stands directly before the word that is not to be there, and after a space";
  } else if (code == '|') {
    message = "'|' parts alternatives and does not work inside of quotes";
  } else if (code == '"') {
    message = "a space is missing before the quote";
  }
  struct avito_source what = {reader->source->text + reader->at, size};
  return avito_problem_at(reader->problem, reader->column, message, &what);
}

/* Adds the words of bytes from..to to the pattern. */
static bool add_words(struct reader *reader, size_t from, size_t to, bool prefix, uint32_t column)
{
  struct avito_pattern *pattern = reader->pattern;
  size_t before = pattern->literals_count;
  size_t count = avito_fold(reader->source->text + from, to - from, pattern->folded, pattern->spare);
  size_t at = 0;
  for (size_t length; (length = avito_next_word(pattern->folded, count, &at)) > 0; at += length) {
    if (length > AVITO_PATTERN_WORD)
      return fail(reader, column, "the word is too long: " AVITO_DIGITS(AVITO_PATTERN_WORD) " letters at most");
    if (pattern->literals_count == AVITO_PATTERN_WORDS)
      return fail(reader, column, "the pattern has too many words: " AVITO_DIGITS(AVITO_PATTERN_WORDS) " at most");
    memcpy(pattern->points + pattern->points_count, pattern->folded + at, length * sizeof(uint32_t));
    pattern->literals[pattern->literals_count++] =
        (struct avito_literal){.at = (uint32_t)pattern->points_count, .length = (uint16_t)length};
    pattern->points_count += length;
  }
  if (pattern->literals_count == before)
    return fail(reader, column, "there is no letter, digit or emoji in this word");
  pattern->literals[pattern->literals_count - 1].prefix = prefix;
  return true;
}

/* A word with its star. */
static bool read_word(struct reader *reader, bool quoted)
{
  size_t from = reader->at;
  uint32_t column = reader->column;
  bool after_word = false;
  for (;;) {
    size_t size;
    size_t next_size;
    uint32_t code = peek_at(reader, reader->at, &size);
    if (code == '*' || code == END || code == BLANK || code == '"' || (code == '|' && !quoted))
      break;
    bool in_word = is_word_code(code);
    if (!in_word && !(is_joiner(code) && after_word && is_word_code(peek_at(reader, reader->at + size, &next_size))))
      return unknown_symbol(reader);
    after_word = in_word;
    advance(reader);
  }
  size_t to = reader->at;
  uint32_t star_column = reader->column;
  bool prefix = accept(reader, '*');
  uint32_t next = peek(reader);
  if (prefix && to == from)
    return fail(reader, star_column, "'*' stands at the end of a word, as in торг*; alone it means nothing");
  if (prefix && !ends_term(next) && !(quoted && next == '"'))
    return fail(reader, star_column, "'*' stands only at the end of a word");
  if (next == '"' && !quoted)
    return unknown_symbol(reader);
  return add_words(reader, from, to, prefix, column);
}

/* ---- terms ---- */

static bool read_phrase(struct reader *reader)
{
  uint32_t column = reader->column;
  size_t before = reader->pattern->literals_count;
  advance(reader);
  for (;;) {
    skip_blanks(reader);
    if (peek(reader) == END)
      return fail(reader, column, "the quote that begins here is not closed");
    if (accept(reader, '"'))
      break;
    if (!read_word(reader, true))
      return false;
  }
  if (reader->pattern->literals_count == before)
    return fail(reader, column, "there is no word between the quotes");
  if (peek(reader) == '*')
    return fail(reader, reader->column, "'*' belongs to a word inside of the quotes, as in \"без торг*\"");
  if (!ends_term(peek(reader)))
    return fail(reader, reader->column, "a space is missing after the quote");
  return true;
}

static bool read_name(struct reader *reader)
{
  uint32_t column = reader->column;
  advance(reader);
  size_t from = reader->at;
  while (!ends_term(peek(reader))) {
    uint32_t code = peek(reader);
    if (code == BROKEN || code == '"' || code == '*' || code == '(' || code == ')' || code == '~')
      return unknown_symbol(reader);
    advance(reader);
  }
  if (reader->at == from)
    return fail(reader, column, "'~' stands directly before the name of a concept, as in ~торг");
  return true;
}

static bool read_term(struct reader *reader)
{
  struct avito_pattern *pattern = reader->pattern;
  struct avito_term term = {.from = (uint32_t)reader->at, .column = reader->column};
  size_t before = pattern->literals_count;
  if (pattern->terms_count == AVITO_PATTERN_TERMS)
    return fail(reader, term.column, "the pattern has too many terms: " AVITO_DIGITS(AVITO_PATTERN_TERMS) " at most");
  term.excluded = accept(reader, '-');
  uint32_t code = peek(reader);
  if (term.excluded && (code == '-' || ends_term(code)))
    return fail(reader, term.column, "'-' stands directly before the word that is not to be there, as in -торгов*");
  term.first = (uint16_t)before;
  bool fine = code == '"' ? read_phrase(reader) : code == '~' ? read_name(reader) : read_word(reader, false);
  if (!fine)
    return false;
  if (pattern->literals_count - before > AVITO_PHRASE_WORDS)
    return fail(reader, term.column, "the phrase is too long: " AVITO_DIGITS(AVITO_PHRASE_WORDS) " words at most");
  term.words = (uint16_t)(pattern->literals_count - before);
  term.to = (uint32_t)reader->at;
  pattern->terms[pattern->terms_count++] = term;
  return true;
}

static bool read_alternative(struct reader *reader)
{
  struct avito_pattern *pattern = reader->pattern;
  skip_blanks(reader);
  struct avito_alternative alternative = {.from = (uint32_t)reader->at, .first = (uint16_t)pattern->terms_count};
  uint32_t column = reader->column;
  if (pattern->alternatives_count == AVITO_PATTERN_ALTERNATIVES)
    return fail(reader, column,
                "the pattern has too many alternatives: " AVITO_DIGITS(AVITO_PATTERN_ALTERNATIVES) " at most");
  alternative.to = alternative.from;
  while (peek(reader) != END && peek(reader) != '|') {
    if (!read_term(reader))
      return false;
    const struct avito_term *term = &pattern->terms[pattern->terms_count - 1];
    alternative.positives = (uint16_t)(alternative.positives + !term->excluded);
    alternative.to = term->to;
    alternative.terms++;
    if (alternative.terms > AVITO_ALTERNATIVE_TERMS)
      return fail(reader, term->column,
                  "the alternative has too many terms: " AVITO_DIGITS(AVITO_ALTERNATIVE_TERMS) " at most");
    skip_blanks(reader);
  }
  if (alternative.terms == 0)
    return fail(reader, column, "an alternative is empty: a word is missing beside '|'");
  pattern->alternatives[pattern->alternatives_count++] = alternative;
  return true;
}

struct avito_source avito_concept_name(const struct avito_source *source, const struct avito_term *term)
{
  size_t from = term->from + (term->excluded ? 2u : 1u);
  return (struct avito_source){source->text + from, term->to - from};
}

bool avito_pattern_read(struct avito_pattern *pattern, const struct avito_source *source, struct avito_problem *problem)
{
  struct reader reader = {.pattern = pattern, .source = source, .problem = problem, .column = 1};
  pattern->points_count = pattern->literals_count = pattern->terms_count = pattern->alternatives_count = 0;
  if (source->length > AVITO_PATTERN_BYTES)
    return fail(&reader, 1, "the pattern is too long: " AVITO_DIGITS(AVITO_PATTERN_BYTES) " bytes at most");
  skip_blanks(&reader);
  if (peek(&reader) == END)
    return fail(&reader, 1, "the pattern is empty");
  do {
    if (!read_alternative(&reader))
      return false;
  } while (accept(&reader, '|'));

  bool positive = false;
  for (size_t i = 0; i < pattern->alternatives_count; i++)
    positive = positive || pattern->alternatives[i].positives > 0;
  if (!positive)
    return fail(&reader, 1, "the pattern only says what is not to be there: add a word that is");
  return true;
}
