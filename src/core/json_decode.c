/* json_decode.c - see json_decode.h.
 *
 * The scan sizes everything first; building then only pushes and stores. Memory for tokens is a block of Lua's own (a
 * plain userdata), so that no error can leak it. A decode takes the block out of the decoder and puts it back at its
 * end: a finalizer that decodes in between finds none and makes its own. */
#include "json_decode.h"

#include <stdio.h>
#include <string.h>

enum {
  MEMO_SLOTS = 512, /* a power of two */
  MEMO_BYTES = 128, /* the longest string worth remembering */
  EXACT_BYTES = 16,
  BLOCK_SLOT = MEMO_SLOTS + 1
};

/* Lua shares the strings up to this length itself, so a value is worth remembering past it (an avatar's url comes with
 * every chat of its owner). A name always is: most come again at once. */
#if LUA_VERSION_NUM >= 503
enum { INTERNED_BYTES = 40 };
#else
enum { INTERNED_BYTES = MEMO_BYTES };
#endif

/* A block larger than this is not kept. */
static const size_t BLOCK_KEPT = (size_t)1 << 20;

/* Past this a double does not hold every integer. */
#define MAX_SAFE_INTEGER (INT64_C(1) << 53)

/* Words of a text: all of it up to EXACT_BYTES, a sample past that. */
struct words {
  uint64_t a;
  uint64_t b;
};

/* A string that came twice, and a trace of one that came once: only a string which comes again takes
 * the place, so that ids leave the names of members alone. */
struct avito_json_memo {
  struct words words;
  const char *text;   /* in the string that the decoder's table holds in the same slot */
  uint32_t size;      /* 0 in an empty slot */
  uint32_t candidate; /* of a hash */
};

/* It owns a table: the strings of `memos` at 1..MEMO_SLOTS, and the block of tokens while no decode has taken it. */
struct decoder {
  struct avito_json_memo memos[MEMO_SLOTS];
};

/* -- strings that repeat ------------------------------------------------------------------------------------------- */

static inline uint64_t load8(const char *p)
{
  uint64_t word;
  memcpy(&word, p, sizeof word);
  return word;
}

static inline uint64_t load4(const char *p)
{
  uint32_t word;
  memcpy(&word, p, sizeof word);
  return word;
}

static inline uint64_t load1(const char *p)
{
  return (unsigned char)*p;
}

/* All bytes of a text shorter than 8. */
static inline uint64_t load_short(const char *text, uint32_t size)
{
  if (size >= 4)
    return load4(text) | load4(text + size - 4) << 32;
  if (size > 0)
    return load1(text) | load1(text + size / 2) << 8 | load1(text + size - 1) << 16;
  return 0;
}

/* Urls differ in the middle and at the end. */
static inline struct words words_of(const char *text, uint32_t size)
{
  if (size < 8)
    return (struct words){load_short(text, size), 0};
  struct words words = {load8(text), load8(text + size - 8)};
  if (size > EXACT_BYTES) {
    words.a += load8(text + size / 2 - 4);
    words.b += load8(text + size - 16);
  }
  return words;
}

static inline uint64_t hash_words(const struct words *words, uint32_t size)
{
  uint64_t hash = (words->a + size) * UINT64_C(0x9E3779B97F4A7C15);
  hash ^= words->b * UINT64_C(0xC2B2AE3D27D4EB4F);
  return hash ^ hash >> 32;
}

static inline int is_text(const struct avito_json_memo *memo, const char *text, uint32_t size,
                          const struct words *words)
{
  if (memo->size != size || memo->words.a != words->a || memo->words.b != words->b)
    return 0;
  return size <= EXACT_BYTES || memcmp(memo->text, text, size) == 0;
}

