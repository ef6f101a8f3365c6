#include "request.h"

#include "arguments.h"
#include "body.h"
#include "limits.h"
#include "text.h"
#include "value.h"

#define MAX_OPTIONS 16

static void query_key(lua_State *L, struct avito_request *r, const struct avito_param *p, bool *first)
{
  avito_buffer_add_char(L, r->url, *first ? '?' : '&');
  avito_buffer_add_string(L, r->url, p->wire);
  avito_buffer_add_char(L, r->url, '=');
  *first = false;
}

static bool add_element(lua_State *L, struct avito_request *r, const struct avito_param *p)
{
  if (p->type == AVITO_INTEGERS) {
    static const int64_t least = 1;
    struct avito_param element = *p;
    int64_t value;
    element.min = least;
    element.max = INT64_MAX;
    if (!avito_read_integer(L, r, &element, lua_gettop(L), &value)) {
      return false;
    }
    avito_buffer_add_integer(L, r->url, value);
    return true;
  }
  const char *bytes;
  size_t length;
  if (!avito_read_string_in(L, r, p, lua_gettop(L), &bytes, &length)) {
    return false;
  }
  avito_percent_encode(L, r->url, bytes, length, "");
  return true;
}

static bool add_query_list(lua_State *L, struct avito_request *r, const struct avito_param *p, int index, bool *first)
{
  size_t length;
  if (!avito_read_list(L, r, p, index, &length)) {
    return false;
  }
  for (size_t i = 1; i <= length; i++) {
    if (i == 1 || r->repeat_keys) {
      query_key(L, r, p, first);
    } else {
      avito_buffer_add_char(L, r->url, ',');
    }
    lua_rawgeti(L, index, (int)i); /* element */
    int top = lua_gettop(L);
    if (!add_element(L, r, p)) {
      lua_remove(L, top); /* message */
      return false;
    }
    lua_pop(L, 1); /* - */
  }
  return true;
}

static bool add_query(lua_State *L, struct avito_request *r, const struct avito_param *p, int index, bool *first)
{
  int64_t integer;
  const char *bytes;
  size_t length;
  switch (p->type) {
  case AVITO_STRING:
    if (!avito_read_string(L, r, p, index, &bytes, &length)) {
      return false;
    }
    query_key(L, r, p, first);
    avito_percent_encode(L, r->url, bytes, length, "");
    return true;
  case AVITO_INTEGER:
    if (!avito_read_integer(L, r, p, index, &integer)) {
      return false;
    }
    query_key(L, r, p, first);
    avito_buffer_add_integer(L, r->url, integer);
    return true;
  case AVITO_BOOLEAN:
    if (lua_type(L, index) != LUA_TBOOLEAN) {
      avito_wrong_type(L, r, p, "true or false", index);
    }
    query_key(L, r, p, first);
    avito_buffer_add_string(L, r->url, lua_toboolean(L, index) ? "true" : "false");
    return true;
  default:
    return add_query_list(L, r, p, index, first);
  }
}

/* ---- the whole ---- */

/* The stack index of the parameter called `name` among the positional arguments. */
static int positional_index(const struct avito_endpoint *e, const char *name, size_t length, int first,
                            const struct avito_param **param)
{
  int index = first;
  for (const struct avito_param *p = e->params; p->name != NULL; p++) {
    if (!avito_param_positional(p)) {
      continue;
    }
    if (strlen(p->name) == length && memcmp(p->name, name, length) == 0) {
      *param = p;
      return index;
    }
    index++;
  }
  return 0;
}

static bool add_path(lua_State *L, struct avito_request *r, int first)
{
  const char *at = r->endpoint->path;
  for (;;) {
    const char *open = strchr(at, '{');
    if (open == NULL) {
      avito_buffer_add_string(L, r->url, at);
      return true;
    }
    avito_buffer_add(L, r->url, at, (size_t)(open - at));
    const char *close = strchr(open, '}');
    size_t length = (size_t)(close - open) - 1;
    const struct avito_param *p = NULL;
    int index = positional_index(r->endpoint, open + 1, length, first, &p);
    if (p == NULL) {
      avito_buffer_add_string(L, r->url, r->account != NULL ? r->account : AVITO_ACCOUNT_SLOT);
    } else {
      const char *bytes;
      size_t size;
      if (!avito_read_id(L, r, p, index, &bytes, &size)) {
        return false;
      }
      avito_percent_encode(L, r->url, bytes, size, "");
    }
    at = close + 1;
  }
}

