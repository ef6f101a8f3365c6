#include "operation.h"

#include <math.h>

#include "answer.h"
#include "arguments.h"
#include "http_head.h"
#include "limits.h"

void avito_op_get(lua_State *L, int op, enum avito_operation_slot slot)
{
  avito_getslot(L, op, (int)slot);
}

void avito_op_set(lua_State *L, int op, enum avito_operation_slot slot)
{
  avito_setslot(L, op, (int)slot);
}

struct avito_session *avito_op_session(lua_State *L, int op)
{
  avito_op_get(L, op, AVITO_OP_SESSION); /* session */
  return lua_touserdata(L, -1);
}

static struct avito_operation *check(lua_State *L, int index)
{
  return avito_checkself(L, index, AVITO_OPERATION);
}

/* ---- its end ---- */

/* Ends the operation with the value and the meta on top. [-2, +0, m] */
static void succeed(lua_State *L, int op, struct avito_operation *operation)
{
  avito_op_set(L, op, AVITO_OP_META);
  avito_op_set(L, op, AVITO_OP_VALUE);
  operation->end = AVITO_DONE;
}

/* Does the value on top, or anything in it, hold a secret of the session? Answers nest at most AVITO_MAX_DEPTH deep.
 * [-0, +0, m] */
static bool holds_secret(lua_State *L, int session)
{
  if (lua_type(L, -1) == LUA_TSTRING) {
    return avito_session_has_secret(L, session, lua_gettop(L));
  }
  if (lua_type(L, -1) != LUA_TTABLE) {
    return false;
  }
  luaL_checkstack(L, 6, NULL);
  bool found = false;
  lua_pushnil(L);                          /* table nil */
  while (!found && lua_next(L, -2) != 0) { /* table name member */
    found = holds_secret(L, session);
    lua_pop(L, 1); /* table name */
    found = holds_secret(L, session) || found;
  }
  if (found) {
    lua_pop(L, 1); /* table */
  }
  return found;
}

void avito_op_hide_secrets(lua_State *L, int op, int err)
{
  static const char *const fields[] = {"message", "code", "body", "fields"};
  avito_op_get(L, op, AVITO_OP_SESSION); /* session */
  int session = lua_gettop(L);
  for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
    lua_getfield(L, err, fields[i]); /* session field */
    if (holds_secret(L, session)) {
      if (lua_type(L, -1) == LUA_TSTRING) {
        lua_pushliteral(L, "(not shown: it holds a secret)");
      } else {
        lua_pushnil(L);
      }
      lua_setfield(L, err, fields[i]);
    }
    lua_pop(L, 1); /* session */
  }
  lua_pop(L, 1); /* - */
}

/* Ends the operation with the error on top. [-1, +0, m] */
static void fail(lua_State *L, int op, struct avito_operation *operation)
{
  lua_pushboolean(L, operation->dispatched);
  lua_setfield(L, -2, "dispatched");
  avito_op_hide_secrets(L, op, lua_gettop(L));
  avito_token_abandon(L, op);
  avito_pace_leave(operation);
  avito_op_set(L, op, AVITO_OP_VALUE);
  operation->end = AVITO_FAILED;
}

/* Makes an error of the message on top. [-1, +1, m] */
static void make_error(lua_State *L, int op, const char *kind)
{
  struct avito_operation *operation = lua_touserdata(L, op);
  avito_op_get(L, op, AVITO_OP_NAME);                                   /* message name */
  lua_insert(L, -2);                                                    /* name message */
  avito_error_new(L, kind, lua_tostring(L, -2), operation->dispatched); /* name err */
  lua_remove(L, -2);                                                    /* err */
}

/* ---- next ---- */

static int push_end(lua_State *L, int op, const struct avito_operation *operation)
{
  if (operation->end == AVITO_FAILED) {
    lua_pushliteral(L, "fail");
    avito_op_get(L, op, AVITO_OP_VALUE);
    return 2;
  }
  lua_pushliteral(L, "done");
  avito_op_get(L, op, AVITO_OP_VALUE);
  avito_op_get(L, op, AVITO_OP_META);
  return 3;
}

