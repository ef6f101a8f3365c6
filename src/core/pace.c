/* The pace of a session, for its operations: every request of the account's own waits for its turn, and every answer to one
 * tells how fast the next may be. */
#include "pace.h"

#include <math.h>

#include "http_head.h"
#include "limits.h"
#include "operation.h"
#include "options.h"

#define PLACE "avito_messenger.place"

/* A userdata of its own, made when an operation first has to wait or takes a place in the gate: when it is collected, it leaves
 * the queues and gives the place back. */
struct avito_held_place {
  struct avito_queue_place lane, slot; /* in the queue of the operation's lane, of the gate */
  struct avito_gate *gate;             /* in which it has a place; NULL: in none */
  unsigned place;
  double until;
  bool collected; /* an operation that lives on, brought back by a finalizer, needs another */
};

/* [-0, +0, m] */
static struct avito_held_place *hold(lua_State *L, int op, int session)
{
  struct avito_operation *operation = lua_touserdata(L, op);
  if (operation->place == NULL || operation->place->collected) {
    struct avito_held_place *made = avito_newobject(L, sizeof *made, 1); /* place */
    lua_pushvalue(L, session);
    avito_setslot(L, -2, 1);
    luaL_getmetatable(L, PLACE);
    lua_setmetatable(L, -2);
    avito_op_set(L, op, AVITO_OP_PLACE); /* - */
    operation->place = made;
  }
  return operation->place;
}

static void join(struct avito_queue *queue, struct avito_queue_place *place, const struct avito_operation *operation)
{
  if (place->queue == NULL) {
    place->ticket = operation->ticket;
    place->deadline = operation->deadline;
    avito_queue_join(queue, place);
  }
}

static void leave(struct avito_held_place *held)
{
  avito_queue_leave(&held->lane);
  avito_queue_leave(&held->slot);
}

static void give(struct avito_held_place *held)
{
  if (held->gate != NULL) {
    avito_gate_give(held->gate, held->place, held->until);
    held->gate = NULL;
  }
}

static int place_gc(lua_State *L)
{
  struct avito_held_place *held = luaL_checkudata(L, 1, PLACE);
  held->collected = true;
  leave(held);
  give(held);
  return 0;
}

void avito_pace_leave(struct avito_operation *operation)
{
  if (operation->place != NULL) {
    leave(operation->place);
    give(operation->place);
  }
}

void avito_pace_limit(struct avito_operation *operation)
{
  if (operation->place != NULL) {
    operation->place->lane.deadline = operation->deadline;
    operation->place->slot.deadline = operation->deadline;
  }
}

bool avito_pace_holds(const struct avito_operation *operation)
{
  return operation->place != NULL && operation->place->gate != NULL;
}

/* ---- the turn of an operation ---- */

/* Makes an error of the message on top. [-1, +1, m] */
static void push_refusal(lua_State *L, int op)
{
  const struct avito_operation *operation = lua_touserdata(L, op);
  bool adjustable = avito_op_session(L, op)->marketplace->at_once == 0;           /* message session */
  avito_op_get(L, op, AVITO_OP_NAME);                                             /* message session name */
  lua_replace(L, -2);                                                             /* message name */
  lua_insert(L, -2);                                                              /* name message */
  avito_error_new(L, "rate_limited", lua_tostring(L, -2), operation->dispatched); /* name err */
  avito_error_hint(L, adjustable ? "make fewer calls at once, give them a longer timeout, or raise pace"
                                 : "make fewer calls at once, or give them a longer timeout");
  lua_remove(L, -2); /* err */
}

/* Pushes the error of a call whose turn would come too late. [-0, +1, m] */
static void push_late(lua_State *L, int op, unsigned before, double seconds)
{
  if (before > 0) {
    lua_pushfstring(L,
                    before == 1 ? "%d call of this account waits before this one: its"
                                : "%d calls of this account wait before this one: its",
                    (int)before);
  } else {
    lua_pushliteral(L, "the call's");
  } /* whose */
  lua_pushfstring(L, "%s turn would come in %f s, past the deadline", lua_tostring(L, -1),
                  (lua_Number)(ceil(seconds * 10) / 10)); /* whose message */
  lua_remove(L, -2);                                      /* message */
  push_refusal(L, op);                                    /* err */
  lua_pushnumber(L, seconds);
  lua_setfield(L, -2, "retry_after");
}

