/* matcher.c - Lua: an index of patterns. The userdata owns its memory. */
#include "index.h"
#include "text.h"

static const char type_name[] = "avito_messenger.text.index";

/* [-0, +0, v] */
static struct avito_index *check_index(lua_State *L)
{
  struct avito_index *index = avito_checkself(L, 1, type_name);
  if (!index->ready)
    luaL_error(L, "the index is closed");
  return index;
}

/* ---- building ---- */

/* The caller's tables may change under us whenever a finalizer runs: copies take their place on the stack, and keep the
 * strings that are read from them alive. Both return how many there are. [-0, +0, v] */
static size_t own_patterns(lua_State *L)
{
  luaL_checktype(L, 1, LUA_TTABLE);
  size_t count = lua_rawlen(L, 1);
  luaL_argcheck(L, count <= AVITO_INDEX_PATTERNS, 1,
                "at most " AVITO_DIGITS(AVITO_INDEX_PATTERNS) " patterns expected");
  lua_createtable(L, (int)count, 0); /* patterns concepts own */
  for (int i = 1; i <= (int)count; i++) {
    lua_rawgeti(L, 1, i); /* patterns concepts own pattern */
    if (lua_type(L, -1) != LUA_TSTRING)
      luaL_error(L, "pattern %d must be a string, got %s", i, luaL_typename(L, -1));
    lua_rawseti(L, -2, i);
  }
  lua_replace(L, 1);
  return count;
}

static size_t own_concepts(lua_State *L)
{
  size_t count = 0;
  if (lua_isnil(L, 2)) {
    lua_newtable(L);
    lua_replace(L, 2);
    return 0;
  }
  luaL_checktype(L, 2, LUA_TTABLE);
  lua_newtable(L); /* patterns concepts own */
  lua_pushnil(L);
  while (lua_next(L, 2) != 0) { /* patterns concepts own name pattern */
    if (lua_type(L, -2) != LUA_TSTRING)
      luaL_error(L, "the name of a concept must be a string, got %s", luaL_typename(L, -2));
    if (lua_type(L, -1) != LUA_TSTRING)
      luaL_error(L, "concept '%s' must be a string, got %s", lua_tostring(L, -2), luaL_typename(L, -1));
    lua_pushvalue(L, -2);
    lua_insert(L, -2); /* patterns concepts own name name pattern */
    lua_rawset(L, 3);  /* patterns concepts own name */
    count++;
  }
  luaL_argcheck(L, count <= AVITO_INDEX_CONCEPTS, 2,
                "at most " AVITO_DIGITS(AVITO_INDEX_CONCEPTS) " concepts expected");
  lua_replace(L, 2);
  return count;
}

static void read_source(lua_State *L, int index, struct avito_source *source)
{
  source->text = lua_tolstring(L, index, &source->length);
}

/* Room for strings, in a userdata that is pushed. [-0, +1, m] */
static struct avito_source *new_sources(lua_State *L, size_t count)
{
  return lua_newuserdata(L, (count > 0 ? count : 1) * sizeof(struct avito_source));
}

/* Fills `sources` with the patterns at 1, which keeps them. */
static void take_patterns(lua_State *L, struct avito_source *sources, size_t count)
{
  for (size_t i = 0; i < count; i++) {
    lua_rawgeti(L, 1, (int)i + 1); /* pattern */
    read_source(L, -1, &sources[i]);
    lua_pop(L, 1);
  }
}

/* Fills both with the concepts at 2, which keeps them. */
static void take_concepts(lua_State *L, struct avito_source *names, struct avito_source *sources)
{
  lua_pushnil(L);
  for (size_t i = 0; lua_next(L, 2) != 0; i++) { /* name pattern */
    read_source(L, -2, &names[i]);
    read_source(L, -1, &sources[i]);
    lua_pop(L, 1); /* name */
  }
}

/* Adds to the message on top of the stack the name that was probably meant: words.unknown() tells. [-1, +1, e] */
static void add_nearest(lua_State *L, const struct avito_source *unknown)
{
  lua_getglobal(L, "require");
  lua_pushliteral(L, "avito_messenger.words");
  lua_call(L, 1, 1);                                  /* message words */
  lua_getfield(L, -1, "unknown");                     /* message words function */
  lua_pushlstring(L, unknown->text, unknown->length); /* message words function name */
  lua_getfield(L, -3, "names");
  lua_pushvalue(L, 2);
  lua_call(L, 1, 1); /* message words function name names */
  lua_pushliteral(L, "concept");
  lua_call(L, 3, 1); /* message words better */
  lua_replace(L, -3);
  lua_pop(L, 1); /* better */
}

