/* The module avito_messenger.core: everything the client decides, and nothing that touches a socket or a clock. */
#include "endpoints.h"
#include "error.h"
#include "file.h"
#include "image.h"
#include "json_decode.h"
#include "json_pick.h"
#include "operation.h"
#include "secret.h"
#include "session.h"
#include "text.h"

AVITO_EXPORT int luaopen_avito_messenger_core(lua_State *L);

/* core.isyieldable() -> may the running coroutine yield from here? coroutine.isyieldable, which nginx's own coroutines lack. */
static int isyieldable(lua_State *L)
{
  lua_pushboolean(L, lua_isyieldable(L));
  return 1;
}

/* core.has_control(text) -> is there a control character in it: NUL, CR, LF or the like? */
static int has_control(lua_State *L)
{
  size_t length;
  const char *text = luaL_checklstring(L, 1, &length);
  lua_pushboolean(L, avito_has_control(text, length));
  return 1;
}

int luaopen_avito_messenger_core(lua_State *L)
{
  static const luaL_Reg functions[] = {{"session", avito_session_new},
                                       {"endpoints", avito_endpoints_list},
                                       {"isyieldable", isyieldable},
                                       {"has_control", has_control},
                                       {NULL, NULL}};
  lua_newtable(L); /* module */
  luaL_setfuncs(L, functions, 0);
  avito_json_register(L);
  avito_json_pick_register(L);
  avito_image_register(L);
  avito_file_register(L);
  avito_secret_register(L);
  avito_session_register(L);
  avito_operation_register(L);
  avito_call_register(L);
  luaL_newmetatable(L, AVITO_ERROR); /* module metatable */
  lua_setfield(L, -2, "error_metatable");
  return 1; /* module */
}
