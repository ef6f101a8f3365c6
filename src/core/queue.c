#include "queue.h"

#include <stddef.h>

void avito_queue_join(struct avito_queue *queue, struct avito_queue_place *place)
{
  struct avito_queue_place *before = queue->last;
  while (before != NULL && before->ticket > place->ticket) {
    before = before->before;
  }
  place->queue = queue;
  place->before = before;
  place->after = before != NULL ? before->after : queue->first;
  *(place->before != NULL ? &place->before->after : &queue->first) = place;
  *(place->after != NULL ? &place->after->before : &queue->last) = place;
  queue->waiting++;
}

void avito_queue_leave(struct avito_queue_place *place)
{
  struct avito_queue *queue = place->queue;
  if (queue == NULL) {
    return;
  }
  *(place->before != NULL ? &place->before->after : &queue->first) = place->after;
  *(place->after != NULL ? &place->after->before : &queue->last) = place->before;
  place->queue = NULL;
  queue->waiting--;
}

/* Counts the places up to the ticket, and drops those on the way that are late. */
static unsigned walk(struct avito_queue *queue, uint64_t ticket, double now)
{
  unsigned count = 0;
  struct avito_queue_place *after;
  for (struct avito_queue_place *place = queue->first; place != NULL && place->ticket < ticket; place = after) {
    after = place->after;
    if (now >= place->deadline) {
      avito_queue_leave(place);
    } else {
      count++;
    }
  }
  return count;
}

unsigned avito_queue_before(struct avito_queue *queue, uint64_t ticket, double now)
{
  if (queue->last == NULL || queue->last->ticket < ticket) {
    return queue->waiting; /* it comes last: no walk past all of them */
  }
  return walk(queue, ticket, now);
}

void avito_queue_sweep(struct avito_queue *queue, double now)
{
  walk(queue, UINT64_MAX, now);
}
