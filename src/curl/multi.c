/* multi.c - avito_messenger.curl.multi: many exchanges at once, and foreign descriptors beside
 * them.
 *
 * One userdata owns the multi, its easies and all their buffers, so the order of collection cannot
 * hurt. An exchange lives in a slot. Slots never move and are reused; the number an exchange is
 * known by holds its slot and how often that was used, so an old number never means a new exchange.
 * The userdata's owned table anchors the body of the exchange in slot i at [i + 1]; false when
 * there is none.
 */
#include "module.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

#include "descriptors.h"
#include "global.h"
#include "transfer.h"

#define TYPE          "avito_messenger.curl.multi"
#define NS_PER_SECOND 1e9
#define MS_PER_SECOND 1000.0
#define FIRST_SLOTS   ((size_t)16)

enum slot_state { SLOT_IDLE, SLOT_QUEUED, SLOT_RUNNING, SLOT_DONE };

struct slot {
  struct avito_transfer transfer;
  enum slot_state state;
  size_t index;
  uint32_t uses;
  double deadline;   /* of a queued exchange, on the monotonic clock */
  struct slot *next; /* in the list of its state: idle, queued or done */
};

/* First in, first out. */
struct queue {
  struct slot *first;
  struct slot **end;
};

struct multi {
  CURLM *handle;
  struct avito_transport transport;
  uint64_t epoch;
  struct slot **slots; /* count made of capacity */
  size_t count;
  size_t capacity;
  struct slot *idle; /* last in, first out: the warmest first */
  size_t idle_open;  /* of them hold an easy handle */
  size_t limit;      /* exchanges that may run at once; 0: any number */
  size_t running;
  struct queue queued; /* those that wait for the limit */
  struct queue done;   /* those whose response was not fetched */
  struct avito_descriptors descriptors;
  bool busy; /* inside step: a finalizer may run Lua code */
  bool closing;
};

static struct multi *check(lua_State *L)
{
  return luaL_checkudata(L, 1, TYPE);
}

static struct multi *check_usable(lua_State *L)
{
  struct multi *multi = check(L);

  if (!multi->handle)
    luaL_error(L, "this multi is closed");
  if (multi->epoch != avito_process_epoch())
    luaL_error(L, "this multi belongs to the parent process: make a new one after fork");
  if (multi->busy)
    luaL_error(L, "this multi is in use");
  return multi;
}

static void release(struct multi *multi)
{
  bool own = multi->epoch == avito_process_epoch();

  for (size_t i = 0; i < multi->count; i++) {
    struct slot *slot = multi->slots[i];
    if (!own) {
      avito_transfer_abandon(&slot->transfer);
    } else {
      if (slot->state == SLOT_RUNNING)
        (void)curl_multi_remove_handle(multi->handle, slot->transfer.easy);
      avito_transfer_close(&slot->transfer);
    }
    free(slot);
  }
  if (own && multi->handle)
    (void)curl_multi_cleanup(multi->handle);
  free(multi->slots);
  avito_descriptors_free(&multi->descriptors);
  avito_transport_free(&multi->transport);
  memset(multi, 0, sizeof *multi);
}

/* ---- slots ---- */

static void make_idle(struct multi *multi, struct slot *slot)
{
  avito_transfer_rest(&slot->transfer);
  if (slot->transfer.easy) {
    if (multi->idle_open < AVITO_MAX_IDLE_TRANSFERS)
      multi->idle_open++;
    else
      avito_transfer_close(&slot->transfer);
  }
  slot->state = SLOT_IDLE;
  slot->uses++;
  slot->next = multi->idle;
  multi->idle = slot;
}

static void append(struct queue *queue, struct slot *slot)
{
  slot->next = NULL;
  *queue->end = slot;
  queue->end = &slot->next;
}

static void take(struct queue *queue, struct slot *slot)
{
  struct slot **link = &queue->first;

  while (*link != slot)
    link = &(*link)->next;
  *link = slot->next;
  if (queue->end == &slot->next)
    queue->end = link;
}

static void make_done(struct multi *multi, struct slot *slot, CURLcode code)
{
  avito_transfer_end(&slot->transfer, code);
  slot->state = SLOT_DONE;
  append(&multi->done, slot);
}

static bool grow_slots(struct multi *multi)
{
  size_t capacity = multi->capacity ? multi->capacity * 2 : FIRST_SLOTS;
  struct slot **grown = realloc(multi->slots, capacity * sizeof(void *));

  if (!grown)
    return false;
  multi->slots = grown;
  multi->capacity = capacity;
  return true;
}

