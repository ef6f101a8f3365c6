/* json_decode.h - JSON into Lua values.
 *
 *   object, array   table, made with its exact size
 *   string          string
 *   integer         Lua 5.4: integer within int64, past it the literal as a string
 *                   LuaJIT:  number up to 2^53 either way, past it the literal as a string
 *                   so no integer is ever rounded; -0 is 0
 *   other number    float, correctly rounded; one that would be infinite is an error
 *   null            nil: a member is left out, an element too (the list closes up), the whole text gives nil
 *
 * Of members with the same name the last one wins, also when it is null. What is refused: see json_scan.h.
 */
#ifndef AVITO_JSON_DECODE_H
#define AVITO_JSON_DECODE_H

#include "compat.h"
#include "json_scan.h"

/* Tables nested in each other that a text may ask for: by default, and at most. */
#define AVITO_JSON_DEPTH     64
#define AVITO_JSON_MAX_DEPTH 1000

/* A 0 stands for the default: AVITO_JSON_MAX_BYTES, AVITO_JSON_DEPTH. More than the most is the most. */
struct avito_json_limits {
  size_t max_bytes;
  unsigned max_depth;
};

/* Pushes a decoder: a userdata that owns the memory of tokens, kept from one text to the next, and the names met last.
 * A decoder may be used from any coroutine of its state, and again from a finalizer that runs during a decode.
 * [-0, +1, m] */
void avito_json_new(lua_State *L);

/* Decodes text[0..length), where text[length] is 0. Returns 1 with the value pushed, or 0 with nothing pushed and *error
 * filled. `decoder` is the stack index of a decoder; `text` must stay alive through the call; `limits` may be NULL.
 * Raises only for lack of memory. [-0, +(0|1), m] */
int avito_json_decode(lua_State *L, int decoder, const char *text, size_t length,
                      const struct avito_json_limits *limits, struct avito_json_error *error);

struct avito_json_memo;

/* A text that is being read. Its tokens may be read until the end, and its values pushed. */
struct avito_json_build {
  lua_State *L;
  struct avito_json_memo *memos;
  int owned; /* stack index of the decoder's table */
  int block; /* and of the tokens' memory */
  int depth; /* of the tables in it, at most */
  size_t capacity;
  char *unescaped;
  const struct avito_json_token *value; /* the text's: out */
};

/* As avito_json_decode, but the value is still to be pushed: with 1, *build and two values on the stack stand for the text,
 * and `avito_json_end` takes them away from below whatever was pushed since. What raises in between loses nothing.
 * [-0, +(0|2), m] */
int avito_json_begin(lua_State *L, int decoder, const char *text, size_t length, const struct avito_json_limits *limits,
                     struct avito_json_build *build, struct avito_json_error *error);

/* Pushes the value that begins with the token; returns what follows it. Needs two slots of the stack for each table that may
 * be open at once, and eight more. [-0, +1, m] */
const struct avito_json_token *avito_json_push(const struct avito_json_build *build,
                                               const struct avito_json_token *token);

/* [-2, +0, -] */
void avito_json_end(const struct avito_json_build *build);

/* Pushes what is wrong with the text, and where. [-0, +1, m] */
void avito_json_push_error(lua_State *L, const char *text, const struct avito_json_error *error);

/* Adds to the module table on top of the stack
 *   decode(text [, { max_bytes =, max_depth = }]) -> value | nil, "message at byte N (line L)"
 * The text "null" gives nil alone. Wrong arguments raise. [-0, +0, m] */
void avito_json_register(lua_State *L);

#endif
