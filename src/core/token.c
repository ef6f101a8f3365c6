/* Obtaining and renewing the access token: one operation does it for all that share the session.
 *
 * With a token store:   lock -> load -> (another process renewed it: done) -> request -> save -> unlock
 * without one:          request
 */
#include <math.h>

#include "grant.h"
#include "http_head.h"
#include "json_decode.h"
#include "limits.h"
#include "operation.h"

#define GUARD "avito_messenger.renewal"

static struct avito_operation *operation_at(lua_State *L, int op)
{
  return lua_touserdata(L, op);
}

bool avito_token_renewable(lua_State *L, int op)
{
  struct avito_session *session = avito_op_session(L, op); /* session */
  bool renewable = session->has_store || avito_grant_next(L, session, lua_gettop(L)) != AVITO_GRANT_NONE;
  lua_pop(L, 1); /* - */
  return renewable;
}

/* ---- the renewal as a whole ---- */

static bool wants_token(const struct avito_session *session, double now)
{
  return !avito_session_usable(session, now) || now >= session->renew || session->unsaved;
}

static void end_renewal(struct avito_operation *operation, struct avito_session *session)
{
  operation->renewal = AVITO_RENEWAL_NONE;
  if (session->renewing == operation->renewal_number) {
    session->renewing = 0;
  }
}

void avito_token_abandon(lua_State *L, int op)
{
  struct avito_session *session = avito_op_session(L, op); /* session */
  if (session != NULL) {
    end_renewal(operation_at(L, op), session);
  }
  lua_pop(L, 1); /* - */
}

/* Ends the renewal with the error on top. A token that still works is used on, and the error dropped: true. Otherwise
 * whoever waits gets the same error: false, and it stays. [-(0|1), +0, m] */
static bool fail_renewal(lua_State *L, int op, double now)
{
  struct avito_operation *operation = operation_at(L, op);
  struct avito_session *session = avito_op_session(L, op); /* err session */
  int index = lua_gettop(L);
  end_renewal(operation, session);
  if (avito_session_usable(session, now) && !session->unsaved) {
    session->renew = now + AVITO_TOKEN_PAUSE;
    lua_pop(L, 2);
    return true;
  }
  session->renewals_failed++;
  lua_pushvalue(L, index - 1);                         /* err session err */
  avito_session_set(L, index, AVITO_SLOT_TOKEN_ERROR); /* err session */
  lua_pop(L, 1);                                       /* err */
  return false;
}

/* Pushes an error of kind "auth"; pops its message. [-1, +1, m] */
static void auth_error(lua_State *L, int op, const char *hint)
{
  avito_op_get(L, op, AVITO_OP_NAME);                     /* message name */
  lua_insert(L, -2);                                      /* name message */
  avito_error_new(L, "auth", lua_tostring(L, -2), false); /* name err */
  lua_remove(L, -2);                                      /* err */
  if (hint != NULL) {
    avito_error_hint(L, hint);
  }
}

/* A token that still works is used on rather than waited for. [-(0|1), +0, m] */
static bool try_again(lua_State *L, int op, double retry_after, double now)
{
  bool usable = avito_session_usable(avito_op_session(L, op), now); /* session */
  lua_pop(L, 1);                                                    /* - */
  return !usable && avito_op_retry(L, op, retry_after, false, now);
}

