#include "endpoints.h"

#include "marketplace.h"

const struct avito_endpoint *avito_endpoint_find(const struct avito_marketplace *marketplace, const char *name)
{
  for (unsigned i = 0; i < marketplace->endpoint_count; i++) {
    if (strcmp(marketplace->endpoints[i].name, name) == 0) {
      return &marketplace->endpoints[i];
    }
  }
  return NULL;
}

bool avito_endpoint_has(const struct avito_endpoint *endpoint, enum avito_place place)
{
  for (const struct avito_param *p = endpoint->params; p->name != NULL; p++) {
    if (p->place == place) {
      return true;
    }
  }
  return false;
}

bool avito_param_positional(const struct avito_param *param)
{
  return param->required && param->type != AVITO_ACCOUNT && param->type != AVITO_CONSTANT;
}

static const char *const place_names[] = {"path", "query", "json", "multipart"};
static const char *const type_names[] = {"account", "constant", "id",       "string",  "url",   "integer",
                                         "boolean", "strings",  "integers", "objects", "image", "file"};
static const char *const answer_names[] = {"object", "list", "map", "nothing", "image", "any", "bytes", "file"};

static void set_string(lua_State *L, const char *key, const char *value)
{
  if (value != NULL) {
    lua_pushstring(L, value); /* + value */
    lua_setfield(L, -2, key); /* - */
  }
}

/* Pushes a list with a table for each parameter. [-0, +1, m] */
static void push_params(lua_State *L, const struct avito_param *params)
{
  lua_newtable(L); /* list */
  for (int i = 0; params[i].name != NULL; i++) {
    const struct avito_param *p = &params[i];
    lua_newtable(L); /* list param */
    set_string(L, "name", p->name);
    set_string(L, "place", place_names[p->place]);
    set_string(L, "type", type_names[p->type]);
    set_string(L, "wire", p->wire);
    set_string(L, "values", p->values);
    set_string(L, "doc", p->doc);
    lua_pushboolean(L, p->required);
    lua_setfield(L, -2, "required");
    lua_pushboolean(L, avito_param_positional(p));
    lua_setfield(L, -2, "positional");
    if (p->min != 0 || p->max != 0) {
      lua_pushinteger(L, (lua_Integer)p->min);
      lua_setfield(L, -2, "min");
      if (p->max != INT64_MAX) {
        lua_pushinteger(L, (lua_Integer)p->max);
        lua_setfield(L, -2, "max");
      }
    }
    if (p->fields != NULL) {
      luaL_checkstack(L, 4, NULL);
      push_params(L, p->fields);     /* list param fields */
      lua_setfield(L, -2, "fields"); /* list param */
    }
    lua_rawseti(L, -2, i + 1); /* list */
  }
}

int avito_endpoints_list(lua_State *L)
{
  const struct avito_marketplace *marketplace = avito_marketplace_at(L, 1, "core.endpoints");
  lua_createtable(L, (int)marketplace->endpoint_count, 0); /* list */
  for (unsigned i = 0; i < marketplace->endpoint_count; i++) {
    const struct avito_endpoint *e = &marketplace->endpoints[i];
    lua_newtable(L); /* list row */
    set_string(L, "name", e->name);
    set_string(L, "method", e->method);
    set_string(L, "path", e->path);
    set_string(L, "scope", e->scope);
    lua_pushinteger(L, (lua_Integer)e->hourly);
    lua_setfield(L, -2, "hourly");
    set_string(L, "repeats", e->repeat == AVITO_SAFE ? "safe" : "send");
    set_string(L, "answer", answer_names[e->answer]);
    set_string(L, "answer_key", e->answer_key);
    set_string(L, "contract_id", e->contract_id);
    set_string(L, "doc", e->doc);
    push_params(L, e->params);      /* list row params */
    lua_setfield(L, -2, "params");  /* list row */
    lua_rawseti(L, -2, (int)i + 1); /* list */
  }
  return 1;
}
