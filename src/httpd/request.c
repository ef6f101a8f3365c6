/* request.c - Lua: one request, and the four ways to answer it. */
#include <string.h>

#include "httpd.h"

#define BODY_INTERVAL_MAX_MS (60 * 60 * 1000)

struct box {
  struct avito_exchange *exchange; /* one reference; NULL after __gc */
};

static struct box *check_box(lua_State *L)
{
  return luaL_checkudata(L, 1, "avito_messenger.httpd.request");
}

/* Fields */

struct header {
  const char *name, *value;
  size_t name_size, value_size;
};

struct head {
  struct header headers[AVITO_HTTPD_HEADERS_MAX];
  size_t count;
};

static enum MHD_Result note_header(void *context, enum MHD_ValueKind kind, const char *name, size_t name_size,
                                   const char *value, size_t value_size)
{
  (void)kind;
  struct head *head = context;
  if (head->count == AVITO_HTTPD_HEADERS_MAX)
    return MHD_NO;
  struct header *header = &head->headers[head->count++];
  header->name = name;
  header->name_size = name_size;
  header->value = value != NULL ? value : "";
  header->value_size = value_size;
  return MHD_YES;
}

static void push_lower(lua_State *L, const char *name, size_t size)
{
  luaL_Buffer buffer;
  luaL_buffinit(L, &buffer);
  for (size_t i = 0; i < size; i++) {
    char c = name[i];
    luaL_addchar(&buffer, (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c));
  }
  luaL_pushresult(&buffer); /* name */
}

/* [-0, +1, m] The headers by lower-case name; a repeated one is joined with commas (RFC 9110, 5.3).
 */
static void push_headers(lua_State *L, const struct head *head)
{
  lua_createtable(L, 0, (int)head->count); /* headers */
  for (size_t i = 0; i < head->count; i++) {
    const struct header *header = &head->headers[i];
    push_lower(L, header->name, header->name_size); /* headers, name */
    lua_pushvalue(L, -1);                           /* headers, name, name */
    lua_rawget(L, -3);                              /* headers, name, earlier */
    if (lua_isnil(L, -1)) {
      lua_pop(L, 1);
      lua_pushlstring(L, header->value, header->value_size); /* headers, name, value */
    } else {
      lua_pushliteral(L, ", ");
      lua_pushlstring(L, header->value, header->value_size);
      lua_concat(L, 3); /* headers, name, value */
    }
    lua_rawset(L, -3); /* headers */
  }
}

void avito_request_push(lua_State *L, struct avito_exchange *exchange, int metatable)
{
  struct box *box = avito_newuserdata(L, sizeof *box); /* request */
  lua_pushvalue(L, metatable);
  lua_setmetatable(L, -2);
  exchange->references++;
  box->exchange = exchange;
  avito_exchange_take(exchange);

  struct head head;
  head.count = 0;
  MHD_get_connection_values_n(exchange->peer->connection, MHD_HEADER_KIND, note_header, &head);
  lua_createtable(L, 0, 6); /* request, fields */
  push_headers(L, &head);
  lua_setfield(L, -2, "headers");
  lua_pushstring(L, exchange->method);
  lua_setfield(L, -2, "method");
  lua_pushstring(L, exchange->target);
  lua_setfield(L, -2, "path");
  lua_pushlstring(L, exchange->body != NULL ? exchange->body : "", exchange->length);
  lua_setfield(L, -2, "body");
  lua_pushstring(L, exchange->peer->address);
  lua_setfield(L, -2, "peer");
  lua_pushnumber(L, (lua_Number)(avito_httpd_now() - exchange->peer->began) / 1000);
  lua_setfield(L, -2, "age");
  avito_setowned(L, -2); /* request */
}

