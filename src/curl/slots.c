#include "slots.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_SLOTS ((size_t)16)

static bool same_text(const char *one, const char *other)
{
  return one == other || (one && other && strcmp(one, other) == 0);
}

long avito_slots_pool(struct avito_slots *slots, struct avito_transport *transport)
{
  struct avito_pool **grown;
  struct avito_pool *pool;

  for (size_t i = 0; i < slots->pool_count; i++) {
    const struct avito_transport *known = &slots->pools[i]->transport;
    if (same_text(known->proxy, transport->proxy) && same_text(known->ca_file, transport->ca_file)) {
      avito_transport_free(transport);
      return (long)i;
    }
  }
  if (slots->pool_count >= AVITO_MAX_TRANSPORTS)
    return -1;
  grown = realloc(slots->pools, (slots->pool_count + 1) * sizeof(void *));
  if (!grown)
    return -1;
  slots->pools = grown;
  pool = calloc(1, sizeof *pool);
  if (!pool)
    return -1;
  pool->transport = *transport;
  memset(transport, 0, sizeof *transport);
  slots->pools[slots->pool_count] = pool;
  return (long)slots->pool_count++;
}

static bool reserve(struct avito_slots *slots)
{
  size_t capacity = slots->capacity ? slots->capacity * 2 : FIRST_SLOTS;
  struct avito_slot **grown;

  if (slots->count < slots->capacity)
    return true;
  grown = realloc(slots->slots, capacity * sizeof(void *));
  if (!grown)
    return false;
  slots->slots = grown;
  slots->capacity = capacity;
  return true;
}

static void push(struct avito_slot **list, struct avito_slot *slot)
{
  slot->next = *list;
  *list = slot;
}

bool avito_slots_grow(struct avito_slots *slots, struct avito_pool *pool)
{
  struct avito_slot *slot;

  if (!reserve(slots))
    return false;
  slot = calloc(1, sizeof *slot);
  if (!slot)
    return false;
  slot->index = slots->count;
  slot->uses = 1;
  slot->pool = pool;
  slots->slots[slots->count++] = slot;
  push(&pool->empty, slot);
  return true;
}

struct avito_slot *avito_slots_idle(const struct avito_pool *pool)
{
  return pool->open ? pool->open : pool->empty;
}

void avito_slot_take(struct avito_slot *slot)
{
  struct avito_pool *pool = slot->pool;

  if (pool->open == slot) {
    pool->open = slot->next;
    pool->open_count--;
  } else {
    pool->empty = slot->next;
  }
  slot->next = NULL;
}

void avito_slot_rest(struct avito_slot *slot)
{
  struct avito_pool *pool = slot->pool;

  avito_transfer_rest(&slot->transfer);
  slot->state = AVITO_SLOT_IDLE;
  slot->uses++;
  if (pool->open_count < AVITO_MAX_IDLE_TRANSFERS) {
    pool->open_count++;
    push(&pool->open, slot);
  } else {
    avito_transfer_close(&slot->transfer);
    push(&pool->empty, slot);
  }
}

double avito_slot_number(const struct avito_slot *slot)
{
  return (double)slot->uses * (double)AVITO_MAX_TRANSFERS + (double)slot->index;
}

struct avito_slot *avito_slots_find(const struct avito_slots *slots, double number)
{
  uint64_t whole;
  size_t index;
  struct avito_slot *slot;

  if (!(number >= 0 && number < (double)UINT32_MAX * (double)AVITO_MAX_TRANSFERS))
    return NULL;
  whole = (uint64_t)number;
  index = (size_t)(whole % AVITO_MAX_TRANSFERS);
  if (index >= slots->count)
    return NULL;
  slot = slots->slots[index];
  return slot->state != AVITO_SLOT_IDLE && slot->uses == whole / AVITO_MAX_TRANSFERS ? slot : NULL;
}

void avito_slots_free(struct avito_slots *slots, bool own)
{
  for (size_t i = 0; i < slots->count; i++) {
    if (own)
      avito_transfer_close(&slots->slots[i]->transfer);
    else
      avito_transfer_abandon(&slots->slots[i]->transfer);
    free(slots->slots[i]);
  }
  for (size_t i = 0; i < slots->pool_count; i++) {
    avito_transport_free(&slots->pools[i]->transport);
    free(slots->pools[i]);
  }
  free(slots->slots);
  free(slots->pools);
  memset(slots, 0, sizeof *slots);
}
