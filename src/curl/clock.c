#include "module.h"

#include <math.h>
#include <time.h>

#include "limits.h"

#define NS_PER_SECOND 1e9

static int push_clock(lua_State *L, clockid_t clock)
{
  struct timespec now = {0, 0};

  (void)clock_gettime(clock, &now);
  lua_pushnumber(L, (lua_Number)now.tv_sec + (lua_Number)now.tv_nsec / NS_PER_SECOND);
  return 1;
}

/* curl.now() -> seconds of a clock that never goes back */
int avito_clock_now(lua_State *L)
{
  return push_clock(L, CLOCK_MONOTONIC);
}

/* curl.time() -> Unix seconds */
int avito_clock_time(lua_State *L)
{
  return push_clock(L, CLOCK_REALTIME);
}

/* curl.sleep(seconds). A signal ends it early, so that the hook lua.c sets at Ctrl-C can run: the
 * caller loops until its time has come. */
int avito_clock_sleep(lua_State *L)
{
  double seconds = luaL_checknumber(L, 1);
  struct timespec wait;

  if (!(seconds > 0))
    return 0;
  if (seconds > AVITO_MAX_SECONDS)
    seconds = AVITO_MAX_SECONDS;
  wait.tv_sec = (time_t)seconds;
  wait.tv_nsec = (long)((seconds - floor(seconds)) * NS_PER_SECOND);
  (void)nanosleep(&wait, NULL);
  return 0;
}
