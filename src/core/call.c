/* Making operations of what a program asks for: a named operation, any request, a download. */
#include <math.h>

#include "arguments.h"
#include "limits.h"
#include "operation.h"
#include "request.h"
#include "text.h"
#include "url.h"

/* Pushes an operation that shares the session at stack index 1, with its name (static or anchored elsewhere). For methods of
 * sessions, whose second upvalue is the metatable of operations. [-0, +1, m] */
static struct avito_operation *push_operation(lua_State *L, const char *name)
{
  struct avito_operation *operation = avito_newobject(L, sizeof *operation, AVITO_OP_SLOTS); /* op */
  lua_pushvalue(L, lua_upvalueindex(2));                                                     /* op metatable */
  lua_setmetatable(L, -2);                                                                   /* op */
  lua_pushvalue(L, 1);
  avito_op_set(L, -2, AVITO_OP_SESSION);
  lua_pushstring(L, name);
  avito_op_set(L, -2, AVITO_OP_NAME);
  return operation;
}

/* ---- the options of one call ---- */

struct call_options {
  double timeout;
  int retries;
  char account[24]; /* "" when not given */
  const char *invalid;
};

static int refuse(lua_State *L, struct call_options *options, const char *name, const char *problem)
{
  options->invalid = name;
  lua_pushfstring(L, "%s %s", name, problem); /* message */
  return 0;
}

/* A header name as RFC 9110 5.6.2 has it, and none of those the client sets itself. */
static const char *header_name_problem(const char *name, size_t length)
{
  static const char *const own[] = {"authorization",     "api-key",    "host",   "content-length", "content-type",
                                    "transfer-encoding", "connection", "expect", "upgrade"};
  if (length == 0) {
    return "has an empty header name";
  }
  for (size_t i = 0; i < length; i++) {
    unsigned char c = (unsigned char)name[i];
    if (c <= 0x20 || c >= 0x7f || strchr("\"(),/:;<=>?@[\\]{}", c) != NULL) {
      return "has a header name with a character that none may have";
    }
  }
  for (size_t i = 0; i < sizeof own / sizeof own[0]; i++) {
    if (strlen(own[i]) == length && avito_contains_word(name, length, own[i])) {
      return "may not set a header that the client sets itself (Authorization, Api-Key, Host, Content-Length, "
             "Content-Type, Transfer-Encoding, Connection, Expect, Upgrade)";
    }
  }
  return NULL;
}

/* Turns { name = value } at the top into a list of header lines. True: [-1, +1]; false: [-1, +1] a message. */
static bool read_headers(lua_State *L, const char *where, struct call_options *options)
{
  int headers = lua_gettop(L);
  int count = 0;
  if (lua_type(L, headers) != LUA_TTABLE) {
    avito_misuse(L, where, "headers must be a table, got %s", luaL_typename(L, headers));
  }
  lua_newtable(L);                    /* headers lines */
  lua_pushnil(L);                     /* headers lines name */
  while (lua_next(L, headers) != 0) { /* headers lines name value */
    size_t name_length;
    size_t value_length;
    if (lua_type(L, -2) != LUA_TSTRING || lua_type(L, -1) != LUA_TSTRING) {
      avito_misuse(L, where, "headers must hold strings by name, got %s = %s", luaL_typename(L, -2),
                   luaL_typename(L, -1));
    }
    const char *name = lua_tolstring(L, -2, &name_length);
    const char *value = lua_tolstring(L, -1, &value_length);
    const char *problem = header_name_problem(name, name_length);
    if (problem == NULL && avito_has_control(value, value_length)) {
      problem = "has a value with a control character (NUL, CR, LF or the like)";
    }
    if (problem != NULL) {
      refuse(L, options, "headers", problem); /* headers lines name value message */
      lua_replace(L, headers);
      lua_settop(L, headers); /* message */
      return false;
    }
    lua_pushfstring(L, "%s: %s", name, value); /* headers lines name value line */
    lua_rawseti(L, headers + 1, ++count);      /* headers lines name value */
    lua_pop(L, 1);                             /* headers lines name */
  }
  lua_remove(L, headers); /* lines */
  return true;
}

