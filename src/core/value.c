#include "value.h"

#include <stdarg.h>
#include <stdio.h>

#include "arguments.h"
#include "limits.h"
#include "text.h"
#include "url.h"

int avito_wrong_type(lua_State *L, const struct avito_request *r, const struct avito_param *p, const char *expected,
                     int index)
{
  return avito_misuse(L, r->endpoint->name, "%s must be %s, got %s", p->name, expected, luaL_typename(L, index));
}

bool avito_refuse(lua_State *L, struct avito_request *r, const struct avito_param *p, const char *format, ...)
{
  char message[256];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(message, sizeof message, format, arguments);
  va_end(arguments);
  r->invalid = p->name;
  lua_pushfstring(L, "%s %s", p->name, message);
  return false;
}

bool avito_read_integer(lua_State *L, struct avito_request *r, const struct avito_param *p, int index, int64_t *value)
{
  int type = lua_type(L, index);
  if (type != LUA_TNUMBER && type != LUA_TSTRING) {
    avito_wrong_type(L, r, p, "an integer", index);
  }
  if (!avito_to_integer(L, index, value)) {
    return avito_refuse(L, r, p, "must be an integer, got '%.40s'", lua_tostring(L, index));
  }
  if (*value < p->min || *value > p->max) {
    if (p->max == INT64_MAX) {
      return avito_refuse(L, r, p, "must be at least %lld, got %lld", (long long)p->min, (long long)*value);
    }
    return avito_refuse(L, r, p, "must be from %lld to %lld, got %lld", (long long)p->min, (long long)p->max,
                        (long long)*value);
  }
  return true;
}

bool avito_read_string(lua_State *L, struct avito_request *r, const struct avito_param *p, int index,
                       const char **bytes, size_t *length)
{
  if (lua_type(L, index) != LUA_TSTRING) {
    avito_wrong_type(L, r, p, "a string", index);
  }
  *bytes = lua_tolstring(L, index, length);
  int64_t points = avito_utf8_length(*bytes, *length);
  if (points < 0) {
    return avito_refuse(L, r, p, "is not valid UTF-8");
  }
  if (p->type != AVITO_STRING || p->place != AVITO_JSON) {
    if (avito_has_control(*bytes, *length)) {
      return avito_refuse(L, r, p, "has a control character (NUL, CR, LF or the like)");
    }
  }
  if (p->max != 0 && p->type != AVITO_STRINGS && (points < p->min || points > p->max)) {
    if (points < p->min) {
      return avito_refuse(L, r, p, "is empty");
    }
    return avito_refuse(L, r, p, "has %lld characters; at most %lld are allowed", (long long)points, (long long)p->max);
  }
  return true;
}

bool avito_read_id(lua_State *L, struct avito_request *r, const struct avito_param *p, int index, const char **bytes,
                   size_t *length)
{
  if (!avito_read_string(L, r, p, index, bytes, length)) {
    return false;
  }
  if (*length == 0) {
    return avito_refuse(L, r, p, "is empty");
  }
  if (strcmp(*bytes, ".") == 0 || strcmp(*bytes, "..") == 0) {
    return avito_refuse(L, r, p, "is '%s', which is no id", *bytes);
  }
  if (*length > AVITO_MAX_ID) {
    return avito_refuse(L, r, p, "has %zu bytes; at most %d are allowed", *length, AVITO_MAX_ID);
  }
  return true;
}

bool avito_read_url(lua_State *L, struct avito_request *r, const struct avito_param *p, int index, const char **bytes,
                    size_t *length)
{
  if (!avito_read_string(L, r, p, index, bytes, length)) {
    return false;
  }
  const char *problem = avito_webhook_problem(*bytes, *length);
  return problem == NULL ? true : avito_refuse(L, r, p, "%s", problem);
}

bool avito_read_string_in(lua_State *L, struct avito_request *r, const struct avito_param *p, int index,
                          const char **bytes, size_t *length)
{
  if (!avito_read_string(L, r, p, index, bytes, length)) {
    return false;
  }
  return *length > 0 ? true : avito_refuse(L, r, p, "holds an empty string");
}

/* Checks that the value is a list with a length in bounds. */
bool avito_read_list(lua_State *L, struct avito_request *r, const struct avito_param *p, int index, size_t *length)
{
  if (lua_type(L, index) != LUA_TTABLE) {
    avito_wrong_type(L, r, p, "a list", index);
  }
  *length = lua_rawlen(L, index);
  if (*length == 0) {
    lua_pushnil(L);
    if (lua_next(L, index) != 0) { /* key value */
      lua_pop(L, 1);
      avito_misuse(L, r->endpoint->name, "%s must be a list, got a table with other keys", p->name);
    }
  }
  if ((int64_t)*length < p->min) {
    return avito_refuse(L, r, p,
                        p->required ? "must not be an empty list" : "must not be an empty list (leave it out instead)");
  }
  if ((int64_t)*length > p->max) {
    return avito_refuse(L, r, p, "has %zu elements; at most %lld are allowed", *length, (long long)p->max);
  }
  return true;
}
