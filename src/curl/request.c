#include "request.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "limits.h"

#define MS_PER_SECOND 1000.0
#define SPACE         0x20
#define DELETE        0x7f
#define NO_BYTES      SIZE_MAX

/* Of "upload.size", a name for messages, the field is "size". */
static void push_field(lua_State *L, int index, const char *field)
{
  const char *dot = strchr(field, '.');

  lua_pushstring(L, dot ? dot + 1 : field); /* ... field */
  lua_rawget(L, index);                     /* ... value */
}

static int wrong_type(lua_State *L, const char *field, const char *expected)
{
  return luaL_error(L, "%s: %s expected, got %s", field, expected, luaL_typename(L, -1));
}

void avito_check_options(lua_State *L, int index, const char *const names[])
{
  if (lua_isnoneornil(L, index))
    return;
  luaL_checktype(L, index, LUA_TTABLE);
  lua_pushnil(L);
  while (lua_next(L, index)) { /* ... key value */
    const char *key = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : NULL;
    const char *const *name = names;
    while (key && *name && strcmp(key, *name) != 0)
      name++;
    if (!key)
      luaL_error(L, "an option name is a string, got %s", luaL_typename(L, -2));
    if (!*name)
      luaL_error(L, "unknown option '%s'", key);
    lua_pop(L, 1); /* ... key */
  }
}

const char *avito_option_string(lua_State *L, int index, const char *field)
{
  const char *text;
  size_t length;

  if (lua_isnoneornil(L, index)) {
    lua_pushnil(L);
    return NULL;
  }
  push_field(L, index, field);
  if (lua_isnil(L, -1))
    return NULL;
  if (lua_type(L, -1) != LUA_TSTRING)
    wrong_type(L, field, "string");
  text = lua_tolstring(L, -1, &length);
  if (strlen(text) != length)
    luaL_error(L, "%s holds a zero byte", field);
  return text;
}

long avito_milliseconds(double seconds)
{
  if (seconds > AVITO_MAX_SECONDS)
    seconds = AVITO_MAX_SECONDS;
  return (long)ceil(seconds * MS_PER_SECOND);
}

static long read_seconds(lua_State *L, int index, const char *field, long missing)
{
  double seconds;

  push_field(L, index, field);
  if (lua_isnil(L, -1) && missing > 0) {
    lua_pop(L, 1);
    return missing;
  }
  if (lua_type(L, -1) != LUA_TNUMBER)
    wrong_type(L, field, "number of seconds");
  seconds = lua_tonumber(L, -1);
  if (!(seconds > 0))
    luaL_error(L, "%s must be greater than zero", field);
  lua_pop(L, 1);
  return avito_milliseconds(seconds);
}

/* `missing` NO_BYTES: the field may not be. */
static size_t read_bytes(lua_State *L, int index, const char *field, size_t missing)
{
  double bytes;

  push_field(L, index, field);
  if (lua_isnil(L, -1) && missing != NO_BYTES) {
    lua_pop(L, 1);
    return missing;
  }
  if (lua_type(L, -1) != LUA_TNUMBER)
    wrong_type(L, field, "number of bytes");
  bytes = lua_tonumber(L, -1);
  if (!(bytes >= 0))
    luaL_error(L, "%s must not be negative", field);
  lua_pop(L, 1);
  return bytes < (double)(SIZE_MAX / 4) ? (size_t)bytes : SIZE_MAX / 4;
}

static const char *read_method(lua_State *L, int index)
{
  static const char *const methods[] = {"GET", "POST", "PUT", "PATCH", "DELETE", NULL};
  const char *const *known = methods;
  const char *method;

  push_field(L, index, "method");
  if (lua_type(L, -1) != LUA_TSTRING)
    wrong_type(L, "method", "string");
  method = lua_tostring(L, -1);
  while (*known && strcmp(method, *known) != 0)
    known++;
  if (!*known)
    luaL_error(L, "method is none of GET, POST, PUT, PATCH, DELETE");
  return *known;
}

static const char *read_url(lua_State *L, int index)
{
  const char *url;
  size_t length;

  push_field(L, index, "url");
  if (lua_type(L, -1) != LUA_TSTRING)
    wrong_type(L, "url", "string");
  url = lua_tolstring(L, -1, &length);
  for (size_t i = 0; i < length; i++) {
    unsigned char byte = (unsigned char)url[i];
    if (byte <= SPACE || byte == DELETE)
      luaL_error(L, "url holds a space or a control character");
  }
  return url;
}

