#include "session.h"

#include <math.h>

#include "json_decode.h"
#include "limits.h"
#include "arguments.h"
#include "options.h"
#include "text.h"
#include "url.h"

struct avito_session *avito_session_check(lua_State *L, int index)
{
  return avito_checkself(L, index, AVITO_SESSION);
}

void avito_session_get(lua_State *L, int index, enum avito_session_slot slot)
{
  avito_getslot(L, index, (int)slot);
}

void avito_session_set(lua_State *L, int index, enum avito_session_slot slot)
{
  avito_setslot(L, index, (int)slot);
}

bool avito_session_has(lua_State *L, int index, enum avito_session_slot slot)
{
  avito_session_get(L, index, slot); /* value */
  bool has = !lua_isnil(L, -1);
  lua_pop(L, 1); /* - */
  return has;
}

#define SHORTEST_SECRET 8 /* what is shorter stands in any text */

bool avito_session_has_secret(lua_State *L, int index, int text)
{
  static const enum avito_session_slot slots[] = {AVITO_SLOT_CLIENT_SECRET, AVITO_SLOT_CODE, AVITO_SLOT_GIVEN_REFRESH,
                                                  AVITO_SLOT_REFRESH, AVITO_SLOT_ACCESS};
  size_t length;
  const char *bytes = lua_tolstring(L, text, &length);
  bool found = false;
  for (size_t i = 0; i < sizeof slots / sizeof slots[0]; i++) {
    size_t size = 0;
    avito_session_get(L, index, slots[i]); /* secret */
    const char *secret = lua_tolstring(L, -1, &size);
    for (size_t at = 0; size >= SHORTEST_SECRET && at + size <= length && !found; at++) {
      found = memcmp(bytes + at, secret, size) == 0;
    }
    lua_pop(L, 1); /* - */
  }
  return found;
}

#define SCRATCH "avito_messenger.scratch"

struct avito_scratch *avito_scratch_take(lua_State *L, int index)
{
  index = lua_absindex(L, index);
  avito_session_get(L, index, AVITO_SLOT_SCRATCH); /* scratch */
  if (lua_isnil(L, -1)) {
    lua_pop(L, 1);
    avito_newuserdata(L, sizeof(struct avito_scratch));
    luaL_getmetatable(L, SCRATCH);
    lua_setmetatable(L, -2); /* scratch */
  } else {
    lua_pushnil(L);
    avito_session_set(L, index, AVITO_SLOT_SCRATCH);
  }
  return lua_touserdata(L, -1);
}

void avito_scratch_give(lua_State *L, int index)
{
  struct avito_scratch *scratch = lua_touserdata(L, -1);
  avito_buffer_reset(L, &scratch->url);
  avito_buffer_reset(L, &scratch->body);
  avito_session_set(L, index, AVITO_SLOT_SCRATCH);
}

static int scratch_gc(lua_State *L)
{
  struct avito_scratch *scratch = luaL_checkudata(L, 1, SCRATCH);
  avito_buffer_free(L, &scratch->url);
  avito_buffer_free(L, &scratch->body);
  return 0;
}

/* splitmix64: every 64-bit state is a good one. */
static uint64_t next_random(struct avito_session *session)
{
  uint64_t z = (session->random += UINT64_C(0x9e3779b97f4a7c15));
  z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
  z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
  return z ^ (z >> 31);
}

double avito_session_random(struct avito_session *session)
{
  return (double)(next_random(session) >> 11) / 9007199254740992.0;
}

void avito_session_boundary(struct avito_session *session, char boundary[33])
{
  static const char digits[] = "0123456789abcdef";
  for (int half = 0; half < 2; half++) {
    uint64_t bits = next_random(session);
    for (int i = 0; i < 16; i++) {
      boundary[half * 16 + i] = digits[(bits >> (4 * i)) & 15];
    }
  }
  boundary[32] = '\0';
}

void avito_session_set_access(lua_State *L, int index, double now, double lifetime)
{
  struct avito_session *session = lua_touserdata(L, index);
  index = lua_absindex(L, index);
  lua_pushstring(L, session->authorization);             /* token prefix */
  lua_pushvalue(L, -2);                                  /* token prefix token */
  lua_concat(L, 2);                                      /* token line */
  avito_session_set(L, index, AVITO_SLOT_AUTHORIZATION); /* token */
  avito_session_set(L, index, AVITO_SLOT_ACCESS);        /* - */
  session->has_access = true;
  session->generation++;
  if (lifetime < 0) {
    session->expires = HUGE_VAL;
    session->renew = HUGE_VAL;
  } else {
    double margin = fmin(AVITO_TOKEN_MARGIN, lifetime / 10);
    session->expires = now + lifetime;
    session->renew = session->expires - margin;
  }
}

void avito_session_reject(struct avito_session *session, unsigned generation)
{
  if (session->generation == generation) {
    session->has_access = false;
  }
}

