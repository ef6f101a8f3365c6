#include "session.h"

#include <math.h>

#include "json_decode.h"
#include "limits.h"
#include "arguments.h"
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
  lua_pushliteral(L, "Authorization: Bearer ");          /* token prefix */
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

static int bad_option(lua_State *L, const char *name, const char *problem)
{
  return luaL_error(L, "avito.client: %s %s", name, problem);
}

/* Pushes a string option that may stand in a header, a form or a URL, or nil. [-0, +1, m] */
static const char *get_string(lua_State *L, const char *name, size_t *length)
{
  lua_getfield(L, 1, name); /* value */
  if (lua_isnil(L, -1)) {
    return NULL;
  }
  if (lua_type(L, -1) != LUA_TSTRING) {
    lua_pushfstring(L, "must be a string, got %s", luaL_typename(L, -1));
    bad_option(L, name, lua_tostring(L, -1));
  }
  const char *value = lua_tolstring(L, -1, length);
  if (*length == 0) {
    bad_option(L, name, "is empty");
  }
  if (*length > AVITO_MAX_TOKEN) {
    bad_option(L, name, "is too long");
  }
  if (avito_has_control(value, *length)) {
    bad_option(L, name, "has a control character (NUL, CR, LF or the like)");
  }
  return value;
}

static void take_string(lua_State *L, int session, const char *name, enum avito_session_slot slot)
{
  size_t length;
  get_string(L, name, &length);        /* value */
  avito_session_set(L, session, slot); /* - */
}

/* A member of the table at `from`, called what follows the last dot of `name`. [-0, +0, m] */
static double get_number(lua_State *L, int from, const char *name, double otherwise)
{
  const char *dot = strrchr(name, '.');
  lua_getfield(L, from, dot != NULL ? dot + 1 : name); /* value */
  if (!lua_isnil(L, -1)) {
    if (lua_type(L, -1) != LUA_TNUMBER) {
      lua_pushfstring(L, "must be a number, got %s", luaL_typename(L, -1));
      bad_option(L, name, lua_tostring(L, -1));
    }
    otherwise = lua_tonumber(L, -1);
  }
  lua_pop(L, 1); /* - */
  return otherwise;
}

static bool get_boolean(lua_State *L, const char *name)
{
  lua_getfield(L, 1, name); /* value */
  bool value = lua_toboolean(L, -1);
  lua_pop(L, 1); /* - */
  return value;
}

static void take_base_url(lua_State *L, int session)
{
  size_t length;
  const char *url = get_string(L, "base_url", &length); /* url */
  if (url == NULL) {
    bad_option(L, "base_url", "is missing");
    return;
  }
  const char *problem = avito_url_problem(url, length);
  if (problem == NULL && strpbrk(url, "?#") != NULL) {
    problem = "has a query or a fragment";
  }
  if (problem != NULL) {
    bad_option(L, "base_url", problem);
  }
  while (url[length - 1] == '/') {
    length--;
  }
  lua_pushlstring(L, url, length);                    /* url trimmed */
  avito_session_set(L, session, AVITO_SLOT_BASE_URL); /* url */
  lua_pop(L, 1);
}

/* The user id as the decimal string it is in a path. */
static void take_user_id(lua_State *L, int session)
{
  int64_t id;
  lua_getfield(L, 1, "user_id"); /* value */
  if (!lua_isnil(L, -1)) {
    if (!avito_to_integer(L, -1, &id) || id < 1) {
      bad_option(L, "user_id", "must be a positive integer");
    }
    avito_push_id(L, id);                              /* value id */
    avito_session_set(L, session, AVITO_SLOT_USER_ID); /* value */
  }
  lua_pop(L, 1); /* - */
}

static void check_credentials(lua_State *L, int session)
{
  static const enum avito_session_slot slots[] = {AVITO_SLOT_CLIENT_ID, AVITO_SLOT_CLIENT_SECRET, AVITO_SLOT_CODE,
                                                  AVITO_SLOT_GIVEN_REFRESH, AVITO_SLOT_ACCESS};
  bool has[5];
  for (int i = 0; i < 5; i++) {
    has[i] = avito_session_has(L, session, slots[i]);
  }
  if (has[0] != has[1]) {
    bad_option(L, has[0] ? "client_secret" : "client_id", "is missing: the two go together");
  }
  if (!has[0] && (has[2] || has[3])) {
    bad_option(L, "client_id", "and client_secret are needed with code or refresh_token");
  }
  if (!has[0] && !has[4]) {
    bad_option(L, "client_id", "and client_secret are missing (or give an access_token)");
  }
}