bool avito_token_answered(lua_State *L, int op, const struct avito_response *response, double now, double unix_now)
{
  static const struct avito_json_limits limits = {AVITO_MAX_TOKEN * 4, AVITO_MAX_DEPTH};
  struct avito_json_error ignored;
  struct avito_operation *operation = operation_at(L, op);
  struct avito_session *session = avito_op_session(L, op); /* session */
  int index = lua_gettop(L);
  avito_session_get(L, index, AVITO_SLOT_DECODER); /* session decoder */
  bool good = response->status >= 200 && response->status < 300;
  if (good && avito_json_decode(L, index + 1, response->body, response->body_length, &limits, &ignored)) {
    if (lua_type(L, -1) == LUA_TTABLE && avito_grant_take(L, op, index, now, unix_now)) { /* session decoder */
      if (session->has_store) {
        operation->renewal = AVITO_RENEWAL_SAVE;
      } else {
        end_renewal(operation, session);
      }
      lua_settop(L, index - 1);
      return true;
    }
    lua_settop(L, index + 1); /* session decoder */
  }
  double retry_after = avito_retry_after(response->head, response->head_length, unix_now);
  avito_grant_error(L, op, index + 1, response, retry_after); /* session decoder err */
  lua_replace(L, index + 1);                                  /* session err */
  if (!avito_grant_refuses(L, response)) {
    if (good) {
      lua_pushliteral(L, "decode");
      lua_setfield(L, index + 1, "kind");
      lua_pushliteral(L, "the answer to the token request has no access token");
      lua_setfield(L, index + 1, "message");
    }
    lua_remove(L, index); /* err */
    return try_again(L, op, retry_after, now) || fail_renewal(L, op, now);
  }
  if (response->status != 402) { /* whatever else it is called, the credentials were not accepted */
    lua_pushliteral(L, "auth");
    lua_setfield(L, index + 1, "kind");
    avito_error_hint(L, operation->grant == AVITO_GRANT_CLIENT ? "check client_id and client_secret"
                                                               : AVITO_AUTHORIZE_AGAIN);
    if (avito_grant_refused(L, op, index, response)) {
      lua_settop(L, index - 1);
      return true;
    }
  }
  lua_remove(L, index); /* err */
  return fail_renewal(L, op, now);
}

bool avito_token_unanswered(lua_State *L, int op, bool passes, double now)
{
  return (passes && try_again(L, op, -1, now)) || fail_renewal(L, op, now);
}

/* ---- the store ---- */

/* Pushes an "auth" error "the token store could not …: message" from the message at `value` + 1. [-0, +1, m] */
static void store_error(lua_State *L, int op, int value, const char *what, const char *hint)
{
  const char *message = lua_tostring(L, value + 1);
  lua_pushfstring(L, "the token store could not %s: %s", what, message != NULL ? message : "it gave no reason");
  auth_error(L, op, hint);
}

bool avito_token_locked(lua_State *L, int op, int value, double now)
{
  struct avito_operation *operation = operation_at(L, op);
  if (lua_toboolean(L, value)) {
    operation->locked = true;
    operation->renewal = AVITO_RENEWAL_LOAD;
    return true;
  }
  if (lua_isnil(L, value)) {
    store_error(L, op, value, "be locked", NULL);
    return fail_renewal(L, op, now);
  }
  struct avito_session *session = avito_op_session(L, op);       /* session */
  lua_pop(L, 1);                                                 /* - */
  if (avito_session_usable(session, now) && !session->unsaved) { /* whoever has it renews for all */
    end_renewal(operation, session);
    session->renew = now + AVITO_TOKEN_PAUSE;
    return true;
  }
  operation->wake = now + AVITO_LOCK_POLL;
  operation->wake_reason = "lock";
  return true;
}

/* Takes what another process (or an earlier run) has stored. */
static void take_stored(lua_State *L, int session_index, int tokens, double now, double unix_now)
{
  if (avito_push_token(L, tokens, "refresh_token")) { /* refresh */
    avito_session_set(L, session_index, AVITO_SLOT_REFRESH);
  } else {
    lua_pop(L, 1);
  }
  if (avito_push_token(L, tokens, "scope")) {
    avito_session_set(L, session_index, AVITO_SLOT_SCOPE);
  } else {
    lua_pop(L, 1);
  }
  if (!avito_push_token(L, tokens, "access_token")) { /* nil */
    lua_pop(L, 1);
    return;
  }
  avito_session_get(L, session_index, AVITO_SLOT_ACCESS); /* access present */
  bool same = lua_rawequal(L, -1, -2);
  lua_pop(L, 1); /* access */
  lua_getfield(L, tokens, "expires_at");
  double expires_at = lua_isnil(L, -1) ? -1 : lua_tonumber(L, -1);
  lua_pop(L, 1); /* access */
  if (same || (expires_at >= 0 && expires_at <= unix_now)) {
    lua_pop(L, 1); /* the one that does not work, or one that has expired */
    return;
  }
  avito_session_set_access(L, session_index, now, expires_at < 0 ? -1 : expires_at - unix_now); /* - */
}

