#include "body.h"

#include "arguments.h"
#include "image.h"
#include "limits.h"
#include "text.h"
#include "value.h"

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
    return avito_refuse(L, r, p, "has %zu bytes; at most 24 MB are allowed", length);
  }
  *image = avito_image_probe((const unsigned char *)data, length);
  if (image->format == AVITO_IMAGE_UNKNOWN) {
    return avito_refuse(L, r, p, "is not a JPEG, PNG, GIF, BMP or HEIC but, by its first bytes, %s",
                        avito_image_guess((const unsigned char *)data, length));
  }
  if (image->width != 0 && image->height > AVITO_MAX_IMAGE_PIXELS / image->width) {
    return avito_refuse(L, r, p, "is %llu by %llu pixels; at most 75 megapixels are allowed",
                        (unsigned long long)image->width, (unsigned long long)image->height);
  }
  return true;
}

bool avito_multipart_image(lua_State *L, struct avito_request *r, const struct avito_param *p, int index)
{
  static const char *const known[] = {"data", "filename", NULL};
  if (lua_type(L, index) != LUA_TTABLE) {
    avito_wrong_type(L, r, p, "a path or a table with data", index);
  }
  lua_pushnil(L);                   /* key */
  while (lua_next(L, index) != 0) { /* key value */
    const char *key = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "[a number]";
    if (strcmp(key, "data") != 0 && strcmp(key, "filename") != 0) {
      return avito_unknown_option(L, r->endpoint->name, key, known) != 0;
    }
    lua_pop(L, 1); /* key */
  }
  avito_push_member(L, index, "data");     /* data */
  avito_push_member(L, index, "filename"); /* data filename */
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
  struct avito_image image = {AVITO_IMAGE_UNKNOWN, 0, 0};
  if (name != NULL && avito_has_control(name, name_length)) {
    avito_refuse(L, r, p,
                 "has a filename with a control character (NUL, CR, LF or the like)"); /* data filename message */
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
  lua_replace(L, data_index); /* message filename */
  lua_settop(L, data_index);  /* message */
  return false;
}
