/* signals.c - Lua: signals as a descriptor, so that a server's loop can wait for them and stop
 * cleanly. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "httpd.h"

struct watch {
  int fd; /* meaningful while open */
  bool open;
  sigset_t before; /* the mask to put back */
};

static const struct {
  const char *name;
  int number;
} known[] = {{"INT", SIGINT}, {"TERM", SIGTERM}, {"HUP", SIGHUP}, {"USR1", SIGUSR1}};

static struct watch *check_watch(lua_State *L)
{
  return luaL_checkudata(L, 1, "avito_messenger.httpd.signals");
}

static int watch_fd(lua_State *L)
{
  const struct watch *watch = check_watch(L);
  if (!watch->open)
    return luaL_error(L, "the signal watch is closed");
  lua_pushinteger(L, watch->fd);
  return 1;
}

/* The name of a signal that came since the last call, or nil. Never waits. */
static int watch_caught(lua_State *L)
{
  const struct watch *watch = check_watch(L);
  struct signalfd_siginfo info;
  if (!watch->open || read(watch->fd, &info, sizeof info) != (ssize_t)sizeof info)
    return 0;
  for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
    if ((int)info.ssi_signo == known[i].number) {
      lua_pushstring(L, known[i].name);
      return 1;
    }
  return 0;
}

static int watch_close(lua_State *L)
{
  struct watch *watch = check_watch(L);
  if (!watch->open)
    return 0;
  watch->open = false;
  close(watch->fd);
  sigprocmask(SIG_SETMASK, &watch->before, NULL);
  return 0;
}

static int signal_number(lua_State *L, const char *name)
{
  for (size_t i = 0; name != NULL && i < sizeof known / sizeof known[0]; i++)
    if (strcmp(name, known[i].name) == 0)
      return known[i].number;
  return luaL_error(L, "unknown signal '%s'", name != NULL ? name : "?");
}

int avito_httpd_signals(lua_State *L)
{
  luaL_checktype(L, 1, LUA_TTABLE);
  sigset_t set;
  sigemptyset(&set);
  size_t count = lua_rawlen(L, 1);
  for (size_t i = 1; i <= count; i++) {
    lua_rawgeti(L, 1, (int)i);
    sigaddset(&set, signal_number(L, lua_tostring(L, -1)));
    lua_pop(L, 1);
  }
  struct watch *watch = avito_newuserdata(L, sizeof *watch); /* watch */
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_setmetatable(L, -2); /* watch */
  watch->fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
  if (watch->fd < 0)
    return luaL_error(L, "cannot watch signals: %s", strerror(errno));
  sigprocmask(SIG_BLOCK, &set, &watch->before);
  watch->open = true;
  return 1;
}

void avito_signals_metatable(lua_State *L)
{
  static const luaL_Reg methods[] = {{"fd", watch_fd},      {"caught", watch_caught}, {"close", watch_close},
                                     {"__gc", watch_close}, {"__close", watch_close}, {NULL, NULL}};
  luaL_newmetatable(L, "avito_messenger.httpd.signals"); /* metatable */
  lua_pushvalue(L, -1);
  lua_setfield(L, -2, "__index");
  for (const luaL_Reg *method = methods; method->name != NULL; method++) {
    lua_pushcfunction(L, method->func);
    lua_setfield(L, -2, method->name);
  }
}
