/* gate.h - how many requests of one account may be under way at once: a few places, each taken for a time.
 *
 * Pure: no Lua, no clock; `now` is monotonic seconds. All-zero is no gate at all. A gate owns no memory (queue.h).
 *
 * A place is taken until its request's deadline, so that nothing that dies holds one: where nobody gives it back, time does.
 */
#ifndef AVITO_GATE_H
#define AVITO_GATE_H

#include <stdbool.h>
#include <stddef.h>

#include "queue.h"

#define AVITO_GATE_MOST 4

struct avito_gate {
  unsigned places;               /* how many may be taken; 0: there is no gate */
  double until[AVITO_GATE_MOST]; /* when each is free at the latest; not after now: it is */
  double at;                     /* closed until then */
  struct avito_queue queue;
};

/* Opens a gate with 1 to AVITO_GATE_MOST places, all of them free. */
void avito_gate_open(struct avito_gate *gate, unsigned places);

/* When there is a place for the call that has so many before it, if none is given back before its time; not after now: at
 * once. HUGE_VAL: that cannot be known. */
double avito_gate_turn(const struct avito_gate *gate, unsigned before);

/* Once that turn has come: takes a place until then, and returns which. */
unsigned avito_gate_take(struct avito_gate *gate, double until);
/* Gives back the place that was taken until `until`; one that was taken anew stays so. */
void avito_gate_give(struct avito_gate *gate, unsigned place, double until);

/* Lets nobody go before `when`. */
void avito_gate_close(struct avito_gate *gate, double when);

/* What several gates of one account share, in processes of one machine: numbers as the machine writes them. The queue is each
 * gate's own, and how many places it has. */
#define AVITO_GATE_PACKED ((1 + AVITO_GATE_MOST) * sizeof(double))

void avito_gate_pack(const struct avito_gate *gate, char packed[AVITO_GATE_PACKED]);
/* Is that what a gate may be? Then it can be taken over. All of them go by the same clock. */
bool avito_gate_possible(const char packed[AVITO_GATE_PACKED], double now);
void avito_gate_unpack(struct avito_gate *gate, const char packed[AVITO_GATE_PACKED]);

#endif