/* Pushes nil and the problem as a table. [-0, +2, e] */
static int push_problem(lua_State *L, const struct avito_problem *problem, const struct avito_culprit *culprit,
                        const struct avito_source *names)
{
  lua_pushnil(L);
  lua_newtable(L); /* nil problem */
  lua_pushstring(L, problem->message);
  if (problem->unknown.length > 0)
    add_nearest(L, &problem->unknown);
  lua_setfield(L, -2, "message");
  lua_pushinteger(L, (lua_Integer)problem->column);
  lua_setfield(L, -2, "column");
  if (culprit->concept) {
    lua_pushlstring(L, names[culprit->number].text, names[culprit->number].length);
    lua_setfield(L, -2, "concept");
  } else {
    lua_pushinteger(L, (lua_Integer)culprit->number + 1);
    lua_setfield(L, -2, "pattern");
  }
  return 2;
}

/* Lua: text.index(patterns [, concepts]) -> index | nil, problem. upvalue 1: metatable of indexes */
static int new_index(lua_State *L)
{
  lua_settop(L, 2);
  size_t patterns_count = own_patterns(L);
  size_t concepts_count = own_concepts(L);
  struct avito_index *index = avito_newuserdata(L, sizeof *index); /* patterns concepts index */
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_setmetatable(L, 3);
  struct avito_source *patterns = new_sources(L, patterns_count);
  struct avito_source *names = new_sources(L, concepts_count);
  struct avito_source *sources = new_sources(L, concepts_count);
  take_patterns(L, patterns, patterns_count);
  take_concepts(L, names, sources);

  struct avito_problem problem;
  struct avito_culprit culprit;
  index->memory.allocate = lua_getallocf(L, &index->memory.context);
  switch (avito_index_build(index, patterns, patterns_count, names, sources, concepts_count, &culprit, &problem)) {
  case AVITO_BUILT:
    lua_pushvalue(L, 3);
    return 1;
  case AVITO_BAD_PATTERN:
    avito_index_free(index);
    return push_problem(L, &problem, &culprit, names);
  default:
    avito_index_free(index);
    return luaL_error(L, "not enough memory");
  }
}

/* ---- matching ---- */

/* Empties a list from `from` on. */
static void clear_from(lua_State *L, int list, size_t from)
{
  for (size_t i = lua_rawlen(L, list); i >= from; i--) {
    lua_pushnil(L);
    lua_rawseti(L, list, (int)i);
  }
}

/* Lua: index:match(s [, into]) -> list of numbers, ascending */
static int match(lua_State *L)
{
  struct avito_index *index = check_index(L);
  size_t length;
  const char *text = luaL_checklstring(L, 2, &length);
  bool fresh = lua_isnoneornil(L, 3);
  if (!fresh)
    luaL_checktype(L, 3, LUA_TTABLE);
  lua_settop(L, 3);
  /* From here on no finalizer runs that might match, too: only a new table may call one. */
  if (fresh) {
    lua_createtable(L, 4, 0);
    lua_replace(L, 3);
  }
  size_t count = avito_index_match(index, text, length);
  for (size_t i = 0; i < count; i++) {
    lua_pushinteger(L, (lua_Integer)((const uint32_t *)index->scratch.matched.items)[i] + 1);
    lua_rawseti(L, 3, (int)i + 1);
  }
  if (!fresh)
    clear_from(L, 3, count + 1);
  return 1;
}

/* ---- why ---- */

static void add_literal(luaL_Buffer *buffer, const struct avito_index *index, uint32_t number)
{
  const struct avito_known *known = avito_known_at(index, number);
  avito_text_add_points(buffer, avito_points_of(index, known), known->length);
  if (known->prefix)
    luaL_addchar(buffer, '*');
}

