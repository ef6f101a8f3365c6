/* text.c - Lua: the module of words, patterns and what is written in a message. */
#include "finders.h"
#include "text.h"

AVITO_EXPORT int luaopen_avito_messenger_text(lua_State *L);

static const luaL_Reg functions[] = {
    {"fold", avito_text_fold},       {"words", avito_text_words},
    {"numbers", avito_text_numbers}, {"phones", avito_text_phones},
    {"links", avito_text_links},     {"length", avito_text_length},
    {"split", avito_text_split},     {NULL, NULL},
};

int luaopen_avito_messenger_text(lua_State *L)
{
  lua_newtable(L); /* text */
  for (const luaL_Reg *entry = functions; entry->name != NULL; entry++) {
    lua_pushcfunction(L, entry->func);
    lua_setfield(L, -2, entry->name);
  }
  avito_text_add_index(L);
  return 1;
}