/* upvalue 1: methods */
static int request_index(lua_State *L)
{
  luaL_checkudata(L, 1, "avito_messenger.httpd.request");
  lua_pushvalue(L, 2);
  lua_rawget(L, lua_upvalueindex(1)); /* method */
  if (!lua_isnil(L, -1))
    return 1;
  avito_getowned(L, 1); /* fields */
  if (!lua_istable(L, -1))
    return 0;
  lua_pushvalue(L, 2);
  lua_rawget(L, -2);
  return 1;
}

/* Answers */

static bool is_token(const char *text, size_t size)
{
  if (size == 0)
    return false;
  for (size_t i = 0; i < size; i++) {
    char c = text[i];
    bool alphanumeric = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (c == '\0' || (!alphanumeric && strchr("!#$%&'*+-.^_`|~", c) == NULL))
      return false;
  }
  return true;
}

/* CR or LF would let a value begin a header, or a whole answer, of its own. */
static void add_header(lua_State *L, struct MHD_Response *answer, int name, int value)
{
  size_t name_size;
  size_t value_size;
  const char *name_text = lua_tolstring(L, name, &name_size);
  int type = lua_type(L, value);
  if (type != LUA_TSTRING && type != LUA_TNUMBER)
    luaL_error(L, "header '%s': string, number or list expected, got %s", name_text, luaL_typename(L, value));
  const char *value_text = lua_tolstring(L, value, &value_size);
  if (!is_token(name_text, name_size))
    luaL_error(L, "'%s' is not a header name", name_text);
  if (strlen(value_text) != value_size || strpbrk(value_text, "\r\n") != NULL)
    luaL_error(L, "header '%s': the value holds CR, LF or NUL", name_text);
  if (MHD_add_response_header(answer, name_text, value_text) != MHD_YES)
    luaL_error(L, "header '%s' cannot be set here", name_text);
}

static void add_headers(lua_State *L, struct MHD_Response *answer, int index)
{
  if (lua_isnoneornil(L, index))
    return;
  luaL_checktype(L, index, LUA_TTABLE);
  lua_pushnil(L);
  while (lua_next(L, index) != 0) { /* name, value */
    int value = lua_gettop(L);
    if (lua_type(L, -2) != LUA_TSTRING)
      luaL_error(L, "headers: names must be strings");
    if (lua_istable(L, value)) {
      size_t count = lua_rawlen(L, value);
      for (size_t i = 1; i <= count; i++) {
        lua_rawgeti(L, value, (int)i); /* name, values, value */
        add_header(L, answer, value - 1, value + 1);
        lua_pop(L, 1);
      }
    } else {
      lua_pushvalue(L, value); /* name, value, copy: a number becomes a string in the copy only */
      add_header(L, answer, value - 1, value + 1);
      lua_pop(L, 1);
    }
    lua_pop(L, 1);
  }
}

static struct avito_exchange *check_unanswered(lua_State *L)
{
  struct avito_exchange *exchange = check_box(L)->exchange;
  if (exchange == NULL || exchange->phase == AVITO_ANSWERED)
    luaL_error(L, "the request is answered already");
  return exchange;
}

static unsigned check_status(lua_State *L, int index)
{
  lua_Integer status = luaL_checkinteger(L, index);
  luaL_argcheck(L, status >= 200 && status <= 599, index, "a status from 200 to 599 expected");
  return (unsigned)status;
}

/* The exchange owns the answer while headers are added, which can raise. */
static int send_answer(lua_State *L, struct avito_exchange *exchange, unsigned status, struct MHD_Response *answer)
{
  if (answer == NULL)
    return luaL_error(L, "not enough memory");
  if (exchange->answer != NULL)
    MHD_destroy_response(exchange->answer);
  exchange->answer = answer;
  exchange->status = status;
  add_headers(L, answer, 3);
  avito_exchange_finish(exchange);
  lua_pushboolean(L, 1);
  return 1;
}

