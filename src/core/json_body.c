#include "body.h"

#include "arguments.h"
#include "limits.h"
#include "text.h"
#include "value.h"

#define MAX_FIELDS 16

static void add_member_name(lua_State *L, struct avito_buffer *body, const char *name, size_t length, bool *comma)
{
  if (*comma) {
    avito_buffer_add_char(L, body, ',');
  }
  *comma = true;
  avito_json_string(L, body, name, length);
  avito_buffer_add_char(L, body, ':');
}

void avito_json_close(lua_State *L, struct avito_buffer *body, struct avito_object_writer *w)
{
  if (w->open[0] != '\0') {
    avito_buffer_add_char(L, body, '}');
    w->open[0] = '\0';
  }
}

void avito_json_member(lua_State *L, struct avito_buffer *body, struct avito_object_writer *w, const char *wire)
{
  const char *dot = strchr(wire, '.');
  if (dot == NULL) {
    avito_json_close(L, body, w);
    add_member_name(L, body, wire, strlen(wire), &w->outer_comma);
    return;
  }
  size_t size = (size_t)(dot - wire);
  if (strlen(w->open) != size || memcmp(w->open, wire, size) != 0) {
    avito_json_close(L, body, w);
    add_member_name(L, body, wire, size, &w->outer_comma);
    avito_buffer_add_char(L, body, '{');
    memcpy(w->open, wire, size);
    w->open[size] = '\0';
    w->inner_comma = false;
  }
  add_member_name(L, body, dot + 1, strlen(dot + 1), &w->inner_comma);
}

static bool add_list(lua_State *L, struct avito_request *r, const struct avito_param *p, int index);

bool avito_json_value(lua_State *L, struct avito_request *r, const struct avito_param *p, int index)
{
  int64_t integer;
  const char *bytes;
  size_t length;
  switch (p->type) {
  case AVITO_CONSTANT:
    avito_json_string(L, r->body, p->values, strlen(p->values));
    return true;
  case AVITO_INTEGER:
    if (!avito_read_integer(L, r, p, index, &integer)) {
      return false;
    }
    avito_buffer_add_integer(L, r->body, integer);
    return true;
  case AVITO_BOOLEAN:
    if (lua_type(L, index) != LUA_TBOOLEAN) {
      avito_wrong_type(L, r, p, "true or false", index);
    }
    avito_buffer_add_string(L, r->body, lua_toboolean(L, index) ? "true" : "false");
    return true;
  case AVITO_STRINGS:
  case AVITO_OBJECTS:
    return add_list(L, r, p, index);
  case AVITO_URL:
    if (!avito_read_url(L, r, p, index, &bytes, &length)) {
      return false;
    }
    avito_json_string(L, r->body, bytes, length);
    return true;
  default:
    if (!avito_read_string(L, r, p, index, &bytes, &length)) {
      return false;
    }
    avito_json_string(L, r->body, bytes, length);
    return true;
  }
}

/* Pushes the value a field has in the object at `index`: obj[name], or obj[first][rest] for a dotted wire. [-0, +1, m] */
static void push_field(lua_State *L, struct avito_request *r, const struct avito_param *p,
                       const struct avito_param *field, int index)
{
  const char *dot = strchr(field->wire, '.');
  if (dot == NULL) {
    avito_push_member(L, index, field->wire); /* value */
    return;
  }
  lua_pushlstring(L, field->wire, (size_t)(dot - field->wire)); /* outer name */
  lua_rawget(L, index);                                         /* outer */
  if (lua_isnil(L, -1)) {
    return; /* nil */
  }
  if (lua_type(L, -1) != LUA_TTABLE) {
    avito_misuse(L, r->endpoint->name, "%s.%.*s must be a table, got %s", p->name, (int)(dot - field->wire),
                 field->wire, luaL_typename(L, -1));
  }
  avito_push_member(L, -1, dot + 1); /* outer value */
  lua_remove(L, -2);                 /* value */
}

