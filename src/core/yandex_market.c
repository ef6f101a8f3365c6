/* Yandex Market: the operations of its chats, and what its answers say. */
#include "marketplace.h"
#include "pace.h"

#define AVITO_ROWS "endpoints/yandex_market.def"
#include "endpoint_rows.h"

_Static_assert(sizeof endpoints / sizeof endpoints[0] < AVITO_PACE_LANES, "each of the rows has a lane");

#define MOST_MESSAGES 16 /* of one answer that are shown */

/* {"status":"OK"|"ERROR",…}, whatever the status of HTTP is. */
static enum avito_verdict verdict(lua_State *L, int object)
{
  enum avito_verdict says = AVITO_SAYS_NOTHING;
  lua_getfield(L, object, "status"); /* status */
  if (lua_type(L, -1) == LUA_TSTRING) {
    const char *status = lua_tostring(L, -1);
    if (strcmp(status, "OK") == 0) {
      says = AVITO_SAYS_OK;
    } else if (strcmp(status, "ERROR") == 0) {
      says = AVITO_SAYS_FAILURE;
    }
  }
  lua_pop(L, 1); /* - */
  return says;
}

static const char *hint_of(int status)
{
  switch (status) {
  case 401:
    return "check api_key (or oauth_token): the server found no credentials it can read";
  case 403:
    return "the key has been revoked or lacks the permission for chats (communication), or the business, the "
           "order or the chat belongs to somebody else";
  case 404:
    return "no such chat, message or order in this business: check the id, and business_id";
  case 420:
  case 429:
    return "too many requests: leave more time between calls";
  case 423:
    return "the marketplace has locked the business or the chat for now: try again later";
  default:
    return NULL;
  }
}

/* Pushes what the error at the top says: its message, or its code; nil when it has neither. The first code is kept. [-1, +1, m] */
static void read_one(lua_State *L, int err, bool *coded)
{
  int one = lua_gettop(L);
  if (lua_type(L, one) != LUA_TTABLE) {
    lua_pushnil(L);
  } else {
    if (!*coded) {
      *coded = avito_error_take(L, err, one, "code", LUA_TSTRING, "code") ||
               avito_error_take(L, err, one, "code", LUA_TNUMBER, "code");
    }
    lua_getfield(L, one, "message"); /* one message */
    if (lua_type(L, -1) != LUA_TSTRING || lua_rawlen(L, -1) == 0) {
      lua_pop(L, 1);
      lua_getfield(L, one, "code"); /* one code */
    }
  }
  lua_remove(L, one); /* text */
}

/* Reads {"status":…,"errors":[{"code":…,"message":…}]|null}. Returns whether there was anything to read. [-0, +0, m] */
static bool read_errors(lua_State *L, int err, int object)
{
  bool coded = false;
  int shown = 0;
  lua_getfield(L, object, "errors"); /* errors */
  int errors = lua_gettop(L);
  int count = lua_type(L, errors) == LUA_TTABLE ? (int)lua_rawlen(L, errors) : 0;
  for (int i = 1; i <= count && i <= MOST_MESSAGES; i++) {
    lua_rawgeti(L, errors, i);
    read_one(L, err, &coded); /* errors (message) text */
    if (!lua_isstring(L, -1)) {
      lua_pop(L, 1);
    } else if (++shown > 1) {
      lua_pushliteral(L, "; ");
      lua_insert(L, -2);
      lua_concat(L, 3); /* errors message */
    }
  }
  if (shown > 0) {
    lua_tostring(L, -1); /* of a code that is a number */
    lua_setfield(L, err, "message");
  }
  lua_settop(L, errors - 1); /* - */
  return shown > 0 || avito_error_take(L, err, object, "message", LUA_TSTRING, "message");
}

/* The status of HTTP decides; a lock passes by itself, if not soon. */
static void read_error(lua_State *L, struct avito_error_answer *answer)
{
  answer->understood = answer->object != 0 && read_errors(L, answer->err, answer->object);
  answer->hint = hint_of(answer->status);
  if (answer->status == 423) {
    answer->kind = "server";
  }
}

const struct avito_marketplace avito_marketplace_yandex = {
    .name = "yandex_market",
    .client = "yandex_market.client",
    .account = "business_id",
    .self = NULL,
    .auth = AVITO_AUTH_KEY,
    .endpoints = endpoints,
    .endpoint_count = sizeof endpoints / sizeof endpoints[0],
    .refusals = {420, 429},
    .rate_prefix = "x-ratelimit-resource-",
    .rate_period = 3600,
    .at_once = 4,
    .verdict = verdict,
    .read_error = read_error,
};
