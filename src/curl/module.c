/* avito_messenger.curl - the only module that knows libcurl. */
#include "module.h"

AVITO_EXPORT int luaopen_avito_messenger_curl(lua_State *L);

void avito_register(lua_State *L, const char *type, const luaL_Reg *methods, const luaL_Reg *events)
{
  luaL_newmetatable(L, type); /* meta */
  lua_pushvalue(L, -1);
  luaL_setfuncs(L, events, 1);
  lua_newtable(L);
  lua_pushvalue(L, -2);
  luaL_setfuncs(L, methods, 1); /* meta methods */
  lua_setfield(L, -2, "__index");
  lua_pushboolean(L, 0);
  lua_setfield(L, -2, "__metatable");
  lua_pop(L, 1);
}

int luaopen_avito_messenger_curl(lua_State *L)
{
  static const luaL_Reg functions[] = {{"easy", avito_easy_new},
                                       {"multi", avito_multi_new},
                                       {"signals", avito_signals_new},
                                       {"interrupts", avito_interrupts_new},
                                       {NULL, NULL}};

  avito_easy_register(L);
  avito_multi_register(L);
  avito_signals_register(L);
  lua_newtable(L);
  luaL_setfuncs(L, functions, 0);
  return 1;
}
