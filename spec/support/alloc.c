/* alloc.c - makes allocations of the Lua state fail, for specs.
 *
 *   alloc.count(fn, ...)                -> how many allocations fn makes
 *   alloc.fail_at(n, fn, ...)           -> ok, first result or error, whether the n-th allocation was reached
 *   alloc.fail_from(n, fn, ...)         -> the same; every later allocation fails too
 *
 * An allocation is a request for a new block or a larger one; freeing and shrinking never fail. Lua 5.4 collects all
 * garbage and asks a second time when it is refused: fail_at refuses that second request also.
 * fn must not yield. LuaJIT interprets it: a compiled function allocates as it likes, and one whose allocation fails may
 * crash. */
#include "compat.h"

#if LUA_VERSION_NUM == 501
#include <luajit.h>
#endif

struct injector {
  lua_Alloc allocate;
  void *context;
  lua_Number count;
  lua_Number first;
  lua_Number last;
};

static void *inject(void *context, void *block, size_t old_size, size_t new_size)
{
  struct injector *injector = context;
  if (new_size > (block != NULL ? old_size : 0)) {
    ++injector->count;
    if (injector->count >= injector->first && injector->count <= injector->last)
      return NULL;
  }
  return injector->allocate(injector->context, block, old_size, new_size);
}

static void interpret(lua_State *L, int only)
{
#if LUA_VERSION_NUM == 501
  (void)luaJIT_setmode(L, 0, LUAJIT_MODE_ENGINE | (only ? LUAJIT_MODE_OFF : LUAJIT_MODE_ON));
  if (only)
    (void)luaJIT_setmode(L, 0, LUAJIT_MODE_ENGINE | LUAJIT_MODE_FLUSH); /* what is compiled already */
#else
  (void)L;
  (void)only;
#endif
}

/* Calls the function at stack index 1 with what follows it. [-all, +1, -] */
static int call(lua_State *L, struct injector *injector)
{
  int status;
  interpret(L, 1);
  injector->allocate = lua_getallocf(L, &injector->context);
  lua_setallocf(L, inject, injector);
  status = lua_pcall(L, lua_gettop(L) - 1, 1, 0);
  lua_setallocf(L, injector->allocate, injector->context);
  interpret(L, 0);
  return status;
}

static int fail(lua_State *L, int forever)
{
  struct injector injector = {.first = luaL_checknumber(L, 1)};
  luaL_checktype(L, 2, LUA_TFUNCTION);
  luaL_checkstack(L, 8, "alloc");
  injector.last = forever ? 1e15 : injector.first + (LUA_VERSION_NUM >= 504);
  lua_remove(L, 1);
  int ok = call(L, &injector) == LUA_OK;
  lua_pushboolean(L, ok);
  lua_insert(L, 1);
  lua_pushboolean(L, injector.count >= injector.first);
  return 3;
}

static int fail_at(lua_State *L)
{
  return fail(L, 0);
}

static int fail_from(lua_State *L)
{
  return fail(L, 1);
}

static int count(lua_State *L)
{
  struct injector injector = {.first = 1, .last = 0};
  luaL_checktype(L, 1, LUA_TFUNCTION);
  luaL_checkstack(L, 8, "alloc");
  if (call(L, &injector) != LUA_OK)
    return lua_error(L);
  lua_pushnumber(L, injector.count);
  return 1;
}

AVITO_EXPORT int luaopen_spec_support_alloc(lua_State *L);

int luaopen_spec_support_alloc(lua_State *L)
{
  lua_newtable(L);
  lua_pushcfunction(L, count);
  lua_setfield(L, -2, "count");
  lua_pushcfunction(L, fail_at);
  lua_setfield(L, -2, "fail_at");
  lua_pushcfunction(L, fail_from);
  lua_setfield(L, -2, "fail_from");
  return 1;
}
