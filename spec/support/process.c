/* process.c - spec_support.process: child processes for specs. Linux and BSD; both VMs.
 *
 *   process.spawn(argv, options) -> child     argv: array of strings, argv[1] found through PATH
 *     options.env      { NAME = "value" | false }  added to, or left out of, the inherited
 * environment options.stdin    "pipe" | path               default: /dev/null options.stdout "pipe"
 * | path               default: inherited; a path is truncated options.stderr   "pipe" (the stdout
 * pipe) | path      default: inherited LD_PRELOAD is not inherited unless env names it: the
 * sanitizer's library is not for other programs. Raises when the program cannot be started.
 *   child:pid()
 *   child:read_line(seconds) -> line without its LF | nil, "timeout" | nil, "eof"
 *   child:read_all(seconds)  -> everything until the end of the output | nil, "timeout"
 *   child:write(text)           to the stdin pipe; raises when the child does not read any more
 *   child:close_stdin()
 *   child:kill(signal)          number or "TERM", "KILL", "INT", "STOP", "CONT"; default KILL
 *   child:wait(seconds) -> "exit", code | "signal", number | nil, "timeout"
 *   child:close()               kills and reaps; also at collection, __close and the death of the
 * parent process.fork(fn) -> "exit"|"signal", number, output runs fn in a forked child, which
 * leaves through _exit: 0 when fn returned, and then output is the string fn returned; 1 when it
 * raised, and then output is the message. Nothing of the child's Lua state is closed or collected,
 * except by fn itself.
 *
 * Waiting for a time limit is for broken tests only; 10 seconds when none is given.
 */
#define _DEFAULT_SOURCE

#include "compat.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

#define TYPE            "spec_support.process"
#define DEFAULT_SECONDS 10.0
#define NOT_STARTED     127
#define REAP_STEP_NS    2000000L

extern char **environ;

AVITO_EXPORT int luaopen_spec_support_process(lua_State *L);

struct child {
  pid_t pid; /* 0: none, or reaped */
  pid_t parent;
  int in;     /* -1: none */
  int out;    /* -1: none */
  int status; /* of waitpid, once reaped */
  bool reaped;
  pid_t shown;
  char *pending; /* read, but not handed out */
  size_t length;
  size_t capacity;
};