/* The rare way of push_text. [-0, +1, m] */
static __attribute__((noinline)) void push_new_text(const struct avito_json_build *build, const char *text,
                                                    uint32_t size, const struct words *words)
{
  lua_State *L = build->L;
  uint64_t hash = hash_words(words, size);
  unsigned slot = (unsigned)hash % MEMO_SLOTS;
  struct avito_json_memo *memo = &build->memos[slot];
  lua_pushlstring(L, text, size); /* a finalizer may decode here; what follows is not interrupted */
  if (memo->candidate != hash >> 32) {
    memo->candidate = (uint32_t)(hash >> 32);
    return;
  }
  lua_pushvalue(L, -1);
  lua_rawseti(L, build->owned, (int)slot + 1);
  memo->words = *words;
  memo->text = lua_tostring(L, -1);
  memo->size = size;
}

/* Inlined, so that names and values do not spoil each other's branch prediction. [-0, +1, m] */
static inline __attribute__((always_inline)) void push_text(const struct avito_json_build *build, const char *text,
                                                            uint32_t size)
{
  if (size == 0 || size > MEMO_BYTES) {
    lua_pushlstring(build->L, text, size);
    return;
  }
  struct words words = words_of(text, size);
  unsigned slot = (unsigned)hash_words(&words, size) % MEMO_SLOTS;
  if (is_text(&build->memos[slot], text, size, &words))
    lua_rawgeti(build->L, build->owned, (int)slot + 1);
  else
    push_new_text(build, text, size, &words);
}

/* -- building ------------------------------------------------------------------------------------------------------ */

/* [-0, +1, m] */
static void push_unescaped(const struct avito_json_build *build, const struct avito_json_token *token)
{
  size_t length = avito_json_unescape(token, build->unescaped);
  lua_pushlstring(build->L, build->unescaped, length);
}

/* [-0, +1, m] */
static inline void push_integer(lua_State *L, int64_t integer)
{
#if LUA_VERSION_NUM >= 503
  lua_pushinteger(L, (lua_Integer)integer);
#else
  if (integer >= -MAX_SAFE_INTEGER && integer <= MAX_SAFE_INTEGER) {
    lua_pushnumber(L, (lua_Number)integer);
  } else {
    char digits[24];
    int length = snprintf(digits, sizeof digits, "%lld", (long long)integer);
    lua_pushlstring(L, digits, (size_t)length);
  }
#endif
}

/* [-0, +1, m] */
static const struct avito_json_token *push_array(const struct avito_json_build *build,
                                                 const struct avito_json_token *token)
{
  lua_State *L = build->L;
  int size = (int)token->size;
  lua_createtable(L, size, 0);
  ++token;
  for (int i = 1; i <= size; ++i) {
    token = avito_json_push(build, token);
    lua_rawseti(L, -2, i);
  }
  return token;
}

/* Takes back the member whose name is on top. Not when there is none: storing nil can make room for it. [-1, +0, m] */
static void forget_member(lua_State *L)
{
  lua_pushvalue(L, -1);
  lua_rawget(L, -3);
  int known = !lua_isnil(L, -1);
  lua_pop(L, 1);
  if (known) {
    lua_pushnil(L);
    lua_rawset(L, -3);
  } else {
    lua_pop(L, 1);
  }
}

/* [-0, +1, m] */
static const struct avito_json_token *push_object(const struct avito_json_build *build,
                                                  const struct avito_json_token *token)
{
  lua_State *L = build->L;
  uint32_t members = token->size + token->as.table.nulls;
  lua_createtable(L, 0, (int)token->size);
  ++token;
  for (; members > 0; --members) {
    if (token->kind == AVITO_JSON_STRING)
      push_text(build, token->as.text, token->size);
    else
      push_unescaped(build, token);
    ++token;
    if (token->kind == AVITO_JSON_NULL) {
      forget_member(L);
      ++token;
    } else {
      token = avito_json_push(build, token);
      lua_rawset(L, -3);
    }
  }
  return token;
}

