#include "options.h"

#include "limits.h"
#include "text.h"

int avito_option_bad(lua_State *L, const char *where, const char *name, const char *problem)
{
  return luaL_error(L, "%s: %s %s", where, name, problem);
}

const char *avito_option_string(lua_State *L, const char *where, const char *name, size_t *length)
{
  lua_getfield(L, 1, name); /* value */
  if (lua_isnil(L, -1)) {
    return NULL;
  }
  if (lua_type(L, -1) != LUA_TSTRING) {
    lua_pushfstring(L, "must be a string, got %s", luaL_typename(L, -1));
    avito_option_bad(L, where, name, lua_tostring(L, -1));
  }
  const char *value = lua_tolstring(L, -1, length);
  if (*length == 0) {
    avito_option_bad(L, where, name, "is empty");
  }
  if (*length > AVITO_MAX_TOKEN) {
    avito_option_bad(L, where, name, "is too long");
  }
  if (avito_has_control(value, *length)) {
    avito_option_bad(L, where, name, "has a control character (NUL, CR, LF or the like)");
  }
  return value;
}

double avito_option_number(lua_State *L, const char *where, int from, const char *name, double otherwise)
{
  const char *dot = strrchr(name, '.');
  lua_getfield(L, from, dot != NULL ? dot + 1 : name); /* value */
  if (!lua_isnil(L, -1)) {
    if (lua_type(L, -1) != LUA_TNUMBER) {
      lua_pushfstring(L, "must be a number, got %s", luaL_typename(L, -1));
      avito_option_bad(L, where, name, lua_tostring(L, -1));
    }
    otherwise = lua_tonumber(L, -1);
  }
  lua_pop(L, 1); /* - */
  return otherwise;
}

bool avito_option_flag(lua_State *L, const char *name)
{
  lua_getfield(L, 1, name); /* value */
  bool value = lua_toboolean(L, -1);
  lua_pop(L, 1); /* - */
  return value;
}
