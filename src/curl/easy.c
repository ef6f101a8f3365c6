/* easy.c - avito_messenger.curl.easy: one exchange at a time over kept-alive connections. */
#include "module.h"

#include <stdbool.h>
#include <stdint.h>

#include "global.h"
#include "transfer.h"

#define TYPE "avito_messenger.curl.easy"

/* The userdata owns all of it. Connections belong to the process that made them. */
struct easy {
  struct avito_transfer transfer;
  struct avito_transport transport;
  uint64_t epoch;
  bool busy;    /* a response is being pushed: a finalizer may run Lua code */
  bool closing; /* close was called meanwhile */
};

static struct easy *check(lua_State *L)
{
  return avito_checkself(L, 1, TYPE);
}

static void release(struct easy *easy)
{
  if (easy->epoch == avito_process_epoch())
    avito_transfer_close(&easy->transfer);
  else
    avito_transfer_abandon(&easy->transfer);
  avito_transport_free(&easy->transport);
  easy->closing = false;
}

int avito_easy_new(lua_State *L)
{
  static const char *const names[] = {"proxy", "ca_file", NULL};
  const char *trouble = avito_curl_ready();
  struct easy *easy;

  if (trouble)
    return luaL_error(L, "%s", trouble);
  lua_settop(L, 1);
  avito_check_options(L, 1, names);
  easy = avito_newuserdata(L, sizeof *easy); /* options easy */
  easy->epoch = avito_process_epoch();
  luaL_setmetatable(L, TYPE);
  avito_transport_read(L, 1, &easy->transport);
  if (!avito_transfer_open(&easy->transfer, &easy->transport))
    return luaL_error(L, "libcurl could not make a handle");
  return 1;
}

/* The only part of perform where Lua allocates while libcurl's answer is unread. */
static int push_response(lua_State *L)
{
  struct easy *easy = lua_touserdata(L, 1);

  avito_transfer_push(L, &easy->transfer);
  return 1;
}

static void check_usable(lua_State *L, const struct easy *easy)
{
  if (!easy->transfer.easy)
    luaL_error(L, "this handle is closed");
  if (easy->busy)
    luaL_error(L, "this handle is in use");
}

static void check_process(lua_State *L, const struct easy *easy)
{
  if (easy->epoch != avito_process_epoch())
    luaL_error(L, "this handle belongs to the parent process: make a new one after fork");
}

/* handle:perform(request) -> response */
static int easy_perform(lua_State *L)
{
  struct easy *easy = check(L);
  struct avito_request request;
  int status;

  lua_settop(L, 2);
  check_usable(L, easy);
  check_process(L, easy);
  avito_request_read(L, 2, &request); /* easy table method url body headers */
  lua_pushcfunction(L, push_response);
  lua_pushvalue(L, 1);   /* ... push_response easy */
  check_usable(L, easy); /* a finalizer may have run since */
  if (avito_transfer_begin(L, &easy->transfer, &request))
    avito_transfer_end(&easy->transfer, curl_easy_perform(easy->transfer.easy));

  easy->busy = true;
  status = lua_pcall(L, 1, 1, 0); /* ... response */
  easy->busy = false;
  avito_transfer_rest(&easy->transfer);
  if (easy->closing)
    release(easy);
  return status == LUA_OK ? 1 : lua_error(L);
}

static int easy_close(lua_State *L)
{
  struct easy *easy = check(L);

  if (easy->busy)
    easy->closing = true;
  else
    release(easy);
  return 0;
}

static int easy_tostring(lua_State *L)
{
  const struct easy *easy = check(L);

  lua_pushfstring(L, "%s (%s)", TYPE, easy->transfer.easy ? "open" : "closed");
  return 1;
}

void avito_easy_register(lua_State *L)
{
  static const luaL_Reg methods[] = {{"perform", easy_perform}, {"close", easy_close}, {NULL, NULL}};
  static const luaL_Reg events[] = {
      {"__gc", easy_close}, {"__close", easy_close}, {"__tostring", easy_tostring}, {NULL, NULL}};

  avito_register(L, TYPE, methods, events);
}
