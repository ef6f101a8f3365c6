/* finders.h - what is written in a message: numbers, phone numbers, links; and where a text may be parted.
 *
 * A message becomes letters: code points in lower case, digits of every make as ASCII digits, without what is not seen,
 * each with the bytes it stands for. The finders walk over them from the left; what one of them has taken is hidden
 * from the next. They allocate nothing and never raise. */
#ifndef AVITO_TEXT_FINDERS_H
#define AVITO_TEXT_FINDERS_H

#include "text.h"

/* What of a message is looked at, and how many of each kind are found in it. */
#define AVITO_FINDERS_BYTES 65536
#define AVITO_FINDERS_MOST  64

#define AVITO_PHONE_DIGITS  15 /* E.164 */
#define AVITO_NUMBER_DIGITS 15 /* a double holds them exactly; longer ones are no amounts */

/* No letter: the end, bytes that are not UTF-8, what is hidden. */
#define AVITO_NO_LETTER UINT32_MAX

struct avito_letter {
  uint32_t point;
  uint32_t start; /* in bytes */
  uint32_t end;
};

/* What is found: letters at[start] to at[end - 1]. */
struct avito_found {
  size_t start;
  size_t end;
};

struct avito_phone {
  struct avito_found found;
  char text[AVITO_PHONE_DIGITS + 2]; /* "+79000000001" */
};

struct avito_number {
  struct avito_found found;
  double value; /* not negative, at most 2^53 */
};

/* Reads a text into letters[0 .. length], of which there must be so many; returns how many there are. The one behind
 * the last is AVITO_NO_LETTER, as a finder needs it. */
size_t avito_letters(struct avito_letter *letters, const char *text, size_t length);
void avito_letters_hide(struct avito_letter *letters, struct avito_found found);

bool avito_point_is_digit(uint32_t point);
bool avito_point_is_letter(uint32_t point);
bool avito_point_is_space(uint32_t point); /* of any width, but no line end */
bool avito_point_is_dash(uint32_t point);
/* The letter before letters[i]. */
uint32_t avito_point_before(const struct avito_letter *letters, size_t i);
size_t avito_skip_spaces(const struct avito_letter *letters, size_t i);
/* The end of the run of letters (not digits) at i. */
size_t avito_word_end(const struct avito_letter *letters, size_t i);
/* The end of the run of digits at i. */
size_t avito_digits_end(const struct avito_letter *letters, size_t i);
/* Whether letters[i .. end) are the word; one that ends in '*' is the beginning of the word only. Latin letters pass
 * for the Cyrillic ones they look like. */
bool avito_word_is(const struct avito_letter *letters, size_t i, size_t end, const char *word);
/* The same for a NULL-terminated list: its index, or -1. */
int avito_word_among(const struct avito_letter *letters, size_t i, size_t end, const char *const *words);

/* A number in words below 1000 at i: "двадцать пять". Returns its end, or i. */
size_t avito_number_spelled(const struct avito_letter *letters, size_t i, unsigned *value);

/* The next one at or after `from`. */
bool avito_find_number(const struct avito_letter *letters, size_t count, size_t from, struct avito_number *number);
bool avito_find_phone(const struct avito_letter *letters, size_t count, size_t from, struct avito_phone *phone);
bool avito_find_link(const struct avito_letter *letters, size_t count, size_t from, struct avito_found *link);
/* Hides every link but for the phone number of a link such as wa.me/79000000001. */
void avito_links_hide(struct avito_letter *letters, size_t count);

/* The next piece of text[*at .. length) with at most `limit` code points (1 at least): its length, 0 when only white
 * space is left. *start is where it begins, *at where it ends. A byte that is not UTF-8 counts as a code point. */
size_t avito_split_next(const char *text, size_t length, size_t limit, size_t *at, size_t *start);

int avito_text_numbers(lua_State *L);
int avito_text_phones(lua_State *L);
int avito_text_links(lua_State *L);
int avito_text_length(lua_State *L);
int avito_text_split(lua_State *L);

#endif
