/* buffer.h - a growable run of bytes.
 *
 * The struct lives inside a userdata, which owns the bytes: its __gc calls avito_buffer_free. All-zero is empty.
 * Memory comes from the Lua state's allocator. Functions that take L may raise for lack of memory and nothing else;
 * the buffer stays valid then.
 */
#ifndef AVITO_BUFFER_H
#define AVITO_BUFFER_H

#include <stddef.h>
#include <stdint.h>

#include "compat.h"

struct avito_buffer {
  char *bytes;
  size_t length;
  size_t capacity;
};

void avito_buffer_free(lua_State *L, struct avito_buffer *buffer);
/* Empties it; keeps the memory unless there is an unusual amount of it. */
void avito_buffer_reset(lua_State *L, struct avito_buffer *buffer);
void avito_buffer_add(lua_State *L, struct avito_buffer *buffer, const char *bytes, size_t length);
void avito_buffer_add_string(lua_State *L, struct avito_buffer *buffer, const char *string);
void avito_buffer_add_char(lua_State *L, struct avito_buffer *buffer, char c);
void avito_buffer_add_integer(lua_State *L, struct avito_buffer *buffer, int64_t value);
/* Pushes the bytes as a string. [-0, +1, m] */
void avito_buffer_push(lua_State *L, const struct avito_buffer *buffer);

#endif