bool avito_pace_late(lua_State *L, int op)
{
  const struct avito_operation *operation = lua_touserdata(L, op);
  if (!operation->waits_for_slot) {
    return false;
  }
  int places = (int)avito_op_session(L, op)->pace.gate.places; /* session */
  lua_pop(L, 1);
  lua_pushfstring(L, "until the deadline there were %d requests of this account under way, and it may have no more",
                  places);
  push_refusal(L, op); /* err */
  return true;
}

/* When it is the operation's turn in its lane; not after now: at once. */
static double lane_turn(struct avito_lane *lane, const struct avito_operation *operation, double now, unsigned *before)
{
  *before = 0;
  if (lane->rate <= 0) {
    return now;
  }
  for (int look = 1;; look++) {
    *before = avito_queue_before(&lane->queue, operation->ticket, now);
    if (avito_lane_ready(lane, *before, now)) {
      return now;
    }
    double turn = avito_lane_turn(lane, *before);
    if (turn < operation->deadline || look == 2) {
      return fmax(turn, now);
    }
    avito_queue_sweep(&lane->queue, now); /* some that stand before it may have waited too long */
  }
}

/* The same in the gate. */
static double gate_turn(struct avito_gate *gate, const struct avito_operation *operation, double now, unsigned *before)
{
  *before = 0;
  if (gate->places == 0) {
    return now;
  }
  avito_queue_sweep(&gate->queue, now);
  *before = avito_queue_before(&gate->queue, operation->ticket, now);
  return avito_gate_turn(gate, *before);
}

/* Pushes a wait for the operation's lane. [-0, +4, m] */
static void push_lane_wait(lua_State *L, double seconds)
{
  lua_pushliteral(L, "wait");
  lua_pushnumber(L, seconds > AVITO_PACE_LOOK ? fmax(AVITO_PACE_LOOK, seconds / 2) : seconds);
  lua_pushliteral(L, "pace");
  lua_pushnumber(L, seconds);
}

/* Pushes a wait for a place in the gate, which may come at any time while it is open. [-0, +4, m] */
static void push_slot_wait(lua_State *L, const struct avito_gate *gate, double longest, double now)
{
  lua_pushliteral(L, "wait");
  lua_pushnumber(L, fmin(longest, fmax(AVITO_SLOT_POLL, gate->at - now)));
  lua_pushliteral(L, "slot");
  lua_pushnumber(L, longest);
}

enum avito_step avito_pace_step(lua_State *L, int op, int session, double now)
{
  struct avito_operation *operation = lua_touserdata(L, op);
  struct avito_pace *pace = &((struct avito_session *)lua_touserdata(L, session))->pace;
  struct avito_lane *lane = &pace->lanes[operation->lane];
  struct avito_gate *gate = &pace->gate;
  if (lane->rate <= 0 && gate->places == 0) {
    return AVITO_STEP_READY;
  }
  luaL_checkstack(L, 8, NULL);
  if (operation->ticket == 0) {
    operation->ticket = ++pace->tickets;
  }
  operation->waits_for_slot = false;
  unsigned before;
  double turn = lane_turn(lane, operation, now, &before);
  if (turn >= operation->deadline) {
    push_late(L, op, before, turn - now);
    return AVITO_STEP_FAILED;
  }
  if (turn > now) {
    struct avito_held_place *held = hold(L, op, session);
    avito_queue_leave(&held->slot); /* calls of other lanes need not wait for it */
    join(&lane->queue, &held->lane, operation);
    push_lane_wait(L, turn - now);
    return AVITO_STEP_PUSHED;
  }
  if (gate->places > 0) {
    struct avito_held_place *held = hold(L, op, session);
    turn = gate_turn(gate, operation, now, &before);
    if (gate->at >= operation->deadline) {
      push_late(L, op, before, gate->at - now);
      return AVITO_STEP_FAILED;
    }
    if (turn > now) {
      join(&gate->queue, &held->slot, operation);
      if (lane->rate > 0) {
        join(&lane->queue, &held->lane, operation);
      }
      operation->waits_for_slot = true;
      push_slot_wait(L, gate, fmin(turn, operation->deadline) - now, now);
      return AVITO_STEP_PUSHED;
    }
    held->until = operation->deadline;
    held->place = avito_gate_take(gate, held->until);
    held->gate = gate;
  }
  if (lane->rate > 0) {
    avito_lane_spend(lane);
  }
  if (operation->place != NULL) {
    leave(operation->place);
  }
  operation->halvings = lane->halvings;
  return AVITO_STEP_READY;
}

/* ---- what answers tell ---- */

/* The refusal is for too many requests at once, not for too many in an hour. */
static bool crowded(const struct avito_marketplace *marketplace, const struct avito_rate_limit *told)
{
  return marketplace->at_once > 0 && told->remaining > 0;
}