static void fail_late(lua_State *L, int op, struct avito_operation *operation)
{
  if (!avito_pace_late(L, op)) { /* err, or - */
    lua_pushstring(L, operation->waits_for_renewal ? "another call was still renewing the access token at the deadline"
                                                   : "the deadline passed before the request could be made");
    make_error(L, op, "timeout");
  }
  fail(L, op, operation);
}

static void fail_cancelled(lua_State *L, int op, struct avito_operation *operation)
{
  const char *kind = operation->cancelled;
  operation->cancelled = NULL;
  if (operation->end == AVITO_RUNNING) {
    avito_op_get(L, op, AVITO_OP_META); /* message */
    make_error(L, op, kind);
    fail(L, op, operation);
  }
}

static int op_next(lua_State *L)
{
  struct avito_operation *operation = check(L, 1);
  double now = luaL_checknumber(L, 2);
  lua_settop(L, 3);
  if (operation->awaits != AVITO_AWAITS_NOTHING) {
    return luaL_error(L, "operation: feed what came of the last step before asking for the next");
  }
  /* New tokens are saved even then: the refresh token they came of is worth nothing any more. */
  if (operation->end == AVITO_RUNNING && now >= operation->deadline && operation->renewal != AVITO_RENEWAL_SAVE) {
    fail_late(L, 1, operation);
  }
  if (operation->cancelled != NULL && operation->renewal != AVITO_RENEWAL_SAVE) {
    fail_cancelled(L, 1, operation);
  }
  if (operation->locked && operation->renewal == AVITO_RENEWAL_NONE) { /* also where the end has come */
    operation->awaits = AVITO_AWAITS_UNLOCK;
    lua_pushliteral(L, "unlock");
    return 1;
  }
  if (operation->end != AVITO_RUNNING) {
    return push_end(L, 1, operation);
  }
  if (now < operation->wake) {
    lua_pushliteral(L, "wait");
    lua_pushnumber(L, fmin(operation->wake, operation->deadline) - now);
    lua_pushstring(L, operation->wake_reason);
    return 3;
  }
  if (operation->needs_token) {
    int pushed = 0;
    switch (avito_token_step(L, 1, now, &pushed)) {
    case AVITO_STEP_PUSHED:
      return pushed;
    case AVITO_STEP_FAILED: /* err */
      fail(L, 1, operation);
      return op_next(L);
    default:
      break;
    }
    if (operation->locked) {
      return op_next(L); /* hand the lock back before anything else */
    }
  }
  avito_op_get(L, 1, AVITO_OP_SESSION); /* session */
  int session = lua_gettop(L);
  if (operation->own_purpose == AVITO_CALL) {
    switch (avito_pace_step(L, 1, session, now)) {
    case AVITO_STEP_PUSHED:
      return 4;
    case AVITO_STEP_FAILED: /* session err */
      fail(L, 1, operation);
      return op_next(L);
    default:
      break;
    }
  }
  bool looks_up = operation->needs_user && !avito_session_has(L, session, AVITO_SLOT_ACCOUNT);
  int pushed = looks_up ? avito_op_send_self(L, 1, session, now) : avito_op_send_own(L, 1, session, now);
  lua_pushboolean(L, avito_pace_holds(operation));
  return pushed + 1;
}

/* ---- feed ---- */

bool avito_op_retry(lua_State *L, int op, double retry_after, bool at_once, double now)
{
  struct avito_operation *operation = lua_touserdata(L, op);
  avito_op_get(L, op, AVITO_OP_SESSION); /* err session */
  struct avito_session *session = lua_touserdata(L, -1);
  lua_pop(L, 1); /* err */
  if (operation->retries_left < 1 || session->quota < 1) {
    return false;
  }
  double wait = 0;
  if (retry_after >= 0) {
    wait = retry_after + avito_session_random(session) * AVITO_BACKOFF_BASE;
  } else if (!at_once) {
    int made = operation->attempts[operation->sent] - 1;
    wait = avito_session_random(session) * fmin(AVITO_BACKOFF_CAP, ldexp(AVITO_BACKOFF_BASE, made < 16 ? made : 16));
  }
  if (now + wait >= operation->deadline) {
    return false; /* it could not be made in time: say so now rather than then */
  }
  session->quota -= 1;
  operation->retries_left--;
  operation->wake = now + wait;
  operation->wake_reason = "retry";
  lua_pop(L, 1); /* - */
  return true;
}