static long default_connect(long timeout_ms)
{
  return timeout_ms < AVITO_CONNECT_MS ? timeout_ms : AVITO_CONNECT_MS;
}

/* [-0, +1, m|v] */
static const char *read_part(lua_State *L, int index, const char *field, size_t *length)
{
  push_field(L, index, field);
  *length = 0;
  if (lua_isnil(L, -1))
    return "";
  if (lua_type(L, -1) != LUA_TSTRING)
    wrong_type(L, field, "string");
  const char *part = lua_tolstring(L, -1, length);
  if (*length > AVITO_MAX_FRAME)
    luaL_error(L, "%s is longer than %d bytes", field, (int)AVITO_MAX_FRAME);
  return part;
}

/* The table at the top becomes its three strings. [-1, +3, m|v] */
static void read_upload(lua_State *L, struct avito_request *request)
{
  struct avito_upload *upload = &request->upload;
  int index = lua_gettop(L);

  if (!lua_istable(L, index))
    wrong_type(L, "upload", "table");
  if (request->body)
    luaL_error(L, "give body or upload, not both");
  if (strcmp(request->method, "GET") == 0 || strcmp(request->method, "DELETE") == 0)
    luaL_error(L, "upload: a %s has none", request->method);
  upload->path = avito_option_string(L, index, "upload.path"); /* ... upload path */
  if (!upload->path)
    wrong_type(L, "upload.path", "string");
  upload->head = read_part(L, index, "upload.head", &upload->head_length); /* ... upload path head */
  upload->tail = read_part(L, index, "upload.tail", &upload->tail_length); /* ... upload path head tail */
  upload->size = read_bytes(L, index, "upload.size", NO_BYTES);
  request->body_length = upload->head_length + upload->size + upload->tail_length;
  lua_remove(L, index); /* ... path head tail */
}

/* [-0, +4, m|v] */
static void read_files(lua_State *L, int index, struct avito_request *request)
{
  memset(&request->upload, 0, sizeof request->upload);
  request->output = avito_option_string(L, index, "output"); /* ... output */
  push_field(L, index, "upload");                            /* ... output upload */
  if (lua_isnil(L, -1))
    lua_settop(L, lua_gettop(L) + 2); /* ... output nil nil nil */
  else
    read_upload(L, request); /* ... output path head tail */
}

void avito_request_read(lua_State *L, int index, struct avito_request *request)
{
  luaL_checktype(L, index, LUA_TTABLE);
  luaL_checkstack(L, LUA_MINSTACK, "a request");
  request->timeout_ms = read_seconds(L, index, "timeout", 0);
  request->connect_timeout_ms = read_seconds(L, index, "connect_timeout", default_connect(request->timeout_ms));
  request->max_body = read_bytes(L, index, "max_bytes", AVITO_DEFAULT_MAX_BODY);
  request->max_head = read_bytes(L, index, "max_head_bytes", AVITO_DEFAULT_MAX_HEAD);
  request->method = read_method(L, index); /* ... method */
  request->url = read_url(L, index);       /* ... method url */

  push_field(L, index, "body"); /* ... method url body */
  request->body_index = lua_gettop(L);
  request->body = NULL;
  request->body_length = 0;
  if (lua_type(L, -1) == LUA_TSTRING)
    request->body = lua_tolstring(L, -1, &request->body_length);
  else if (!lua_isnil(L, -1))
    wrong_type(L, "body", "string");
  if (request->body && strcmp(request->method, "GET") == 0)
    luaL_error(L, "body: a GET has none");

  push_field(L, index, "headers"); /* ... method url body headers */
  request->headers = lua_gettop(L);
  if (!lua_istable(L, -1) && !lua_isnil(L, -1))
    wrong_type(L, "headers", "array of strings");
  read_files(L, index, request); /* ... method url body headers output path head tail */
}

void avito_request_limit(struct avito_request *request, double seconds)
{
  request->timeout_ms = avito_milliseconds(seconds);
  if (request->connect_timeout_ms > request->timeout_ms)
    request->connect_timeout_ms = request->timeout_ms;
}
