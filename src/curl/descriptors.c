#include "descriptors.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define MAX_DESCRIPTORS ((size_t)1 << 16)

static bool flag(lua_State *L, int index, const char *field)
{
  bool set;

  lua_pushstring(L, field);
  lua_rawget(L, index);
  set = lua_toboolean(L, -1);
  lua_pop(L, 1);
  return set;
}

static void reserve(lua_State *L, struct avito_descriptors *descriptors, size_t count)
{
  struct curl_waitfd *asked;
  struct pollfd *seen;

  if (count > MAX_DESCRIPTORS)
    luaL_error(L, "too many descriptors");
  if (count <= descriptors->capacity)
    return;
  asked = realloc(descriptors->asked, count * sizeof *asked);
  if (asked)
    descriptors->asked = asked;
  seen = realloc(descriptors->seen, count * sizeof *seen);
  if (seen)
    descriptors->seen = seen;
  if (!asked || !seen)
    luaL_error(L, "not enough memory");
  descriptors->capacity = count;
}

static void read_entry(lua_State *L, struct avito_descriptors *descriptors, size_t i)
{
  struct curl_waitfd *asked = &descriptors->asked[i];
  struct pollfd *seen = &descriptors->seen[i];
  int entry = lua_gettop(L);
  int position = (int)i + 1;

  memset(asked, 0, sizeof *asked);
  memset(seen, 0, sizeof *seen);
  if (!lua_istable(L, entry))
    luaL_error(L, "fds[%d]: table expected, got %s", position, luaL_typename(L, entry));
  lua_pushliteral(L, "fd");
  lua_rawget(L, entry);
  if (lua_type(L, -1) != LUA_TNUMBER || lua_tonumber(L, -1) < 0)
    luaL_error(L, "fds[%d].fd: descriptor expected, got %s", position, luaL_typename(L, -1));
  asked->fd = seen->fd = (int)lua_tointeger(L, -1);
  lua_pop(L, 1);
  if (flag(L, entry, "read")) {
    asked->events |= CURL_WAIT_POLLIN;
    seen->events |= POLLIN;
  }
  if (flag(L, entry, "write")) {
    asked->events |= CURL_WAIT_POLLOUT;
    seen->events |= POLLOUT;
  }
}

void avito_descriptors_read(lua_State *L, struct avito_descriptors *descriptors, int index)
{
  size_t count = lua_istable(L, index) ? lua_rawlen(L, index) : 0;

  descriptors->count = 0;
  reserve(L, descriptors, count);
  for (size_t i = 0; i < count; i++) {
    lua_rawgeti(L, index, (int)i + 1); /* ... entry */
    read_entry(L, descriptors, i);
    lua_pop(L, 1); /* ... */
  }
  descriptors->count = count;
}

static void set_flag(lua_State *L, int index, const char *field, bool value)
{
  lua_pushstring(L, field);
  lua_pushboolean(L, value);
  lua_rawset(L, index);
}

void avito_descriptors_report(lua_State *L, struct avito_descriptors *descriptors, int index)
{
  const short broken = POLLERR | POLLHUP | POLLNVAL; /* whoever reads or writes learns the rest */

  if (descriptors->count == 0)
    return;
  if (poll(descriptors->seen, (nfds_t)descriptors->count, 0) < 0)
    return;
  for (size_t i = 0; i < descriptors->count; i++) {
    const struct pollfd *seen = &descriptors->seen[i];
    bool ended = (seen->revents & broken) != 0;
    lua_rawgeti(L, index, (int)i + 1); /* ... entry */
    if (lua_istable(L, -1)) {
      int entry = lua_gettop(L);
      set_flag(L, entry, "readable", (seen->events & POLLIN) && (ended || (seen->revents & POLLIN)));
      set_flag(L, entry, "writable", (seen->events & POLLOUT) && (ended || (seen->revents & POLLOUT)));
    }
    lua_pop(L, 1); /* ... */
  }
}

void avito_descriptors_free(struct avito_descriptors *descriptors)
{
  free(descriptors->asked);
  free(descriptors->seen);
  memset(descriptors, 0, sizeof *descriptors);
}
