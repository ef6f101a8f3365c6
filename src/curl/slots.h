/* slots.h - the exchanges of a multi: where they live, and by which numbers they are known.
 *
 * Slots never move and are reused; the number an exchange is known by holds its slot and how often that was used, so
 * an old number never means a new exchange. An idle slot keeps its easy handle, which is made for one transport: each
 * transport has its own idle slots. Knows no Lua. All-zero is the empty state.
 */
#ifndef AVITO_CURL_SLOTS_H
#define AVITO_CURL_SLOTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "transfer.h"

enum avito_slot_state { AVITO_SLOT_IDLE, AVITO_SLOT_RUNNING, AVITO_SLOT_DONE };

struct avito_slot {
  struct avito_transfer transfer; /* first: libcurl's private pointer to it is one to the slot */
  enum avito_slot_state state;
  size_t index;
  uint32_t uses;
  struct avito_pool *pool;
  struct avito_slot *next; /* in the list of its state */
};

/* A transport and its idle slots. */
struct avito_pool {
  struct avito_transport transport;
  struct avito_slot *open; /* hold an easy handle; the warmest first */
  size_t open_count;
  struct avito_slot *empty;
};

struct avito_slots {
  struct avito_slot **slots; /* count made of capacity */
  size_t count, capacity;
  struct avito_pool **pools;
  size_t pool_count;
};

/* The number of the pool for such a transport, which is taken over or freed; -1 for want of memory. Equal ones share a
 * pool. */
long avito_slots_pool(struct avito_slots *slots, struct avito_transport *transport);

/* An idle slot, still in its list, or NULL: then avito_slots_grow makes one. */
struct avito_slot *avito_slots_idle(const struct avito_pool *pool);
bool avito_slots_grow(struct avito_slots *slots, struct avito_pool *pool);

/* Takes that slot, whose easy handle is open by now, out of its list. */
void avito_slot_take(struct avito_slot *slot);
/* Gives it back; its exchange is forgotten. */
void avito_slot_rest(struct avito_slot *slot);

double avito_slot_number(const struct avito_slot *slot);
/* The slot whose exchange has that number, or NULL. */
struct avito_slot *avito_slots_find(const struct avito_slots *slots, double number);

/* Frees everything. No transfer may be part of a multi any more; `own`: false in a forked child. */
void avito_slots_free(struct avito_slots *slots, bool own);

#endif
