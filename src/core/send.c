/* The requests an operation asks its driver to send. */
#include "limits.h"
#include "operation.h"
#include "request.h"

static const char *const purpose_names[] = {"call", "token", "self", "download"};

#define JSON_TYPE "Content-Type: application/json"

/* Pushes the header lines that every request of this kind has: a list shared by all of them, made anew when the access token
 * changes. [-0, +1, m] */
static void push_shared_headers(lua_State *L, int session, enum avito_purpose purpose, bool authorized, bool json)
{
  struct avito_session *shared = lua_touserdata(L, session);
  enum avito_session_slot slot = purpose == AVITO_DOWNLOAD ? AVITO_SLOT_DOWNLOAD_HEADERS : AVITO_SLOT_PLAIN_HEADERS;
  if (authorized) {
    slot = json ? AVITO_SLOT_JSON_HEADERS : AVITO_SLOT_HEADERS;
    if (shared->headers_generation != shared->generation) {
      lua_pushnil(L);
      avito_session_set(L, session, AVITO_SLOT_JSON_HEADERS);
      lua_pushnil(L);
      avito_session_set(L, session, AVITO_SLOT_HEADERS);
      shared->headers_generation = shared->generation;
    }
  }
  avito_session_get(L, session, slot); /* headers */
  if (!lua_isnil(L, -1)) {
    return;
  }
  lua_pop(L, 1);            /* - */
  lua_createtable(L, 3, 0); /* headers */
  int count = 0;
  if (authorized) {
    avito_session_get(L, session, AVITO_SLOT_AUTHORIZATION);
    lua_rawseti(L, -2, ++count);
  }
  avito_session_get(L, session, AVITO_SLOT_USER_AGENT);
  lua_rawseti(L, -2, ++count);
  if (purpose == AVITO_DOWNLOAD) { /* a body that stops early in its gzip would not be noticed */
    lua_pushliteral(L, "Accept-Encoding: identity");
    lua_rawseti(L, -2, ++count);
  }
  if (json) {
    lua_pushliteral(L, JSON_TYPE);
    lua_rawseti(L, -2, ++count);
  }
  lua_pushvalue(L, -1);                /* headers headers */
  avito_session_set(L, session, slot); /* headers */
}

/* Pushes a copy of the list on top with more lines: the Content-Type, and those of the call. [-1, +1, m] */
static void add_headers(lua_State *L, int op, const char *type, enum avito_purpose purpose)
{
  int shared = lua_gettop(L);
  int count = (int)lua_rawlen(L, shared);
  lua_createtable(L, count + 1, 0); /* shared headers */
  for (int i = 1; i <= count; i++) {
    lua_rawgeti(L, shared, i);
    lua_rawseti(L, shared + 1, i);
  }
  if (type != NULL) {
    lua_pushstring(L, type);
    lua_rawseti(L, shared + 1, ++count);
  }
  if (purpose == AVITO_CALL) {
    avito_op_get(L, op, AVITO_OP_HEADERS); /* shared headers more */
    int more = lua_type(L, -1) == LUA_TTABLE ? (int)lua_rawlen(L, -1) : 0;
    for (int i = 1; i <= more; i++) {
      lua_rawgeti(L, shared + 2, i);
      lua_rawseti(L, shared + 1, ++count);
    }
    lua_pop(L, 1); /* shared headers */
  }
  lua_remove(L, shared); /* headers */
}