/* Raises for a key of the table at `index` that no field names; `outer` is the segment the table stands under. */
static void check_keys(lua_State *L, const struct avito_request *r, const struct avito_param *p, const char *outer,
                       int index)
{
  size_t outer_length = strlen(outer);
  lua_pushnil(L);                   /* key */
  while (lua_next(L, index) != 0) { /* key value */
    const char *known[MAX_FIELDS + 1];
    char names[MAX_FIELDS][32];
    size_t count = 0;
    const char *key = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "[a number]";
    bool found = false;
    for (const struct avito_param *f = p->fields; f->name != NULL && count < MAX_FIELDS; f++) {
      const char *segment = f->wire;
      if (outer_length > 0) {
        if (strncmp(segment, outer, outer_length) != 0 || segment[outer_length] != '.') {
          continue;
        }
        segment += outer_length + 1;
      }
      size_t size = strcspn(segment, ".");
      memcpy(names[count], segment, size);
      names[count][size] = '\0';
      known[count] = names[count];
      found = found || strcmp(key, names[count]) == 0;
      count++;
    }
    known[count] = NULL;
    if (!found) {
      avito_unknown_option(L, r->endpoint->name, key, known);
    }
    if (outer_length == 0 && lua_type(L, -1) == LUA_TTABLE) {
      check_keys(L, r, p, key, lua_gettop(L));
    }
    lua_pop(L, 1); /* key */
  }
}

static bool add_object(lua_State *L, struct avito_request *r, const struct avito_param *p, int index)
{
  struct avito_object_writer writer = {.open = ""};
  check_keys(L, r, p, "", index);
  avito_buffer_add_char(L, r->body, '{');
  for (const struct avito_param *f = p->fields; f->name != NULL; f++) {
    push_field(L, r, p, f, index); /* value */
    int at = lua_gettop(L);
    if (lua_isnil(L, at)) {
      if (f->required) {
        avito_misuse(L, r->endpoint->name, "every element of %s must have %s", p->name, f->name);
      }
    } else {
      avito_json_member(L, r->body, &writer, f->wire);
      if (!avito_json_value(L, r, f, at)) { /* value message */
        lua_remove(L, at);                  /* message */
        return false;
      }
    }
    lua_pop(L, 1); /* - */
  }
  avito_json_close(L, r->body, &writer);
  avito_buffer_add_char(L, r->body, '}');
  return true;
}

static bool add_element(lua_State *L, struct avito_request *r, const struct avito_param *p, int index, int number)
{
  if (p->type == AVITO_STRINGS) {
    const char *bytes;
    size_t length;
    if (!avito_read_string_in(L, r, p, index, &bytes, &length)) {
      return false;
    }
    avito_json_string(L, r->body, bytes, length);
    return true;
  }
  if (lua_type(L, index) != LUA_TTABLE) {
    avito_misuse(L, r->endpoint->name, "%s[%d] must be a table, got %s", p->name, number, luaL_typename(L, index));
  }
  return add_object(L, r, p, index);
}

static bool add_list(lua_State *L, struct avito_request *r, const struct avito_param *p, int index)
{
  size_t length;
  if (!avito_read_list(L, r, p, index, &length)) {
    return false;
  }
  luaL_checkstack(L, 12, NULL);
  avito_buffer_add_char(L, r->body, '[');
  for (size_t i = 1; i <= length; i++) {
    if (i > 1) {
      avito_buffer_add_char(L, r->body, ',');
    }
    lua_rawgeti(L, index, (int)i); /* element */
    int at = lua_gettop(L);
    if (!add_element(L, r, p, at, (int)i)) { /* element message */
      lua_remove(L, at);                     /* message */
      return false;
    }
    lua_pop(L, 1); /* - */
  }
  avito_buffer_add_char(L, r->body, ']');
  return true;
}
