/* memory.h - blocks from the allocator of a Lua state, without raising. */
#ifndef AVITO_TEXT_MEMORY_H
#define AVITO_TEXT_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "compat.h"

struct avito_memory {
  lua_Alloc allocate;
  void *context;
};

/* A growing array. All-zero is empty; the struct that holds it owns the items. */
struct avito_array {
  void *items;
  size_t count;
  size_t capacity;
  size_t size; /* of an item, once there is one */
};

static inline void avito_array_free(const struct avito_memory *memory, struct avito_array *array)
{
  if (array->items != NULL)
    memory->allocate(memory->context, array->items, array->capacity * array->size, 0);
  *array = (struct avito_array){0};
}

/* Room for `more` items of `size` bytes behind those there are; false for want of memory, the array as it was. */
static inline bool avito_array_reserve(const struct avito_memory *memory, struct avito_array *array, size_t more,
                                       size_t size)
{
  if (array->items != NULL && array->capacity - array->count >= more)
    return true;
  if (more > UINT32_MAX / 2 || array->count > UINT32_MAX / 2)
    return false;
  size_t capacity = array->capacity + array->capacity / 2;
  if (capacity < array->count + more)
    capacity = array->count + more;
  capacity += capacity == 0;
  void *items = memory->allocate(memory->context, array->items, array->capacity * size, capacity * size);
  if (items == NULL)
    return false;
  array->items = items;
  array->capacity = capacity;
  array->size = size;
  return true;
}

/* `count` zeroed items. The array is empty before. */
static inline bool avito_array_zeroed(const struct avito_memory *memory, struct avito_array *array, size_t count,
                                      size_t size)
{
  if (!avito_array_reserve(memory, array, count, size))
    return false;
  if (count > 0)
    memset(array->items, 0, count * size);
  array->count = count;
  return true;
}

/* Adds a copy of one item. */
static inline bool avito_array_add(const struct avito_memory *memory, struct avito_array *array, const void *item,
                                   size_t size)
{
  if (!avito_array_reserve(memory, array, 1, size))
    return false;
  memcpy((char *)array->items + array->count++ * size, item, size);
  return true;
}

#endif
