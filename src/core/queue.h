/* queue.h - who waits for something, in the order of tickets.
 *
 * Pure: no Lua, no clock; `now` is monotonic seconds. All-zero is an empty queue, and a place that is in none. A queue owns no
 * memory: its places belong to those who wait, and a place leaves the queue before it is freed.
 *
 * A call draws its ticket when it first comes and keeps it to its end: a repeat has the place that the call had, before
 * everything that came later.
 */
#ifndef AVITO_QUEUE_H
#define AVITO_QUEUE_H

#include <stdint.h>

struct avito_queue_place {
  struct avito_queue *queue; /* NULL: in none */
  struct avito_queue_place *before, *after;
  uint64_t ticket;
  double deadline; /* from then on it counts no more */
};

struct avito_queue {
  unsigned waiting;
  struct avito_queue_place *first, *last;
};

/* How many wait before that ticket. Those whose deadline has passed are dropped on the way. */
unsigned avito_queue_before(struct avito_queue *queue, uint64_t ticket, double now);
/* Drops all whose deadline has passed. */
void avito_queue_sweep(struct avito_queue *queue, double now);

/* Puts a place that is in no queue where its ticket belongs / takes it out; one that is in none stays so. */
void avito_queue_join(struct avito_queue *queue, struct avito_queue_place *place);
void avito_queue_leave(struct avito_queue_place *place);

#endif
