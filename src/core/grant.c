/* The grants of OAuth 2 (RFC 6749): which one to ask with, asking, and reading the answer. */
#include "grant.h"

#include <math.h>

#include "limits.h"
#include "text.h"

static struct avito_operation *operation_at(lua_State *L, int op)
{
  return lua_touserdata(L, op);
}

/* The way to ask for a token that is to be tried next. A program's own account needs no more than its credentials; another
 * seller's account is reached through a refresh token or a code only, never through the credentials alone. */
enum avito_grant avito_grant_next(lua_State *L, const struct avito_session *session, int index)
{
  if (!avito_session_has(L, index, AVITO_SLOT_CLIENT_ID)) {
    return AVITO_GRANT_NONE;
  }
  if (avito_session_has(L, index, AVITO_SLOT_REFRESH)) {
    return AVITO_GRANT_REFRESH;
  }
  bool given = avito_session_has(L, index, AVITO_SLOT_GIVEN_REFRESH);
  bool code = avito_session_has(L, index, AVITO_SLOT_CODE);
  if (given && !session->given_refresh_spent) {
    return AVITO_GRANT_GIVEN_REFRESH;
  }
  if (code && !session->code_spent) {
    return AVITO_GRANT_CODE;
  }
  return given || code ? AVITO_GRANT_NONE : AVITO_GRANT_CLIENT;
}

/* The server will not take this grant again. */
static void spend_grant(lua_State *L, struct avito_session *session, int index, enum avito_grant grant)
{
  switch (grant) {
  case AVITO_GRANT_REFRESH: {
    avito_session_get(L, index, AVITO_SLOT_REFRESH);
    avito_session_get(L, index, AVITO_SLOT_GIVEN_REFRESH);
    if (lua_rawequal(L, -1, -2)) {
      session->given_refresh_spent = true;
    }
    lua_pop(L, 2);
    lua_pushnil(L);
    avito_session_set(L, index, AVITO_SLOT_REFRESH);
    break;
  }
  case AVITO_GRANT_GIVEN_REFRESH:
    session->given_refresh_spent = true;
    break;
  case AVITO_GRANT_CODE:
    session->code_spent = true;
    break;
  default:
    break;
  }
}

static void add_field(lua_State *L, struct avito_buffer *body, int session, const char *name,
                      enum avito_session_slot slot)
{
  size_t length;
  avito_session_get(L, session, slot); /* value */
  const char *value = lua_tolstring(L, -1, &length);
  if (body->length > 0) {
    avito_buffer_add_char(L, body, '&');
  }
  avito_buffer_add_string(L, body, name);
  avito_buffer_add_char(L, body, '=');
  avito_percent_encode(L, body, value, length, "");
  lua_pop(L, 1); /* - */
}

int avito_grant_send(lua_State *L, int op, double now)
{
  struct avito_operation *operation = operation_at(L, op);
  avito_op_session(L, op); /* session */
  int index = lua_gettop(L);
  struct avito_buffer *body = &avito_scratch_take(L, index)->body; /* session scratch */
  avito_buffer_add_string(L, body, "grant_type=");
  switch (operation->grant) {
  case AVITO_GRANT_CLIENT:
    avito_buffer_add_string(L, body, "client_credentials");
    break;
  case AVITO_GRANT_CODE:
    avito_buffer_add_string(L, body, "authorization_code");
    add_field(L, body, index, "code", AVITO_SLOT_CODE);
    break;
  default:
    avito_buffer_add_string(L, body, "refresh_token");
    add_field(L, body, index, "refresh_token",
              operation->grant == AVITO_GRANT_REFRESH ? AVITO_SLOT_REFRESH : AVITO_SLOT_GIVEN_REFRESH);
    break;
  }
  add_field(L, body, index, "client_id", AVITO_SLOT_CLIENT_ID);
  add_field(L, body, index, "client_secret", AVITO_SLOT_CLIENT_SECRET);
  avito_session_get(L, index, AVITO_SLOT_BASE_URL); /* session scratch base */
  lua_pushliteral(L, "/token");
  lua_concat(L, 2);           /* session scratch url */
  avito_buffer_push(L, body); /* session scratch url body */
  lua_pushvalue(L, index + 1);
  avito_scratch_give(L, index);
  lua_remove(L, index + 1); /* session url body */
  lua_remove(L, index);     /* url body */
  return avito_op_send(L, op, "POST", AVITO_TOKEN, "Content-Type: application/x-www-form-urlencoded", false, now);
}

/* Reads a positive number, or the decimal string of one. */
static double positive(lua_State *L, int index)
{
  double value = lua_tonumber(L, index);
  return value > 0 && value < 1e12 ? value : -1;
}

/* Pushes the member when it can stand in a header, else nil. [-0, +1, m] */
bool avito_push_token(lua_State *L, int object, const char *member)
{
  size_t length;
  lua_getfield(L, object, member); /* value */
  const char *value = lua_type(L, -1) == LUA_TSTRING ? lua_tolstring(L, -1, &length) : NULL;
  if (value != NULL && length > 0 && length <= AVITO_MAX_TOKEN && !avito_has_control(value, length)) {
    return true;
  }
  lua_pop(L, 1);
  lua_pushnil(L); /* nil */
  return false;
}

