/* pace.h - how fast the requests of one account go: a lane for each limit of the server's, and a gate for how many are under
 * way at once. What a session has of it; pace.c uses it for the session's operations.
 *
 * All-zero is no pace at all. It owns no memory.
 */
#ifndef AVITO_PACE_H
#define AVITO_PACE_H

#include "compat.h"
#include "gate.h"
#include "lane.h"

#define AVITO_PACE_LANES 8 /* one more than the rows of a marketplace whose operations have limits of their own */

struct avito_pace {
  /* 0: what has no limit of its own; else of the operation in that row of the marketplace, counted from 1. Without a rate: of
   * none. */
  struct avito_lane lanes[AVITO_PACE_LANES];
  unsigned lane_count;
  char unkept[AVITO_PACE_LANES][AVITO_LANE_PACKED]; /* of others: lanes that are none here, passed on as they came */
  struct avito_gate gate;
  uint64_t tickets; /* drawn so far, for all queues */
};

struct avito_session;

/* Opens what the option `pace` of the table at 1 says. Raises for values it cannot take, naming the option. [-0, +0, m]
 *   pace = { rate, burst }    of lane 0; at_once, where the marketplace limits it. false or absent: no lanes */
void avito_pace_open(lua_State *L, struct avito_session *session);

#endif
