/* lane.h - the pace of the requests that share a limit: a bucket of tokens, and the queue of the calls that wait for one.
 *
 * Pure: no Lua, no clock; `now` is monotonic seconds. All-zero is no lane at all. A lane owns no memory (queue.h).
 */
#ifndef AVITO_LANE_H
#define AVITO_LANE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "queue.h"

struct avito_lane {
  double rate;    /* requests a second now; 0: there is no lane */
  double ceiling; /* what the rate recovers to */
  double given;   /* the most the program allows; 0: what the server says goes */
  double burst;
  double period; /* in seconds: what the server's limit is counted for */
  double tokens;
  double at; /* when the tokens were counted; in the future: closed until then */
  uint64_t halvings;
  struct avito_queue queue;
};

/* Opens a lane with a full bucket. `given` 0: the server's own limit replaces the rate. */
void avito_lane_open(struct avito_lane *lane, double rate, double given, double burst, double period);

/* Is there a token left over for the call that has so many before it? Then it may spend it. */
bool avito_lane_ready(struct avito_lane *lane, unsigned before, double now);
void avito_lane_spend(struct avito_lane *lane);
/* While there is none: when there will be, as things are. */
double avito_lane_turn(const struct avito_lane *lane, unsigned before);

/* What an answer says: requests a period, and how many of them are left; each -1 when it does not say. */
void avito_lane_learn(struct avito_lane *lane, int64_t limit, int64_t remaining, double now);
/* An answer came that was no refusal: the rate recovers by a step. */
void avito_lane_recover(struct avito_lane *lane);
/* A refusal: nobody goes for `pause` seconds, and the rate is halved, but once for all requests that were under way.
 * `halvings` is the lane's when the request left. */
void avito_lane_refused(struct avito_lane *lane, uint64_t halvings, double pause, double now);
/* A refusal that may not have been for this lane's limit: the rate and what may go at once are halved, but once as above. */
void avito_lane_doubt(struct avito_lane *lane, uint64_t halvings);
/* A refusal that says when requests are taken again: one goes then, and the others at the lane's rate. */
void avito_lane_close(struct avito_lane *lane, double seconds, double now);

/* What several lanes of one account share, in processes of one machine: numbers as the machine writes them. The queue is each
 * lane's own. */
#define AVITO_LANE_NUMBERS 7
#define AVITO_LANE_PACKED  (AVITO_LANE_NUMBERS * sizeof(double))

void avito_lane_pack(const struct avito_lane *lane, char packed[AVITO_LANE_PACKED]);
/* Is that what a lane may be? Then it can be taken over. All of them go by the same clock. */
bool avito_lane_possible(const char packed[AVITO_LANE_PACKED], double now);
/* A lane that was opened with another rate or burst keeps its rate, for the other's is what another program allows. */
void avito_lane_unpack(struct avito_lane *lane, const char packed[AVITO_LANE_PACKED]);

#endif
