/* json.c - libFuzzer harness of the JSON decoder.
 *
 * Whether a text is accepted is compared with the plain recogniser below, which follows RFC 8259 rule by rule and shares
 * no code with the decoder; numbers are compared with strtod(). */
#include "core/json_decode.h"
#include "core/json_number.h"

#include <lualib.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { DEPTH = 20 };

struct text {
  const unsigned char *at;
  const unsigned char *end;
};

static int peek(const struct text *text)
{
  return text->at < text->end ? *text->at : -1;
}

static int accept(struct text *text, int c)
{
  if (peek(text) != c)
    return 0;
  ++text->at;
  return 1;
}

static int accept_range(struct text *text, int low, int high)
{
  if (peek(text) < low || peek(text) > high)
    return 0;
  ++text->at;
  return 1;
}

static void spaces(struct text *text)
{
  while (accept(text, ' ') || accept(text, '\t') || accept(text, '\n') || accept(text, '\r')) {
  }
}

static int word(struct text *text, const char *letters)
{
  while (*letters != '\0')
    if (!accept(text, *letters++))
      return 0;
  return 1;
}

static int hex4(struct text *text, unsigned *unit)
{
  *unit = 0;
  for (int i = 0; i < 4; ++i) {
    int c = peek(text);
    if (accept_range(text, '0', '9'))
      *unit = *unit * 16 + (unsigned)(c - '0');
    else if (accept_range(text, 'a', 'f'))
      *unit = *unit * 16 + (unsigned)(c - 'a' + 10);
    else if (accept_range(text, 'A', 'F'))
      *unit = *unit * 16 + (unsigned)(c - 'A' + 10);
    else
      return 0;
  }
  return 1;
}

static int escape(struct text *text)
{
  unsigned unit;
  int c = peek(text);
  if (c < 0)
    return 0;
  ++text->at;
  if (c != 'u')
    return c != 0 && strchr("\"\\/bfnrt", c) != NULL;
  if (!hex4(text, &unit))
    return 0;
  if (unit >= 0xDC00 && unit <= 0xDFFF)
    return 0;
  if (unit < 0xD800 || unit > 0xDBFF)
    return 1;
  return accept(text, '\\') && accept(text, 'u') && hex4(text, &unit) && unit >= 0xDC00 && unit <= 0xDFFF;
}

static int tail(struct text *text, int count)
{
  while (count-- > 0)
    if (!accept_range(text, 0x80, 0xBF))
      return 0;
  return 1;
}

/* The rows of Unicode's table of well-formed sequences. */
static int character(struct text *text)
{
  if (accept_range(text, 0xC2, 0xDF))
    return tail(text, 1);
  if (accept(text, 0xE0))
    return accept_range(text, 0xA0, 0xBF) && tail(text, 1);
  if (accept(text, 0xED))
    return accept_range(text, 0x80, 0x9F) && tail(text, 1);
  if (accept_range(text, 0xE1, 0xEF))
    return tail(text, 2);
  if (accept(text, 0xF0))
    return accept_range(text, 0x90, 0xBF) && tail(text, 2);
  if (accept_range(text, 0xF1, 0xF3))
    return tail(text, 3);
  if (accept(text, 0xF4))
    return accept_range(text, 0x80, 0x8F) && tail(text, 2);
  return accept_range(text, 0x20, 0x7F);
}

static int string(struct text *text)
{
  if (!accept(text, '"'))
    return 0;
  while (!accept(text, '"')) {
    if (accept(text, '\\') ? !escape(text) : !character(text))
      return 0;
  }
  return 1;
}

static int digits(struct text *text)
{
  int found = 0;
  while (accept_range(text, '0', '9'))
    found = 1;
  return found;
}

static int number(struct text *text)
{
  const unsigned char *start = text->at;
  int real = 0;
  accept(text, '-');
  if (!accept(text, '0') && !digits(text))
    return 0;
  if (accept(text, '.')) {
    real = 1;
    if (!digits(text))
      return 0;
  }
  if (accept(text, 'e') || accept(text, 'E')) {
    real = 1;
    if (!accept(text, '+'))
      accept(text, '-');
    if (!digits(text))
      return 0;
  }
  if (!real)
    return 1;
  size_t length = (size_t)(text->at - start);
  char *copy = malloc(length + 1);
  memcpy(copy, start, length);
  copy[length] = '\0';
  double expected = strtod(copy, NULL);
  double converted = avito_json_real(copy, copy + length);
  if (converted != expected || signbit(converted) != signbit(expected))
    abort();
  free(copy);
  return !isinf(expected);
}

static int value(struct text *text, int depth);

static int members(struct text *text, int depth, int close, int named)
{
  if (depth == 0)
    return 0;
  spaces(text);
  if (accept(text, close))
    return 1;
  do {
    spaces(text);
    if (named) {
      if (!string(text))
        return 0;
      spaces(text);
      if (!accept(text, ':'))
        return 0;
    }
    if (!value(text, depth - 1))
      return 0;
  } while (accept(text, ','));
  return accept(text, close);
}

static int value(struct text *text, int depth)
{
  int ok;
  spaces(text);
  switch (peek(text)) {
  case '{':
    ++text->at;
    ok = members(text, depth, '}', 1);
    break;
  case '[':
    ++text->at;
    ok = members(text, depth, ']', 0);
    break;
  case '"':
    ok = string(text);
    break;
  case 't':
    ok = word(text, "true");
    break;
  case 'f':
    ok = word(text, "false");
    break;
  case 'n':
    ok = word(text, "null");
    break;
  default:
    ok = number(text);
    break;
  }
  spaces(text);
  return ok;
}

static int is_json(const unsigned char *data, size_t size)
{
  struct text text = {data, data + size};
  return value(&text, DEPTH) && text.at == text.end;
}

/* Whether the values at the two indexes are the same, tables by what they hold. */
static int same(lua_State *L, int a, int b)
{
  luaL_checkstack(L, 8, "fuzz");
  if (lua_type(L, a) != LUA_TTABLE || lua_type(L, b) != LUA_TTABLE)
    return lua_rawequal(L, a, b);
  lua_pushnil(L);
  while (lua_next(L, a) != 0) {
    int top = lua_gettop(L);
    lua_pushvalue(L, top - 1);
    lua_rawget(L, b);
    if (!same(L, top, top + 1))
      return 0;
    lua_settop(L, top - 1);
  }
  return 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  static lua_State *L;
  if (L == NULL) {
    L = luaL_newstate();
    avito_json_new(L);
  }
  struct avito_json_limits limits = {.max_depth = DEPTH};
  struct avito_json_error error = {NULL, 0};
  char *text = malloc(size + 1); /* of the exact size, for AddressSanitizer */
  memcpy(text, data, size);
  text[size] = '\0';

  int ok = avito_json_decode(L, 1, text, size, &limits, &error);
  if (ok != is_json(data, size) || lua_gettop(L) != 1 + ok)
    abort();
  if (!ok && (error.message == NULL || error.offset > size))
    abort();
  if (ok) {
    /* What was remembered of the first time must not change the second. */
    if (!avito_json_decode(L, 1, text, size, &limits, &error) || !same(L, 2, 3) || !same(L, 3, 2))
      abort();
  }
  lua_settop(L, 1);
  free(text);
  return 0;
}