/* Recurses as deep as tables are nested, which the scan has bounded. */
const struct avito_json_token *avito_json_push(const struct avito_json_build *build,
                                               const struct avito_json_token *token)
{
  lua_State *L = build->L;
  switch (token->kind) {
  case AVITO_JSON_STRING:
    if (token->size > INTERNED_BYTES)
      push_text(build, token->as.text, token->size);
    else
      lua_pushlstring(L, token->as.text, token->size);
    break;
  case AVITO_JSON_INTEGER:
    push_integer(L, token->as.integer);
    break;
  case AVITO_JSON_OBJECT:
    return push_object(build, token);
  case AVITO_JSON_ARRAY:
    return push_array(build, token);
  case AVITO_JSON_ESCAPED:
    push_unescaped(build, token);
    break;
  case AVITO_JSON_DIGITS:
    lua_pushlstring(L, token->as.text, token->size);
    break;
  case AVITO_JSON_REAL:
    lua_pushnumber(L, (lua_Number)token->as.real);
    break;
  case AVITO_JSON_TRUE:
  case AVITO_JSON_FALSE:
    lua_pushboolean(L, token->kind == AVITO_JSON_TRUE);
    break;
  default:
    lua_pushnil(L);
    break;
  }
  return token + 1;
}

/* -- the block of tokens ------------------------------------------------------------------------------------------- */

struct block {
  lua_State *L;
  int index; /* where on the stack the block is */
};

static void use_block(struct avito_json_scan *scan, const struct block *block)
{
  scan->tokens = lua_touserdata(block->L, block->index);
  scan->capacity = lua_rawlen(block->L, block->index) / sizeof *scan->tokens;
}

/* [-0, +0, m] */
static void resize_block(struct avito_json_scan *scan, const struct block *block, size_t capacity)
{
  struct avito_json_token *tokens = lua_newuserdata(block->L, capacity * sizeof *tokens);
  if (scan->count > 0)
    memcpy(tokens, scan->tokens, scan->count * sizeof *tokens);
  lua_replace(block->L, block->index);
  use_block(scan, block);
}

static int grow_block(struct avito_json_scan *scan)
{
  resize_block(scan, scan->context, scan->capacity * 2);
  return 1;
}

/* -- decoding ------------------------------------------------------------------------------------------------------ */

void avito_json_new(lua_State *L)
{
  avito_newuserdata(L, sizeof(struct decoder));
  lua_createtable(L, BLOCK_SLOT, 0);
  avito_setowned(L, -2);
}

/* Takes the block out of the decoder, and puts it at build->block. [-0, +0, m] */
static void take_block(const struct avito_json_build *build, size_t length, struct avito_json_scan *scan,
                       const struct block *block)
{
  lua_State *L = build->L;
  lua_rawgeti(L, build->owned, BLOCK_SLOT);
  lua_replace(L, build->block);
  lua_pushnil(L);
  lua_rawseti(L, build->owned, BLOCK_SLOT);
  if (lua_isnil(L, build->block))
    resize_block(scan, block, length / sizeof *scan->tokens + 64);
  else
    use_block(scan, block);
}

int avito_json_begin(lua_State *L, int decoder, const char *text, size_t length, const struct avito_json_limits *limits,
                     struct avito_json_build *build, struct avito_json_error *error)
{
  size_t max_bytes = limits != NULL && limits->max_bytes != 0 ? limits->max_bytes : AVITO_JSON_MAX_BYTES;
  unsigned max_depth = limits != NULL && limits->max_depth != 0 ? limits->max_depth : AVITO_JSON_DEPTH;
  if (max_bytes > AVITO_JSON_MAX_BYTES)
    max_bytes = AVITO_JSON_MAX_BYTES;
  if (max_depth > AVITO_JSON_MAX_DEPTH)
    max_depth = AVITO_JSON_MAX_DEPTH;
  if (length > max_bytes) {
    error->message = "text too long";
    error->offset = max_bytes;
    return 0;
  }