/* A string field of the response table; raises when it is missing. The table anchors it. */
static const char *response_string(lua_State *L, int response, const char *field, size_t *length)
{
  lua_getfield(L, response, field);
  if (lua_type(L, -1) != LUA_TSTRING) {
    luaL_error(L, "response.%s must be a string, got %s", field, luaL_typename(L, -1));
  }
  const char *value = lua_tolstring(L, -1, length);
  lua_pop(L, 1);
  return value;
}

static bool response_flag(lua_State *L, int response, const char *field, bool otherwise)
{
  lua_getfield(L, response, field);
  bool flag = lua_isnil(L, -1) ? otherwise : lua_toboolean(L, -1);
  lua_pop(L, 1);
  return flag;
}

/* How many bytes the driver wrote to the output; -1 when it does not say. */
static double response_bytes(lua_State *L, int response)
{
  lua_getfield(L, response, "bytes");
  double bytes = lua_type(L, -1) == LUA_TNUMBER ? lua_tonumber(L, -1) : -1;
  lua_pop(L, 1);
  return bytes;
}

/* No answer came. */
static void feed_failure(lua_State *L, int op, int response, double now)
{
  static const char *const kinds[] = {"network", "timeout", "decode", "cancelled", "file", NULL};
  struct avito_operation *operation = lua_touserdata(L, op);
  bool dispatched = response_flag(L, response, "dispatched", true); /* unless it is known not to be */
  bool stale = response_flag(L, response, "stale", false);
  bool own = operation->sent == operation->own_purpose;
  lua_getfield(L, response, "error"); /* kind */
  const char *kind = kinds[luaL_checkoption(L, -1, NULL, kinds)];
  size_t length;
  response_string(L, response, "message", &length);
  operation->dispatched = operation->dispatched || (own && dispatched);
  lua_getfield(L, response, "message");                 /* kind message */
  make_error(L, op, kind[0] == 'f' ? "invalid" : kind); /* kind err */
  lua_remove(L, -2);                                    /* err */
  bool passes = kind[0] == 'n' || kind[0] == 't';       /* network, timeout */
  if (operation->sent == AVITO_TOKEN) {
    if (kind[0] == 'c' || !avito_token_unanswered(L, op, passes, now)) {
      fail(L, op, operation);
    }
    return;
  }
  bool harmless = !own || operation->repeat == AVITO_SAFE || !dispatched;
  if (!passes || !harmless || !avito_op_retry(L, op, -1, stale, now)) {
    fail(L, op, operation);
  }
}

/* Takes the user id out of the answer to get_self, on top. [-1, +0, m] */
static bool take_self(lua_State *L, int session)
{
  int64_t id;
  lua_getfield(L, -1, "id"); /* self id */
  bool found = avito_to_integer(L, -1, &id) && id > 0;
  lua_pop(L, 2); /* - */
  if (found) {
    avito_push_id(L, id);
    avito_session_set(L, session, AVITO_SLOT_ACCOUNT);
  }
  return found;
}

/* A 2xx answer to the own request or to the look-up of the account. */
static void feed_success(lua_State *L, int op, int session, const struct avito_response *response)
{
  struct avito_operation *operation = lua_touserdata(L, op);
  const struct avito_session *shared = lua_touserdata(L, session);
  bool own = operation->sent == operation->own_purpose;
  avito_session_get(L, session, AVITO_SLOT_DECODER); /* decoder */
  int decoder = lua_gettop(L);
  avito_op_get(L, op, AVITO_OP_NAME); /* decoder name */
  const char *name = lua_tostring(L, -1);
  enum avito_answer answer = own ? operation->answer : AVITO_ANSWER_OBJECT;
  const char *key = own ? operation->answer_key : NULL;
  if (!avito_answer_read(L, shared->marketplace, decoder, response, answer, key, name)) { /* decoder name err */
    fail(L, op, operation);
  } else if (own) { /* decoder name value meta */
    succeed(L, op, operation);
  } else {
    lua_pop(L, 1); /* decoder name value */
    if (!take_self(L, session)) {
      lua_pushliteral(L, "the account's user id could not be looked up: the answer has no id");
      make_error(L, op, "decode");
      avito_error_hint(L, "pass user_id to avito.client");
      fail(L, op, operation);
    }
  }
  lua_settop(L, decoder - 1);
}

