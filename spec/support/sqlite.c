/* sqlite.c - spec_support.sqlite: SQLite as it is, for specs that look behind the journal.
 *
 *   sqlite.run(path, sql)    -> the rows of all statements, each a list of strings; raises what SQLite says
 *   sqlite.allow(bytes)      lets SQLite have so much more memory than it has now; nil: as much as it wants */
#include <sqlite3.h>

#include "compat.h"

AVITO_EXPORT int luaopen_spec_support_sqlite(lua_State *L);

/* [-0, +1, m] */
static int push_row(void *state, int columns, char **values, char **names)
{
  lua_State *L = state;
  (void)names;
  lua_createtable(L, columns, 0); /* rows row */
  for (int i = 0; i < columns; i++) {
    lua_pushstring(L, values[i]);
    lua_rawseti(L, -2, i + 1);
  }
  lua_rawseti(L, -2, (int)lua_rawlen(L, -2) + 1); /* rows */
  return 0;
}

static int run(lua_State *L)
{
  const char *path = luaL_checkstring(L, 1);
  const char *sql = luaL_checkstring(L, 2);
  sqlite3 *handle;
  lua_newtable(L); /* path sql rows */
  int result = sqlite3_open(path, &handle);
  if (result == SQLITE_OK)
    result = sqlite3_exec(handle, sql, push_row, L, NULL);
  if (result != SQLITE_OK)
    lua_pushstring(L, sqlite3_errmsg(handle));
  sqlite3_close(handle);
  return result == SQLITE_OK ? 1 : lua_error(L);
}

static int allow(lua_State *L)
{
  sqlite3_int64 limit = lua_isnoneornil(L, 1) ? 0 : sqlite3_memory_used() + 1 + (sqlite3_int64)luaL_checknumber(L, 1);
  sqlite3_hard_heap_limit64(limit);
  return 0;
}

int luaopen_spec_support_sqlite(lua_State *L)
{
  static const luaL_Reg functions[] = {{"run", run}, {"allow", allow}, {NULL, NULL}};
  lua_newtable(L);
  luaL_setfuncs(L, functions, 0);
  return 1;
}