bool avito_session_usable(const struct avito_session *session, double now)
{
  return session->has_access && now < session->expires;
}

/* ---- making one ---- */

/* What errors about the options of the session at `index` begin with. */
static const char *where_of(lua_State *L, int index)
{
  return ((const struct avito_session *)lua_touserdata(L, index))->marketplace->client;
}

static void take_string(lua_State *L, int session, const char *name, enum avito_session_slot slot)
{
  size_t length;
  avito_option_string(L, where_of(L, session), name, &length); /* value */
  avito_session_set(L, session, slot);                         /* - */
}

static void take_base_url(lua_State *L, int session)
{
  size_t length;
  const char *where = where_of(L, session);
  const char *url = avito_option_string(L, where, "base_url", &length); /* url */
  if (url == NULL) {
    avito_option_bad(L, where, "base_url", "is missing");
    return;
  }
  const char *problem = avito_url_problem(url, length);
  if (problem == NULL && strpbrk(url, "?#") != NULL) {
    problem = "has a query or a fragment";
  }
  if (problem != NULL) {
    avito_option_bad(L, where, "base_url", problem);
  }
  while (url[length - 1] == '/') {
    length--;
  }
  lua_pushlstring(L, url, length);                    /* url trimmed */
  avito_session_set(L, session, AVITO_SLOT_BASE_URL); /* url */
  lua_pop(L, 1);
}

/* The account as the decimal string it is in a path. */
static void take_account(lua_State *L, int session)
{
  const struct avito_marketplace *marketplace = ((const struct avito_session *)lua_touserdata(L, session))->marketplace;
  int64_t id;
  lua_getfield(L, 1, marketplace->account); /* value */
  if (!lua_isnil(L, -1)) {
    if (!avito_to_integer(L, -1, &id) || id < 1) {
      avito_option_bad(L, marketplace->client, marketplace->account, "must be a positive integer");
    }
    avito_push_id(L, id);                              /* value id */
    avito_session_set(L, session, AVITO_SLOT_ACCOUNT); /* value */
  } else if (marketplace->self == NULL) {
    avito_option_bad(L, marketplace->client, marketplace->account, "is missing");
  }
  lua_pop(L, 1); /* - */
}

static void check_credentials(lua_State *L, int session)
{
  const char *where = where_of(L, session);
  static const enum avito_session_slot slots[] = {AVITO_SLOT_CLIENT_ID, AVITO_SLOT_CLIENT_SECRET, AVITO_SLOT_CODE,
                                                  AVITO_SLOT_GIVEN_REFRESH, AVITO_SLOT_ACCESS};
  bool has[5];
  for (int i = 0; i < 5; i++) {
    has[i] = avito_session_has(L, session, slots[i]);
  }
  if (has[0] != has[1]) {
    avito_option_bad(L, where, has[0] ? "client_secret" : "client_id", "is missing: the two go together");
  }
  if (!has[0] && (has[2] || has[3])) {
    avito_option_bad(L, where, "client_id", "and client_secret are needed with code or refresh_token");
  }
  if (!has[0] && !has[4]) {
    avito_option_bad(L, where, "client_id", "and client_secret are missing (or give an access_token)");
  }
}

static void take_seed(lua_State *L, struct avito_session *session)
{
  size_t length;
  lua_getfield(L, 1, "seed"); /* seed */
  const char *seed = lua_tolstring(L, -1, &length);
  uint64_t hash = UINT64_C(0xcbf29ce484222325); /* FNV-1a */
  for (size_t i = 0; seed != NULL && i < length; i++) {
    hash = (hash ^ (unsigned char)seed[i]) * UINT64_C(0x100000001b3);
  }
  session->random = hash;
  lua_pop(L, 1);
}

#define BEARER "Authorization: Bearer "

/* A key for good: an access token that neither expires nor can be renewed. */
static void take_key(lua_State *L, int session)
{
  size_t length;
  struct avito_session *shared = lua_touserdata(L, session);
  const char *where = where_of(L, session);
  const char *key = avito_option_string(L, where, "api_key", &length);       /* key */
  const char *token = avito_option_string(L, where, "oauth_token", &length); /* key token */
  if (key != NULL && token != NULL) {
    avito_option_bad(L, where, "api_key", "and oauth_token are both given: one of them is enough");
  }
  if (key == NULL && token == NULL) {
    avito_option_bad(L, where, "api_key", "is missing (or give an oauth_token)");
  }
  shared->authorization = key != NULL ? "Api-Key: " : BEARER;
  lua_remove(L, key != NULL ? -1 : -2);        /* the one given */
  avito_session_set_access(L, session, 0, -1); /* - */
}

