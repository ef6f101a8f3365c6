/* A module that is wrong on purpose. Before the specs run on a sanitized build, tools/test calls
 * each of these in a process of its own and insists that the process fails: a set-up that sees
 * nothing must not pass for a program that has no errors.
 */
#include "compat.h"

#include <limits.h>
#include <stdlib.h>

static void *volatile sink;

/* [-0, +0, -] loses a block. */
static int canary_leak(lua_State *L)
{
  (void)L;
  sink = malloc(1234);
  sink = NULL;
  return 0;
}

/* [-0, +1, -] reads one byte past a block. */
static int canary_overflow(lua_State *L)
{
  static volatile size_t past = 16;
  char *block = calloc(past, 1);
  int byte = block == NULL ? 0 : block[past];
  free(block);
  lua_pushinteger(L, byte);
  return 1;
}

/* [-0, +1, -] overflows a signed integer. */
static int canary_undefined(lua_State *L)
{
  volatile int most = INT_MAX;
  most = most + 1;
  lua_pushinteger(L, most);
  return 1;
}

/* [-0, +0, -] nothing wrong: the set-up itself must be quiet. */
static int canary_quiet(lua_State *L)
{
  (void)L;
  return 0;
}

AVITO_EXPORT int luaopen_canary(lua_State *L);
AVITO_EXPORT int luaopen_canary(lua_State *L)
{
  static const luaL_Reg functions[] = {
      {"leak", canary_leak}, {"overflow", canary_overflow}, {"undefined", canary_undefined}, {"quiet", canary_quiet},
      {NULL, NULL},
  };
  lua_newtable(L);
  for (const luaL_Reg *f = functions; f->name != NULL; f++) {
    lua_pushcfunction(L, f->func);
    lua_setfield(L, -2, f->name);
  }
  return 1;
}