double avito_pace_retry_after(const struct avito_marketplace *marketplace, const struct avito_response *response,
                              double unix_now)
{
  double seconds = avito_retry_after(response->head, response->head_length, unix_now);
  if (seconds >= 0 || !avito_marketplace_refuses(marketplace, response->status)) {
    return seconds;
  }
  struct avito_rate_limit told;
  avito_rate_limit(response->head, response->head_length, marketplace->rate_prefix, unix_now, &told);
  return told.until > 0 && !crowded(marketplace, &told) ? fmin(told.until, AVITO_PACE_LONGEST) : -1;
}

void avito_pace_answered(struct avito_operation *operation, struct avito_session *session,
                         const struct avito_response *response, double now, double unix_now)
{
  const struct avito_marketplace *marketplace = session->marketplace;
  struct avito_pace *pace = &session->pace;
  struct avito_lane *lane = &pace->lanes[operation->lane];
  struct avito_rate_limit told;
  avito_rate_limit(response->head, response->head_length, marketplace->rate_prefix, unix_now, &told);
  bool refused = avito_marketplace_refuses(marketplace, response->status);
  bool full = refused && crowded(marketplace, &told);
  bool by_operation = pace->lane_count > 1;
  double said = refused ? avito_pace_retry_after(marketplace, response, unix_now) : -1;
  double pause = said >= 0 ? fmin(said, AVITO_PACE_LONGEST) : AVITO_PACE_PAUSE;
  bool unclear = refused && marketplace->at_once > 0 && said < 0 && told.remaining < 0; /* for which of its limits */
  if (full || unclear) {
    avito_gate_close(&pace->gate, now + pause);
  }
  if (lane->rate <= 0) {
    return;
  }
  if (!full && (operation->lane > 0 || !by_operation)) { /* else the limit is that of some operation, or of the gate */
    avito_lane_learn(lane, told.limit, told.remaining, now);
  }
  if (refused && !full && by_operation && said >= 0) {
    avito_lane_close(lane, pause, now);
  } else if (unclear) {
    avito_lane_doubt(lane, operation->halvings);
  } else if (refused && !full) {
    avito_lane_refused(lane, operation->halvings, pause, now);
  } else if (!refused && response->status >= 200 && response->status < 500) {
    avito_lane_recover(lane);
  }
}

/* ---- the option, and what sessions share ---- */

static double integer_option(lua_State *L, const char *where, int pace, const char *name, int most, double otherwise)
{
  double value = avito_option_number(L, where, pace, name, otherwise);
  if (!(value >= 1 && value <= most) || floor(value) != value) {
    lua_pushfstring(L, "must be an integer from 1 to %d", most);
    avito_option_bad(L, where, name, lua_tostring(L, -1));
  }
  return value;
}

/* Opens lane 0 as the table at `given` says, and those of the operations that have limits of their own. [-0, +0, m] */
static void open_lanes(lua_State *L, int given, struct avito_session *session)
{
  const struct avito_marketplace *marketplace = session->marketplace;
  struct avito_pace *pace = &session->pace;
  double rate = avito_option_number(L, marketplace->client, given, "pace.rate", AVITO_PACE_RATE);
  double burst = integer_option(L, marketplace->client, given, "pace.burst", AVITO_MAX_PACE, AVITO_PACE_BURST);
  lua_getfield(L, given, "rate"); /* rate */
  bool replaced = lua_isnil(L, -1);
  lua_pop(L, 1); /* - */
  if (!(rate > 0 && rate <= AVITO_MAX_PACE)) {
    avito_option_bad(L, marketplace->client, "pace.rate", "must be more than 0 and at most 1000 requests a second");
  }
  avito_lane_open(&pace->lanes[0], rate, replaced ? 0 : rate, burst, marketplace->rate_period);
  for (unsigned i = 1; i < pace->lane_count; i++) {
    double hourly = marketplace->endpoints[i - 1].hourly;
    if (hourly > 0) {
      avito_lane_open(&pace->lanes[i], hourly / 3600, 0, hourly / 2, marketplace->rate_period);
    }
  }
}