/* Answers that may be other ones in a while. */
static bool passes(int status)
{
  return status == 408 || status == 500 || status == 502 || status == 503 || status == 504;
}

static void feed_answer(lua_State *L, int op, int session, const struct avito_response *response, double now,
                        double unix_now)
{
  struct avito_operation *operation = lua_touserdata(L, op);
  struct avito_session *shared = lua_touserdata(L, session);
  bool own = operation->sent == operation->own_purpose;
  bool refused = avito_marketplace_refuses(shared->marketplace, response->status);
  double retry_after = avito_pace_retry_after(shared->marketplace, response, unix_now);
  avito_session_get(L, session, AVITO_SLOT_DECODER); /* decoder */
  avito_op_get(L, op, AVITO_OP_NAME);                /* decoder name */
  bool token_refused = avito_error_from_answer(L, shared->marketplace, lua_gettop(L) - 1, response, lua_tostring(L, -1),
                                               retry_after); /* decoder name err */
  lua_replace(L, -3);                                        /* err name */
  lua_pop(L, 1);                                             /* err */
  if (operation->sent == AVITO_SELF && response->status == 403) {
    avito_error_hint(L,
                     "looking the account up needs the scope user:read: ask for it, or pass user_id to avito.client");
  }
  if (token_refused && operation->needs_token) {
    bool newer = shared->generation != operation->sent_generation;
    if (!operation->reauthorized && (newer || avito_token_renewable(L, op))) {
      operation->reauthorized = true;
      avito_session_reject(shared, operation->sent_generation);
      lua_pop(L, 1); /* - */
      return;
    }
    fail(L, op, operation);
    return;
  }
  bool harmless = !own || operation->repeat == AVITO_SAFE || refused;
  if (!(refused || passes(response->status)) || !harmless || !avito_op_retry(L, op, retry_after, false, now)) {
    fail(L, op, operation);
  }
}

static void feed_response(lua_State *L, int op, int index, double now, double unix_now)
{
  struct avito_operation *operation = lua_touserdata(L, op);
  luaL_checktype(L, index, LUA_TTABLE);
  lua_getfield(L, index, "error"); /* error */
  bool failed = !lua_isnil(L, -1);
  lua_pop(L, 1);
  if (operation->sent != AVITO_TOKEN) { /* it may be waiting for its turn all the while */
    avito_pace_leave(operation);
  }
  if (failed) {
    feed_failure(L, op, index, now);
    return;
  }
  struct avito_response response;
  lua_getfield(L, index, "status");
  response.status = (int)lua_tointeger(L, -1);
  lua_pop(L, 1);
  response.head = response_string(L, index, "head", &response.head_length);
  response.body = response_string(L, index, "body", &response.body_length);
  response.bytes = response_bytes(L, index);
  avito_op_get(L, op, AVITO_OP_SESSION); /* session */
  int session_index = lua_gettop(L);
  struct avito_session *session = lua_touserdata(L, session_index);
  operation->dispatched = operation->dispatched || operation->sent == operation->own_purpose;
  if (response.status < 500 && !avito_marketplace_refuses(session->marketplace, response.status)) {
    session->quota = fmin(AVITO_QUOTA_CAP, session->quota + AVITO_QUOTA_ANSWERED);
  }
  if (operation->sent == AVITO_CALL || operation->sent == AVITO_SELF) {
    avito_pace_answered(operation, session, &response, now, unix_now);
  }
  if (operation->sent == AVITO_TOKEN) {
    if (!avito_token_answered(L, op, &response, now, unix_now)) { /* session err */
      fail(L, op, operation);
    }
  } else if (response.status >= 200 && response.status < 300) {
    feed_success(L, op, session_index, &response);
  } else {
    feed_answer(L, op, session_index, &response, now, unix_now);
  }
  lua_settop(L, session_index - 1);
}

