/* journal.c - Lua: one SQLite file with all that must outlive the process.
 *
 *   journal.open(path [, { synchronous = "full" | "normal" }]) -> j | nil, problem
 *     the file is made, with mode 0600, where it is not there. "full", the default: what was committed outlives a loss of
 *     power; "normal": it outlives the end of the process.
 *   problem                 { code =, message = }
 *     "full"      the disk, or what one may use of it
 *     "io"        the disk fails; or the file was taken away
 *     "busy"      other processes write, for longer than one wanted to wait
 *     "readonly"  the file, its directory or the file system
 *     "damaged"   it is no database, or one of another program, or was damaged
 *     "version"   it was made by a newer version
 *     "open"      it cannot be opened
 *     "memory"    SQLite got none
 *     "closed"    j was closed
 *   j:begin(seconds)        -> true | nil, problem       waits so long at most, without letting anything else run
 *   j:commit()              -> true | nil, problem       the transaction is over in either case
 *   j:rollback()            harmless without a transaction
 *   j:run(name, …)          -> what the statement gives (statements.def) | nil, problem
 *     One that fails within a transaction ends it: nothing of it is kept, and whatever is run until commit or rollback
 *     gives the same problem.
 *   j:changed()             -> has another handle written since this was asked last? (At first: since it was opened.)
 *   j:check()               -> true | nil, what is wrong, code      reads the whole file
 *   j:lock_owner(id)        -> true | false: somebody else has it | nil, problem      id is 1 or more; one id a handle
 *   j:owner_alive(id)       -> has anybody locked it? | nil, problem
 *   j:uptime()              -> seconds since the machine was started, with those it slept
 *   j:close()               rolls an open transaction back, gives the lock up; may be called again
 *   journal.VERSION         of the schema; journal.SQLITE, of the library
 *
 * Misuse raises: a wrong argument, a statement that is not there or writes outside of a transaction, two transactions at
 * once, a handle that was made before a fork. */
#include <time.h>
#include <unistd.h>

#include "journal.h"

#define TYPE           "avito_messenger.journal"
#define CHECK_FINDINGS "20"
#define SECONDS_MAX    3600

AVITO_EXPORT int luaopen_avito_messenger_journal(lua_State *L);

struct journal {
  struct avito_database database;
  struct avito_owners owners;
  lua_Integer version; /* the last data_version */
};

/* [-0, +2, m] */
static int push_problem(lua_State *L, const struct avito_problem *problem)
{
  lua_pushnil(L);
  lua_createtable(L, 0, 2); /* nil problem */
  lua_pushstring(L, problem->code);
  lua_setfield(L, -2, "code");
  lua_pushstring(L, problem->message);
  lua_setfield(L, -2, "message");
  return 2;
}

static int answer(lua_State *L, bool ok, const struct avito_problem *problem)
{
  if (!ok)
    return push_problem(L, problem);
  lua_pushboolean(L, 1);
  return 1;
}

/* upvalue 1: the metatable */
static struct journal *check_journal(lua_State *L)
{
  struct journal *journal = avito_checkself(L, 1, TYPE);
  if (journal->database.handle != NULL && journal->database.pid != getpid())
    luaL_error(L, "the journal belongs to the parent process: open it anew after fork");
  return journal;
}

static bool is_open(const struct journal *journal, struct avito_problem *problem)
{
  if (journal->database.handle == NULL)
    avito_problem_say(problem, "closed", "the journal is closed");
  return journal->database.handle != NULL;
}

/* Asks for data_version; what cannot be asked may have changed. */
static bool look(lua_State *L, struct journal *journal)
{
  struct avito_problem problem = {0};
  lua_Integer before = journal->version;
  if (avito_statement_run(L, &journal->database, AVITO_STATEMENT_data_version, lua_gettop(L) + 1, &problem) < 1)
    return true;
  journal->version = lua_tointeger(L, -1);
  return journal->version != before;
}

/* Opening and closing */