static void take_pace(lua_State *L, struct avito_session *session)
{
  lua_getfield(L, 1, "pace"); /* pace */
  if (lua_toboolean(L, -1)) {
    if (lua_type(L, -1) != LUA_TTABLE) {
      lua_pushfstring(L, "must be a table or false, got %s", lua_isboolean(L, -1) ? "true" : luaL_typename(L, -1));
      bad_option(L, "pace", lua_tostring(L, -1));
    }
    int pace = lua_gettop(L);
    double rate = get_number(L, pace, "pace.rate", AVITO_PACE_RATE);
    double burst = get_number(L, pace, "pace.burst", AVITO_PACE_BURST);
    lua_getfield(L, pace, "rate"); /* pace rate */
    bool given = !lua_isnil(L, -1);
    lua_pop(L, 1); /* pace */
    if (!(rate > 0 && rate <= AVITO_MAX_PACE)) {
      bad_option(L, "pace.rate", "must be more than 0 and at most 1000 requests a second");
    }
    if (!(burst >= 1 && burst <= AVITO_MAX_PACE) || floor(burst) != burst) {
      bad_option(L, "pace.burst", "must be an integer from 1 to 1000");
    }
    avito_lane_open(&session->lane, given ? rate : 0, burst);
  }
  lua_pop(L, 1); /* - */
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

int avito_session_new(lua_State *L)
{
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  struct avito_session *session = avito_newobject(L, sizeof *session, AVITO_SLOT_TOKEN_ERROR); /* options session */
  luaL_getmetatable(L, AVITO_SESSION);
  lua_setmetatable(L, 2);
  avito_json_new(L);
  avito_session_set(L, 2, AVITO_SLOT_DECODER);
  take_base_url(L, 2);
  take_string(L, 2, "client_id", AVITO_SLOT_CLIENT_ID);
  take_string(L, 2, "client_secret", AVITO_SLOT_CLIENT_SECRET);
  take_string(L, 2, "code", AVITO_SLOT_CODE);
  take_string(L, 2, "refresh_token", AVITO_SLOT_GIVEN_REFRESH);
  take_string(L, 2, "access_token", AVITO_SLOT_ACCESS);
  take_user_id(L, 2);
  check_credentials(L, 2);
  avito_session_get(L, 2, AVITO_SLOT_ACCESS);
  if (lua_isnil(L, -1)) {
    lua_pop(L, 1);
  } else {
    avito_session_set_access(L, 2, 0, -1);
  }
  size_t length;
  const char *agent = get_string(L, "user_agent", &length);
  lua_pushfstring(L, "User-Agent: %s", agent != NULL ? agent : "avito-messenger");
  avito_session_set(L, 2, AVITO_SLOT_USER_AGENT);
  lua_pop(L, 1);
  session->timeout = get_number(L, 1, "timeout", 10);
  if (!(session->timeout > 0 && session->timeout <= AVITO_MAX_TIMEOUT)) {
    bad_option(L, "timeout", "must be more than 0 and at most 86400 seconds");
  }
  double retries = get_number(L, 1, "retries", 2);
  if (!(retries >= 0 && retries <= AVITO_MAX_RETRIES) || floor(retries) != retries) {
    bad_option(L, "retries", "must be an integer from 0 to 10");
  }
  session->retries = (int)retries;
  const char *style = get_string(L, "array_style", &length);
  if (style != NULL && strcmp(style, "comma") != 0 && strcmp(style, "repeat") != 0) {
    bad_option(L, "array_style", "must be \"comma\" or \"repeat\"");
  }
  session->repeat_keys = style != NULL && strcmp(style, "repeat") == 0;
  lua_pop(L, 1);
  session->has_store = get_boolean(L, "has_store");
  session->has_lock = get_boolean(L, "has_lock");
  session->quota = AVITO_QUOTA_START;
  take_pace(L, session);
  take_seed(L, session);
  return 1;
}

/* session:user_id() -> the decimal string, or nil while it is not known */
static int session_user_id(lua_State *L)
{
  avito_session_check(L, 1);
  avito_session_get(L, 1, AVITO_SLOT_USER_ID);
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

/* session:lane() -> the state of the lane, for sessions of other processes that keep to the same pace; nil without a lane.
 * session:lane(state, now) -> was it taken over? Not what is no state of a lane. */
static int session_lane(lua_State *L)
{
  struct avito_session *session = avito_session_check(L, 1);
  bool paced = session->lane.rate > 0;
  if (lua_isnoneornil(L, 2)) {
    char packed[AVITO_LANE_PACKED];
    if (!paced) {
      return 0;
    }
    avito_lane_pack(&session->lane, packed);
    lua_pushlstring(L, packed, sizeof packed);
    return 1;
  }
  size_t length;
  const char *packed = luaL_checklstring(L, 2, &length);
  double now = luaL_checknumber(L, 3);
  lua_pushboolean(L, paced && avito_lane_unpack(&session->lane, packed, length, now));
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
  static const luaL_Reg methods[] = {{"user_id", session_user_id},
                                     {"nonce", session_nonce},
                                     {"lane", session_lane},
                                     {"__tostring", session_tostring},
                                     {NULL, NULL}};
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
