#include "request.h"

#include <stdarg.h>
#include <stdio.h>

#include "arguments.h"
#include "image.h"
#include "limits.h"
#include "text.h"
#include "url.h"

#define MAX_OPTIONS 16

static int wrong_type(lua_State *L, const struct avito_request *r, const struct avito_param *p, const char *expected,
                      int index)
{
  return avito_misuse(L, r->endpoint->name, "%s must be %s, got %s", p->name, expected, luaL_typename(L, index));
}

/* ---- values ---- */

/* Sets the message of a refused value. [-0, +1, m] */
static bool refuse(lua_State *L, struct avito_request *r, const struct avito_param *p, const char *format, ...)
  __attribute__((format(printf, 4, 5)));

static bool refuse(lua_State *L, struct avito_request *r, const struct avito_param *p, const char *format, ...)
{
  char message[256];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(message, sizeof message, format, arguments);
  va_end(arguments);
  r->invalid = p->name;
  lua_pushfstring(L, "%s %s", p->name, message);
  return false;
}

static bool read_integer(lua_State *L, struct avito_request *r, const struct avito_param *p, int index, int64_t *value)
{
  int type = lua_type(L, index);
  if (type != LUA_TNUMBER && type != LUA_TSTRING) {
    wrong_type(L, r, p, "an integer", index);
  }
  if (!avito_to_integer(L, index, value)) {
    return refuse(L, r, p, "must be an integer, got '%.40s'", lua_tostring(L, index));
  }
  if (*value < p->min || *value > p->max) {
    if (p->max == INT64_MAX) {
      return refuse(L, r, p, "must be at least %lld, got %lld", (long long)p->min, (long long)*value);
    }
    return refuse(L, r, p, "must be from %lld to %lld, got %lld", (long long)p->min, (long long)p->max,
                  (long long)*value);
  }
  return true;
}

static bool read_string(lua_State *L, struct avito_request *r, const struct avito_param *p, int index,
                        const char **bytes, size_t *length)
{
  if (lua_type(L, index) != LUA_TSTRING) {
    wrong_type(L, r, p, "a string", index);
  }
  *bytes = lua_tolstring(L, index, length);
  int64_t points = avito_utf8_length(*bytes, *length);
  if (points < 0) {
    return refuse(L, r, p, "is not valid UTF-8");
  }
  if (p->type != AVITO_STRING || p->place != AVITO_JSON) {
    if (avito_has_control(*bytes, *length)) {
      return refuse(L, r, p, "has a control character (NUL, CR, LF or the like)");
    }
  }
  if (p->max != 0 && p->type != AVITO_STRINGS && (points < p->min || points > p->max)) {
    if (points < p->min) {
      return refuse(L, r, p, "is empty");
    }
    return refuse(L, r, p, "has %lld characters; at most %lld are allowed", (long long)points, (long long)p->max);
  }
  return true;
}

static bool read_id(lua_State *L, struct avito_request *r, const struct avito_param *p, int index, const char **bytes,
                    size_t *length)
{
  if (!read_string(L, r, p, index, bytes, length)) {
    return false;
  }
  if (*length == 0) {
    return refuse(L, r, p, "is empty");
  }
  if (strcmp(*bytes, ".") == 0 || strcmp(*bytes, "..") == 0) {
    return refuse(L, r, p, "is '%s', which is no id", *bytes);
  }
  if (*length > AVITO_MAX_ID) {
    return refuse(L, r, p, "has %zu bytes; at most %d are allowed", *length, AVITO_MAX_ID);
  }
  return true;
}

static bool read_url(lua_State *L, struct avito_request *r, const struct avito_param *p, int index, const char **bytes,
                     size_t *length)
{
  if (!read_string(L, r, p, index, bytes, length)) {
    return false;
  }
  const char *problem = avito_webhook_problem(*bytes, *length);
  return problem == NULL ? true : refuse(L, r, p, "%s", problem);
}

/* Checks that the value is a list with a length in bounds. */
static bool read_list(lua_State *L, struct avito_request *r, const struct avito_param *p, int index, size_t *length)
{
  if (lua_type(L, index) != LUA_TTABLE) {
    wrong_type(L, r, p, "a list", index);
  }
  *length = lua_rawlen(L, index);
  if (*length == 0) {
    lua_pushnil(L);
    if (lua_next(L, index) != 0) { /* key value */
      lua_pop(L, 1);
      avito_misuse(L, r->endpoint->name, "%s must be a list, got a table with other keys", p->name);
    }
  }
  if ((int64_t)*length < p->min) {
    return refuse(L, r, p, p->required ? "must not be an empty list" : "must not be an empty list (leave it out instead)");
  }
  if ((int64_t)*length > p->max) {
    return refuse(L, r, p, "has %zu elements; at most %lld are allowed", *length, (long long)p->max);
  }
  return true;
}

