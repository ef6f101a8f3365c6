#include "error.h"

#include "json_decode.h"
#include "limits.h"
#include "text.h"

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

static const char *kind_of(int status)
{
  switch (status) {
  case 401:
    return "auth";
  case 402:
    return "payment_required";
  case 403:
    return "forbidden";
  case 404:
    return "not_found";
  case 429:
    return "rate_limited";
  default:
    return status >= 400 && status < 500 && status != 408 ? "invalid" : "server";
  }
}

static const char *hint_of(int status)
{
  switch (status) {
  case 401:
    return "check client_id and client_secret, or the access_token";
  case 402:
    return "the account's tariff does not include the messenger API: this stays so until the seller changes the tariff";
  case 403:
    return "an employee's key does not see the company's chats (use the key of the main account), and a token needs "
           "the "
           "scopes messenger:read and messenger:write";
  case 404:
    return "no such chat or message in this account: check the id, and that user_id is the account the chat belongs to";
  case 429:
    return "too many requests: leave more time between calls";
  default:
    return NULL;
  }
}

/* Copies a member of the table at `from` to the error under another name, when it has the type. [-0, +0, m] */
static bool take(lua_State *L, int err, int from, const char *member, int type, const char *field)
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

/* Reads the shapes that have been seen:
 *   {"error":{"code":…,"message":…,"fields":…}}  {"result":{"status":false,"message":…}}
 *   {"error":"…","error_description":"…"}  {"message":…}
 * Returns whether a message was found; `token_shape` tells the second one. [-0, +0, m] */
static bool read_object(lua_State *L, int err, int object, bool *token_shape)
{
  bool found = false;
  lua_getfield(L, object, "error"); /* error */
  if (lua_type(L, -1) == LUA_TTABLE) {
    int error = lua_gettop(L);
    found = take(L, err, error, "message", LUA_TSTRING, "message");
    bool coded = take(L, err, error, "code", LUA_TNUMBER, "code") || take(L, err, error, "code", LUA_TSTRING, "code");
    found = take(L, err, error, "fields", LUA_TTABLE, "fields") || coded || found;
  } else if (lua_type(L, -1) == LUA_TSTRING) {
    take(L, err, object, "error", LUA_TSTRING, "code");
    found = take(L, err, object, "error_description", LUA_TSTRING, "message") ||
            take(L, err, object, "error", LUA_TSTRING, "message");
  }
  lua_pop(L, 1);
  lua_getfield(L, object, "result"); /* result */
  if (lua_type(L, -1) == LUA_TTABLE) {
    int result = lua_gettop(L);
    bool message = take(L, err, result, "message", LUA_TSTRING, "message");
    lua_getfield(L, result, "status"); /* result status */
    *token_shape = message && lua_type(L, -1) == LUA_TBOOLEAN && !lua_toboolean(L, -1);
    lua_pop(L, 1);
    found = found || message;
  }
  lua_pop(L, 1);
  return found || take(L, err, object, "message", LUA_TSTRING, "message");
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

bool avito_error_from_answer(lua_State *L, int decoder, const struct avito_response *response, const char *endpoint,
                             double retry_after)
{
  static const struct avito_json_limits limits = {AVITO_MAX_ANSWER, AVITO_MAX_DEPTH};
  struct avito_json_error ignored;
  bool token_shape = false;
  decoder = lua_absindex(L, decoder);
  luaL_checkstack(L, 10, NULL);
  lua_pushfstring(L, "the server answered %d", response->status);
  avito_error_new(L, kind_of(response->status), endpoint, true); /* err */
  int err = lua_gettop(L);
  lua_pushinteger(L, response->status);
  lua_setfield(L, err, "status");
  bool understood = false;
  if (response->body_length > 0 &&
      avito_json_decode(L, decoder, response->body, response->body_length, &limits, &ignored)) { /* err answer */
    understood = lua_type(L, -1) == LUA_TTABLE && read_object(L, err, lua_gettop(L), &token_shape);
    lua_pop(L, 1); /* err */
  }
  if (!understood) {
    keep_body(L, response);
  }
  lua_getfield(L, err, "message"); /* err message */
  size_t length;
  const char *message = lua_tolstring(L, -1, &length);
  bool speaks_of_token = avito_contains_word(message, length, "token");
  bool speaks_of_access_token = avito_contains_word(message, length, "access token");
  lua_pop(L, 1); /* err */
  const char *hint = hint_of(response->status);
  if (response->status == 403 && speaks_of_access_token) {
    lua_pushstring(L, "auth");
    lua_setfield(L, err, "kind");
    hint = hint_of(401);
  }
  if (hint != NULL) {
    avito_error_hint(L, hint);
  }
  if (retry_after >= 0) {
    lua_pushnumber(L, retry_after);
    lua_setfield(L, err, "retry_after");
  }
  return response->status == 401 || (response->status == 403 && (token_shape || speaks_of_token));
}