/* False when there is nobody to answer; the request then counts as answered. */
static bool reachable(lua_State *L, struct avito_exchange *exchange)
{
  if (avito_exchange_alive(exchange))
    return true;
  exchange->dropped = true;
  avito_exchange_finish(exchange);
  lua_pushboolean(L, 0);
  return false;
}

static int request_respond(lua_State *L)
{
  struct avito_exchange *exchange = check_unanswered(L);
  unsigned status = check_status(L, 2);
  size_t length;
  const char *body = luaL_optlstring(L, 4, "", &length);
  if (!reachable(L, exchange))
    return 1;
  return send_answer(L, exchange, status, avito_answer_whole(body, length));
}

static int request_cut(lua_State *L)
{
  struct avito_exchange *exchange = check_unanswered(L);
  unsigned status = check_status(L, 2);
  size_t length;
  const char *body = luaL_checklstring(L, 4, &length);
  lua_Integer sent = luaL_checkinteger(L, 5);
  luaL_argcheck(L, sent >= 0 && (size_t)sent < length, 5, "fewer bytes than the body has expected");
  if (!reachable(L, exchange))
    return 1;
  return send_answer(L, exchange, status, avito_answer_cut(body, length, (size_t)sent));
}

static int request_drip(lua_State *L)
{
  struct avito_exchange *exchange = check_unanswered(L);
  unsigned status = check_status(L, 2);
  size_t length;
  const char *body = luaL_checklstring(L, 4, &length);
  lua_Number interval = luaL_optnumber(L, 5, 1.0) * 1000;
  luaL_argcheck(L, interval >= 1 && interval <= BODY_INTERVAL_MAX_MS, 5,
                "seconds for a byte, from 0.001 to 3600, expected");
  if (!reachable(L, exchange))
    return 1;
  struct MHD_Response *answer = avito_answer_drip(exchange->peer, body, length, (unsigned)interval);
  return send_answer(L, exchange, status, answer);
}

static int request_close(lua_State *L)
{
  struct avito_exchange *exchange = check_box(L)->exchange;
  if (exchange == NULL || exchange->phase == AVITO_ANSWERED)
    return 0;
  exchange->dropped = true;
  avito_exchange_finish(exchange);
  return 0;
}

/* A request nobody answered must not hold its connection for ever. */
static int request_gc(lua_State *L)
{
  struct box *box = check_box(L);
  struct avito_exchange *exchange = box->exchange;
  box->exchange = NULL;
  if (exchange == NULL)
    return 0;
  if (exchange->phase != AVITO_ANSWERED) {
    exchange->dropped = true;
    avito_exchange_finish(exchange);
  }
  avito_exchange_release(exchange);
  return 0;
}

static int request_tostring(lua_State *L)
{
  const struct avito_exchange *exchange = check_box(L)->exchange;
  if (exchange == NULL)
    lua_pushliteral(L, "http request (collected)");
  else
    lua_pushfstring(L, "http request (%s)", exchange->method);
  return 1;
}

static const luaL_Reg methods[] = {
    {"respond", request_respond}, {"cut", request_cut}, {"drip", request_drip}, {"close", request_close}, {NULL, NULL},
};

void avito_request_metatable(lua_State *L)
{
  luaL_newmetatable(L, "avito_messenger.httpd.request"); /* metatable */
  lua_newtable(L);                                       /* metatable, methods */
  for (const luaL_Reg *method = methods; method->name != NULL; method++) {
    lua_pushcfunction(L, method->func);
    lua_setfield(L, -2, method->name);
  }
  lua_pushcclosure(L, request_index, 1); /* metatable, index */
  lua_setfield(L, -2, "__index");
  lua_pushcfunction(L, request_gc);
  lua_setfield(L, -2, "__gc");
  lua_pushcfunction(L, request_close);
  lua_setfield(L, -2, "__close");
  lua_pushcfunction(L, request_tostring);
  lua_setfield(L, -2, "__tostring");
  lua_pushboolean(L, 0);
  lua_setfield(L, -2, "__metatable");
}