/* upvalue 1: the metatable */
static int open_(lua_State *L)
{
  static const char *const levels[] = {"full", "normal", NULL};
  size_t length;
  const char *path = luaL_checklstring(L, 1, &length);
  luaL_argcheck(L, length > 0 && strlen(path) == length, 1, "the path of a file expected");
  lua_settop(L, 2);
  bool full = true;
  if (!lua_isnil(L, 2)) {
    luaL_checktype(L, 2, LUA_TTABLE);
    lua_getfield(L, 2, "synchronous"); /* path options synchronous */
    full = luaL_checkoption(L, 3, "full", levels) == 0;
    lua_settop(L, 2);
  }
  if (path[0] != '/') /* so that no name is a special one */
    path = lua_pushfstring(L, "./%s", path);
  struct avito_problem problem = {0};
  struct journal *journal = avito_newuserdata(L, sizeof *journal); /* … journal */
  int self = lua_gettop(L);
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_setmetatable(L, -2);
  if (!avito_database_open(&journal->database, path, full, &problem))
    return push_problem(L, &problem);
  look(L, journal);
  lua_settop(L, self);
  return 1;
}

static int close_(lua_State *L)
{
  struct journal *journal = avito_checkself(L, 1, TYPE);
  avito_database_close(&journal->database);
  avito_owners_close(&journal->owners);
  return 0;
}

/* Transactions */

static int begin(lua_State *L)
{
  struct journal *journal = check_journal(L);
  struct avito_problem problem = {0};
  lua_Number seconds = luaL_checknumber(L, 2);
  luaL_argcheck(L, seconds >= 0 && seconds <= SECONDS_MAX, 2, "seconds from 0 to 3600 expected");
  if (!is_open(journal, &problem))
    return push_problem(L, &problem);
  if (journal->database.transaction)
    luaL_error(L, "begin: there is a transaction already: commit it or roll it back first");
  return answer(L, avito_database_begin(&journal->database, seconds, &problem), &problem);
}

static int commit(lua_State *L)
{
  struct journal *journal = check_journal(L);
  struct avito_problem problem = {0};
  if (!is_open(journal, &problem))
    return push_problem(L, &problem);
  if (!journal->database.transaction)
    luaL_error(L, "commit: there is no transaction: begin one first");
  return answer(L, avito_database_commit(&journal->database, &problem), &problem);
}

static int rollback(lua_State *L)
{
  struct journal *journal = check_journal(L);
  if (journal->database.handle != NULL)
    avito_database_rollback(&journal->database);
  return 0;
}

/* upvalue 2: the numbers of the statements by their names */
static int run(lua_State *L)
{
  struct journal *journal = check_journal(L);
  struct avito_problem problem = {0};
  luaL_checkstring(L, 2);
  lua_pushvalue(L, 2);
  lua_rawget(L, lua_upvalueindex(2)); /* … number */
  if (lua_isnil(L, -1))
    luaL_error(L, "there is no statement '%s'", lua_tostring(L, 2));
  int statement = (int)lua_tointeger(L, -1);
  lua_pop(L, 1);
  if (!is_open(journal, &problem))
    return push_problem(L, &problem);
  int count = avito_statement_run(L, &journal->database, statement, 3, &problem);
  return count >= 0 ? count : push_problem(L, &problem);
}

/* What is asked of it */

static int changed(lua_State *L)
{
  struct journal *journal = check_journal(L);
  lua_settop(L, 1);
  lua_pushboolean(L, journal->database.handle != NULL && look(L, journal));
  return 1;
}

/* Findings as lines. [-0, +1, m] `rows` is the list integrity_check gave */
static void push_findings(lua_State *L, int rows)
{
  int count = (int)lua_rawlen(L, rows);
  luaL_Buffer buffer;
  luaL_buffinit(L, &buffer);
  for (int i = 1; i <= count; i++) {
    if (i > 1)
      luaL_addchar(&buffer, '\n');
    lua_rawgeti(L, rows, i); /* … row */
    lua_rawgeti(L, -1, 1);   /* … row finding */
    lua_remove(L, -2);       /* … finding */
    luaL_addvalue(&buffer);
  }
  luaL_pushresult(&buffer); /* findings */
}