/* As it is written in a pattern. [-0, +1, m] */
static void push_test(lua_State *L, const struct avito_index *index, const struct avito_test *test, const char *sign)
{
  luaL_Buffer buffer;
  luaL_buffinit(L, &buffer);
  luaL_addstring(&buffer, sign);
  if (test->words == 0) {
    const struct avito_owner *concept = avito_owner_at(index, test->first);
    luaL_addchar(&buffer, '~');
    luaL_addlstring(&buffer, concept->name.text, concept->name.length);
  }
  if (test->words > 1)
    luaL_addchar(&buffer, '"');
  for (uint32_t i = 0; i < test->words; i++) {
    if (i > 0)
      luaL_addchar(&buffer, ' ');
    add_literal(&buffer, index, *avito_reference_at(index, test->first + i));
  }
  if (test->words > 1)
    luaL_addchar(&buffer, '"');
  luaL_pushresult(&buffer);
}

/* [-0, +0, m] sets result.words, of the table of all words at `all` */
static void set_words(lua_State *L, int result, int all, const bool *marks)
{
  lua_newtable(L); /* words */
  int number = 0;
  for (int i = 0; i < AVITO_MESSAGE_WORDS; i++)
    if (marks[i]) {
      lua_rawgeti(L, all, i + 1);
      lua_rawseti(L, -2, ++number);
    }
  lua_setfield(L, result, "words");
}

/* Lua: index:why(s, i) -> { matched =, alternative =, words = {...}, missing =, excluded = } */
static int why(lua_State *L)
{
  struct avito_index *index = check_index(L);
  size_t length;
  const char *text = luaL_checklstring(L, 2, &length);
  lua_Number number = luaL_checknumber(L, 3);
  luaL_argcheck(L, number >= 1 && number <= index->patterns && number == (lua_Number)(uint32_t)number, 3,
                "the number of a pattern expected");
  lua_settop(L, 3);
  lua_pushcfunction(L, avito_text_words);
  lua_pushvalue(L, 2);
  lua_call(L, 1, 1);                                     /* index text number all */
  bool *marks = lua_newuserdata(L, AVITO_MESSAGE_WORDS); /* index text number all marks */
  lua_newtable(L);                                       /* index text number all marks result */
  struct avito_why decided;
  avito_index_why(index, text, length, (uint32_t)number - 1, &decided, marks);

  const struct avito_clause *clause = avito_clause_at(index, decided.clause);
  lua_pushboolean(L, decided.matched);
  lua_setfield(L, 6, "matched");
  lua_pushlstring(L, avito_owner_at(index, clause->owner)->source.text + clause->from, clause->to - clause->from);
  lua_setfield(L, 6, "alternative");
  set_words(L, 6, 4, marks);
  if (decided.guard != AVITO_NONE) {
    luaL_Buffer buffer;
    luaL_buffinit(L, &buffer);
    luaL_addchar(&buffer, '-');
    add_literal(&buffer, index, decided.guard);
    luaL_pushresult(&buffer);
    lua_setfield(L, 6, "excluded");
  } else if (decided.missing != AVITO_NONE) {
    push_test(L, index, avito_test_at(index, decided.missing), "");
    lua_setfield(L, 6, "missing");
  } else if (decided.excluded != AVITO_NONE) {
    push_test(L, index, avito_test_at(index, decided.excluded), "-");
    lua_setfield(L, 6, "excluded");
  }
  return 1;
}

/* ---- the type ---- */

static int close_index(lua_State *L)
{
  struct avito_index *index = luaL_checkudata(L, 1, type_name);
  index->memory.allocate = lua_getallocf(L, &index->memory.context); /* the state may have another by now */
  avito_index_free(index);
  return 0;
}

static int index_tostring(lua_State *L)
{
  const struct avito_index *index = luaL_checkudata(L, 1, type_name);
  lua_pushfstring(L, "index of %d patterns", (int)index->patterns);
  return 1;
}

void avito_text_add_index(lua_State *L)
{
  static const luaL_Reg methods[] = {{"match", match}, {"why", why}, {NULL, NULL}};
  static const luaL_Reg events[] = {
      {"__gc", close_index}, {"__close", close_index}, {"__tostring", index_tostring}, {NULL, NULL}};
  luaL_newmetatable(L, type_name); /* metatable */
  luaL_setfuncs(L, events, 0);
  lua_pushstring(L, type_name);
  lua_setfield(L, -2, "__name");
  lua_newtable(L);              /* metatable methods */
  lua_pushvalue(L, -2);         /* metatable methods metatable */
  luaL_setfuncs(L, methods, 1); /* metatable methods */
  lua_setfield(L, -2, "__index");
  lua_pushboolean(L, 0);
  lua_setfield(L, -2, "__metatable");
  lua_pushcclosure(L, new_index, 1); /* index */
  lua_setfield(L, -2, "index");
}