void avito_pace_open(lua_State *L, struct avito_session *session)
{
  const struct avito_marketplace *marketplace = session->marketplace;
  double at_once = marketplace->at_once;
  session->pace.lane_count = 1;
  for (unsigned i = 0; i < marketplace->endpoint_count; i++) {
    if (marketplace->endpoints[i].hourly > 0) {
      session->pace.lane_count = i + 2;
    }
  }
  lua_getfield(L, 1, "pace"); /* pace */
  if (lua_toboolean(L, -1)) {
    if (lua_type(L, -1) != LUA_TTABLE) {
      lua_pushfstring(L, "must be a table or false, got %s", lua_isboolean(L, -1) ? "true" : luaL_typename(L, -1));
      avito_option_bad(L, marketplace->client, "pace", lua_tostring(L, -1));
    }
    int given = lua_gettop(L);
    open_lanes(L, given, session);
    if (at_once > 0) {
      at_once = integer_option(L, marketplace->client, given, "pace.at_once", (int)at_once, at_once);
    }
  }
  lua_pop(L, 1); /* - */
  avito_gate_open(&session->pace.gate, (unsigned)at_once);
}

#define PACKED_VERSION 1
#define MOST_PACKED    (1 + AVITO_PACE_LANES * AVITO_LANE_PACKED + AVITO_GATE_PACKED)

static bool is_kept(const struct avito_pace *pace)
{
  return pace->lanes[0].rate > 0 || pace->gate.places > 0;
}

static size_t packed_size(const struct avito_pace *pace)
{
  return 1 + pace->lane_count * AVITO_LANE_PACKED + (pace->gate.places > 0 ? AVITO_GATE_PACKED : 0);
}

/* A lane that the other does not keep. */
static bool is_none(const char *packed)
{
  static const char none[AVITO_LANE_PACKED];
  return memcmp(packed, none, sizeof none) == 0;
}

static bool unpack(struct avito_pace *pace, const char *packed, size_t length, double now)
{
  if (length != packed_size(pace) || packed[0] != PACKED_VERSION) {
    return false;
  }
  const char *lanes = packed + 1;
  const char *gate = lanes + pace->lane_count * AVITO_LANE_PACKED;
  bool gated = pace->gate.places > 0;
  bool possible = !gated || avito_gate_possible(gate, now);
  for (unsigned i = 0; i < pace->lane_count; i++) {
    const char *lane = lanes + i * AVITO_LANE_PACKED;
    possible = possible && ((gated && is_none(lane)) || avito_lane_possible(lane, now));
  }
  if (!possible) {
    return false;
  }
  for (unsigned i = 0; i < pace->lane_count; i++) {
    const char *lane = lanes + i * AVITO_LANE_PACKED;
    if (pace->lanes[i].rate <= 0) {
      memcpy(pace->unkept[i], lane, AVITO_LANE_PACKED);
    } else if (!is_none(lane)) {
      avito_lane_unpack(&pace->lanes[i], lane);
    }
  }
  if (gated) {
    avito_gate_unpack(&pace->gate, gate);
  }
  return true;
}

/* session:pace() -> the state of the pace, for sessions of other processes that keep to the same; nil where there is none.
 * session:pace(state, now) -> was it taken over? Not what is no such state, nor one in which something is closed for longer
 * than it ever is. */
static int session_pace(lua_State *L)
{
  struct avito_pace *pace = &avito_session_check(L, 1)->pace;
  if (lua_isnoneornil(L, 2)) {
    char packed[MOST_PACKED] = {PACKED_VERSION};
    if (!is_kept(pace)) {
      return 0;
    }
    for (unsigned i = 0; i < pace->lane_count; i++) {
      char *lane = packed + 1 + i * AVITO_LANE_PACKED;
      if (pace->lanes[i].rate > 0) {
        avito_lane_pack(&pace->lanes[i], lane);
      } else {
        memcpy(lane, pace->unkept[i], AVITO_LANE_PACKED);
      }
    }
    avito_gate_pack(&pace->gate, packed + 1 + pace->lane_count * AVITO_LANE_PACKED);
    lua_pushlstring(L, packed, packed_size(pace));
    return 1;
  }
  size_t length;
  const char *packed = luaL_checklstring(L, 2, &length);
  double now = luaL_checknumber(L, 3);
  lua_pushboolean(L, is_kept(pace) && unpack(pace, packed, length, now));
  return 1;
}

void avito_pace_register(lua_State *L)
{
  static const luaL_Reg methods[] = {{"pace", session_pace}, {NULL, NULL}};
  luaL_newmetatable(L, PLACE); /* metatable */
  lua_pushcfunction(L, place_gc);
  lua_setfield(L, -2, "__gc");
  lua_pop(L, 1);                       /* - */
  luaL_getmetatable(L, AVITO_SESSION); /* session's */
  lua_pushvalue(L, -1);
  luaL_setfuncs(L, methods, 1);
  lua_pop(L, 1); /* - */
}