static int check(lua_State *L)
{
  struct journal *journal = check_journal(L);
  struct avito_problem problem = {0};
  lua_settop(L, 1);
  if (!is_open(journal, &problem) ||
      avito_statement_run(L, &journal->database, AVITO_STATEMENT_check, 2, &problem) < 0) {
    lua_pushnil(L);
    lua_pushstring(L, problem.message);
    lua_pushstring(L, problem.code);
    return 3;
  }
  push_findings(L, 2); /* j rows findings */
  if (strcmp(lua_tostring(L, 3), "ok") == 0)
    return answer(L, true, &problem);
  lua_pushnil(L);
  lua_insert(L, 3); /* j rows nil findings */
  lua_pushliteral(L, "damaged");
  return 3;
}

static lua_Integer check_id(lua_State *L)
{
  lua_Number id = luaL_checknumber(L, 2);
  luaL_argcheck(L, id >= 1 && id <= 9007199254740992.0 && id == (lua_Number)(int64_t)id, 2, "an id from 1 expected");
  return (lua_Integer)id;
}

static int about_owner(lua_State *L, int (*ask)(struct avito_owners *, sqlite3 *, int64_t, struct avito_problem *))
{
  struct journal *journal = check_journal(L);
  struct avito_problem problem = {0};
  lua_Integer id = check_id(L);
  if (!is_open(journal, &problem))
    return push_problem(L, &problem);
  int result = ask(&journal->owners, journal->database.handle, (int64_t)id, &problem);
  if (result < 0)
    return push_problem(L, &problem);
  lua_pushboolean(L, result);
  return 1;
}

static int lock_owner(lua_State *L)
{
  return about_owner(L, avito_owners_lock);
}

static int owner_alive(lua_State *L)
{
  return about_owner(L, avito_owners_alive);
}

static int uptime(lua_State *L)
{
  struct timespec now;
  clock_gettime(CLOCK_BOOTTIME, &now);
  lua_pushnumber(L, (lua_Number)now.tv_sec + (lua_Number)now.tv_nsec / 1e9);
  return 1;
}

static int to_string(lua_State *L)
{
  const struct journal *journal = avito_checkself(L, 1, TYPE);
  lua_pushstring(L, journal->database.handle != NULL ? "journal" : "journal (closed)");
  return 1;
}

/* Each function has the metatable and the names of the statements as its upvalues. [-0, +0, m] `into` is a table */
static void add(lua_State *L, int into, int metatable, const luaL_Reg *functions)
{
  for (; functions->name != NULL; functions++) {
    lua_pushvalue(L, metatable);
    lua_pushvalue(L, metatable + 1); /* … metatable names */
    lua_pushcclosure(L, functions->func, 2);
    lua_setfield(L, into, functions->name);
  }
}

/* The metatable is filled even where it exists: a first attempt may have run out of memory half way. */
int luaopen_avito_messenger_journal(lua_State *L)
{
  static const luaL_Reg functions[] = {{"open", open_}, {NULL, NULL}};
  static const luaL_Reg methods[] = {
      {"begin", begin},
      {"commit", commit},
      {"rollback", rollback},
      {"run", run},
      {"changed", changed},
      {"check", check},
      {"lock_owner", lock_owner},
      {"owner_alive", owner_alive},
      {"uptime", uptime},
      {"close", close_},
      {NULL, NULL},
  };
  static const luaL_Reg hooks[] = {{"__gc", close_}, {"__close", close_}, {"__tostring", to_string}, {NULL, NULL}};
  lua_settop(L, 0);
  lua_newtable(L);               /* journal */
  luaL_newmetatable(L, TYPE);    /* journal metatable */
  avito_statement_push_names(L); /* journal metatable names */
  lua_newtable(L);               /* journal metatable names methods */
  add(L, 1, 2, functions);
  add(L, 4, 2, methods);
  add(L, 2, 2, hooks);
  lua_setfield(L, 2, "__index"); /* journal metatable names */
  lua_pushboolean(L, 0);
  lua_setfield(L, 2, "__metatable");
  lua_pushinteger(L, AVITO_JOURNAL_VERSION);
  lua_setfield(L, 1, "VERSION");
  lua_pushstring(L, sqlite3_libversion());
  lua_setfield(L, 1, "SQLITE");
  lua_settop(L, 1);
  return 1;
}
