#include "gate.h"

#include <math.h>
#include <string.h>

#include "limits.h"

void avito_gate_open(struct avito_gate *gate, unsigned places)
{
  *gate = (struct avito_gate){.places = places};
}

double avito_gate_turn(const struct avito_gate *gate, unsigned before)
{
  unsigned needed = before + AVITO_GATE_MOST - gate->places; /* so many more have to be free: others may allow more */
  for (unsigned i = 0; i < AVITO_GATE_MOST; i++) {
    unsigned sooner = 0;
    for (unsigned j = 0; j < AVITO_GATE_MOST; j++) {
      sooner += gate->until[j] < gate->until[i] || (j < i && gate->until[j] == gate->until[i]);
    }
    if (sooner == needed) {
      return fmax(gate->at, gate->until[i]);
    }
  }
  return HUGE_VAL;
}

unsigned avito_gate_take(struct avito_gate *gate, double until)
{
  unsigned place = 0;
  for (unsigned i = 1; i < AVITO_GATE_MOST; i++) {
    if (gate->until[i] < gate->until[place]) {
      place = i;
    }
  }
  gate->until[place] = until;
  return place;
}

void avito_gate_give(struct avito_gate *gate, unsigned place, double until)
{
  if (gate->until[place] == until) {
    gate->until[place] = 0;
  }
}

void avito_gate_close(struct avito_gate *gate, double when)
{
  gate->at = fmax(gate->at, when);
}

/* ---- what it shares ---- */

void avito_gate_pack(const struct avito_gate *gate, char packed[AVITO_GATE_PACKED])
{
  memcpy(packed, &gate->at, sizeof gate->at);
  memcpy(packed + sizeof gate->at, gate->until, sizeof gate->until);
}

bool avito_gate_possible(const char packed[AVITO_GATE_PACKED], double now)
{
  double times[1 + AVITO_GATE_MOST];
  memcpy(times, packed, sizeof times);
  bool possible = times[0] >= 0 && times[0] <= now + 2 * AVITO_PACE_LONGEST; /* the other's now may be a later one */
  for (unsigned i = 1; i <= AVITO_GATE_MOST; i++) {
    possible = possible && times[i] >= 0 && times[i] <= now + 2 * AVITO_MAX_TIMEOUT; /* NaN is in no bounds */
  }
  return possible;
}

void avito_gate_unpack(struct avito_gate *gate, const char packed[AVITO_GATE_PACKED])
{
  memcpy(&gate->at, packed, sizeof gate->at);
  memcpy(gate->until, packed + sizeof gate->at, sizeof gate->until);
}
