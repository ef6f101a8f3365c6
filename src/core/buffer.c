#include "buffer.h"

#include <inttypes.h>
#include <stdio.h>

#define FIRST_CAPACITY 512
#define KEEP_CAPACITY  (64u * 1024)

static void resize(lua_State *L, struct avito_buffer *buffer, size_t capacity)
{
  void *ud;
  lua_Alloc alloc = lua_getallocf(L, &ud);
  char *bytes = alloc(ud, buffer->bytes, buffer->capacity, capacity);
  if (bytes == NULL && capacity > 0) {
    luaL_error(L, "not enough memory");
    return;
  }
  buffer->bytes = bytes;
  buffer->capacity = capacity;
}

void avito_buffer_free(lua_State *L, struct avito_buffer *buffer)
{
  if (buffer->bytes != NULL) {
    resize(L, buffer, 0);
  }
  buffer->length = 0;
}

void avito_buffer_reset(lua_State *L, struct avito_buffer *buffer)
{
  buffer->length = 0;
  if (buffer->capacity > KEEP_CAPACITY) {
    resize(L, buffer, 0);
  }
}

void avito_buffer_add(lua_State *L, struct avito_buffer *buffer, const char *bytes, size_t length)
{
  if (length == 0) {
    return;
  }
  if (length > SIZE_MAX / 2 - buffer->length) {
    luaL_error(L, "not enough memory");
    return;
  }
  size_t needed = buffer->length + length;
  if (needed > buffer->capacity) {
    size_t capacity = buffer->capacity > 0 ? buffer->capacity : FIRST_CAPACITY;
    while (capacity < needed) {
      capacity *= 2;
    }
    resize(L, buffer, capacity);
  }
  memcpy(buffer->bytes + buffer->length, bytes, length);
  buffer->length = needed;
}

void avito_buffer_add_string(lua_State *L, struct avito_buffer *buffer, const char *string)
{
  avito_buffer_add(L, buffer, string, strlen(string));
}

void avito_buffer_add_char(lua_State *L, struct avito_buffer *buffer, char c)
{
  avito_buffer_add(L, buffer, &c, 1);
}

void avito_buffer_add_integer(lua_State *L, struct avito_buffer *buffer, int64_t value)
{
  char digits[24];
  int length = snprintf(digits, sizeof digits, "%" PRId64, value);
  avito_buffer_add(L, buffer, digits, (size_t)length);
}

void avito_buffer_push(lua_State *L, const struct avito_buffer *buffer)
{
  lua_pushlstring(L, buffer->length > 0 ? buffer->bytes : "", buffer->length);
}
