/* text.h - what the files of the text module share.
 *
 * A text of a buyer becomes folded words (fold.c, words.c), words meet the patterns of a rulebook (pattern.c, index.c),
 * and what is written in it is recognised: numbers, phone numbers, links (numbers.c, phones.c, links.c). Only text.c,
 * words.c, matcher.c and finders.c know Lua and may raise.
 *
 * Everything works on bytes that are handed in and may be anything: what is not UTF-8 parts words and is never read
 * past its end. All-zero is the empty state of every struct. */
#ifndef AVITO_TEXT_MODULE_H
#define AVITO_TEXT_MODULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "compat.h"

/* Lua: text.fold(s), text.words(s) */
int avito_text_fold(lua_State *L);
int avito_text_words(lua_State *L);

/* Adds folded points as UTF-8 to a buffer of Lua's. */
void avito_text_add_points(luaL_Buffer *buffer, const uint32_t *points, size_t count);

/* Adds index(patterns, concepts) and its type to the module table on top of the stack. [-0, +0, m] */
void avito_text_add_index(lua_State *L);

#endif
