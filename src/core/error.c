#include "error.h"

#include "json_decode.h"
#include "limits.h"
#include "marketplace.h"

void avito_error_new(lua_State *L, const char *kind, const char *endpoint, bool dispatched)
{
  lua_createtable(L, 0, 8); /* message err */
  lua_insert(L, -2);        /* err message */
  lua_setfield(L, -2, "message");
  lua_pushstring(L, kind);
  lua_setfield(L, -2, "kind");
  lua_pushstring(L, endpoint);
  lua_setfield(L, -2, "endpoint");
  lua_pushboolean(L, dispatched);
  lua_setfield(L, -2, "dispatched");
  luaL_newmetatable(L, AVITO_ERROR); /* err metatable */
  lua_setmetatable(L, -2);           /* err */
}

void avito_error_hint(lua_State *L, const char *hint)
{
  lua_pushstring(L, hint);
  lua_setfield(L, -2, "hint");
}

static const char *kind_of(const struct avito_marketplace *marketplace, int status)
{
  if (avito_marketplace_refuses(marketplace, status)) {
    return "rate_limited";
  }
  switch (status) {
  case 401:
    return "auth";
  case 402:
    return "payment_required";
  case 403:
    return "forbidden";
  case 404:
    return "not_found";
  default:
    return status >= 400 && status < 500 && status != 408 ? "invalid" : "server";
  }
}

bool avito_error_take(lua_State *L, int err, int from, const char *member, int type, const char *field)
{
  lua_getfield(L, from, member); /* value */
  if (lua_type(L, -1) != type) {
    lua_pop(L, 1);
    return false;
  }
  if (type == LUA_TSTRING && lua_rawlen(L, -1) == 0) {
    lua_pop(L, 1);
    return false;
  }
  lua_setfield(L, err, field); /* - */
  return true;
}

static void keep_body(lua_State *L, const struct avito_response *response)
{
  if (response->body_length == 0) {
    return;
  }
  size_t length = response->body_length < AVITO_MAX_ERROR_BODY ? response->body_length : AVITO_MAX_ERROR_BODY;
  lua_pushlstring(L, response->body, length);
  lua_setfield(L, -2, "body");
}

bool avito_error_from_answer(lua_State *L, const struct avito_marketplace *marketplace, int decoder,
                             const struct avito_response *response, const char *endpoint, double retry_after)
{
  static const struct avito_json_limits limits = {AVITO_MAX_ANSWER, AVITO_MAX_DEPTH};
  struct avito_json_error ignored;
  decoder = lua_absindex(L, decoder);
  luaL_checkstack(L, 12, NULL);
  lua_pushfstring(L, "the server answered %d", response->status);
  avito_error_new(L, "server", endpoint, true); /* err */
  struct avito_error_answer answer = {
      .status = response->status, .err = lua_gettop(L), .kind = kind_of(marketplace, response->status)};
  lua_pushinteger(L, response->status);
  lua_setfield(L, answer.err, "status");
  if (response->body_length > 0 &&
      avito_json_decode(L, decoder, response->body, response->body_length, &limits, &ignored)) { /* err answer */
    answer.object = lua_type(L, -1) == LUA_TTABLE ? lua_gettop(L) : 0;
  }
  marketplace->read_error(L, &answer);
  lua_settop(L, answer.err); /* err */
  if (!answer.understood) {
    keep_body(L, response);
  }
  lua_pushstring(L, answer.kind);
  lua_setfield(L, answer.err, "kind");
  if (answer.hint != NULL) {
    avito_error_hint(L, answer.hint);
  }
  if (retry_after >= 0) {
    lua_pushnumber(L, retry_after);
    lua_setfield(L, -2, "retry_after");
  }
  return answer.token_refused;
}
