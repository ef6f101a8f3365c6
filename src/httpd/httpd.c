/* httpd.c - Lua: the listener. */
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "httpd.h"

AVITO_EXPORT int luaopen_avito_messenger_httpd(lua_State *L);

static struct avito_listener *check_server(lua_State *L)
{
  return luaL_checkudata(L, 1, "avito_messenger.httpd.server");
}

static struct avito_listener *check_open(lua_State *L)
{
  struct avito_listener *listener = check_server(L);
  if (listener->daemon == NULL)
    luaL_error(L, "the server is closed");
  if (listener->owner != getpid())
    luaL_error(L, "the server belongs to the process that opened it, not to its child");
  return listener;
}

/* Options */

static lua_Number number_option(lua_State *L, const char *name, lua_Number fallback, lua_Number least, lua_Number most)
{
  lua_getfield(L, 1, name); /* value */
  lua_Number value = fallback;
  if (!lua_isnil(L, -1)) {
    if (lua_type(L, -1) != LUA_TNUMBER)
      luaL_error(L, "option '%s': number expected, got %s", name, luaL_typename(L, -1));
    value = lua_tonumber(L, -1);
    if (!(value >= least && value <= most))
      luaL_error(L, "option '%s': a number from %f to %f expected", name, least, most);
  }
  lua_pop(L, 1);
  return value;
}

static void check_option_names(lua_State *L)
{
  static const char *const names[] = {"host", "port", "max_body", "max_head", "timeout", "idle", "max_connections"};
  lua_pushnil(L);
  while (lua_next(L, 1) != 0) {
    lua_pop(L, 1); /* name */
    bool found = false;
    const char *name = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "?";
    for (size_t i = 0; i < sizeof names / sizeof names[0] && !found; i++)
      found = strcmp(name, names[i]) == 0;
    if (!found)
      luaL_error(L, "unknown option '%s'", name);
  }
}

/* Lua: httpd.listen { host, port, max_body, max_head, timeout, idle, max_connections } -> server | nil, message
 * timeout: seconds in which a request has to come in, from its first byte (of a new connection: from its beginning), and in
 * which an answer has to be read; idle: seconds for which a connection may rest between two requests (default: timeout) */
static int listen_(lua_State *L)
{
  if (lua_isnoneornil(L, 1)) {
    lua_settop(L, 0);
    lua_newtable(L);
  }
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  check_option_names(L);
  struct avito_listener_options options;
  options.port = (unsigned)number_option(L, "port", 0, 0, 65535);
  options.max_body = (size_t)number_option(L, "max_body", 1024 * 1024, 0, 1024 * 1024 * 1024);
  options.max_head = (size_t)number_option(L, "max_head", 16 * 1024, 256, 1024 * 1024);
  options.timeout_ms = (unsigned)(number_option(L, "timeout", 30, 0.01, 86400) * 1000);
  options.idle_ms = (unsigned)(number_option(L, "idle", options.timeout_ms / 1000.0, 0.01, 86400) * 1000);
  options.max_connections = (unsigned)number_option(L, "max_connections", 256, 1, 65536);
  lua_getfield(L, 1, "host"); /* options, host */
  if (!lua_isnil(L, 2) && lua_type(L, 2) != LUA_TSTRING)
    return luaL_error(L, "option 'host': string expected, got %s", luaL_typename(L, 2));
  options.host = lua_isnil(L, 2) ? "127.0.0.1" : lua_tostring(L, 2);

  struct avito_listener *listener = avito_newuserdata(L, sizeof *listener); /* options, host, server */
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_setmetatable(L, -2);
  char problem[256];
  if (!avito_listener_start(listener, &options, problem, sizeof problem)) {
    lua_pushnil(L);
    lua_pushstring(L, problem);
    return 2;
  }
  return 1;
}

static int server_port(lua_State *L)
{
  lua_pushinteger(L, (lua_Integer)check_open(L)->port);
  return 1;
}

static int server_fd(lua_State *L)
{
  lua_pushinteger(L, check_open(L)->epoll);
  return 1;
}