static bool make_slot(struct multi *multi)
{
  struct slot *slot;

  if (multi->count == multi->capacity && !grow_slots(multi))
    return false;
  slot = calloc(1, sizeof *slot);
  if (!slot)
    return false;
  slot->index = multi->count;
  multi->slots[multi->count++] = slot;
  make_idle(multi, slot);
  return true;
}

/* An idle slot whose place in the owned table exists already, so that anchoring a body allocates
 * nothing.
 * [-0, +0, m|v] `owned` is the stack index of that table. */
static struct slot *idle_slot(lua_State *L, struct multi *multi, int owned)
{
  while (!multi->idle) {
    size_t index = multi->count;
    if (index >= AVITO_MAX_TRANSFERS)
      luaL_error(L, "too many transfers at once");
    lua_pushboolean(L, 0);
    lua_rawseti(L, owned, (int)index + 1);
    if (!multi->handle) /* a finalizer may have run since */
      luaL_error(L, "this multi is closed");
    if (multi->count == index && !make_slot(multi))
      luaL_error(L, "not enough memory");
  }
  return multi->idle;
}

static lua_Number number_of(const struct slot *slot)
{
  return (lua_Number)slot->uses * (lua_Number)AVITO_MAX_TRANSFERS + (lua_Number)slot->index;
}

static struct slot *find(const struct multi *multi, lua_Number number)
{
  uint64_t whole;
  size_t index;
  struct slot *slot;

  if (!(number >= 0 && number < (lua_Number)UINT32_MAX * (lua_Number)AVITO_MAX_TRANSFERS))
    return NULL;
  whole = (uint64_t)number;
  index = (size_t)(whole % AVITO_MAX_TRANSFERS);
  if (index >= multi->count)
    return NULL;
  slot = multi->slots[index];
  return slot->state != SLOT_IDLE && slot->uses == whole / AVITO_MAX_TRANSFERS ? slot : NULL;
}

/* [-0, +0, -]: the table's field exists */
static void forget_body(lua_State *L, int owned, const struct slot *slot)
{
  lua_pushboolean(L, 0);
  lua_rawseti(L, owned, (int)slot->index + 1);
}

/* ---- Lua ---- */

int avito_multi_new(lua_State *L)
{
  static const char *const names[] = {"proxy", "ca_file", "max_connections", NULL};
  const char *trouble = avito_curl_ready();
  struct multi *multi;
  lua_Integer connections = 0;

  if (trouble)
    return luaL_error(L, "%s", trouble);
  lua_settop(L, 1);
  avito_check_options(L, 1, names);
  if (lua_istable(L, 1)) {
    lua_getfield(L, 1, "max_connections"); /* options number */
    if (!lua_isnil(L, -1)) {
      if (lua_type(L, -1) != LUA_TNUMBER)
        return luaL_error(L, "max_connections: number expected, got %s", luaL_typename(L, -1));
      connections = lua_tointeger(L, -1);
      if (connections < 1 || connections > (lua_Integer)AVITO_MAX_TRANSFERS)
        return luaL_error(L, "max_connections must be between 1 and %d", (int)AVITO_MAX_TRANSFERS);
    }
    lua_pop(L, 1); /* options */
  }
  multi = avito_newuserdata(L, sizeof *multi); /* options multi */
  multi->epoch = avito_process_epoch();
  multi->queued.end = &multi->queued.first;
  multi->done.end = &multi->done.first;
  multi->limit = (size_t)connections;
  luaL_setmetatable(L, TYPE);
  lua_newtable(L);
  avito_setowned(L, -2);
  avito_transport_read(L, 1, &multi->transport);
  multi->handle = curl_multi_init();
  if (!multi->handle)
    return luaL_error(L, "libcurl could not make a multi handle");
  (void)curl_multi_setopt(multi->handle, CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING);
  if (connections > 0)
    (void)curl_multi_setopt(multi->handle, CURLMOPT_MAXCONNECTS, (long)connections);
  return 1;
}

/* ---- the limit: over HTTP/1.1 an exchange is a connection. libcurl's own CURLMOPT_MAX_TOTAL_CONNECTIONS
 * leaves some of those that wait for ever (seen with 7.88), so they wait here. ---- */

static double now(void)
{
  struct timespec time = {0, 0};

  (void)clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / NS_PER_SECOND;
}

static bool is_full(const struct multi *multi)
{
  return multi->limit > 0 && multi->running >= multi->limit;
}

static bool run(struct multi *multi, struct slot *slot)
{
  if (curl_multi_add_handle(multi->handle, slot->transfer.easy) != CURLM_OK)
    return false;
  slot->state = SLOT_RUNNING;
  multi->running++;
  return true;
}

