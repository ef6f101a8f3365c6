/* lane.h - the pace of one account's requests: a bucket of tokens, and the queue of the calls that wait for one.
 *
 * Pure: no Lua, no clock; `now` is monotonic seconds. All-zero is no lane at all. A lane owns no memory: the places in its
 * queue belong to those who wait, and a place leaves the queue before it is freed.
 *
 * The order is that of tickets. A call draws one when it first comes and keeps it to its end: a repeat has the place that
 * the call had, before everything that came later.
 */
#ifndef AVITO_LANE_H
#define AVITO_LANE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct avito_lane_place {
  struct avito_lane *lane; /* NULL: not in the queue */
  struct avito_lane_place *before, *after;
  uint64_t ticket;
  double deadline; /* from then on it counts no more */
};

struct avito_lane {
  double rate;    /* requests a second now; 0: there is no lane */
  double ceiling; /* what the rate recovers to */
  double given;   /* the most the program allows; 0: what the server says goes */
  double burst;
  double tokens;
  double at; /* when the tokens were counted; in the future: closed until then */
  uint64_t tickets;
  uint64_t halvings;
  unsigned waiting;
  struct avito_lane_place *first, *last;
};

/* Opens a lane with a full bucket. `rate` 0: the default, which the server's own limit replaces. */
void avito_lane_open(struct avito_lane *lane, double rate, double burst);

/* How many wait before that ticket. Those whose deadline has passed are dropped on the way. */
unsigned avito_lane_before(struct avito_lane *lane, uint64_t ticket, double now);
/* Drops all whose deadline has passed. */
void avito_lane_sweep(struct avito_lane *lane, double now);

/* Takes a token if there is one left over for the call that has so many before it. */
bool avito_lane_take(struct avito_lane *lane, unsigned before, double now);
/* After a take that failed: when there will be, as things are. */
double avito_lane_turn(const struct avito_lane *lane, unsigned before);

/* Puts a place that is in no queue where its ticket belongs / takes it out; one that is in none stays so. */
void avito_lane_join(struct avito_lane *lane, struct avito_lane_place *place);
void avito_lane_leave(struct avito_lane_place *place);

/* What an answer says: requests a minute, and how many of them are left; each -1 when it does not say. */
void avito_lane_learn(struct avito_lane *lane, int64_t limit, int64_t remaining, double now);
/* An answer came that was no 429: the rate recovers by a step. */
void avito_lane_recover(struct avito_lane *lane);
/* A 429: nobody goes for `pause` seconds (negative: not said), and the rate is halved, but once for all requests that were
 * under way. `halvings` is the lane's when the request left. */
void avito_lane_refused(struct avito_lane *lane, uint64_t halvings, double pause, double now);

/* What several lanes of one account share, in processes of one machine: a version, and numbers as the machine writes them.
 * The queue and its tickets are each lane's own. */
#define AVITO_LANE_NUMBERS 7
#define AVITO_LANE_PACKED  (1 + AVITO_LANE_NUMBERS * sizeof(double))

void avito_lane_pack(const struct avito_lane *lane, char packed[AVITO_LANE_PACKED]);
/* Takes over what another has packed; all of them go by the same clock. A lane that was opened with another rate or burst
 * keeps its rate, for the other's is what another program allows. false, and nothing is changed: that is no lane, or it
 * would be closed for longer than one ever is. */
bool avito_lane_unpack(struct avito_lane *lane, const char *packed, size_t length, double now);

#endif