/* ---- the query ---- */

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
    if (!read_integer(L, r, &element, lua_gettop(L), &value)) {
      return false;
    }
    avito_buffer_add_integer(L, r->url, value);
    return true;
  }
  const char *bytes;
  size_t length;
  if (!read_string(L, r, p, lua_gettop(L), &bytes, &length)) {
    return false;
  }
  if (length == 0) {
    return refuse(L, r, p, "holds an empty string");
  }
  avito_percent_encode(L, r->url, bytes, length, "");
  return true;
}

static bool add_query_list(lua_State *L, struct avito_request *r, const struct avito_param *p, int index, bool *first)
{
  size_t length;
  if (!read_list(L, r, p, index, &length)) {
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
  switch (p->type) {
  case AVITO_INTEGER:
    if (!read_integer(L, r, p, index, &integer)) {
      return false;
    }
    query_key(L, r, p, first);
    avito_buffer_add_integer(L, r->url, integer);
    return true;
  case AVITO_BOOLEAN:
    if (lua_type(L, index) != LUA_TBOOLEAN) {
      wrong_type(L, r, p, "true or false", index);
    }
    query_key(L, r, p, first);
    avito_buffer_add_string(L, r->url, lua_toboolean(L, index) ? "true" : "false");
    return true;
  default:
    return add_query_list(L, r, p, index, first);
  }
}

/* ---- the JSON body ---- */

/* Writes members in the order of the rows; a dotted path opens an object, the next other path closes it. */
struct object_writer {
  char open[32]; /* the first segment of the open inner object, or "" */
  bool outer_comma, inner_comma;
};

static void add_member_name(lua_State *L, struct avito_buffer *body, const char *name, size_t length, bool *comma)
{
  if (*comma) {
    avito_buffer_add_char(L, body, ',');
  }
  *comma = true;
  avito_json_string(L, body, name, length);
  avito_buffer_add_char(L, body, ':');
}

static void close_inner(lua_State *L, struct avito_buffer *body, struct object_writer *w)
{
  if (w->open[0] != '\0') {
    avito_buffer_add_char(L, body, '}');
    w->open[0] = '\0';
  }
}

static void begin_member(lua_State *L, struct avito_buffer *body, struct object_writer *w, const char *wire)
{
  const char *dot = strchr(wire, '.');
  if (dot == NULL) {
    close_inner(L, body, w);
    add_member_name(L, body, wire, strlen(wire), &w->outer_comma);
    return;
  }
  size_t size = (size_t)(dot - wire);
  if (strlen(w->open) != size || memcmp(w->open, wire, size) != 0) {
    close_inner(L, body, w);
    add_member_name(L, body, wire, size, &w->outer_comma);
    avito_buffer_add_char(L, body, '{');
    memcpy(w->open, wire, size);
    w->open[size] = '\0';
    w->inner_comma = false;
  }
  add_member_name(L, body, dot + 1, strlen(dot + 1), &w->inner_comma);
}

static bool add_objects(lua_State *L, struct avito_request *r, const struct avito_param *p, int index);

static bool add_value(lua_State *L, struct avito_request *r, const struct avito_param *p, int index)
{
  int64_t integer;
  const char *bytes;
  size_t length;
  switch (p->type) {
  case AVITO_CONSTANT:
    avito_json_string(L, r->body, p->values, strlen(p->values));
    return true;
  case AVITO_INTEGER:
    if (!read_integer(L, r, p, index, &integer)) {
      return false;
    }
    avito_buffer_add_integer(L, r->body, integer);
    return true;
  case AVITO_BOOLEAN:
    if (lua_type(L, index) != LUA_TBOOLEAN) {
      wrong_type(L, r, p, "true or false", index);
    }
    avito_buffer_add_string(L, r->body, lua_toboolean(L, index) ? "true" : "false");
    return true;
  case AVITO_OBJECTS:
    return add_objects(L, r, p, index);
  case AVITO_URL:
    if (!read_url(L, r, p, index, &bytes, &length)) {
      return false;
    }
    avito_json_string(L, r->body, bytes, length);
    return true;
  default:
    if (!read_string(L, r, p, index, &bytes, &length)) {
      return false;
    }
    avito_json_string(L, r->body, bytes, length);
    return true;
  }
}

/* Pushes the value a field has in the object at `index`: obj[name], or obj[first][rest] for a dotted wire. [-0, +1, m] */
static void push_field(lua_State *L, struct avito_request *r, const struct avito_param *p, const struct avito_param *field,
                       int index)
{
  const char *dot = strchr(field->wire, '.');
  if (dot == NULL) {
    lua_getfield(L, index, field->wire); /* value */
    return;
  }
  lua_pushlstring(L, field->wire, (size_t)(dot - field->wire)); /* outer name */
  lua_gettable(L, index);                                       /* outer */
  if (lua_isnil(L, -1)) {
    return; /* nil */
  }
  if (lua_type(L, -1) != LUA_TTABLE) {
    avito_misuse(L, r->endpoint->name, "%s.%.*s must be a table, got %s", p->name, (int)(dot - field->wire),
                 field->wire, luaL_typename(L, -1));
  }
  lua_getfield(L, -1, dot + 1); /* outer value */
  lua_remove(L, -2);            /* value */
}

/* Raises for a key of the table at `index` that no field names; `outer` is the segment the table stands under. */
static void check_keys(lua_State *L, const struct avito_request *r, const struct avito_param *p, const char *outer,
                       int index)
{
  size_t outer_length = strlen(outer);
  lua_pushnil(L);                      /* key */
  while (lua_next(L, index) != 0) {    /* key value */
    const char *known[MAX_OPTIONS + 1];
    char names[MAX_OPTIONS][32];
    size_t count = 0;
    const char *key = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "[a number]";
    bool found = false;
    for (const struct avito_param *f = p->fields; f->name != NULL && count < MAX_OPTIONS; f++) {
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
  struct object_writer writer = {.open = ""};
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
      begin_member(L, r->body, &writer, f->wire);
      if (!add_value(L, r, f, at)) { /* value message */
        lua_remove(L, at);           /* message */
        return false;
      }
    }
    lua_pop(L, 1); /* - */
  }
  close_inner(L, r->body, &writer);
  avito_buffer_add_char(L, r->body, '}');
  return true;
}

static bool add_objects(lua_State *L, struct avito_request *r, const struct avito_param *p, int index)
{
  size_t length;
  if (!read_list(L, r, p, index, &length)) {
    return false;
  }
  luaL_checkstack(L, 12, NULL);
  avito_buffer_add_char(L, r->body, '[');
  for (size_t i = 1; i <= length; i++) {
    lua_rawgeti(L, index, (int)i); /* object */
    int at = lua_gettop(L);
    if (lua_type(L, at) != LUA_TTABLE) {
      avito_misuse(L, r->endpoint->name, "%s[%d] must be a table, got %s", p->name, (int)i, luaL_typename(L, at));
    }
    if (i > 1) {
      avito_buffer_add_char(L, r->body, ',');
    }
    if (!add_object(L, r, p, at)) { /* object message */
      lua_remove(L, at);            /* message */
      return false;
    }
    lua_pop(L, 1); /* - */
  }
  avito_buffer_add_char(L, r->body, ']');
  return true;
}

/* ---- the multipart body ---- */

/* Can the name stand between quotes in a header as it is? */
static bool plain_filename(const char *name, size_t length)
{
  for (size_t i = 0; i < length; i++) {
    unsigned char c = (unsigned char)name[i];
    if (c < 0x20 || c > 0x7e || c == '"' || c == '\\' || c == '/') {
      return false;
    }
  }
  return length > 0 && length <= 255;
}

static bool check_image(lua_State *L, struct avito_request *r, const struct avito_param *p, const char *data,
                        size_t length, struct avito_image *image)
{
  if (length > AVITO_MAX_IMAGE_BYTES) {
    return refuse(L, r, p, "has %zu bytes; at most 24 MB are allowed", length);
  }
  *image = avito_image_probe((const unsigned char *)data, length);
  if (image->format == AVITO_IMAGE_UNKNOWN) {
    return refuse(L, r, p, "is not a JPEG, PNG, GIF, BMP or HEIC (told by its first bytes)");
  }
  if (image->width != 0 && image->height > AVITO_MAX_IMAGE_PIXELS / image->width) {
    return refuse(L, r, p, "is %llu by %llu pixels; at most 75 megapixels are allowed",
                  (unsigned long long)image->width, (unsigned long long)image->height);
  }
  return true;
}

static bool add_image(lua_State *L, struct avito_request *r, const struct avito_param *p, int index)
{
  static const char *const known[] = {"data", "filename", NULL};
  if (lua_type(L, index) != LUA_TTABLE) {
    wrong_type(L, r, p, "a path or a table with data", index);
  }
  lua_pushnil(L);                   /* key */
  while (lua_next(L, index) != 0) { /* key value */
    const char *key = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "[a number]";
    if (strcmp(key, "data") != 0 && strcmp(key, "filename") != 0) {
      return avito_unknown_option(L, r->endpoint->name, key, known) != 0;
    }
    lua_pop(L, 1); /* key */
  }
  lua_getfield(L, index, "data");     /* data */
  lua_getfield(L, index, "filename"); /* data filename */
  int data_index = lua_gettop(L) - 1;
  if (lua_type(L, data_index) != LUA_TSTRING) {
    avito_misuse(L, r->endpoint->name, "image.data must be a string, got %s", luaL_typename(L, data_index));
  }
  if (!lua_isnil(L, data_index + 1) && lua_type(L, data_index + 1) != LUA_TSTRING) {
    avito_misuse(L, r->endpoint->name, "image.filename must be a string, got %s", luaL_typename(L, data_index + 1));
  }
  size_t length;
  size_t name_length = 0;
  const char *data = lua_tolstring(L, data_index, &length);
  const char *name = lua_tolstring(L, data_index + 1, &name_length);
  struct avito_image image;
  if (name != NULL && avito_has_control(name, name_length)) {
    refuse(L, r, p, "has a filename with a control character (NUL, CR, LF or the like)"); /* data filename message */
  } else if (check_image(L, r, p, data, length, &image)) {
    avito_buffer_add_string(L, r->body, "--");
    avito_buffer_add_string(L, r->body, r->boundary);
    avito_buffer_add_string(L, r->body, "\r\nContent-Disposition: form-data; name=\"");
    avito_buffer_add_string(L, r->body, p->wire);
    avito_buffer_add_string(L, r->body, "\"; filename=\"");
    if (name != NULL && plain_filename(name, name_length)) {
      avito_buffer_add(L, r->body, name, name_length);
    } else {
      avito_buffer_add_string(L, r->body, "image.");
      avito_buffer_add_string(L, r->body, avito_image_extension(image.format));
    }
    avito_buffer_add_string(L, r->body, "\"\r\nContent-Type: ");
    avito_buffer_add_string(L, r->body, avito_image_mime(image.format));
    avito_buffer_add_string(L, r->body, "\r\n\r\n");
    avito_buffer_add(L, r->body, data, length);
    avito_buffer_add_string(L, r->body, "\r\n--");
    avito_buffer_add_string(L, r->body, r->boundary);
    avito_buffer_add_string(L, r->body, "--\r\n");
    lua_settop(L, data_index - 1);
    return true;
  }
  lua_replace(L, data_index);    /* message filename */
  lua_settop(L, data_index);     /* message */
  return false;
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
    if (p == NULL) { /* user_id */
      avito_buffer_add_string(L, r->url, r->user_id != NULL ? r->user_id : AVITO_USER_SLOT);
    } else {
      const char *bytes;
      size_t size;
      if (!read_id(L, r, p, index, &bytes, &size)) {
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

bool avito_request_build(lua_State *L, struct avito_request *r, int first)
{
  const struct avito_endpoint *e = r->endpoint;
  struct object_writer writer = {.open = ""};
  bool first_query = true;
  bool has_json = false;
  const int options = first + positional_count(e);
  r->content_type = NULL;
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
  int position = first;
  for (const struct avito_param *p = e->params; p->name != NULL; p++) {
    int at;
    if (p->type == AVITO_ACCOUNT) {
      continue;
    }
    if (p->type == AVITO_CONSTANT) {
      at = 0;
    } else if (p->required) {
      at = position++;
      if (p->place == AVITO_PATH) {
        continue;
      }
    } else {
      if (lua_isnil(L, options)) {
        continue;
      }
      lua_getfield(L, options, p->name); /* value */
      at = lua_gettop(L);
      if (lua_isnil(L, at)) {
        lua_pop(L, 1);
        continue;
      }
    }
    bool ok;
    if (p->place == AVITO_QUERY) {
      ok = add_query(L, r, p, at, &first_query);
    } else if (p->place == AVITO_MULTIPART) {
      r->content_type = "multipart/form-data";
      ok = add_image(L, r, p, at);
    } else {
      if (!has_json) {
        avito_buffer_add_char(L, r->body, '{');
        has_json = true;
        r->content_type = "application/json";
      }
      begin_member(L, r->body, &writer, p->wire);
      ok = add_value(L, r, p, at);
    }
    if (!ok) {
      return false;
    }
    if (!p->required) {
      lua_pop(L, 1); /* - */
    }
  }
  if (has_json) {
    close_inner(L, r->body, &writer);
    avito_buffer_add_char(L, r->body, '}');
  }
  if (r->url->length > AVITO_MAX_URL) {
    r->invalid = "url";
    lua_pushfstring(L, "the URL has %d bytes; at most %d are allowed", (int)r->url->length, AVITO_MAX_URL);
    return false;
  }
  return true;
}