/* Starts what may start and ends what has waited its whole time. Returns the milliseconds until the next of
 * them has, at most `most`. */
static int serve_queue(struct multi *multi, int most)
{
  double moment = multi->queued.first ? now() : 0;
  struct slot *slot = multi->queued.first;

  while (slot) {
    struct slot *next = slot->next;
    double left = slot->deadline - moment;
    if (left <= 0) {
      take(&multi->queued, slot);
      make_done(multi, slot, CURLE_OPERATION_TIMEDOUT);
    } else if (!is_full(multi)) {
      take(&multi->queued, slot);
      if (!avito_transfer_limit(&slot->transfer, avito_milliseconds(left)) || !run(multi, slot))
        make_done(multi, slot, CURLE_OUT_OF_MEMORY);
    } else if (avito_milliseconds(left) < most) {
      most = (int)avito_milliseconds(left);
    }
    slot = next;
  }
  return most;
}

/* No Lua code runs in here, unless an error is raised: then the slot is still idle. */
static void start(lua_State *L, struct multi *multi, struct slot *slot, const struct avito_request *request)
{
  bool accepted;
  bool waits;

  if (!slot->transfer.easy) {
    if (!avito_transfer_open(&slot->transfer, &multi->transport))
      luaL_error(L, "libcurl could not make a handle");
    multi->idle_open++;
  }
  accepted = avito_transfer_begin(L, &slot->transfer, request);
  waits = accepted && (is_full(multi) || multi->queued.first);
  if (accepted && !waits && !run(multi, slot))
    luaL_error(L, "libcurl could not add a transfer");
  multi->idle = slot->next;
  multi->idle_open--;
  if (waits) {
    slot->deadline = now() + (double)request->timeout_ms / MS_PER_SECOND;
    slot->state = SLOT_QUEUED;
    append(&multi->queued, slot);
  } else if (!accepted) {
    make_done(multi, slot, CURLE_OK); /* the next step says why */
  }
}

/* multi:add(request) -> id */
static int multi_add(lua_State *L)
{
  struct multi *multi = check_usable(L);
  struct avito_request request;
  struct slot *slot;
  int owned;

  lua_settop(L, 2);
  avito_request_read(L, 2, &request); /* multi table method url body headers */
  avito_getowned(L, 1);               /* ... owned */
  owned = lua_gettop(L);
  slot = idle_slot(L, multi, owned);
  (void)check_usable(L); /* a finalizer may have run since */
  if (request.body) {
    lua_pushvalue(L, request.body_index);
    lua_rawseti(L, owned, (int)slot->index + 1);
  }
  start(L, multi, slot, &request);
  lua_pushinteger(L, (lua_Integer)number_of(slot));
  return 1;
}

/* multi:cancel(id) -> may the server have seen it? nil when there is no such transfer any more */
static int multi_cancel(lua_State *L)
{
  struct multi *multi = check_usable(L);
  struct slot *slot = find(multi, luaL_checknumber(L, 2));

  if (!slot) {
    lua_pushnil(L);
    return 1;
  }
  lua_pushboolean(L, avito_transfer_dispatched(&slot->transfer));
  if (slot->state == SLOT_RUNNING) {
    (void)curl_multi_remove_handle(multi->handle, slot->transfer.easy);
    multi->running--;
  } else {
    take(slot->state == SLOT_QUEUED ? &multi->queued : &multi->done, slot);
  }
  avito_transfer_end(&slot->transfer, CURLE_ABORTED_BY_CALLBACK);
  make_idle(multi, slot);
  avito_getowned(L, 1); /* ... dispatched owned */
  forget_body(L, lua_gettop(L), slot);
  lua_pop(L, 1);
  return 1;
}

/* ---- step ---- */

static void collect(struct multi *multi)
{
  CURLMsg *message;
  int left;

  while ((message = curl_multi_info_read(multi->handle, &left))) {
    CURL *easy = message->easy_handle;
    CURLcode code = message->data.result; /* removing the easy frees the message */
    char *owner = NULL;
    struct slot *slot;
    if (message->msg != CURLMSG_DONE)
      continue;
    (void)curl_easy_getinfo(easy, CURLINFO_PRIVATE, &owner);
    (void)curl_multi_remove_handle(multi->handle, easy);
    slot = (struct slot *)(void *)owner; /* a slot begins with its transfer */
    multi->running--;
    make_done(multi, slot, code);
  }
}