/* Reads the account on top. False: a message is pushed. [-0, +(0|1), m] */
static bool read_account(lua_State *L, const char *where, const char *name, struct call_options *options)
{
  int64_t id;
  if (lua_type(L, -1) != LUA_TNUMBER && lua_type(L, -1) != LUA_TSTRING) {
    avito_misuse(L, where, "%s must be an integer, got %s", name, luaL_typename(L, -1));
  }
  if (!avito_to_integer(L, -1, &id) || id < 1) {
    return refuse(L, options, name, "must be a positive integer");
  }
  avito_push_id(L, id);
  strncpy(options->account, lua_tostring(L, -1), sizeof options->account - 1);
  lua_pop(L, 1);
  return true;
}

/* Reads the table at `index` (or nil). True: the list of header lines, or nil, is pushed; false: a message. [-0, +1, m] */
static bool read_call_options(lua_State *L, const char *where, int index, const struct avito_session *session,
                              struct call_options *options)
{
  /* Where the account can be looked up, another of the company may be named. */
  const char *account = session->marketplace->self != NULL ? session->marketplace->account : NULL;
  const char *const known[] = {"timeout", "retries", "headers", account, NULL};
  if (lua_isnoneornil(L, index)) {
    lua_pushnil(L);
    return true;
  }
  if (lua_type(L, index) != LUA_TTABLE) {
    avito_misuse(L, where, "the call options must be a table, got %s", luaL_typename(L, index));
  }
  bool headers = false;
  lua_pushnil(L);                   /* key */
  while (lua_next(L, index) != 0) { /* key value */
    const char *key = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "[a number]";
    if (strcmp(key, "timeout") == 0) {
      if (lua_type(L, -1) != LUA_TNUMBER) {
        avito_misuse(L, where, "timeout must be a number of seconds, got %s", luaL_typename(L, -1));
      }
      options->timeout = lua_tonumber(L, -1);
      if (!(options->timeout > 0 && options->timeout <= AVITO_MAX_TIMEOUT)) {
        return refuse(L, options, "timeout", "must be more than 0 and at most 86400 seconds");
      }
    } else if (strcmp(key, "retries") == 0) {
      if (lua_type(L, -1) != LUA_TNUMBER) {
        avito_misuse(L, where, "retries must be an integer, got %s", luaL_typename(L, -1));
      }
      double retries = lua_tonumber(L, -1);
      if (!(retries >= 0 && retries <= AVITO_MAX_RETRIES) || floor(retries) != retries) {
        return refuse(L, options, "retries", "must be an integer from 0 to 10");
      }
      options->retries = (int)retries;
    } else if (account != NULL && strcmp(key, account) == 0) {
      if (!read_account(L, where, account, options)) { /* key value message */
        return false;
      }
    } else if (strcmp(key, "headers") == 0) {
      headers = true;
    } else {
      return avito_unknown_option(L, where, key, known) != 0;
    }
    lua_pop(L, 1); /* key */
  }
  if (headers) {
    avito_push_member(L, index, "headers"); /* headers */
    return read_headers(L, where, options);
  }
  lua_pushnil(L); /* nil */
  return true;
}

/* ---- the making ---- */

/* Turns an operation into one that fails with the message on top: [-1, +0, m] */
static void make_invalid(lua_State *L, int op, const char *name, const char *parameter)
{
  struct avito_operation *operation = lua_touserdata(L, op);
  lua_pushvalue(L, -1);                       /* message message */
  avito_error_new(L, "invalid", name, false); /* message err */
  lua_createtable(L, 0, 1);                   /* message err fields */
  lua_pushvalue(L, -3);
  lua_setfield(L, -2, parameter);
  lua_setfield(L, -2, "fields"); /* message err */
  avito_op_set(L, op, AVITO_OP_VALUE);
  lua_pop(L, 1); /* - */
  operation->end = AVITO_FAILED;
}

/* Finishes an operation whose request is made: the quota, the deadline, the options. The header lines (or the message of a
 * refused option) are on top. [-1, +0, m] */