bool avito_token_loaded(lua_State *L, int op, int value, double now, double unix_now)
{
  struct avito_operation *operation = operation_at(L, op);
  if (lua_isnil(L, value) && !lua_isnil(L, value + 1)) {
    store_error(L, op, value, "be read", "it was left as it is: mend or remove it");
    return fail_renewal(L, op, now);
  }
  if (!lua_isnil(L, value) && lua_type(L, value) != LUA_TTABLE) {
    lua_pushfstring(L, "the token store's load must return a table or nil, got %s", luaL_typename(L, value));
    auth_error(L, op, NULL);
    return fail_renewal(L, op, now);
  }
  struct avito_session *session = avito_op_session(L, op); /* session */
  int index = lua_gettop(L);
  if (lua_type(L, value) == LUA_TTABLE) {
    take_stored(L, index, value, now, unix_now);
  }
  if (wants_token(session, now)) {
    operation->renewal = AVITO_RENEWAL_REQUEST;
  } else {
    end_renewal(operation, session);
  }
  lua_pop(L, 1); /* - */
  return true;
}

bool avito_token_saved(lua_State *L, int op, int value, double now)
{
  struct avito_operation *operation = operation_at(L, op);
  struct avito_session *session = avito_op_session(L, op); /* session */
  lua_pop(L, 1);                                           /* - */
  if (lua_toboolean(L, value)) {
    session->unsaved = false;
  } else if (session->unsaved) { /* a refresh token that exists nowhere else */
    store_error(L, op, value, "save the new tokens", "they are kept in memory and saved with the next call");
    return fail_renewal(L, op, now);
  }
  end_renewal(operation, session);
  return true;
}

/* ---- the steps ---- */

/* A driver that is told when the other's renewal has ended waits for that, at most until the deadline. */
static int push_wait(lua_State *L, double left)
{
  lua_pushliteral(L, "wait");
  lua_pushnumber(L, fmin(AVITO_FLIGHT_POLL, left));
  lua_pushliteral(L, "token");
  lua_pushnumber(L, left);
  return 4;
}

/* Pushes a copy of the error the last renewal failed with, for the call whose name is at stack index `name`. [-0, +1, m] */
static void push_shared_error(lua_State *L, int session, int name)
{
  avito_session_get(L, session, AVITO_SLOT_TOKEN_ERROR); /* err */
  int from = lua_gettop(L);
  lua_createtable(L, 0, 8);        /* err copy */
  lua_pushnil(L);                  /* err copy key */
  while (lua_next(L, from) != 0) { /* err copy key value */
    lua_pushvalue(L, -2);
    lua_insert(L, -2);       /* err copy key key value */
    lua_rawset(L, from + 1); /* err copy key */
  }
  lua_pushvalue(L, name);
  lua_setfield(L, from + 1, "endpoint");
  lua_getmetatable(L, from);
  lua_setmetatable(L, from + 1);
  lua_remove(L, from); /* copy */
}

/* Another operation is renewing, or has just failed to. */
static bool joins_other(lua_State *L, int op, struct avito_operation *operation, const struct avito_session *session,
                        int session_index, double now, enum avito_step *step, int *pushed)
{
  if (operation->waits_for_renewal && session->renewals_failed != operation->renewals_failed_before) {
    operation->waits_for_renewal = false;
    avito_op_get(L, op, AVITO_OP_NAME);                 /* name */
    push_shared_error(L, session_index, lua_gettop(L)); /* name err */
    lua_remove(L, -2);                                  /* err */
    *step = AVITO_STEP_FAILED;
    return true;
  }
  if (session->renewing == 0 || now >= session->renewing_until) {
    return false;
  }
  if (avito_session_usable(session, now) && !session->unsaved) { /* it renews ahead of time: nothing to wait for */
    *step = AVITO_STEP_READY;
    return true;
  }
  if (!operation->waits_for_renewal) {
    operation->waits_for_renewal = true;
    operation->renewals_failed_before = session->renewals_failed;
  }
  *pushed = push_wait(L, operation->deadline - now);
  *step = AVITO_STEP_PUSHED;
  return true;
}

/* An operation that nobody carries on is collected some time; its renewal ends with it, so that others need not wait for
 * its deadline. [-0, +0, m] */
static void guard_renewal(lua_State *L, int op, int session_index, unsigned long number)
{
  unsigned long *guarded = avito_newobject(L, sizeof *guarded, 1); /* guard */
  *guarded = number;
  lua_pushvalue(L, session_index);
  avito_setslot(L, -2, 1);
  luaL_getmetatable(L, GUARD);
  lua_setmetatable(L, -2);
  avito_op_set(L, op, AVITO_OP_GUARD); /* - */
}

