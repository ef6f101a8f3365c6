#include "marketplace.h"

static const struct avito_marketplace *const all[] = {&avito_marketplace_avito, &avito_marketplace_yandex};

const struct avito_marketplace *avito_marketplace_find(const char *name)
{
  for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
    if (strcmp(all[i]->name, name) == 0) {
      return all[i];
    }
  }
  return NULL;
}

const struct avito_marketplace *avito_marketplace_at(lua_State *L, int index, const char *where)
{
  if (lua_isnoneornil(L, index)) {
    return all[0];
  }
  const struct avito_marketplace *found = NULL;
  if (lua_type(L, index) == LUA_TSTRING) {
    found = avito_marketplace_find(lua_tostring(L, index));
  }
  if (found == NULL) {
    luaL_error(L, "%s: marketplace must be \"avito\" or \"yandex_market\"", where);
  }
  return found;
}

bool avito_marketplace_refuses(const struct avito_marketplace *marketplace, int status)
{
  return status == marketplace->refusals[0] || status == marketplace->refusals[1];
}