static void start(lua_State *L, int op, struct avito_session *session, const struct call_options *options,
                  const char *name, double now)
{
  struct avito_operation *operation = lua_touserdata(L, op);
  if (options->invalid != NULL) {
    make_invalid(L, op, name, options->invalid);
    return;
  }
  operation->has_headers = !lua_isnil(L, -1);
  avito_op_set(L, op, AVITO_OP_HEADERS);
  operation->deadline = operation->own_deadline = now + options->timeout;
  operation->retries_left = options->retries;
  session->quota = fmin(AVITO_QUOTA_CAP, session->quota + AVITO_QUOTA_CALL);
}

static struct call_options default_options(const struct avito_session *session)
{
  struct call_options options = {.timeout = session->timeout, .retries = session->retries};
  return options;
}

/* Does the operation's path have the account in it? */
static bool has_account(const struct avito_endpoint *endpoint)
{
  for (const struct avito_param *p = endpoint->params; p->name != NULL; p++) {
    if (p->type == AVITO_ACCOUNT) {
      return true;
    }
  }
  return false;
}

static void add_base_url(lua_State *L, struct avito_buffer *url)
{
  size_t length;
  avito_session_get(L, 1, AVITO_SLOT_BASE_URL); /* base */
  const char *base = lua_tolstring(L, -1, &length);
  avito_buffer_add(L, url, base, length);
  lua_pop(L, 1); /* - */
}

/* Stores the URL. [-0, +0, m] */
static void keep_url(lua_State *L, int op, const struct avito_buffer *url)
{
  avito_buffer_push(L, url);
  avito_op_set(L, op, AVITO_OP_URL);
}

/* Stores the body on top and its type. [-1, +0, m] */
static void keep_body(lua_State *L, int op, const char *content_type, const char *boundary)
{
  avito_op_set(L, op, AVITO_OP_BODY);
  if (strcmp(content_type, "application/json") == 0) {
    lua_pushliteral(L, "Content-Type: application/json");
  } else if (boundary[0] != '\0') {
    lua_pushfstring(L, "Content-Type: %s; boundary=%s", content_type, boundary);
  } else {
    lua_pushfstring(L, "Content-Type: %s", content_type);
  }
  avito_op_set(L, op, AVITO_OP_TYPE);
}

/* session:operation(name, now, …arguments…, call_options) -> operation */
static int session_operation(lua_State *L)
{
  struct avito_session *session = avito_session_check(L, 1);
  const char *name = luaL_checkstring(L, 2);
  double now = luaL_checknumber(L, 3);
  const struct avito_endpoint *endpoint = avito_endpoint_find(session->marketplace, name);
  if (endpoint == NULL) {
    return luaL_error(L, "no operation is called '%s'", name);
  }
  char boundary[33] = "";
  if (avito_endpoint_has(endpoint, AVITO_MULTIPART)) {
    avito_session_boundary(session, boundary);
  }
  struct call_options options = default_options(session);
  struct avito_request request = {.endpoint = endpoint, .boundary = boundary, .repeat_keys = session->repeat_keys};
  int given = lua_gettop(L);
  int last = avito_request_arity(endpoint) + 4; /* the index of the call options */
  if (given > last) {
    return avito_misuse(L, name, "%d arguments too many", given - last);
  }
  lua_settop(L, last);
  bool fine = read_call_options(L, name, last, session, &options); /* lines, or a message */
  int lines = lua_gettop(L);
  if (has_account(endpoint)) {
    avito_session_get(L, 1, AVITO_SLOT_ACCOUNT); /* lines id */
    if (options.account[0] == '\0' && !lua_isnil(L, -1)) {
      strncpy(options.account, lua_tostring(L, -1), sizeof options.account - 1);
    }
    lua_pop(L, 1);
    request.account = options.account[0] != '\0' ? options.account : NULL;
  }
  struct avito_operation *operation = push_operation(L, endpoint->name); /* lines op */
  int op = lua_gettop(L);
  operation->method = endpoint->method;
  operation->answer = endpoint->answer;
  operation->answer_key = endpoint->answer_key;
  operation->repeat = endpoint->repeat;
  operation->own_purpose = AVITO_CALL;
  operation->needs_token = true;
  operation->needs_user = has_account(endpoint) && request.account == NULL;
  operation->lane = endpoint->hourly > 0 ? (unsigned)(endpoint - session->marketplace->endpoints) + 1 : 0;
  struct avito_scratch *scratch = avito_scratch_take(L, 1); /* lines op scratch */
  request.url = &scratch->url;
  request.body = &scratch->body;
  add_base_url(L, request.url);
  if (!avito_request_build(L, &request, 4)) { /* lines op scratch message */
    make_invalid(L, op, endpoint->name, request.invalid);
  } else if (fine) {
    keep_url(L, op, request.url);
    if (request.content_type != NULL) {
      if (request.upload != 0) {
        lua_pushvalue(L, request.upload);
      } else {
        avito_buffer_push(L, request.body);
      }
      keep_body(L, op, request.content_type, boundary);
    }
  }
  lua_settop(L, op + 1);
  avito_scratch_give(L, 1); /* lines op */
  if (operation->end != AVITO_RUNNING) {
    return 1;
  }
  lua_pushvalue(L, lines); /* lines op lines */
  start(L, op, session, &options, endpoint->name, now);
  lua_settop(L, op);
  return 1;
}