/* Lua: seconds until accept() has work that the descriptor does not announce, or nil */
static int server_timeout(lua_State *L)
{
  int64_t wait = avito_listener_timeout(check_open(L));
  if (wait < 0)
    return 0;
  lua_pushnumber(L, (lua_Number)wait / 1000);
  return 1;
}

/* Lua: the requests that are whole now; never waits. upvalue 1: metatable of requests */
static int server_accept(lua_State *L)
{
  struct avito_listener *listener = check_open(L);
  lua_settop(L, 1);
  lua_newtable(L); /* server, requests */
  avito_listener_run(listener);
  int count = 0;
  struct avito_exchange *exchange;
  while ((exchange = avito_listener_ready(listener)) != NULL) {
    avito_request_push(L, exchange, lua_upvalueindex(1)); /* server, requests, request */
    lua_rawseti(L, 2, ++count);
  }
  return 1;
}

/* Lua: waits until there may be something to accept, at most `seconds` */
static int server_wait(lua_State *L)
{
  struct avito_listener *listener = check_open(L);
  lua_Number seconds = luaL_checknumber(L, 2);
  luaL_argcheck(L, seconds >= 0 && seconds <= 86400, 2, "seconds from 0 to 86400 expected");
  int64_t limit = (int64_t)(seconds * 1000 + 0.999);
  int64_t timeout = avito_listener_timeout(listener);
  struct pollfd state = {.fd = listener->epoll, .events = POLLIN};
  poll(&state, 1, (int)(timeout >= 0 && timeout < limit ? timeout : limit));
  return 0;
}

/* Lua: takes no further connections; those there are go on */
static int server_drain(lua_State *L)
{
  avito_listener_drain(check_open(L));
  return 0;
}

/* Lua: requests that came whole, and whose answers are not through */
static int server_pending(lua_State *L)
{
  lua_pushinteger(L, (lua_Integer)check_open(L)->pending);
  return 1;
}

/* Lua: requests that were refused here, and requests and answers that were cut off at their deadline, since the start */
static int server_counts(lua_State *L)
{
  const struct avito_listener *listener = check_open(L);
  lua_pushnumber(L, (lua_Number)listener->refused_count);
  lua_pushnumber(L, (lua_Number)listener->cut_count);
  return 2;
}

static int server_close(lua_State *L)
{
  avito_listener_stop(check_server(L));
  return 0;
}

static int server_tostring(lua_State *L)
{
  const struct avito_listener *listener = check_server(L);
  if (listener->daemon == NULL)
    lua_pushliteral(L, "http server (closed)");
  else
    lua_pushfstring(L, "http server (port %d)", (int)listener->port);
  return 1;
}

static void add_method(lua_State *L, const char *name, lua_CFunction function)
{
  lua_pushcfunction(L, function);
  lua_setfield(L, -2, name);
}

static void server_metatable(lua_State *L)
{
  luaL_newmetatable(L, "avito_messenger.httpd.server"); /* metatable */
  lua_newtable(L);                                      /* metatable, methods */
  add_method(L, "port", server_port);
  add_method(L, "fd", server_fd);
  add_method(L, "timeout", server_timeout);
  add_method(L, "wait", server_wait);
  add_method(L, "drain", server_drain);
  add_method(L, "pending", server_pending);
  add_method(L, "counts", server_counts);
  add_method(L, "close", server_close);
  avito_request_metatable(L); /* metatable, methods, request metatable */
  lua_pushcclosure(L, server_accept, 1);
  lua_setfield(L, -2, "accept");
  lua_setfield(L, -2, "__index"); /* metatable */
  add_method(L, "__gc", server_close);
  add_method(L, "__close", server_close);
  add_method(L, "__tostring", server_tostring);
  lua_pushboolean(L, 0);
  lua_setfield(L, -2, "__metatable");
}

/* Metatables are filled even where they exist: a first attempt may have run out of memory half way. */
int luaopen_avito_messenger_httpd(lua_State *L)
{
  lua_newtable(L);     /* httpd */
  server_metatable(L); /* httpd, metatable */
  lua_pushcclosure(L, listen_, 1);
  lua_setfield(L, -2, "listen");
  return 1;
}