/* An access token that is renewed, or that the program cares for itself. */
static void take_oauth(lua_State *L, int session)
{
  take_string(L, session, "client_id", AVITO_SLOT_CLIENT_ID);
  take_string(L, session, "client_secret", AVITO_SLOT_CLIENT_SECRET);
  take_string(L, session, "code", AVITO_SLOT_CODE);
  take_string(L, session, "refresh_token", AVITO_SLOT_GIVEN_REFRESH);
  take_string(L, session, "access_token", AVITO_SLOT_ACCESS);
  check_credentials(L, session);
  struct avito_session *shared = lua_touserdata(L, session);
  shared->authorization = BEARER;
  shared->has_store = avito_option_flag(L, "has_store");
  shared->has_lock = avito_option_flag(L, "has_lock");
  avito_session_get(L, session, AVITO_SLOT_ACCESS); /* access */
  if (lua_isnil(L, -1)) {
    lua_pop(L, 1); /* - */
  } else {
    avito_session_set_access(L, session, 0, -1); /* - */
  }
}

static void take_user_agent(lua_State *L, int session)
{
  size_t length;
  const char *agent = avito_option_string(L, where_of(L, session), "user_agent", &length); /* agent */
  lua_pushfstring(L, "User-Agent: %s", agent != NULL ? agent : "avito-messenger");         /* agent line */
  avito_session_set(L, session, AVITO_SLOT_USER_AGENT);                                    /* agent */
  lua_pop(L, 1);                                                                           /* - */
}

/* What holds for every call. */
static void take_defaults(lua_State *L, struct avito_session *session)
{
  const char *where = session->marketplace->client;
  session->timeout = avito_option_number(L, where, 1, "timeout", 10);
  if (!(session->timeout > 0 && session->timeout <= AVITO_MAX_TIMEOUT)) {
    avito_option_bad(L, where, "timeout", "must be more than 0 and at most 86400 seconds");
  }
  double retries = avito_option_number(L, where, 1, "retries", 2);
  if (!(retries >= 0 && retries <= AVITO_MAX_RETRIES) || floor(retries) != retries) {
    avito_option_bad(L, where, "retries", "must be an integer from 0 to 10");
  }
  session->retries = (int)retries;
  size_t length;
  const char *style = avito_option_string(L, where, "array_style", &length); /* style */
  if (style != NULL && strcmp(style, "comma") != 0 && strcmp(style, "repeat") != 0) {
    avito_option_bad(L, where, "array_style", "must be \"comma\" or \"repeat\"");
  }
  session->repeat_keys = style != NULL && strcmp(style, "repeat") == 0;
  lua_pop(L, 1); /* - */
}

int avito_session_new(lua_State *L)
{
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  lua_getfield(L, 1, "marketplace");
  const struct avito_marketplace *marketplace = avito_marketplace_at(L, 2, "core.session");
  lua_settop(L, 1);
  struct avito_session *session = avito_newobject(L, sizeof *session, AVITO_SLOT_TOKEN_ERROR); /* options session */
  session->marketplace = marketplace;
  luaL_getmetatable(L, AVITO_SESSION);
  lua_setmetatable(L, 2);
  avito_json_new(L);
  avito_session_set(L, 2, AVITO_SLOT_DECODER);
  take_base_url(L, 2);
  take_account(L, 2);
  if (marketplace->auth == AVITO_AUTH_KEY) {
    take_key(L, 2);
  } else {
    take_oauth(L, 2);
  }
  take_user_agent(L, 2);
  take_defaults(L, session);
  session->quota = AVITO_QUOTA_START;
  avito_pace_open(L, session);
  take_seed(L, session);
  return 1;
}

/* session:account() -> the decimal string, or nil while it is not known */
static int session_account(lua_State *L)
{
  avito_session_check(L, 1);
  avito_session_get(L, 1, AVITO_SLOT_ACCOUNT);
  return 1;
}

/* session:nonce() -> letters and digits no other call of this client gets, for the name of a file */
static int session_nonce(lua_State *L)
{
  char digits[33];
  avito_session_boundary(avito_session_check(L, 1), digits);
  lua_pushlstring(L, digits, 8);
  return 1;
}

static int session_tostring(lua_State *L)
{
  avito_session_check(L, 1);
  lua_pushliteral(L, "avito_messenger.session"); /* and none of its secrets */
  return 1;
}

void avito_session_register(lua_State *L)
{
  static const luaL_Reg methods[] = {
      {"account", session_account}, {"nonce", session_nonce}, {"__tostring", session_tostring}, {NULL, NULL}};
  luaL_newmetatable(L, AVITO_SESSION); /* metatable */
  lua_pushvalue(L, -1);
  luaL_setfuncs(L, methods, 1);
  lua_pushvalue(L, -1);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);                 /* - */
  luaL_newmetatable(L, SCRATCH); /* metatable */
  lua_pushcfunction(L, scratch_gc);
  lua_setfield(L, -2, "__gc");
  lua_pop(L, 1); /* - */
}