/* A path of this API, already encoded: what is wrong with it, or NULL. */
static const char *path_problem(const char *path, size_t length)
{
  if (length == 0 || path[0] != '/') {
    return "must begin with /";
  }
  for (size_t i = 0; i < length; i++) {
    unsigned char c = (unsigned char)path[i];
    if (c <= 0x20 || c >= 0x7f) {
      return "has a control character, a space or a byte past ASCII (percent-encode it)";
    }
    if (c == '?' || c == '#') {
      return "has a query or a fragment: pass query = { … } instead";
    }
  }
  for (const char *segment = path; segment != NULL; segment = strchr(segment, '/')) {
    segment++;
    size_t size = strcspn(segment, "/");
    if ((size == 1 && segment[0] == '.') || (size == 2 && segment[0] == '.' && segment[1] == '.')) {
      return "has a segment '.' or '..'";
    }
  }
  return NULL;
}

static const char *check_method(lua_State *L, int index)
{
  static const char *const methods[] = {"GET", "POST", "PUT", "PATCH", "DELETE", NULL};
  return methods[luaL_checkoption(L, index, NULL, methods)];
}

/* session:request(method, now, path, query | nil, body | nil, content_type | nil, call_options) -> operation
 * The query is already encoded, without its question mark. */
static int session_request(lua_State *L)
{
  struct avito_session *session = avito_session_check(L, 1);
  const char *method = check_method(L, 2);
  double now = luaL_checknumber(L, 3);
  size_t length;
  const char *path = luaL_checklstring(L, 4, &length);
  lua_settop(L, 8);
  const char *content_type = luaL_optstring(L, 7, NULL);
  struct call_options options = default_options(session);
  lua_pushfstring(L, "%s %s", method, path); /* name */
  const char *name = lua_tostring(L, -1);
  read_call_options(L, "request", 8, session, &options);       /* name lines */
  struct avito_operation *operation = push_operation(L, name); /* name lines op */
  int op = lua_gettop(L);
  operation->method = method;
  operation->answer = AVITO_ANSWER_ANY;
  operation->repeat = strcmp(method, "GET") == 0 ? AVITO_SAFE : AVITO_SEND;
  operation->own_purpose = AVITO_CALL;
  operation->needs_token = true;
  const char *problem = path_problem(path, length);
  if (problem != NULL) {
    lua_pushfstring(L, "the path %s", problem);
    make_invalid(L, op, name, "path");
    return 1;
  }
  struct avito_buffer *url = &avito_scratch_take(L, 1)->url; /* name lines op scratch */
  add_base_url(L, url);
  avito_buffer_add(L, url, path, length);
  const char *query = luaL_optlstring(L, 5, "", &length);
  if (length > 0) {
    avito_buffer_add_char(L, url, '?');
    avito_buffer_add(L, url, query, length);
  }
  size_t url_length = url->length;
  keep_url(L, op, url);
  avito_scratch_give(L, 1); /* name lines op */
  if (url_length > AVITO_MAX_URL) {
    lua_pushfstring(L, "the URL has %d bytes; at most %d are allowed", (int)url_length, AVITO_MAX_URL);
    make_invalid(L, op, name, "query");
    return 1;
  }
  if (content_type != NULL) {
    lua_pushvalue(L, 6);
    keep_body(L, op, content_type, "");
  }
  lua_pushvalue(L, op - 1); /* name lines op lines */
  start(L, op, session, &options, name, now);
  return 1;
}

