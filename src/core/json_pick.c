/* json_pick.c - see json_pick.h. */
#include "json_pick.h"

#include <stdbool.h>
#include <string.h>

#include "json_decode.h"

enum { MAX_PATHS = 16, ROOT = -1 };

struct path {
  const char *text; /* a string of the picker's table */
  size_t length;
  const char *name; /* its last word, to its end */
  uint32_t size;
  int parent; /* the path it lies in; ROOT: none */
  bool inner; /* others lie in it */
};

/* It owns a table, of the paths' strings. */
struct picker {
  int count;
  struct path paths[MAX_PATHS];
};

struct search {
  const struct picker *picker;
  const struct avito_json_build *build;
  const struct avito_json_token *found[MAX_PATHS]; /* NULL: not there */
};

/* -- looking ------------------------------------------------------------------------------------------------------- */

/* What follows a value. */
static const struct avito_json_token *skip(const struct avito_json_token *token)
{
  for (uint64_t left = 1; left > 0; --left, ++token) {
    if (token->kind == AVITO_JSON_ARRAY)
      left += token->size;
    else if (token->kind == AVITO_JSON_OBJECT)
      left += 2 * ((uint64_t)token->size + token->as.table.nulls);
  }
  return token;
}

/* The path of the member of that name, or ROOT. */
static int path_of(const struct search *search, int parent, const struct avito_json_token *name)
{
  const struct picker *picker = search->picker;
  const char *text = name->as.text;
  size_t size = name->size;
  if (name->kind == AVITO_JSON_ESCAPED) {
    size = avito_json_unescape(name, search->build->unescaped);
    text = search->build->unescaped;
  }
  for (int i = parent + 1; i < picker->count; ++i) {
    const struct path *path = &picker->paths[i];
    if (path->parent == parent && path->size == size && memcmp(path->name, text, size) == 0)
      return i;
  }
  return ROOT;
}

/* A member of the same name came before: what lies in it does not count. Recurses as deep as paths lie in each other. */
static void forget(struct search *search, int outer)
{
  for (int i = outer + 1; i < search->picker->count; ++i) {
    if (search->picker->paths[i].parent != outer)
      continue;
    search->found[i] = NULL;
    forget(search, i);
  }
}

/* Notes the members of the object `token` that are looked for; returns what follows it. Recurses like `forget`. */
static const struct avito_json_token *look(struct search *search, int parent, const struct avito_json_token *token)
{
  uint64_t members = (uint64_t)token->size + token->as.table.nulls;
  ++token;
  for (; members > 0; --members) {
    int path = path_of(search, parent, token);
    ++token;
    if (path != ROOT) {
      if (search->found[path] != NULL)
        forget(search, path);
      search->found[path] = token;
    }
    if (path != ROOT && token->kind == AVITO_JSON_OBJECT && search->picker->paths[path].inner)
      token = look(search, path, token);
    else
      token = skip(token);
  }
  return token;
}

/* [-0, +1, m] */
static void push_found(const struct search *search, int path)
{
  lua_State *L = search->build->L;
  const struct avito_json_token *token = search->found[path];
  if (token == NULL)
    lua_pushnil(L);
  else if (token->kind == AVITO_JSON_OBJECT || token->kind == AVITO_JSON_ARRAY)
    lua_pushvalue(L, lua_upvalueindex(3));
  else
    avito_json_push(search->build, token);
}

/* pick(text); upvalues: a picker, a decoder, the table that stands for all others */
static int pick(lua_State *L)
{
  struct avito_json_build build;
  struct avito_json_error error;
  size_t length;
  luaL_checktype(L, 1, LUA_TSTRING);
  const char *text = lua_tolstring(L, 1, &length);
  struct search search = {.picker = lua_touserdata(L, lua_upvalueindex(1)), .build = &build};
  if (!avito_json_begin(L, lua_upvalueindex(2), text, length, NULL, &build, &error)) {
    lua_pushnil(L);
    avito_json_push_error(L, text, &error); /* nil message */
    return 2;
  }
  if (build.value->kind == AVITO_JSON_OBJECT)
    look(&search, ROOT, build.value);
  luaL_checkstack(L, MAX_PATHS + 8, "JSON"); /* no table is made */
  lua_pushboolean(L, 1);
  for (int i = 0; i < search.picker->count; ++i)
    push_found(&search, i);
  avito_json_end(&build); /* true value ... */
  return 1 + search.picker->count;
}

/* -- making -------------------------------------------------------------------------------------------------------- */

/* The path, in whose name `length` bytes are, that was added before; or ROOT. */
static int outer_of(const struct picker *picker, const char *text, size_t length)
{
  for (int i = 0; i < picker->count; ++i)
    if (picker->paths[i].length == length && memcmp(picker->paths[i].text, text, length) == 0)
      return i;
  return ROOT;
}

/* Adds the string on top of the stack. [-0, +0, m] */
static void add_path(lua_State *L, struct picker *picker)
{
  luaL_argcheck(L, lua_type(L, -1) == LUA_TSTRING, 1, "paths must be strings");
  struct path path = {.parent = ROOT};
  path.text = path.name = lua_tolstring(L, -1, &path.length);
  const char *dot = strrchr(path.text, '.');
  if (dot != NULL) {
    path.parent = outer_of(picker, path.text, (size_t)(dot - path.text));
    if (path.parent == ROOT) {
      luaL_argerror(L, 1, lua_pushfstring(L, "what '%s' lies in must stand before it", path.text));
      return;
    }
    picker->paths[path.parent].inner = true;
    path.name = dot + 1;
  }
  path.size = (uint32_t)(path.text + path.length - path.name);
  picker->paths[picker->count++] = path;
}

static int new_picker(lua_State *L)
{
  luaL_checktype(L, 1, LUA_TTABLE);
  int count = (int)lua_rawlen(L, 1);
  luaL_argcheck(L, count >= 1 && count <= MAX_PATHS, 1, "1 to 16 paths expected");
  lua_settop(L, 1);
  struct picker *picker = avito_newuserdata(L, sizeof *picker);
  lua_createtable(L, count, 0); /* paths picker owned */
  for (int i = 1; i <= count; ++i) {
    lua_rawgeti(L, 1, i);
    add_path(L, picker);
    lua_rawseti(L, 3, i);
  }
  avito_setowned(L, 2);
  avito_json_new(L);
  lua_newtable(L); /* paths picker decoder table */
  lua_pushcclosure(L, pick, 3);
  return 1;
}

void avito_json_pick_register(lua_State *L)
{
  lua_pushcfunction(L, new_picker);
  lua_setfield(L, -2, "picker");
}