static int op_feed(lua_State *L)
{
  struct avito_operation *operation = check(L, 1);
  double now = luaL_checknumber(L, 2);
  double unix_now = luaL_checknumber(L, 3);
  lua_settop(L, 5); /* op now unix value message */
  bool fine = true;
  enum avito_awaits awaited = operation->awaits;
  if (awaited == AVITO_AWAITS_NOTHING) {
    return luaL_error(L, "operation: there is nothing to feed; ask for the next step");
  }
  if (awaited == AVITO_AWAITS_RESPONSE) {
    feed_response(L, 1, 4, now, unix_now);
    operation->awaits = AVITO_AWAITS_NOTHING; /* only now: what raised is not sent again */
    lua_pushboolean(L, operation->end != AVITO_RUNNING);
    return 1;
  }
  switch (awaited) {
  case AVITO_AWAITS_LOCK:
    fine = avito_token_locked(L, 1, 4, now);
    break;
  case AVITO_AWAITS_LOAD:
    fine = avito_token_loaded(L, 1, 4, now, unix_now);
    break;
  case AVITO_AWAITS_SAVE:
    fine = avito_token_saved(L, 1, 4, now);
    break;
  default:
    operation->locked = false;
    break;
  }
  if (!fine) { /* … err */
    fail(L, 1, operation);
  }
  operation->awaits = AVITO_AWAITS_NOTHING;
  lua_pushboolean(L, operation->end != AVITO_RUNNING);
  return 1;
}

/* op:cancel(message, kind): gives the call up; next then says "unlock" where the store's lock is held, and "fail". Tokens
 * that have just come are saved before: the refresh token they came of is worth nothing any more. */
static int op_cancel(lua_State *L)
{
  static const char *const kinds[] = {"cancelled", "timeout", NULL};
  struct avito_operation *operation = check(L, 1);
  const char *message = luaL_optstring(L, 2, "the call was cancelled");
  const char *kind = kinds[luaL_checkoption(L, 3, "cancelled", kinds)];
  if (operation->end != AVITO_RUNNING) {
    return 0;
  }
  if (operation->awaits == AVITO_AWAITS_RESPONSE && operation->sent == operation->own_purpose) {
    operation->dispatched = true; /* nobody has said that it was not */
  }
  if (operation->awaits == AVITO_AWAITS_LOCK) {
    operation->locked = true; /* it may have been got */
  }
  bool saves = operation->awaits == AVITO_AWAITS_NOTHING && operation->renewal == AVITO_RENEWAL_SAVE;
  operation->awaits = AVITO_AWAITS_NOTHING;
  lua_pushstring(L, message);
  if (saves) {
    avito_op_set(L, 1, AVITO_OP_META);
    operation->cancelled = kind;
    return 0;
  }
  make_error(L, 1, kind);
  fail(L, 1, operation);
  return 0;
}

/* op:limit(when): lowers the deadline, for a program that has one around several calls. */
static int op_limit(lua_State *L)
{
  struct avito_operation *operation = check(L, 1);
  double when = luaL_checknumber(L, 2);
  if (when < operation->deadline) {
    operation->deadline = when;
    avito_pace_limit(operation);
  }
  return 0;
}

/* op:name() -> what errors and events call it */
static int op_name(lua_State *L)
{
  check(L, 1);
  avito_op_get(L, 1, AVITO_OP_NAME);
  return 1;
}

static int op_tostring(lua_State *L)
{
  check(L, 1);
  avito_op_get(L, 1, AVITO_OP_NAME);
  lua_pushfstring(L, "avito_messenger.operation (%s)", lua_tostring(L, -1));
  return 1;
}

void avito_operation_register(lua_State *L)
{
  static const luaL_Reg methods[] = {{"next", op_next},   {"feed", op_feed}, {"cancel", op_cancel},
                                     {"limit", op_limit}, {"name", op_name}, {"__tostring", op_tostring},
                                     {NULL, NULL}};
  luaL_newmetatable(L, AVITO_OPERATION); /* metatable */
  lua_pushvalue(L, -1);
  luaL_setfuncs(L, methods, 1);
  lua_pushvalue(L, -1);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1); /* - */
  avito_token_register(L);
  avito_pace_register(L);
}
