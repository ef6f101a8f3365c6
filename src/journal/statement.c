/* statement.c - the statements by name, their parameters and what they give. */
#include <errno.h>

#include "journal.h"

enum kind { EXEC, ROW, ROWS };

static const struct {
  const char *name;
  enum kind kind;
  const char *sql;
} known[] = {
#define STATEMENT(name, kind, sql) {#name, kind, sql},
#include "statements.def"
#undef STATEMENT
};

void avito_statement_push_names(lua_State *L)
{
  lua_createtable(L, 0, AVITO_STATEMENTS); /* names */
  for (int i = 0; i < AVITO_STATEMENTS; i++) {
    lua_pushinteger(L, i);
    lua_setfield(L, -2, known[i].name);
  }
}

/* A column of integers makes an integer of 5.0, which is all that LuaJIT has; NaN would become NULL. */
static void bind_number(lua_State *L, sqlite3_stmt *statement, int parameter, int index)
{
  lua_Number number = lua_tonumber(L, index);
  luaL_argcheck(L, number == number, index, "a number expected, got NaN");
  if (lua_isinteger(L, index))
    sqlite3_bind_int64(statement, parameter, (int64_t)lua_tointeger(L, index));
  else
    sqlite3_bind_double(statement, parameter, number);
}

/* Strings are bound as they lie: they are on the stack as long as the statement runs. */
static void bind(lua_State *L, sqlite3_stmt *statement, int parameter, int index)
{
  size_t length;
  const char *text;
  switch (lua_type(L, index)) {
  case LUA_TNIL:
    sqlite3_bind_null(statement, parameter);
    break;
  case LUA_TBOOLEAN:
    sqlite3_bind_int(statement, parameter, lua_toboolean(L, index));
    break;
  case LUA_TNUMBER:
    bind_number(L, statement, parameter, index);
    break;
  case LUA_TSTRING:
    text = lua_tolstring(L, index, &length);
    sqlite3_bind_text64(statement, parameter, text, length, SQLITE_STATIC, SQLITE_UTF8);
    break;
  default:
    luaL_argerror(L, index, "nil, boolean, number or string expected");
  }
}

static void push_column(lua_State *L, sqlite3_stmt *statement, int column)
{
  const char *text;
  switch (sqlite3_column_type(statement, column)) {
  case SQLITE_INTEGER:
    lua_pushinteger(L, (lua_Integer)sqlite3_column_int64(statement, column));
    break;
  case SQLITE_FLOAT:
    lua_pushnumber(L, sqlite3_column_double(statement, column));
    break;
  case SQLITE_NULL:
    lua_pushnil(L);
    break;
  default:
    text = sqlite3_column_blob(statement, column);
    lua_pushlstring(L, text != NULL ? text : "", (size_t)sqlite3_column_bytes(statement, column));
  }
}

/* [-0, +1, m] */
static void push_row(lua_State *L, sqlite3_stmt *statement)
{
  int columns = sqlite3_column_count(statement);
  lua_createtable(L, columns, 0); /* row */
  for (int i = 0; i < columns; i++) {
    push_column(L, statement, i);
    lua_rawseti(L, -2, i + 1);
  }
}

/* [-0, +n, m] Steps to the end; *result is how that was. Returns n. */
static int step(lua_State *L, sqlite3_stmt *statement, enum kind kind, int *result)
{
  int count = 0;
  if (kind == ROWS)
    lua_newtable(L); /* rows */
  while ((*result = sqlite3_step(statement)) == SQLITE_ROW) {
    if (kind == ROWS) {
      push_row(L, statement);
      lua_rawseti(L, -2, ++count);
    } else {
      count = sqlite3_column_count(statement);
      for (int i = 0; i < count; i++)
        push_column(L, statement, i);
    }
  }
  if (kind == EXEC)
    lua_pushinteger(L, sqlite3_changes(sqlite3_db_handle(statement)));
  return kind == ROW ? count : 1;
}

static int prepare(struct avito_database *database, int statement)
{
  if (database->statements[statement] != NULL)
    return SQLITE_OK;
  return sqlite3_prepare_v3(database->handle, known[statement].sql, -1, SQLITE_PREPARE_PERSISTENT,
                            &database->statements[statement], NULL);
}

/* What cannot be done is the caller's fault or the world's; either way a transaction ends with it. */
static int fail(lua_State *L, struct avito_database *database, int statement, int result, struct avito_problem *problem)
{
  avito_problem_of(problem, database->handle, result);
  avito_database_break(database, problem);
  if (avito_problem_is_misuse(result))
    luaL_error(L, "%s: %s", known[statement].name, problem->message);
  return -1;
}

int avito_statement_run(lua_State *L, struct avito_database *database, int statement, int first,
                        struct avito_problem *problem)
{
  const char *name = known[statement].name;
  int given = lua_gettop(L) - first + 1;
  avito_database_calm(database);
  if (database->broken.code != NULL) {
    *problem = database->broken;
    return -1;
  }
  errno = 0;
  int result = prepare(database, statement);
  if (result != SQLITE_OK)
    return fail(L, database, statement, result, problem);
  sqlite3_stmt *prepared = database->statements[statement];
  int wanted = sqlite3_bind_parameter_count(prepared);
  if (given != wanted)
    luaL_error(L, "%s takes %d parameters, got %d", name, wanted, given);
  if (!database->transaction && !sqlite3_stmt_readonly(prepared))
    luaL_error(L, "%s writes: begin a transaction first", name);
  for (int i = 0; i < given; i++)
    bind(L, prepared, i + 1, first + i);

  if (!database->transaction)
    avito_database_be_patient(database, AVITO_JOURNAL_PATIENCE);
  database->running = prepared;
  int count = step(L, prepared, known[statement].kind, &result);
  if (result != SQLITE_DONE)
    return fail(L, database, statement, result, problem);
  avito_database_calm(database);
  return count;
}