static double now(void)
{
  struct timespec time;

  (void)clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void close_fd(int *fd)
{
  if (*fd >= 0)
    (void)close(*fd);
  *fd = -1;
}

static struct child *check(lua_State *L)
{
  return luaL_checkudata(L, 1, TYPE);
}

static struct child *new_child(lua_State *L)
{
  struct child *child = avito_newuserdata(L, sizeof *child);

  child->in = child->out = -1;
  child->parent = getpid();
  luaL_setmetatable(L, TYPE);
  return child;
}

static bool make_pipe(int ends[2])
{
  if (pipe(ends) != 0)
    return false;
  (void)fcntl(ends[0], F_SETFD, FD_CLOEXEC);
  (void)fcntl(ends[1], F_SETFD, FD_CLOEXEC);
  return true;
}

/* ---- spawn ---- */

struct plan {
  char **argv;
  char **envp;
  const char *in_path;
  const char *out_path;
  const char *error_path;
  bool error_to_out;
  int in;  /* the child's end of a pipe, or -1 */
  int out; /* the child's end of a pipe, or -1 */
  int trouble;
};

static void must(bool ok, const struct plan *plan)
{
  if (!ok) {
    int error = errno;
    ssize_t ignored = write(plan->trouble, &error, sizeof error);
    (void)ignored;
    _exit(NOT_STARTED);
  }
}

static void redirect(const char *path, int flags, int target, const struct plan *plan)
{
  int fd = open(path, flags, 0600);

  must(fd >= 0 && dup2(fd, target) >= 0, plan);
  if (fd != target)
    (void)close(fd);
}

/* In the child: nothing but async-signal-safe calls. */
static void run(const struct plan *plan)
{
  const int truncate = O_WRONLY | O_CREAT | O_TRUNC;

#ifdef __linux__
  (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
#endif
  if (plan->in >= 0)
    must(dup2(plan->in, STDIN_FILENO) >= 0, plan);
  else
    redirect(plan->in_path ? plan->in_path : "/dev/null", O_RDONLY, STDIN_FILENO, plan);
  if (plan->out >= 0)
    must(dup2(plan->out, STDOUT_FILENO) >= 0, plan);
  else if (plan->out_path)
    redirect(plan->out_path, truncate, STDOUT_FILENO, plan);
  if (plan->error_to_out)
    must(dup2(STDOUT_FILENO, STDERR_FILENO) >= 0, plan);
  else if (plan->error_path)
    redirect(plan->error_path, truncate, STDERR_FILENO, plan);
  environ = plan->envp;
  must(execvp(plan->argv[0], plan->argv) == 0, plan);
}

/* The strings of an array, anchored on the stack as a userdata. [-0, +1, m|v] */
static char **read_argv(lua_State *L, int index)
{
  size_t count = lua_rawlen(L, index);
  char **argv;

  luaL_argcheck(L, count > 0, index, "a program is needed");
  argv = avito_newuserdata(L, (count + 1) * sizeof *argv);
  for (size_t i = 0; i < count; i++) {
    lua_rawgeti(L, index, (int)i + 1);
    if (lua_type(L, -1) != LUA_TSTRING)
      luaL_error(L, "argv[%d]: string expected", (int)i + 1);
    argv[i] = (char *)(size_t)lua_tostring(L, -1); /* exec wants no const, and changes nothing */
    lua_pop(L, 1);                                 /* the array anchors it */
  }
  return argv;
}

/* Inherited variables that `changes` (a table, or nil) says nothing about, then those it sets.
 * [-0, +2, m|v] a table of "NAME=value" and the array of pointers into it */
static char **read_env(lua_State *L, int changes)
{
  int count = 0;
  int list;
  char **envp;

  lua_newtable(L);
  list = lua_gettop(L);
  for (char **variable = environ; *variable; variable++) {
    const char *equals = strchr(*variable, '=');
    bool changed = strncmp(*variable, "LD_PRELOAD=", strlen("LD_PRELOAD=")) == 0;
    if (equals && lua_istable(L, changes)) {
      lua_pushlstring(L, *variable, (size_t)(equals - *variable));
      lua_rawget(L, changes);
      changed = changed || !lua_isnil(L, -1);
      lua_pop(L, 1);
    }
    if (!changed) {
      lua_pushstring(L, *variable);
      lua_rawseti(L, list, ++count);
    }
  }
  if (lua_istable(L, changes)) {
    lua_pushnil(L);
    while (lua_next(L, changes)) {
      if (lua_type(L, -1) == LUA_TSTRING && lua_type(L, -2) == LUA_TSTRING) {
        lua_pushfstring(L, "%s=%s", lua_tostring(L, -2), lua_tostring(L, -1));
        lua_rawseti(L, list, ++count);
      }
      lua_pop(L, 1);
    }
  }
  envp = avito_newuserdata(L, ((size_t)count + 1) * sizeof *envp);
  for (int i = 0; i < count; i++) {
    lua_rawgeti(L, list, i + 1);
    envp[i] = (char *)(size_t)lua_tostring(L, -1);
    lua_pop(L, 1);
  }
  return envp;
}

/* "pipe" sets *piped; anything else is a path. [-0, +1, v] */
static const char *read_stream(lua_State *L, const char *name, bool *piped)
{
  const char *text;

  *piped = false;
  lua_pushnil(L);
  if (!lua_istable(L, 2))
    return NULL;
  lua_pop(L, 1);
  lua_getfield(L, 2, name);
  text = lua_isnil(L, -1) ? NULL : luaL_checkstring(L, -1);
  if (!text || strcmp(text, "pipe") != 0)
    return text;
  *piped = true;
  return NULL;
}

/* Waits for exec: the pipe closes when it succeeds, and brings errno when something failed. */
static int start_error(int trouble)
{
  int error = 0;
  ssize_t got;

  do
    got = read(trouble, &error, sizeof error);
  while (got < 0 && errno == EINTR);
  return got == (ssize_t)sizeof error ? error : 0;
}

static int spawn_with(struct child *child, struct plan *plan, bool pipe_in, bool pipe_out)
{
  int in[2] = {-1, -1};
  int out[2] = {-1, -1};
  int trouble[2] = {-1, -1};
  int error = 0;

  if (!make_pipe(trouble) || (pipe_in && !make_pipe(in)) || (pipe_out && !make_pipe(out)))
    error = errno;
  if (!error) {
    plan->in = in[0];
    plan->out = out[1];
    plan->trouble = trouble[1];
    child->pid = fork();
    if (child->pid == 0)
      run(plan);
    if (child->pid < 0) {
      error = errno;
      child->pid = 0;
    }
    child->shown = child->pid;
    child->in = in[1];
    child->out = out[0];
    in[1] = out[0] = -1;
  }
  for (int i = 0; i < 2; i++) {
    close_fd(&in[i]);
    close_fd(&out[i]);
  }
  close_fd(&trouble[1]);
  if (!error)
    error = start_error(trouble[0]);
  close_fd(&trouble[0]);
  return error;
}

static int process_spawn(lua_State *L)
{
  struct plan plan = {0};
  struct child *child;
  bool pipe_in;
  bool pipe_out;
  int error;

  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 2);
  if (!lua_isnil(L, 2))
    luaL_checktype(L, 2, LUA_TTABLE);
  child = new_child(L); /* argv options child */
  plan.argv = read_argv(L, 1);
  if (lua_istable(L, 2))
    lua_getfield(L, 2, "env");
  else
    lua_pushnil(L);
  plan.envp = read_env(L, lua_gettop(L));
  plan.in_path = read_stream(L, "stdin", &pipe_in);
  plan.out_path = read_stream(L, "stdout", &pipe_out);
  plan.error_path = read_stream(L, "stderr", &plan.error_to_out);
  error = spawn_with(child, &plan, pipe_in, pipe_out);
  if (error)
    return luaL_error(L, "cannot start %s: %s", plan.argv[0], strerror(error));
  lua_pushvalue(L, 3);
  return 1;
}

/* ---- a child ---- */

static double deadline_of(lua_State *L, int index)
{
  return now() + luaL_optnumber(L, index, DEFAULT_SECONDS);
}

static bool grow(struct child *child)
{
  size_t capacity = child->capacity ? child->capacity * 2 : 4096;
  char *grown = realloc(child->pending, capacity);

  if (!grown)
    return false;
  child->pending = grown;
  child->capacity = capacity;
  return true;
}

/* Reads more of the output. 1: got some, 0: the end, -1: the deadline came. */
static int read_more(lua_State *L, struct child *child, double deadline)
{
  for (;;) {
    struct pollfd wait = {child->out, POLLIN, 0};
    double left = deadline - now();
    ssize_t got;
    if (child->out < 0)
      return 0;
    if (child->length == child->capacity && !grow(child))
      luaL_error(L, "not enough memory");
    got = poll(&wait, 1, left > 0 ? (int)(left * 1000) + 1 : 0);
    if (got == 0)
      return -1;
    if (got > 0)
      got = read(child->out, child->pending + child->length, child->capacity - child->length);
    if (got > 0) {
      child->length += (size_t)got;
      return 1;
    }
    if (got < 0 && errno == EINTR)
      continue;
    close_fd(&child->out);
    return 0;
  }
}

/* Hands out `length` bytes of the pending ones and forgets `length + skip`. */
static int take(lua_State *L, struct child *child, size_t length, size_t skip)
{
  lua_pushlstring(L, length ? child->pending : "", length);
  child->length -= length + skip;
  if (child->length)
    memmove(child->pending, child->pending + length + skip, child->length);
  return 1;
}

static int nothing(lua_State *L, const char *why)
{
  lua_pushnil(L);
  lua_pushstring(L, why);
  return 2;
}

static int child_read_line(lua_State *L)
{
  struct child *child = check(L);
  double deadline = deadline_of(L, 2);

  for (;;) {
    const char *end = child->length ? memchr(child->pending, '\n', child->length) : NULL;
    int got;
    if (end)
      return take(L, child, (size_t)(end - child->pending), 1);
    got = read_more(L, child, deadline);
    if (got < 0)
      return nothing(L, "timeout");
    if (got == 0)
      return child->length ? take(L, child, child->length, 0) : nothing(L, "eof");
  }
}

static int child_read_all(lua_State *L)
{
  struct child *child = check(L);
  double deadline = deadline_of(L, 2);
  int got;

  do
    got = read_more(L, child, deadline);
  while (got > 0);
  return got < 0 ? nothing(L, "timeout") : take(L, child, child->length, 0);
}

static int child_write(lua_State *L)
{
  struct child *child = check(L);
  size_t length;
  const char *text = luaL_checklstring(L, 2, &length);
  struct sigaction ignore = {0};
  struct sigaction before;
  bool ok = true;

  ignore.sa_handler = SIG_IGN;
  (void)sigaction(SIGPIPE, &ignore, &before);
  while (ok && length > 0) {
    ssize_t put = write(child->in, text, length);
    ok = put > 0 || (put < 0 && errno == EINTR);
    if (put > 0) {
      text += put;
      length -= (size_t)put;
    }
  }
  (void)sigaction(SIGPIPE, &before, NULL);
  return ok ? 0 : luaL_error(L, "the child does not read its input");
}

static int child_close_stdin(lua_State *L)
{
  close_fd(&check(L)->in);
  return 0;
}

static int read_signal(lua_State *L, int index)
{
  static const char *const names[] = {"TERM", "KILL", "INT", "STOP", "CONT", NULL};
  static const int signals[] = {SIGTERM, SIGKILL, SIGINT, SIGSTOP, SIGCONT};

  if (lua_type(L, index) == LUA_TNUMBER)
    return (int)lua_tointeger(L, index);
  return signals[luaL_checkoption(L, index, "KILL", names)];
}

static int child_kill(lua_State *L)
{
  const struct child *child = check(L);
  int signal = read_signal(L, 2);

  if (child->pid > 0)
    (void)kill(child->pid, signal);
  return 0;
}

static int push_status(lua_State *L, int status)
{
  if (WIFSIGNALED(status)) {
    lua_pushliteral(L, "signal");
    lua_pushinteger(L, WTERMSIG(status));
  } else {
    lua_pushliteral(L, "exit");
    lua_pushinteger(L, WEXITSTATUS(status));
  }
  return 2;
}

static bool reap(struct child *child, int flags)
{
  pid_t got;

  do
    got = waitpid(child->pid, &child->status, flags);
  while (got < 0 && errno == EINTR);
  if (got == 0)
    return false;
  child->pid = 0;
  child->reaped = true;
  return true;
}

static int child_wait(lua_State *L)
{
  struct child *child = check(L);
  double deadline = deadline_of(L, 2);
  const struct timespec step = {0, REAP_STEP_NS};

  while (child->pid > 0 && !reap(child, WNOHANG)) {
    if (now() >= deadline)
      return nothing(L, "timeout");
    (void)nanosleep(&step, NULL);
  }
  return push_status(L, child->status);
}

static int child_close(lua_State *L)
{
  struct child *child = check(L);

  if (child->pid > 0 && child->parent == getpid()) {
    (void)kill(child->pid, SIGKILL);
    (void)reap(child, 0);
  }
  close_fd(&child->in);
  close_fd(&child->out);
  free(child->pending);
  child->pending = NULL;
  child->length = child->capacity = 0;
  return 0;
}

static int child_pid(lua_State *L)
{
  lua_pushinteger(L, check(L)->shown);
  return 1;
}

/* ---- fork ---- */

static void run_forked(lua_State *L, int out)
{
  int status = lua_pcall(L, 0, 1, 0) == LUA_OK ? 0 : 1;
  size_t length = 0;
  const char *text = lua_tolstring(L, -1, &length);

  while (text && length > 0) {
    ssize_t put = write(out, text, length);
    if (put <= 0)
      break;
    text += put;
    length -= (size_t)put;
  }
  _exit(status);
}

static int process_fork(lua_State *L)
{
  struct child *child;
  int out[2];
  double deadline = now() + DEFAULT_SECONDS;

  luaL_checktype(L, 1, LUA_TFUNCTION);
  lua_settop(L, 1);
  child = new_child(L); /* fn child */
  if (!make_pipe(out))
    return luaL_error(L, "pipe: %s", strerror(errno));
  child->pid = child->shown = fork();
  if (child->pid == 0) {
#ifdef __linux__
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
#endif
    lua_pushvalue(L, 1);
    run_forked(L, out[1]);
  }
  child->out = out[0];
  (void)close(out[1]);
  if (child->pid < 0) {
    child->pid = 0;
    return luaL_error(L, "fork: %s", strerror(errno));
  }
  while (read_more(L, child, deadline) > 0)
    ;
  if (child->out >= 0)
    (void)kill(child->pid, SIGKILL);
  (void)reap(child, 0);
  push_status(L, child->status);
  return 2 + take(L, child, child->length, 0);
}

int luaopen_spec_support_process(lua_State *L)
{
  static const luaL_Reg methods[] = {{"pid", child_pid},
                                     {"read_line", child_read_line},
                                     {"read_all", child_read_all},
                                     {"write", child_write},
                                     {"close_stdin", child_close_stdin},
                                     {"kill", child_kill},
                                     {"wait", child_wait},
                                     {"close", child_close},
                                     {"__gc", child_close},
                                     {"__close", child_close},
                                     {NULL, NULL}};
  static const luaL_Reg functions[] = {{"spawn", process_spawn}, {"fork", process_fork}, {NULL, NULL}};

  luaL_newmetatable(L, TYPE);
  luaL_setfuncs(L, methods, 0);
  lua_pushvalue(L, -1);
  lua_setfield(L, -2, "__index");
  lua_newtable(L);
  luaL_setfuncs(L, functions, 0);
  return 1;
}
