#include "lane.h"

#include <math.h>
#include <string.h>

#include "limits.h"

/* Times are sums of waits: a token that lacks this little is one. What was lacking stays owed. */
#define NEARLY 1e-3

#define PACKED_VERSION 1
#define MOST_TOKENS    1e6
#define MOST_HALVINGS  9007199254740992.0 /* 2^53: what a double counts without gaps */

void avito_lane_open(struct avito_lane *lane, double rate, double burst)
{
  *lane = (struct avito_lane){.given = rate, .burst = burst, .tokens = burst};
  lane->rate = lane->ceiling = rate > 0 ? rate : AVITO_PACE_RATE;
}

/* ---- the queue ---- */

void avito_lane_join(struct avito_lane *lane, struct avito_lane_place *place)
{
  struct avito_lane_place *before = lane->last;
  while (before != NULL && before->ticket > place->ticket) {
    before = before->before;
  }
  place->lane = lane;
  place->before = before;
  place->after = before != NULL ? before->after : lane->first;
  *(place->before != NULL ? &place->before->after : &lane->first) = place;
  *(place->after != NULL ? &place->after->before : &lane->last) = place;
  lane->waiting++;
}

void avito_lane_leave(struct avito_lane_place *place)
{
  struct avito_lane *lane = place->lane;
  if (lane == NULL) {
    return;
  }
  *(place->before != NULL ? &place->before->after : &lane->first) = place->after;
  *(place->after != NULL ? &place->after->before : &lane->last) = place->before;
  place->lane = NULL;
  lane->waiting--;
}

/* Counts the places up to the ticket, and drops those on the way that are late. */
static unsigned walk(struct avito_lane *lane, uint64_t ticket, double now)
{
  unsigned count = 0;
  struct avito_lane_place *after;
  for (struct avito_lane_place *place = lane->first; place != NULL && place->ticket < ticket; place = after) {
    after = place->after;
    if (now >= place->deadline) {
      avito_lane_leave(place);
    } else {
      count++;
    }
  }
  return count;
}

unsigned avito_lane_before(struct avito_lane *lane, uint64_t ticket, double now)
{
  if (lane->last == NULL || lane->last->ticket < ticket) {
    return lane->waiting; /* it comes last: no walk past all of them */
  }
  return walk(lane, ticket, now);
}

void avito_lane_sweep(struct avito_lane *lane, double now)
{
  walk(lane, UINT64_MAX, now);
}

/* ---- the bucket ---- */

bool avito_lane_take(struct avito_lane *lane, unsigned before, double now)
{
  double needed = before + 1.0;
  if (now > lane->at) {
    /* More than the burst gathers only for a call that has idle ones before it: else they would block it for good. */
    double most = fmax(lane->burst, needed);
    lane->tokens = fmax(lane->tokens, fmin(most, lane->tokens + (now - lane->at) * lane->rate));
    lane->at = now;
  }
  if (lane->tokens < needed - NEARLY) {
    return false;
  }
  lane->tokens -= 1;
  return true;
}

double avito_lane_turn(const struct avito_lane *lane, unsigned before)
{
  return lane->at + (before + 1.0 - lane->tokens) / lane->rate;
}

/* ---- what it learns ---- */

void avito_lane_learn(struct avito_lane *lane, int64_t limit, int64_t remaining, double now)
{
  double left = (double)remaining;
  if (remaining >= 0 && lane->tokens + (now - lane->at) * lane->rate > left) {
    lane->tokens = fmin(left, fmax(lane->tokens, lane->burst)); /* with what has gathered since the last count */
    lane->at = now;
  }
  if (limit >= 0) {
    double rate = fmax(AVITO_PACE_LEAST, fmin(AVITO_MAX_PACE, (double)limit / 60));
    lane->ceiling = lane->given > 0 ? fmin(lane->given, rate) : rate;
    lane->rate = fmin(lane->rate, lane->ceiling);
  }
}

void avito_lane_recover(struct avito_lane *lane)
{
  lane->rate = fmin(lane->ceiling, lane->rate + lane->ceiling / AVITO_PACE_STEPS);
}

void avito_lane_refused(struct avito_lane *lane, uint64_t halvings, double pause, double now)
{
  if (halvings == lane->halvings) {
    lane->rate = fmax(lane->rate / 2, fmin(lane->rate, AVITO_PACE_LEAST));
    lane->halvings++;
  }
  lane->tokens = 0;
  lane->at = fmax(lane->at, now + (pause >= 0 ? fmin(pause, AVITO_PACE_LONGEST) : AVITO_PACE_PAUSE));
}

/* ---- what it shares ---- */

enum { RATE, CEILING, GIVEN, BURST, TOKENS, AT, HALVINGS };

void avito_lane_pack(const struct avito_lane *lane, char packed[AVITO_LANE_PACKED])
{
  const double numbers[AVITO_LANE_NUMBERS] = {
      [RATE] = lane->rate,
      [CEILING] = lane->ceiling,
      [GIVEN] = lane->given,
      [BURST] = lane->burst,
      [TOKENS] = lane->tokens,
      [AT] = lane->at,
      [HALVINGS] = (double)lane->halvings,
  };
  packed[0] = PACKED_VERSION;
  memcpy(packed + 1, numbers, sizeof numbers);
}

/* A lane may be in such a state; the other's `now` may be later than this one. NaN is in no bounds. */
static bool possible(const double *numbers, double now)
{
  return numbers[RATE] > 0 && numbers[RATE] <= numbers[CEILING] && numbers[CEILING] <= AVITO_MAX_PACE &&
         numbers[TOKENS] >= -1 && numbers[TOKENS] <= MOST_TOKENS && numbers[AT] >= 0 &&
         numbers[AT] <= now + 2 * AVITO_PACE_LONGEST && numbers[HALVINGS] >= 0 && numbers[HALVINGS] <= MOST_HALVINGS;
}

bool avito_lane_unpack(struct avito_lane *lane, const char *packed, size_t length, double now)
{
  double numbers[AVITO_LANE_NUMBERS];
  if (length != AVITO_LANE_PACKED || packed[0] != PACKED_VERSION) {
    return false;
  }
  memcpy(numbers, packed + 1, sizeof numbers);
  if (!possible(numbers, now)) {
    return false;
  }
  lane->at = numbers[AT];
  lane->tokens = numbers[TOKENS];
  lane->halvings = (uint64_t)numbers[HALVINGS];
  if (numbers[GIVEN] == lane->given && numbers[BURST] == lane->burst) {
    lane->rate = numbers[RATE];
    lane->ceiling = numbers[CEILING];
  } else {
    lane->tokens = fmin(lane->tokens, lane->burst);
  }
  return true;
}