/* session:download(url, now, call_options, output) -> operation: GETs a URL the API has given out, without the access
 * token. Its value is the body; with an output, the path of a file, the number of bytes written there. */
static int session_download(lua_State *L)
{
  size_t length;
  struct avito_session *session = avito_session_check(L, 1);
  const char *url = luaL_checklstring(L, 2, &length);
  double now = luaL_checknumber(L, 3);
  struct call_options options = default_options(session);
  lua_settop(L, 5);
  const char *path = luaL_optstring(L, 5, NULL);
  read_call_options(L, "download", 4, session, &options);            /* …, lines or a message */
  struct avito_operation *operation = push_operation(L, "download"); /* lines op */
  int op = lua_gettop(L);
  operation->method = "GET";
  operation->answer = path != NULL ? AVITO_ANSWER_FILE : AVITO_ANSWER_BYTES;
  operation->repeat = AVITO_SAFE;
  operation->own_purpose = AVITO_DOWNLOAD;
  const char *problem = avito_url_problem(url, length);
  if (problem != NULL || length > AVITO_MAX_URL) {
    lua_pushfstring(L, "the download address %s", problem != NULL ? problem : "is too long");
    make_invalid(L, op, "download", "url");
    return 1;
  }
  lua_pushvalue(L, 2);
  avito_op_set(L, op, AVITO_OP_URL);
  lua_pushvalue(L, 5);
  avito_op_set(L, op, AVITO_OP_OUTPUT);
  lua_pushvalue(L, op - 1); /* lines op lines */
  start(L, op, session, &options, "download", now);
  return 1;
}

/* core.encode_query(list of { name, value }) -> "name=value&…", percent-encoded */
static int encode_query(lua_State *L)
{
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  struct avito_buffer *out = lua_touserdata(L, lua_upvalueindex(1));
  avito_buffer_reset(L, out);
  int count = (int)lua_rawlen(L, 1);
  for (int i = 1; i <= count; i++) {
    size_t length;
    lua_rawgeti(L, 1, i); /* pair */
    luaL_checktype(L, -1, LUA_TTABLE);
    if (i > 1) {
      avito_buffer_add_char(L, out, '&');
    }
    for (int half = 1; half <= 2; half++) {
      lua_rawgeti(L, 2, half); /* pair text */
      const char *text = luaL_checklstring(L, -1, &length);
      avito_percent_encode(L, out, text, length, "");
      if (half == 1) {
        avito_buffer_add_char(L, out, '=');
      }
      lua_pop(L, 1); /* pair */
    }
    lua_pop(L, 1); /* - */
  }
  avito_buffer_push(L, out);
  return 1;
}

/* core.distance(a, b, limit) -> how many letters differ, at most limit */
static int distance(lua_State *L)
{
  unsigned limit = (unsigned)luaL_checkinteger(L, 3);
  lua_pushinteger(L, (lua_Integer)avito_distance(luaL_checkstring(L, 1), luaL_checkstring(L, 2), limit));
  return 1;
}

static int buffer_gc(lua_State *L)
{
  avito_buffer_free(L, lua_touserdata(L, 1));
  return 0;
}

void avito_call_register(lua_State *L)
{
  static const luaL_Reg methods[] = {
      {"operation", session_operation}, {"request", session_request}, {"download", session_download}, {NULL, NULL}};
  luaL_getmetatable(L, AVITO_SESSION); /* session's */
  lua_pushvalue(L, -1);
  luaL_getmetatable(L, AVITO_OPERATION); /* session's session's operation's */
  luaL_setfuncs(L, methods, 2);
  lua_pop(L, 1);
  avito_newuserdata(L, sizeof(struct avito_buffer)); /* buffer */
  lua_createtable(L, 0, 1);
  lua_pushcfunction(L, buffer_gc);
  lua_setfield(L, -2, "__gc");
  lua_setmetatable(L, -2);
  lua_pushcclosure(L, encode_query, 1); /* function */
  lua_setfield(L, -2, "encode_query");
  lua_pushcfunction(L, distance);
  lua_setfield(L, -2, "distance");
}
