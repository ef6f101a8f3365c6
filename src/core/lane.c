#include "lane.h"

#include <math.h>
#include <string.h>

#include "limits.h"

/* Times are sums of waits: a token that lacks this little is one. What was lacking stays owed. */
#define NEARLY 1e-3

#define MOST_TOKENS   1e6
#define MOST_HALVINGS 9007199254740992.0 /* 2^53: what a double counts without gaps */

void avito_lane_open(struct avito_lane *lane, double rate, double given, double burst, double period)
{
  *lane = (struct avito_lane){
      .rate = rate, .ceiling = rate, .given = given, .burst = burst, .period = period, .tokens = burst};
}

/* ---- the bucket ---- */

bool avito_lane_ready(struct avito_lane *lane, unsigned before, double now)
{
  double needed = before + 1.0;
  if (now > lane->at) {
    /* More than the burst gathers only for a call that has idle ones before it: else they would block it for good. */
    double most = fmax(lane->burst, needed);
    lane->tokens = fmax(lane->tokens, fmin(most, lane->tokens + (now - lane->at) * lane->rate));
    lane->at = now;
  }
  return lane->tokens >= needed - NEARLY;
}

void avito_lane_spend(struct avito_lane *lane)
{
  lane->tokens -= 1;
}

double avito_lane_turn(const struct avito_lane *lane, unsigned before)
{
  return lane->at + (before + 1.0 - lane->tokens) / lane->rate;
}

/* ---- what it learns ---- */

/* The rate that a refusal or the server's limit slows no further down than to. */
static double least(const struct avito_lane *lane)
{
  return AVITO_PACE_LEAST / lane->period;
}

void avito_lane_learn(struct avito_lane *lane, int64_t limit, int64_t remaining, double now)
{
  double left = (double)remaining;
  if (remaining >= 0 && lane->tokens + (now - lane->at) * lane->rate > left) {
    lane->tokens = fmin(left, fmax(lane->tokens, lane->burst)); /* with what has gathered since the last count */
    lane->at = now;
  }
  if (limit >= 0) {
    double rate = fmax(least(lane), fmin(AVITO_MAX_PACE, (double)limit / lane->period));
    lane->ceiling = lane->given > 0 ? fmin(lane->given, rate) : rate;
    lane->rate = fmin(lane->rate, lane->ceiling);
  }
}

void avito_lane_recover(struct avito_lane *lane)
{
  lane->rate = fmin(lane->ceiling, lane->rate + lane->ceiling / AVITO_PACE_STEPS);
}

/* Once for all requests that were under way: those that left before the last halving teach nothing new. */
static bool halve(struct avito_lane *lane, uint64_t halvings)
{
  if (halvings != lane->halvings) {
    return false;
  }
  lane->rate = fmax(lane->rate / 2, fmin(lane->rate, least(lane)));
  lane->halvings++;
  return true;
}

void avito_lane_refused(struct avito_lane *lane, uint64_t halvings, double pause, double now)
{
  halve(lane, halvings);
  lane->tokens = 0;
  lane->at = fmax(lane->at, now + pause);
}

void avito_lane_doubt(struct avito_lane *lane, uint64_t halvings)
{
  if (halve(lane, halvings)) {
    lane->tokens = floor(lane->tokens / 2);
  }
}

void avito_lane_close(struct avito_lane *lane, double seconds, double now)
{
  double until = now + seconds;
  if (until > avito_lane_turn(lane, 0)) {
    lane->tokens = 0;
    lane->at = fmax(0, until - 1 / lane->rate);
  }
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
  memcpy(packed, numbers, sizeof numbers);
}

bool avito_lane_possible(const char packed[AVITO_LANE_PACKED], double now)
{
  double numbers[AVITO_LANE_NUMBERS];
  memcpy(numbers, packed, sizeof numbers);
  /* The other's `now` may be later than this one. NaN is in no bounds. */
  return numbers[RATE] > 0 && numbers[RATE] <= numbers[CEILING] && numbers[CEILING] <= AVITO_MAX_PACE &&
         numbers[TOKENS] >= -1 && numbers[TOKENS] <= MOST_TOKENS && numbers[AT] >= 0 &&
         numbers[AT] <= now + 2 * AVITO_PACE_LONGEST && numbers[HALVINGS] >= 0 && numbers[HALVINGS] <= MOST_HALVINGS;
}

void avito_lane_unpack(struct avito_lane *lane, const char packed[AVITO_LANE_PACKED])
{
  double numbers[AVITO_LANE_NUMBERS];
  memcpy(numbers, packed, sizeof numbers);
  lane->at = numbers[AT];
  lane->tokens = numbers[TOKENS];
  lane->halvings = (uint64_t)numbers[HALVINGS];
  if (numbers[GIVEN] == lane->given && numbers[BURST] == lane->burst) {
    lane->rate = numbers[RATE];
    lane->ceiling = numbers[CEILING];
  } else {
    lane->tokens = fmin(lane->tokens, lane->burst);
  }
}