int avito_op_send(lua_State *L, int op, const char *method, enum avito_purpose purpose, const char *type,
                  bool authorized, double now)
{
  struct avito_operation *operation = lua_touserdata(L, op);
  bool json = authorized && type != NULL && strcmp(type, JSON_TYPE) == 0;
  int url = lua_gettop(L) - 1;
  luaL_checkstack(L, 10, NULL);
  avito_op_get(L, op, AVITO_OP_SESSION); /* url body session */
  int session_index = lua_gettop(L);
  struct avito_session *session = lua_touserdata(L, session_index);
  operation->attempts[purpose]++;
  operation->awaits = AVITO_AWAITS_RESPONSE;
  operation->sent = purpose;
  operation->sent_generation = session->generation;
  lua_pushliteral(L, "send");                                       /* url body session "send" */
  lua_createtable(L, 0, 7);                                         /* url body session "send" request */
  push_shared_headers(L, session_index, purpose, authorized, json); /* … request headers */
  if ((type != NULL && !json) || (purpose == AVITO_CALL && operation->has_headers)) {
    add_headers(L, op, json ? NULL : type, purpose);
  }
  lua_setfield(L, -2, "headers");
  lua_pushstring(L, method);
  lua_setfield(L, -2, "method");
  lua_pushvalue(L, url);
  lua_setfield(L, -2, "url");
  if (!lua_isnil(L, url + 1)) {
    lua_pushvalue(L, url + 1);
    lua_setfield(L, -2, lua_type(L, -1) == LUA_TTABLE ? "upload" : "body");
  }
  if (purpose == AVITO_DOWNLOAD) {
    avito_op_get(L, op, AVITO_OP_OUTPUT);
    lua_setfield(L, -2, "output");
  }
  bool once = purpose == AVITO_TOKEN && operation->grant != AVITO_GRANT_CLIENT;
  double timeout = (once ? operation->own_deadline : operation->deadline) - now;
  if (purpose == AVITO_TOKEN && avito_session_usable(session, now)) {
    timeout /= 2; /* it is renewed ahead of time: some is left for the call itself */
  }
  lua_pushnumber(L, timeout);
  lua_setfield(L, -2, "timeout");
  lua_pushinteger(L, purpose == AVITO_DOWNLOAD ? AVITO_MAX_DOWNLOAD : AVITO_MAX_ANSWER);
  lua_setfield(L, -2, "max_bytes");
  lua_pushstring(L, purpose_names[purpose]);
  lua_setfield(L, -2, "purpose");
  if (once) {
    lua_pushboolean(L, 1);
    lua_setfield(L, -2, "once");
  }
  lua_replace(L, url + 1); /* url request session "send" */
  lua_replace(L, url);     /* "send" request session */
  lua_pop(L, 1);           /* "send" request */
  lua_pushinteger(L, operation->attempts[purpose]);
  return 3;
}

/* Pushes the URL, with the account in its place. [-0, +1, m] */
static void push_url(lua_State *L, int op, int session)
{
  avito_op_get(L, op, AVITO_OP_URL); /* url */
  struct avito_operation *operation = lua_touserdata(L, op);
  if (!operation->needs_user) {
    return;
  }
  const char *url = lua_tostring(L, -1);
  const char *slot = strstr(url, AVITO_ACCOUNT_SLOT);
  lua_pushlstring(L, url, (size_t)(slot - url));           /* url before */
  avito_session_get(L, session, AVITO_SLOT_ACCOUNT);       /* url before id */
  lua_pushstring(L, slot + sizeof AVITO_ACCOUNT_SLOT - 1); /* url before id after */
  lua_concat(L, 3);                                        /* url whole */
  lua_remove(L, -2);                                       /* whole */
}

int avito_op_send_own(lua_State *L, int op, int session, double now)
{
  struct avito_operation *operation = lua_touserdata(L, op);
  push_url(L, op, session);           /* url */
  avito_op_get(L, op, AVITO_OP_BODY); /* url body; or an upload */
  avito_op_get(L, op, AVITO_OP_TYPE); /* url body type */
  const char *type = lua_tostring(L, -1);
  lua_pop(L, 1); /* url body; the operation holds the type */
  return avito_op_send(L, op, operation->method, operation->own_purpose, type, operation->needs_token, now);
}

int avito_op_send_self(lua_State *L, int op, int session, double now)
{
  const struct avito_marketplace *marketplace = ((struct avito_session *)lua_touserdata(L, session))->marketplace;
  avito_session_get(L, session, AVITO_SLOT_BASE_URL); /* base */
  lua_pushstring(L, avito_endpoint_find(marketplace, marketplace->self)->path);
  lua_concat(L, 2); /* url */
  lua_pushnil(L);   /* url nil */
  return avito_op_send(L, op, "GET", AVITO_SELF, NULL, true, now);
}
