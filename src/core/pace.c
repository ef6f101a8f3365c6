/* The lane of a session, for its operations: every request of the account's own waits for its turn, and every answer to one
 * tells the lane how fast it may be. */
#include <math.h>

#include "http_head.h"
#include "limits.h"
#include "operation.h"

#define PLACE "avito_messenger.place"

/* A userdata of its own, made when an operation first has to wait: it leaves the queue when it is collected. */
struct avito_held_place {
  struct avito_lane_place place;
  bool collected; /* an operation that lives on, brought back by a finalizer, needs another */
};

/* Makes the operation wait. [-0, +0, m] */
static void join(lua_State *L, int op, int session)
{
  struct avito_operation *operation = lua_touserdata(L, op);
  struct avito_session *shared = lua_touserdata(L, session);
  if (operation->place == NULL || operation->place->collected) {
    struct avito_held_place *made = avito_newobject(L, sizeof *made, 1); /* place */
    lua_pushvalue(L, session);
    avito_setslot(L, -2, 1);
    luaL_getmetatable(L, PLACE);
    lua_setmetatable(L, -2);
    avito_op_set(L, op, AVITO_OP_PLACE); /* - */
    operation->place = made;
  }
  struct avito_lane_place *place = &operation->place->place;
  if (place->lane == NULL) {
    place->ticket = operation->ticket;
    place->deadline = operation->deadline;
    avito_lane_join(&shared->lane, place);
  }
}

static int place_gc(lua_State *L)
{
  struct avito_held_place *held = luaL_checkudata(L, 1, PLACE);
  held->collected = true;
  avito_lane_leave(&held->place);
  return 0;
}

void avito_pace_leave(struct avito_operation *operation)
{
  if (operation->place != NULL) {
    avito_lane_leave(&operation->place->place);
  }
}

void avito_pace_limit(struct avito_operation *operation)
{
  if (operation->place != NULL) {
    operation->place->place.deadline = operation->deadline;
  }
}

/* Pushes the error of a call whose turn would come too late. [-0, +1, m] */
static void push_late(lua_State *L, int op, unsigned before, double seconds)
{
  const struct avito_operation *operation = lua_touserdata(L, op);
  avito_op_get(L, op, AVITO_OP_NAME); /* name */
  if (before > 0) {
    lua_pushfstring(L,
                    before == 1 ? "%d call of this account waits before this one: its"
                                : "%d calls of this account wait before this one: its",
                    (int)before);
  } else {
    lua_pushliteral(L, "the call's");
  } /* name whose */
  lua_pushfstring(L, "%s turn would come in %f s, past the deadline", lua_tostring(L, -1),
                  (lua_Number)(ceil(seconds * 10) / 10));
  avito_error_new(L, "rate_limited", lua_tostring(L, -3), operation->dispatched); /* name whose err */
  avito_error_hint(L, "make fewer calls at once, give them a longer timeout, or raise pace");
  lua_pushnumber(L, seconds);
  lua_setfield(L, -2, "retry_after");
  lua_replace(L, -3); /* err whose */
  lua_pop(L, 1);      /* err */
}

/* Takes a token if it is the operation's turn. */
static bool take(struct avito_lane *lane, const struct avito_operation *operation, double now, unsigned *before)
{
  *before = avito_lane_before(lane, operation->ticket, now);
  return avito_lane_take(lane, *before, now);
}

enum avito_step avito_pace_step(lua_State *L, int op, int session, double now)
{
  struct avito_operation *operation = lua_touserdata(L, op);
  struct avito_lane *lane = &((struct avito_session *)lua_touserdata(L, session))->lane;
  unsigned before;
  if (operation->ticket == 0) {
    operation->ticket = ++lane->tickets;
  }
  bool taken = take(lane, operation, now, &before);
  if (!taken && avito_lane_turn(lane, before) >= operation->deadline) {
    avito_lane_sweep(lane, now); /* some that stand before it may have waited too long */
    taken = take(lane, operation, now, &before);
  }
  if (taken) {
    avito_pace_leave(operation);
    operation->halvings = lane->halvings;
    return AVITO_STEP_READY;
  }
  luaL_checkstack(L, 8, NULL);
  double turn = avito_lane_turn(lane, before);
  if (turn >= operation->deadline) {
    push_late(L, op, before, turn - now);
    return AVITO_STEP_FAILED;
  }
  join(L, op, session);
  lua_pushliteral(L, "wait");
  lua_pushnumber(L, turn - now > AVITO_PACE_LOOK ? fmax(AVITO_PACE_LOOK, (turn - now) / 2) : turn - now);
  lua_pushliteral(L, "pace");
  lua_pushnumber(L, turn - now);
  return AVITO_STEP_PUSHED;
}

void avito_pace_answered(const struct avito_operation *operation, struct avito_session *session,
                         const struct avito_response *response, double now, double unix_now)
{
  struct avito_lane *lane = &session->lane;
  int64_t limit;
  int64_t remaining;
  avito_rate_limit(response->head, response->head_length, &limit, &remaining);
  avito_lane_learn(lane, limit, remaining, now);
  if (response->status == 429) {
    double pause = avito_retry_after(response->head, response->head_length, unix_now);
    avito_lane_refused(lane, operation->halvings, pause, now);
  } else if (response->status >= 200 && response->status < 500) {
    avito_lane_recover(lane);
  }
}

void avito_pace_register(lua_State *L)
{
  luaL_newmetatable(L, PLACE); /* metatable */
  lua_pushcfunction(L, place_gc);
  lua_setfield(L, -2, "__gc");
  lua_pop(L, 1); /* - */
}