static int guard_gc(lua_State *L)
{
  const unsigned long *guarded = luaL_checkudata(L, 1, GUARD);
  avito_getslot(L, 1, 1); /* guard session */
  struct avito_session *session = lua_touserdata(L, -1);
  if (session->renewing == *guarded) {
    session->renewing = 0;
  }
  return 0;
}

static void begin_renewal(lua_State *L, int op, int session_index)
{
  struct avito_operation *operation = operation_at(L, op);
  struct avito_session *session = lua_touserdata(L, session_index);
  guard_renewal(L, op, session_index, session->renewals + 1);
  operation->renewal_number = ++session->renewals;
  session->renewing = operation->renewal_number;
  session->renewing_until = operation->own_deadline + 1;
  operation->waits_for_renewal = false;
  operation->grant = AVITO_GRANT_NONE;
  if (session->has_lock) {
    operation->renewal = AVITO_RENEWAL_LOCK;
  } else {
    operation->renewal = session->has_store ? AVITO_RENEWAL_LOAD : AVITO_RENEWAL_REQUEST;
  }
}

/* The step of the renewal this operation carries out. */
static enum avito_step renewal_step(lua_State *L, int op, int session_index, double now, int *pushed)
{
  struct avito_operation *operation = operation_at(L, op);
  struct avito_session *session = lua_touserdata(L, session_index);
  *pushed = 1;
  if (operation->renewal == AVITO_RENEWAL_LOAD && session->unsaved) {
    operation->renewal = AVITO_RENEWAL_SAVE; /* ours are newer than the stored ones */
  }
  switch (operation->renewal) {
  case AVITO_RENEWAL_LOCK:
    operation->awaits = AVITO_AWAITS_LOCK;
    lua_pushliteral(L, "lock");
    return AVITO_STEP_PUSHED;
  case AVITO_RENEWAL_LOAD:
    operation->awaits = AVITO_AWAITS_LOAD;
    lua_pushliteral(L, "load");
    return AVITO_STEP_PUSHED;
  case AVITO_RENEWAL_SAVE:
    operation->awaits = AVITO_AWAITS_SAVE;
    lua_pushliteral(L, "save");
    avito_session_get(L, session_index, AVITO_SLOT_TOKENS); /* "save" tokens */
    *pushed = 2;
    return AVITO_STEP_PUSHED;
  default:
    break;
  }
  if (operation->grant == AVITO_GRANT_NONE) {
    operation->grant = avito_grant_next(L, session, session_index);
  }
  if (operation->grant == AVITO_GRANT_NONE) {
    if (avito_session_has(L, session_index, AVITO_SLOT_CLIENT_ID)) {
      lua_pushliteral(L, "neither the refresh token nor the code is accepted any more");
      auth_error(L, op, AVITO_AUTHORIZE_AGAIN);
    } else {
      lua_pushliteral(L, "the access token is no longer accepted");
      auth_error(L, op, "pass a new access_token, or client_id and client_secret so that it is renewed by itself");
    }
    return fail_renewal(L, op, now) ? AVITO_STEP_READY : AVITO_STEP_FAILED;
  }
  *pushed = avito_grant_send(L, op, now);
  return AVITO_STEP_PUSHED;
}

enum avito_step avito_token_step(lua_State *L, int op, double now, int *pushed)
{
  struct avito_operation *operation = operation_at(L, op);
  enum avito_step step = AVITO_STEP_READY;
  luaL_checkstack(L, 12, NULL);
  struct avito_session *session = avito_op_session(L, op); /* session */
  int index = lua_gettop(L);
  if (operation->renewal != AVITO_RENEWAL_NONE) {
    step = renewal_step(L, op, index, now, pushed);
  } else if (wants_token(session, now)) {
    bool pointless = avito_session_usable(session, now) && !session->unsaved && !session->has_store &&
                     avito_grant_next(L, session, index) == AVITO_GRANT_NONE;
    if (!pointless && !joins_other(L, op, operation, session, index, now, &step, pushed)) {
      begin_renewal(L, op, index);
      step = renewal_step(L, op, index, now, pushed);
    }
  }
  if (step == AVITO_STEP_READY) {
    operation->waits_for_renewal = false; /* a later failure of another is not the one waited for */
  }
  lua_remove(L, index); /* what was pushed */
  return step;
}

void avito_token_register(lua_State *L)
{
  luaL_newmetatable(L, GUARD); /* metatable */
  lua_pushcfunction(L, guard_gc);
  lua_setfield(L, -2, "__gc");
  lua_pop(L, 1); /* - */
}
