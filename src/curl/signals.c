/* signals.c - signals as a descriptor, so that a loop can wait for them.
 *
 *   curl.signals{ "INT", "TERM" } -> watch      one watch a signal at a time
 *   watch:fd()                                  readable when a signal has come
 *   watch:caught() -> "INT" | nil               the next that has come; never waits
 *   watch:close()                               what the signals did before, they do again
 *   curl.interrupts() -> watch | nil            of INT, once: the second ends the process, as in lua.c. nil unless the
 *                                               host has a handler of its own for INT, to make an error of it
 *
 * The handlers write into a pipe; no signal is blocked, so programs that are started meanwhile inherit nothing.
 */
#include "module.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#define TYPE "avito_messenger.curl.signals"

enum { INT, TERM, HUP, USR1, USR2, COUNT };

static const struct {
  const char *name;
  int number;
} known[COUNT] = {{"INT", SIGINT}, {"TERM", SIGTERM}, {"HUP", SIGHUP}, {"USR1", SIGUSR1}, {"USR2", SIGUSR2}};

struct watch {
  bool open;
  int fds[2]; /* of the pipe, while open: to read, to write */
  bool taken[COUNT];
  struct sigaction before[COUNT];
};

/* What the handler needs: where to write, + 1, or 0; and whose process that is. */
static volatile sig_atomic_t pipes[COUNT];
static volatile pid_t owner;

static void on_signal(int number)
{
  int saved = errno;

  for (int i = 0; i < COUNT; i++) {
    char byte = (char)i;
    if (known[i].number != number)
      continue;
    if (owner != getpid()) { /* forked and not exec'ed: the pipe is the parent's */
      (void)signal(number, SIG_DFL);
      (void)raise(number);
    } else if (pipes[i] > 0) {
      (void)!write(pipes[i] - 1, &byte, 1);
    }
  }
  errno = saved;
}

static struct watch *check(lua_State *L)
{
  return avito_checkself(L, 1, TYPE);
}

static int signal_index(lua_State *L, const char *name)
{
  for (int i = 0; name && i < COUNT; i++)
    if (strcmp(name, known[i].name) == 0)
      return i;
  return luaL_error(L, "unknown signal '%s' (known: INT, TERM, HUP, USR1, USR2)", name ? name : "?");
}

static void take(lua_State *L, struct watch *watch, int i, bool once)
{
  struct sigaction action;

  memset(&action, 0, sizeof action);
  action.sa_handler = on_signal;
  (void)sigemptyset(&action.sa_mask);
  action.sa_flags = once ? (int)(SA_RESTART | SA_RESETHAND) : SA_RESTART;
  if (sigaction(known[i].number, &action, &watch->before[i]) != 0)
    luaL_error(L, "cannot watch the signal %s: %s", known[i].name, strerror(errno));
  watch->taken[i] = true;
  pipes[i] = (sig_atomic_t)(watch->fds[1] + 1);
}

static bool make_pipe(int fds[2])
{
  if (pipe(fds) != 0)
    return false;
  for (int i = 0; i < 2; i++) {
    (void)fcntl(fds[i], F_SETFD, FD_CLOEXEC);
    (void)fcntl(fds[i], F_SETFL, O_NONBLOCK);
  }
  return true;
}

/* A watch of before a fork is the parent's, and so is its pipe: what it took does here what it does without a handler. */
static void disown_parents(void)
{
  if (owner == getpid())
    return;
  for (int i = 0; i < COUNT; i++) {
    if (pipes[i] > 0)
      (void)signal(known[i].number, SIG_DFL);
    pipes[i] = 0;
  }
  owner = getpid();
}

/* Raises unless all names are known and free, so that none is taken for nothing. */
static void read_names(lua_State *L, bool wanted[COUNT])
{
  size_t count = lua_rawlen(L, 1);

  for (size_t at = 1; at <= count; at++) {
    lua_rawgeti(L, 1, (int)at); /* names name */
    int i = signal_index(L, lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : NULL);
    if (pipes[i] > 0)
      luaL_error(L, "the signal %s is watched already", known[i].name);
    wanted[i] = true;
    lua_pop(L, 1); /* names */
  }
}

/* [-0, +1, m] */
static struct watch *new_watch(lua_State *L)
{
  struct watch *watch = avito_newuserdata(L, sizeof *watch); /* watch */

  luaL_setmetatable(L, TYPE);
  if (!make_pipe(watch->fds))
    luaL_error(L, "cannot watch signals: %s", strerror(errno));
  watch->open = true;
  return watch;
}

int avito_signals_new(lua_State *L)
{
  bool wanted[COUNT] = {false};
  struct watch *watch;

  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  disown_parents();
  read_names(L, wanted);
  watch = new_watch(L); /* names watch */
  for (int i = 0; i < COUNT; i++)
    if (wanted[i])
      take(L, watch, i, false);
  return 1;
}

int avito_interrupts_new(lua_State *L)
{
  struct sigaction present;

  disown_parents();
  if (pipes[INT] > 0 || sigaction(SIGINT, NULL, &present) != 0 || present.sa_handler == SIG_DFL ||
      present.sa_handler == SIG_IGN)
    return 0;
  take(L, new_watch(L), INT, true);
  return 1;
}

static int watch_fd(lua_State *L)
{
  const struct watch *watch = check(L);

  if (!watch->open)
    return luaL_error(L, "the signal watch is closed");
  lua_pushinteger(L, watch->fds[0]);
  return 1;
}

static int watch_caught(lua_State *L)
{
  const struct watch *watch = check(L);
  char byte;

  if (!watch->open || read(watch->fds[0], &byte, 1) != 1)
    return 0;
  lua_pushstring(L, known[(int)byte].name);
  return 1;
}

static int watch_close(lua_State *L)
{
  struct watch *watch = check(L);

  if (!watch->open)
    return 0;
  watch->open = false;
  for (int i = 0; i < COUNT; i++) {
    if (!watch->taken[i] || pipes[i] != watch->fds[1] + 1) /* or a forked child has disowned it */
      continue;
    (void)sigaction(known[i].number, &watch->before[i], NULL);
    pipes[i] = 0;
  }
  (void)close(watch->fds[0]);
  (void)close(watch->fds[1]);
  return 0;
}

void avito_signals_register(lua_State *L)
{
  static const luaL_Reg methods[] = {{"fd", watch_fd}, {"caught", watch_caught}, {"close", watch_close}, {NULL, NULL}};
  static const luaL_Reg events[] = {{"__gc", watch_close}, {"__close", watch_close}, {NULL, NULL}};

  avito_register(L, TYPE, methods, events);
}