  int top = lua_gettop(L);
  luaL_checkstack(L, 8, "JSON");
  struct decoder *self = lua_touserdata(L, decoder);
  *build = (struct avito_json_build){.L = L, .memos = self->memos, .owned = top + 1, .block = top + 2};
  avito_getowned(L, decoder);
  lua_pushnil(L);
  struct block block = {.L = L, .index = build->block};
  struct avito_json_scan scan = {.grow = grow_block, .context = &block};
  take_block(build, length, &scan, &block);
  int ok = avito_json_scan(&scan, text, length, max_depth, error);
  size_t spare = (scan.widest + sizeof *scan.tokens - 1) / sizeof *scan.tokens;
  if (ok && scan.capacity - scan.count < spare)
    resize_block(&scan, &block, scan.count + spare);
  build->capacity = scan.capacity;
  if (!ok) {
    avito_json_end(build);
    return 0;
  }
  build->value = scan.tokens + 1;
  build->unescaped = (char *)(scan.tokens + scan.count);
  build->depth = (int)max_depth;
  return 1;
}

void avito_json_end(const struct avito_json_build *build)
{
  lua_State *L = build->L;
  if (build->capacity * sizeof(struct avito_json_token) <= BLOCK_KEPT) {
    lua_pushvalue(L, build->block);
    lua_rawseti(L, build->owned, BLOCK_SLOT);
  }
  lua_remove(L, build->block);
  lua_remove(L, build->owned);
}

int avito_json_decode(lua_State *L, int decoder, const char *text, size_t length,
                      const struct avito_json_limits *limits, struct avito_json_error *error)
{
  struct avito_json_build build;
  if (!avito_json_begin(L, decoder, text, length, limits, &build, error))
    return 0;
  luaL_checkstack(L, 2 * build.depth + 8, "JSON");
  avito_json_push(&build, build.value);
  avito_json_end(&build);
  return 1;
}

/* -- the Lua function ---------------------------------------------------------------------------------------------- */

/* Fills *limits from the options at `index`; names what is wrong with them. [-0, +0, m] */
static void read_limits(lua_State *L, int index, struct avito_json_limits *limits)
{
  if (lua_isnoneornil(L, index))
    return;
  luaL_checktype(L, index, LUA_TTABLE);
  lua_pushnil(L);
  while (lua_next(L, index) != 0) {
    const char *name = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "?";
    int bytes = strcmp(name, "max_bytes") == 0;
    if (!bytes && strcmp(name, "max_depth") != 0)
      luaL_argerror(L, index, lua_pushfstring(L, "unknown option '%s'", name));
    lua_Number value = lua_type(L, -1) == LUA_TNUMBER ? lua_tonumber(L, -1) : 0;
    if (!(value >= 1))
      luaL_argerror(L, index, lua_pushfstring(L, "'%s': number of at least 1 expected", name));
    if (value > (lua_Number)AVITO_JSON_MAX_BYTES)
      value = (lua_Number)AVITO_JSON_MAX_BYTES;
    if (bytes)
      limits->max_bytes = (size_t)value;
    else
      limits->max_depth = (unsigned)value;
    lua_pop(L, 1);
  }
}

void avito_json_push_error(lua_State *L, const char *text, const struct avito_json_error *error)
{
  int line = 1;
  for (size_t i = 0; i < error->offset; ++i)
    line += text[i] == '\n';
  lua_pushfstring(L, "%s at byte %d (line %d)", error->message, (int)error->offset + 1, line);
}

/* decode(text [, options]); upvalue 1 is a decoder */
static int decode(lua_State *L)
{
  size_t length;
  struct avito_json_limits limits = {0};
  struct avito_json_error error;

  luaL_checktype(L, 1, LUA_TSTRING);
  read_limits(L, 2, &limits);
  const char *text = lua_tolstring(L, 1, &length);
  if (avito_json_decode(L, lua_upvalueindex(1), text, length, &limits, &error))
    return 1;
  lua_pushnil(L);
  avito_json_push_error(L, text, &error);
  return 2;
}

void avito_json_register(lua_State *L)
{
  avito_json_new(L);
  lua_pushcclosure(L, decode, 1);
  lua_setfield(L, -2, "decode");
}