/* The list stays until all of it is in Lua: after a memory error the next step returns it again. */
static void push_done(lua_State *L, struct multi *multi)
{
  int position = 1;

  lua_newtable(L); /* finished */
  for (struct slot *slot = multi->done.first; slot; slot = slot->next) {
    lua_createtable(L, 0, 2); /* finished item */
    lua_pushinteger(L, (lua_Integer)number_of(slot));
    lua_setfield(L, -2, "id");
    avito_transfer_push(L, &slot->transfer);
    lua_setfield(L, -2, "response");
    lua_rawseti(L, -2, position++); /* finished */
  }
}

static void forget_done(lua_State *L, struct multi *multi, int owned)
{
  struct slot *slot = multi->done.first;

  multi->done.first = NULL;
  multi->done.end = &multi->done.first;
  while (slot) {
    struct slot *next = slot->next;
    make_idle(multi, slot);
    forget_body(L, owned, slot);
    slot = next;
  }
}

/* (multi, milliseconds, fds) -> finished. Runs protected: the multi is busy meanwhile. */
static int step_protected(lua_State *L)
{
  struct multi *multi = lua_touserdata(L, 1);
  struct avito_descriptors *descriptors = &multi->descriptors;
  int milliseconds;
  int running;
  CURLMcode code;

  avito_descriptors_read(L, descriptors, 3);
  milliseconds = serve_queue(multi, (int)lua_tointeger(L, 2));
  code = curl_multi_poll(multi->handle, descriptors->asked, (unsigned)descriptors->count,
                         multi->done.first ? 0 : milliseconds, NULL);
  if (code == CURLM_OK)
    code = curl_multi_perform(multi->handle, &running);
  collect(multi);
  if (code != CURLM_OK)
    return luaL_error(L, "libcurl: %s", curl_multi_strerror(code));
  (void)serve_queue(multi, 0);
  avito_descriptors_report(L, descriptors, 3);
  avito_getowned(L, 1); /* ... owned */
  push_done(L, multi);  /* ... owned finished */
  forget_done(L, multi, lua_gettop(L) - 1);
  return 1;
}

/* multi:step(seconds, fds|nil) -> { { id =, response = }, … } */
static int multi_step(lua_State *L)
{
  struct multi *multi = check(L);
  double seconds = luaL_checknumber(L, 2);
  int status;

  if (!(seconds >= 0))
    return luaL_argerror(L, 2, "seconds must not be negative");
  if (!lua_isnoneornil(L, 3))
    luaL_checktype(L, 3, LUA_TTABLE);
  lua_settop(L, 3);
  lua_pushcfunction(L, step_protected); /* multi seconds fds step */
  lua_insert(L, 1);
  lua_pushinteger(L, (lua_Integer)avito_milliseconds(seconds));
  lua_replace(L, 3); /* step multi milliseconds fds */
  lua_pushvalue(L, 2);
  lua_insert(L, 1); /* multi step multi milliseconds fds */
  (void)check_usable(L);
  multi->busy = true;
  status = lua_pcall(L, 3, 1, 0); /* multi finished */
  multi->busy = false;
  if (multi->closing)
    release(multi);
  return status == LUA_OK ? 1 : lua_error(L);
}

/* multi:wakeup(): the step that waits now, or else the next one, returns at once */
static int multi_wakeup(lua_State *L)
{
  (void)curl_multi_wakeup(check_usable(L)->handle);
  return 0;
}

static int multi_close(lua_State *L)
{
  struct multi *multi = check(L);

  if (multi->busy) {
    multi->closing = true;
    return 0;
  }
  release(multi);
  return 0;
}

static int multi_tostring(lua_State *L)
{
  const struct multi *multi = check(L);

  lua_pushfstring(L, "%s (%s)", TYPE, multi->handle ? "open" : "closed");
  return 1;
}

void avito_multi_register(lua_State *L)
{
  static const luaL_Reg methods[] = {{"add", multi_add},       {"cancel", multi_cancel}, {"step", multi_step},
                                     {"wakeup", multi_wakeup}, {"close", multi_close},   {NULL, NULL}};
  static const luaL_Reg events[] = {
      {"__gc", multi_close}, {"__close", multi_close}, {"__tostring", multi_tostring}, {NULL, NULL}};

  luaL_newmetatable(L, TYPE); /* meta */
  luaL_setfuncs(L, events, 0);
  lua_newtable(L);
  luaL_setfuncs(L, methods, 0); /* meta methods */
  lua_setfield(L, -2, "__index");
  lua_pushboolean(L, 0);
  lua_setfield(L, -2, "__metatable"); /* nobody calls __gc on a multi in use */
  lua_pop(L, 1);
}
