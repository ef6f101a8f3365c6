/* Avito: its operations, and what its answers say. */
#include "marketplace.h"
#include "text.h"

#define AVITO_ROWS "endpoints/avito.def"
#include "endpoint_rows.h"

/* {"error":…} or {"ok":false} with a good status is a failure all the same. */
static enum avito_verdict verdict(lua_State *L, int object)
{
  lua_getfield(L, object, "error"); /* error */
  bool failure = lua_type(L, -1) == LUA_TTABLE || (lua_type(L, -1) == LUA_TSTRING && lua_rawlen(L, -1) > 0);
  lua_getfield(L, object, "ok"); /* error ok */
  failure = failure || (lua_type(L, -1) == LUA_TBOOLEAN && !lua_toboolean(L, -1));
  lua_pop(L, 2); /* - */
  return failure ? AVITO_SAYS_FAILURE : AVITO_SAYS_NOTHING;
}

static const char *hint_of(int status)
{
  switch (status) {
  case 401:
    return "check client_id and client_secret, or the access_token";
  case 402:
    return "the account's tariff does not include the messenger API: this stays so until the seller changes the tariff";
  case 403:
    return "an employee's key does not see the company's chats (use the key of the main account), and a token "
           "needs the scopes messenger:read and messenger:write";
  case 404:
    return "no such chat or message in this account: check the id, and that user_id is the account the chat belongs to";
  case 429:
    return "too many requests: leave more time between calls";
  default:
    return NULL;
  }
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
    found = avito_error_take(L, err, error, "message", LUA_TSTRING, "message");
    bool coded = avito_error_take(L, err, error, "code", LUA_TNUMBER, "code") ||
                 avito_error_take(L, err, error, "code", LUA_TSTRING, "code");
    found = avito_error_take(L, err, error, "fields", LUA_TTABLE, "fields") || coded || found;
  } else if (lua_type(L, -1) == LUA_TSTRING) {
    avito_error_take(L, err, object, "error", LUA_TSTRING, "code");
    found = avito_error_take(L, err, object, "error_description", LUA_TSTRING, "message") ||
            avito_error_take(L, err, object, "error", LUA_TSTRING, "message");
  }
  lua_pop(L, 1);
  lua_getfield(L, object, "result"); /* result */
  if (lua_type(L, -1) == LUA_TTABLE) {
    int result = lua_gettop(L);
    bool message = avito_error_take(L, err, result, "message", LUA_TSTRING, "message");
    lua_getfield(L, result, "status"); /* result status */
    *token_shape = message && lua_type(L, -1) == LUA_TBOOLEAN && !lua_toboolean(L, -1);
    lua_pop(L, 1);
    found = found || message;
  }
  lua_pop(L, 1);
  return found || avito_error_take(L, err, object, "message", LUA_TSTRING, "message");
}

/* A token that has expired is told with 401, or with a 403 that speaks of it. */
static void read_error(lua_State *L, struct avito_error_answer *answer)
{
  bool token_shape = false;
  answer->understood = answer->object != 0 && read_object(L, answer->err, answer->object, &token_shape);
  lua_getfield(L, answer->err, "message"); /* message */
  size_t length;
  const char *message = lua_tolstring(L, -1, &length);
  bool speaks_of_token = avito_contains_word(message, length, "token");
  bool speaks_of_access_token = avito_contains_word(message, length, "access token");
  lua_pop(L, 1); /* - */
  answer->hint = hint_of(answer->status);
  if (answer->status == 403 && speaks_of_access_token) {
    answer->kind = "auth";
    answer->hint = hint_of(401);
  }
  answer->token_refused = answer->status == 401 || (answer->status == 403 && (token_shape || speaks_of_token));
}

const struct avito_marketplace avito_marketplace_avito = {
    .name = "avito",
    .client = "avito.client",
    .account = "user_id",
    .self = "get_self",
    .auth = AVITO_AUTH_OAUTH,
    .endpoints = endpoints,
    .endpoint_count = sizeof endpoints / sizeof endpoints[0],
    .refusals = {429, 429},
    .rate_prefix = "x-ratelimit-",
    .rate_period = 60,
    .at_once = 0,
    .silent = true,
    .verdict = verdict,
    .read_error = read_error,
};
