#include "arguments.h"

#include <stdarg.h>
#include <stdio.h>

#include "text.h"

int avito_misuse(lua_State *L, const char *where, const char *format, ...)
{
  char message[512];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(message, sizeof message, format, arguments);
  va_end(arguments);
  luaL_where(L, 2); /* level 1 is the client's method, level 2 the line that called it */
  lua_pushfstring(L, "%s: %s", where, message);
  lua_concat(L, 2);
  return lua_error(L);
}

int avito_unknown_option(lua_State *L, const char *where, const char *option, const char *const *known)
{
  const char *nearest = NULL;
  unsigned distance = 3;
  for (; *known != NULL; known++) {
    unsigned d = avito_distance(option, *known, distance);
    if (d < distance) {
      distance = d;
      nearest = *known;
    }
  }
  if (nearest != NULL) {
    return avito_misuse(L, where, "unknown option '%.64s' (did you mean '%s'?)", option, nearest);
  }
  return avito_misuse(L, where, "unknown option '%.64s'", option);
}

bool avito_to_integer(lua_State *L, int index, int64_t *value)
{
  if (lua_type(L, index) == LUA_TSTRING) {
    size_t length;
    const char *digits = lua_tolstring(L, index, &length);
    size_t i = digits[0] == '-' ? 1 : 0;
    if (length == i || length > 20) {
      return false;
    }
    uint64_t magnitude = 0;
    const uint64_t most = i == 1 ? (uint64_t)1 << 63 : ((uint64_t)1 << 63) - 1;
    for (size_t at = i; at < length; at++) {
      uint64_t d = (uint64_t)((unsigned char)digits[at] - '0');
      if (d > 9 || magnitude > (most - d) / 10) {
        return false;
      }
      magnitude = magnitude * 10 + d;
    }
    *value = i == 1 ? (int64_t)(0 - magnitude) : (int64_t)magnitude;
    return true;
  }
#if LUA_VERSION_NUM >= 503
  if (lua_isinteger(L, index)) {
    *value = (int64_t)lua_tointeger(L, index);
    return true;
  }
#endif
  lua_Number number = lua_tonumber(L, index);
  if (!(number >= -9007199254740992.0 && number <= 9007199254740992.0) || number != (double)(int64_t)number) {
    return false;
  }
  *value = (int64_t)number;
  return true;
}

void avito_push_member(lua_State *L, int index, const char *name)
{
  index = lua_absindex(L, index);
  lua_pushstring(L, name); /* name */
  lua_rawget(L, index);    /* value */
}

void avito_push_id(lua_State *L, int64_t id)
{
  char digits[24];
  snprintf(digits, sizeof digits, "%lld", (long long)id);
  lua_pushstring(L, digits);
}
