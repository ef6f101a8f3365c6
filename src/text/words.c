/* words.c - Lua: a text folded, and its words. */
#include "fold.h"
#include "text.h"

enum { SHORT = 600 /* bytes that need no block of their own */ };

struct points {
  uint32_t *at; /* in a userdata of the stack, or in `few` */
  size_t count;
  uint32_t few[2 * AVITO_FOLD_ROOM(SHORT)];
};

/* Folds the string at index 1. [-0, +(0|1), m] */
static void fold(lua_State *L, struct points *points)
{
  size_t length;
  const char *text = luaL_checklstring(L, 1, &length);
  luaL_argcheck(L, length <= (size_t)1 << 26, 1, "a text of at most 64 MB expected");
  lua_settop(L, 1);
  size_t room = AVITO_FOLD_ROOM(length);
  points->at = length <= SHORT ? points->few : lua_newuserdata(L, 2 * room * sizeof(uint32_t));
  points->count = avito_fold(text, length, points->at, points->at + room);
}

void avito_text_add_points(luaL_Buffer *buffer, const uint32_t *points, size_t count)
{
  for (size_t i = 0; i < count; i++) {
    char bytes[4];
    luaL_addlstring(buffer, bytes, avito_utf8_write(AVITO_CODE_OF(points[i]), bytes));
  }
}

int avito_text_fold(lua_State *L)
{
  struct points points;
  fold(L, &points);
  luaL_Buffer buffer;
  luaL_buffinit(L, &buffer);
  avito_text_add_points(&buffer, points.at, points.count);
  luaL_pushresult(&buffer);
  return 1;
}

int avito_text_words(lua_State *L)
{
  struct points points;
  fold(L, &points);
  lua_newtable(L); /* words */
  int words = lua_gettop(L);
  int number = 0;
  size_t at = 0;
  for (size_t count; (count = avito_next_word(points.at, points.count, &at)) > 0; at += count) {
    luaL_Buffer buffer;
    luaL_buffinit(L, &buffer);
    avito_text_add_points(&buffer, points.at + at, count);
    luaL_pushresult(&buffer); /* words, word */
    lua_rawseti(L, words, ++number);
  }
  return 1;
}