/* Takes the tokens of the answer on top. False when there is no access token in it. [-1, +0, m] */
bool avito_grant_take(lua_State *L, int op, int session_index, double now, double unix_now)
{
  int answer = lua_gettop(L);
  struct avito_session *session = lua_touserdata(L, session_index);
  struct avito_operation *operation = operation_at(L, op);
  if (!avito_push_token(L, answer, "access_token")) { /* answer access */
    lua_pop(L, 2);
    return false;
  }
  lua_getfield(L, answer, "expires_in"); /* answer access lifetime */
  double lifetime = positive(L, -1);
  lua_pop(L, 1);            /* answer access */
  lua_createtable(L, 0, 4); /* answer access tokens */
  lua_pushvalue(L, -2);
  lua_setfield(L, -2, "access_token");
  if (lifetime > 0) {
    lua_pushnumber(L, floor(unix_now + lifetime));
    lua_setfield(L, -2, "expires_at");
  }
  if (operation->grant == AVITO_GRANT_CODE) {
    session->code_spent = true;
  }
  if (avito_push_token(L, answer, "refresh_token")) { /* answer access tokens refresh */
    lua_pushvalue(L, -1);
    avito_session_set(L, session_index, AVITO_SLOT_REFRESH);
  } else {
    lua_pop(L, 1); /* not rotated: the one that was used stays */
    if (operation->grant == AVITO_GRANT_GIVEN_REFRESH) {
      avito_session_get(L, session_index, AVITO_SLOT_GIVEN_REFRESH);
      avito_session_set(L, session_index, AVITO_SLOT_REFRESH);
    }
    avito_session_get(L, session_index, AVITO_SLOT_REFRESH);
  }
  bool unsaved = session->has_store && !lua_isnil(L, -1);
  lua_setfield(L, -2, "refresh_token");       /* answer access tokens */
  if (avito_push_token(L, answer, "scope")) { /* answer access tokens scope */
    lua_pushvalue(L, -1);
    avito_session_set(L, session_index, AVITO_SLOT_SCOPE);
  } else {
    lua_pop(L, 1);
    avito_session_get(L, session_index, AVITO_SLOT_SCOPE);
  }
  lua_setfield(L, -2, "scope");                              /* answer access tokens */
  avito_session_set(L, session_index, AVITO_SLOT_TOKENS);    /* answer access */
  session->unsaved = unsaved;                                /* only now: before, there was nothing new to save */
  avito_session_set_access(L, session_index, now, lifetime); /* answer */
  lua_pop(L, 1);
  return true;
}

/* Is it about the grant that it is refused, or about something else in between, such as a filter at the edge? */
static bool names_grant(lua_State *L, const struct avito_response *response)
{
  if (response->status < 300 || response->status == 400 || response->status == 401) {
    return true;
  }
  lua_getfield(L, -1, "code");
  bool named = lua_type(L, -1) == LUA_TSTRING;
  lua_pop(L, 1);
  return named;
}

/* After an answer that grants nothing, error on top: is there another grant to try? */
bool avito_grant_refused(lua_State *L, int op, int session_index, const struct avito_response *response)
{
  struct avito_operation *operation = operation_at(L, op);
  struct avito_session *session = lua_touserdata(L, session_index);
  enum avito_grant refused = operation->grant;
  if (refused == AVITO_GRANT_CLIENT || !names_grant(L, response)) {
    return false;
  }
  spend_grant(L, session, session_index, refused);
  operation->grant = avito_grant_next(L, session, session_index);
  return operation->grant != AVITO_GRANT_NONE;
}

/* Pushes the error that an answer without a token stands for, as it is to be seen by the program: without the body, which
 * may hold what nobody is to see. [-0, +1, m] */
void avito_grant_error(lua_State *L, int op, int decoder, const struct avito_response *response, double retry_after)
{
  const struct avito_marketplace *marketplace = avito_op_session(L, op)->marketplace; /* session */
  avito_op_get(L, op, AVITO_OP_NAME);                                                 /* session name */
  avito_error_from_answer(L, marketplace, decoder, response, lua_tostring(L, -1), retry_after);
  lua_remove(L, -3); /* name err */
  lua_remove(L, -2); /* err */
  lua_pushnil(L);
  lua_setfield(L, -2, "body");
  avito_op_hide_secrets(L, op, lua_gettop(L)); /* before the grant is spent and forgotten */
}

/* Does the answer say that the grant is refused for good? The error is on top; anything but a refusal may pass. */
bool avito_grant_refuses(lua_State *L, const struct avito_response *response)
{
  if (response->status >= 200 && response->status < 300) {
    lua_getfield(L, -1, "code"); /* {"error":…} with a good status */
    bool refused = !lua_isnil(L, -1);
    lua_pop(L, 1);
    return refused;
  }
  return response->status >= 400 && response->status < 500 && response->status != 408 && response->status != 429;
}
