/* module.h - what the files of avito_messenger.curl offer to Lua. */
#ifndef AVITO_CURL_MODULE_H
#define AVITO_CURL_MODULE_H

#include "compat.h"

int avito_easy_new(lua_State *L);
int avito_multi_new(lua_State *L);
int avito_signals_new(lua_State *L);
int avito_interrupts_new(lua_State *L);

/* Makes the metatable of a type. Its functions have it as their first upvalue, for avito_checkself; programs cannot reach it:
 * nobody calls __gc on what is in use. Both lists end with {NULL, NULL}. [-0, +0, m] */
void avito_register(lua_State *L, const char *type, const luaL_Reg *methods, const luaL_Reg *events);

/* Make the metatables; called once when the module is loaded. [-0, +0, m] */
void avito_easy_register(lua_State *L);
void avito_multi_register(lua_State *L);
void avito_signals_register(lua_State *L);

#endif
