/* clock.c - avito_messenger.clock: what time it is, and waiting without a driver. Knows no library. */
#include "compat.h"

#include <math.h>
#include <time.h>

#define NS_PER_SECOND 1e9
#define MAX_SECONDS   (24.0 * 3600.0)

AVITO_EXPORT int luaopen_avito_messenger_clock(lua_State *L);

static int push_clock(lua_State *L, clockid_t clock)
{
  struct timespec now = {0, 0};

  (void)clock_gettime(clock, &now);
  lua_pushnumber(L, (lua_Number)now.tv_sec + (lua_Number)now.tv_nsec / NS_PER_SECOND);
  return 1;
}

/* clock.now() -> seconds of a clock that never goes back; the same in all processes of a machine */
static int now_of(lua_State *L)
{
  return push_clock(L, CLOCK_MONOTONIC);
}

/* clock.time() -> Unix seconds */
static int time_of(lua_State *L)
{
  return push_clock(L, CLOCK_REALTIME);
}

/* clock.sleep(seconds) blocks the process. A signal ends it early, so that the hook lua.c sets at Ctrl-C can run: the
 * caller loops until its time has come. */
static int sleep_for(lua_State *L)
{
  double seconds = luaL_checknumber(L, 1);
  struct timespec wait;

  if (!(seconds > 0)) {
    return 0;
  }
  if (seconds > MAX_SECONDS) {
    seconds = MAX_SECONDS;
  }
  wait.tv_sec = (time_t)seconds;
  wait.tv_nsec = (long)((seconds - floor(seconds)) * NS_PER_SECOND);
  (void)nanosleep(&wait, NULL);
  return 0;
}

int luaopen_avito_messenger_clock(lua_State *L)
{
  static const luaL_Reg functions[] = {{"now", now_of}, {"time", time_of}, {"sleep", sleep_for}, {NULL, NULL}};

  lua_newtable(L);
  luaL_setfuncs(L, functions, 0);
  return 1;
}
