/* compat.h - the differences between Lua 5.4 and LuaJIT, in one place.
 *
 * Every C file of the project includes this header instead of lua.h. It offers the Lua 5.4 names the
 * project uses; on LuaJIT (Lua 5.1 API) it supplies those that are missing.
 */
#ifndef AVITO_COMPAT_H
#define AVITO_COMPAT_H

#include <string.h>

#include <lauxlib.h>
#include <lua.h>

/* The one symbol a module exports; everything else is hidden. */
#define AVITO_EXPORT __attribute__((visibility("default")))

/* A userdata owns at most one Lua table here: its user value on 5.4, its environment on LuaJIT.
 * avito_newuserdata: [-0, +1, m]; the block is zeroed, so all-zero must be the empty state.
 * avito_setowned:    [-1, +0, -] pops a table and makes it the one the userdata at `index` owns.
 * avito_getowned:    [-0, +1, -] pushes that table (nil on 5.4, the globals on LuaJIT, before the first set). */
static inline void *avito_newuserdata(lua_State *L, size_t size);
static inline void avito_setowned(lua_State *L, int index);
static inline void avito_getowned(lua_State *L, int index);

/* A zeroed userdata with Lua values of its own, numbered from 1, nil at first.
 * avito_newobject: [-0, +1, m]    avito_getslot: [-0, +1, -]    avito_setslot: [-1, +0, m] */
static inline void *avito_newobject(lua_State *L, size_t size, int slots);
static inline void avito_getslot(lua_State *L, int index, int slot);
static inline void avito_setslot(lua_State *L, int index, int slot);

#if LUA_VERSION_NUM < 502

#define LUA_OK     0
#define lua_rawlen lua_objlen

static inline int lua_absindex(lua_State *L, int index)
{
  return (index > 0 || index <= LUA_REGISTRYINDEX) ? index : lua_gettop(L) + index + 1;
}

static inline int lua_isinteger(lua_State *L, int index)
{
  (void)L;
  (void)index;
  return 0;
}

static inline void avito_setowned(lua_State *L, int index)
{
  lua_setfenv(L, index);
}

static inline void avito_getowned(lua_State *L, int index)
{
  lua_getfenv(L, index);
}

static inline void *avito_newobject(lua_State *L, size_t size, int slots)
{
  void *block = avito_newuserdata(L, size); /* object */
  lua_createtable(L, slots, 0);             /* object table */
  lua_setfenv(L, -2);                       /* object */
  return block;
}

static inline void avito_getslot(lua_State *L, int index, int slot)
{
  lua_getfenv(L, index);    /* table */
  lua_rawgeti(L, -1, slot); /* table value */
  lua_remove(L, -2);        /* value */
}

static inline void avito_setslot(lua_State *L, int index, int slot)
{
  lua_getfenv(L, index);    /* value table */
  lua_insert(L, -2);        /* table value */
  lua_rawseti(L, -2, slot); /* table */
  lua_pop(L, 1);            /* - */
}

#else

static inline void avito_setowned(lua_State *L, int index)
{
  lua_setuservalue(L, index);
}

static inline void avito_getowned(lua_State *L, int index)
{
  lua_getuservalue(L, index);
}

static inline void *avito_newobject(lua_State *L, size_t size, int slots)
{
  void *block = lua_newuserdatauv(L, size, slots);
  memset(block, 0, size);
  return block;
}

static inline void avito_getslot(lua_State *L, int index, int slot)
{
  lua_getiuservalue(L, index, slot);
}

static inline void avito_setslot(lua_State *L, int index, int slot)
{
  lua_setiuservalue(L, index, slot);
}

#endif

/* The userdata at `index`, for a method whose first upvalue is the metatable of its type; raises for anything else.
 * Several times as fast as luaL_checkudata, which looks the metatable up by its name. */
static inline void *avito_checkself(lua_State *L, int index, const char *type)
{
  if (lua_getmetatable(L, index)) { /* metatable */
    int same = lua_rawequal(L, -1, lua_upvalueindex(1));
    lua_pop(L, 1); /* - */
    if (same) {
      return lua_touserdata(L, index);
    }
  }
  return luaL_checkudata(L, index, type);
}

static inline void *avito_newuserdata(lua_State *L, size_t size)
{
  void *block = lua_newuserdata(L, size);
  memset(block, 0, size);
  return block;
}

#endif
