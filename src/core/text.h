/* text.h - what the core needs to know about strings: UTF-8, percent-encoding, JSON strings, suggestions.
 * Pure functions on bytes; those that take a buffer may raise for lack of memory. */
#ifndef AVITO_TEXT_H
#define AVITO_TEXT_H

#include <stdbool.h>

#include "buffer.h"

/* The number of code points, or -1 when the bytes are not UTF-8. */
int64_t avito_utf8_length(const char *bytes, size_t length);
/* True when there is a byte below 0x20 or 0x7f: NUL, CR, LF and their kind. */
bool avito_has_control(const char *bytes, size_t length);
/* Case-insensitive (ASCII): does `bytes` contain the word (given in lower case)? */
bool avito_contains_word(const char *bytes, size_t length, const char *word);

/* Adds the bytes, percent-encoded but for RFC 3986 "unreserved" and the bytes in `keep`. */
void avito_percent_encode(lua_State *L, struct avito_buffer *out, const char *bytes, size_t length, const char *keep);
/* Adds the bytes as a JSON string, quotes included. The bytes must be UTF-8. */
void avito_json_string(lua_State *L, struct avito_buffer *out, const char *bytes, size_t length);

/* How many letters differ (insertions, deletions, changes, swaps of neighbours); at most `limit`. */
unsigned avito_distance(const char *one, const char *other, unsigned limit);

#endif
