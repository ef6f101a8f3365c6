/* text.c - Lua: the words of the bot's rules. */
#include <utf8proc.h>

#include "text.h"

AVITO_EXPORT int luaopen_avito_messenger_text(lua_State *L);

int luaopen_avito_messenger_text(lua_State *L)
{
  lua_newtable(L); /* text */
  lua_pushstring(L, utf8proc_version());
  lua_setfield(L, -2, "utf8proc");
  return 1;
}