static void check_options(lua_State *L, const struct avito_request *r, int index)
{
  const char *known[MAX_OPTIONS + 1];
  size_t count = 0;
  for (const struct avito_param *p = r->endpoint->params; p->name != NULL && count < MAX_OPTIONS; p++) {
    if (!p->required) {
      known[count++] = p->name;
    }
  }
  known[count] = NULL;
  lua_pushnil(L);                   /* key */
  while (lua_next(L, index) != 0) { /* key value */
    const char *key = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "[a number]";
    size_t i = 0;
    while (i < count && strcmp(key, known[i]) != 0) {
      i++;
    }
    if (i == count) {
      avito_unknown_option(L, r->endpoint->name, key, known);
    }
    lua_pop(L, 1); /* key */
  }
}

static bool has_options(const struct avito_endpoint *endpoint)
{
  for (const struct avito_param *p = endpoint->params; p->name != NULL; p++) {
    if (!p->required) {
      return true;
    }
  }
  return false;
}

static int positional_count(const struct avito_endpoint *endpoint)
{
  int count = 0;
  for (const struct avito_param *p = endpoint->params; p->name != NULL; p++) {
    count += avito_param_positional(p);
  }
  return count;
}

int avito_request_arity(const struct avito_endpoint *endpoint)
{
  return positional_count(endpoint) + has_options(endpoint);
}

/* Begins the body of an operation that has members of one. [-0, +0, m] */
static bool begin_json(lua_State *L, struct avito_request *r)
{
  if (!avito_endpoint_has(r->endpoint, AVITO_JSON)) {
    return false;
  }
  avito_buffer_add_char(L, r->body, '{');
  r->content_type = "application/json";
  return true;
}

/* Is the value an empty list, and that as good as none? */
static bool left_out(lua_State *L, const struct avito_param *p, int index)
{
  bool list = p->type == AVITO_STRINGS || p->type == AVITO_INTEGERS || p->type == AVITO_OBJECTS;
  if (!list || p->min > 0 || lua_type(L, index) != LUA_TTABLE) {
    return false;
  }
  lua_pushnil(L);
  if (lua_next(L, index) == 0) {
    return true;
  }
  lua_pop(L, 2);
  return false;
}

/* Pushes the parameter's field of the options table, if it is to be sent. [-0, +(0|1), m] */
static bool push_option(lua_State *L, const struct avito_param *p, int options)
{
  if (lua_isnil(L, options)) {
    return false;
  }
  avito_push_member(L, options, p->name); /* value */
  if (!lua_isnil(L, -1) && !left_out(L, p, lua_gettop(L))) {
    return true;
  }
  lua_pop(L, 1); /* - */
  return false;
}

bool avito_request_build(lua_State *L, struct avito_request *r, int first)
{
  const struct avito_endpoint *e = r->endpoint;
  struct avito_object_writer writer = {.open = ""};
  bool first_query = true;
  const int options = first + positional_count(e);
  r->content_type = NULL;
  r->upload = 0;
  r->invalid = NULL;
  luaL_checkstack(L, 16, NULL);
  if (has_options(e) && !lua_isnil(L, options)) {
    if (lua_type(L, options) != LUA_TTABLE) {
      avito_misuse(L, e->name, "the options must be a table, got %s", luaL_typename(L, options));
    }
    check_options(L, r, options);
  }
  if (!add_path(L, r, first)) {
    return false;
  }
  bool has_json = begin_json(L, r);
  int position = first;
  for (const struct avito_param *p = e->params; p->name != NULL; p++) {
    int at = 0;
    if (avito_param_positional(p)) {
      at = position++;
    }
    if (p->place == AVITO_PATH) {
      continue;
    }
    if (!p->required) {
      if (!push_option(L, p, options)) {
        continue;
      }
      at = lua_gettop(L); /* value */
    }
    bool ok;
    if (p->place == AVITO_QUERY) {
      ok = add_query(L, r, p, at, &first_query);
    } else if (p->place == AVITO_MULTIPART) {
      r->content_type = "multipart/form-data";
      ok = avito_multipart_part(L, r, p, at);
    } else {
      avito_json_member(L, r->body, &writer, p->wire);
      ok = avito_json_value(L, r, p, at);
    }
    if (!ok) {
      return false;
    }
    if (!p->required) {
      lua_pop(L, 1); /* - */
    }
  }
  if (has_json) {
    avito_json_close(L, r->body, &writer);
    avito_buffer_add_char(L, r->body, '}');
  }
  if (r->url->length > AVITO_MAX_URL) {
    r->invalid = "url";
    lua_pushfstring(L, "the URL has %d bytes; at most %d are allowed", (int)r->url->length, AVITO_MAX_URL);
    return false;
  }
  return true;
}
