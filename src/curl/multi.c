/* multi.c - avito_messenger.curl.multi: many exchanges at once, and foreign descriptors beside them.
 *
 *   curl.multi{ max_connections = n | nil } -> multi    that many idle connections are kept at most
 *   multi:transport{ proxy =, ca_file = } -> number     for add; the same options give the same number
 *   multi:add(request, transport, seconds | nil) -> id  `seconds` in place of the request's timeout
 *   multi:cancel(id) -> may the server have seen it?    nil: there is no such exchange any more
 *   multi:watch(fd, "r" | "w" | "rw" | nil)             from now on and at every step; nil: no longer
 *   multi:step(seconds, finished, ready) -> n, m        fills 1 to 2n of finished with id, response, id, response …
 *                                                       and 1 to 2m of ready with fd, "r" | "w" | "rw", …
 *   multi:close()
 *
 * One userdata owns the multi, its easies and all their buffers, so the order of collection cannot hurt. Its owned table
 * anchors the body of the exchange in slot i at [i + 1]; false when there is none.
 */
#include "module.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "global.h"
#include "poller.h"
#include "slots.h"

#define TYPE "avito_messenger.curl.multi"

/* First in, first out. */
struct queue {
  struct avito_slot *first;
  struct avito_slot **end;
};

struct multi {
  CURLM *handle;
  uint64_t epoch;
  struct avito_poller poller;
  struct avito_slots slots;
  struct avito_transport reading; /* options that are being read: owned from the first byte on */
  struct queue done;              /* exchanges whose response was not fetched */
  bool busy;                      /* inside step: a finalizer may run Lua code */
  bool closing;
};

static struct multi *check(lua_State *L)
{
  return avito_checkself(L, 1, TYPE);
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

  for (size_t i = 0; i < multi->slots.count && own; i++)
    if (multi->slots.slots[i]->state == AVITO_SLOT_RUNNING)
      (void)curl_multi_remove_handle(multi->handle, multi->slots.slots[i]->transfer.easy);
  avito_slots_free(&multi->slots, own);
  if (own && multi->handle)
    (void)curl_multi_cleanup(multi->handle);
  avito_poller_close(&multi->poller);
  avito_transport_free(&multi->reading);
  memset(multi, 0, sizeof *multi);
}

/* ---- the ended exchanges ---- */

static void make_done(struct multi *multi, struct avito_slot *slot, CURLcode code)
{
  avito_transfer_end(&slot->transfer, code);
  slot->state = AVITO_SLOT_DONE;
  slot->next = NULL;
  *multi->done.end = slot;
  multi->done.end = &slot->next;
}

static void take_done(struct multi *multi, struct avito_slot *slot)
{
  struct avito_slot **link = &multi->done.first;

  while (*link != slot)
    link = &(*link)->next;
  *link = slot->next;
  if (multi->done.end == &slot->next)
    multi->done.end = link;
}

/* [-0, +0, -]: the table's field exists */
static void forget_body(lua_State *L, int owned, const struct avito_slot *slot)
{
  lua_pushboolean(L, 0);
  lua_rawseti(L, owned, (int)slot->index + 1);
}

/* ---- making ---- */

static long read_connections(lua_State *L)
{
  lua_Integer connections = 0;

  if (!lua_istable(L, 1))
    return 0;
  lua_getfield(L, 1, "max_connections"); /* options number */
  if (!lua_isnil(L, -1)) {
    if (lua_type(L, -1) != LUA_TNUMBER)
      luaL_error(L, "max_connections: number expected, got %s", luaL_typename(L, -1));
    connections = lua_tointeger(L, -1);
    if (connections < 1 || connections > (lua_Integer)AVITO_MAX_TRANSFERS)
      luaL_error(L, "max_connections must be between 1 and %d", (int)AVITO_MAX_TRANSFERS);
  }
  lua_pop(L, 1); /* options */
  return (long)connections;
}

int avito_multi_new(lua_State *L)
{
  static const char *const names[] = {"max_connections", NULL};
  const char *trouble = avito_curl_ready();
  struct multi *multi;
  long connections;

  if (trouble)
    return luaL_error(L, "%s", trouble);
  lua_settop(L, 1);
  avito_check_options(L, 1, names);
  connections = read_connections(L);
  multi = avito_newuserdata(L, sizeof *multi); /* options multi */
  multi->epoch = avito_process_epoch();
  multi->done.end = &multi->done.first;
  luaL_setmetatable(L, TYPE);
  lua_newtable(L);
  avito_setowned(L, -2);
  multi->handle = curl_multi_init();
  if (!multi->handle)
    return luaL_error(L, "libcurl could not make a multi handle");
  if (!avito_poller_open(&multi->poller, multi->handle))
    return luaL_error(L, "cannot make an epoll descriptor: %s", strerror(errno));
  (void)curl_multi_setopt(multi->handle, CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING);
  if (connections > 0)
    (void)curl_multi_setopt(multi->handle, CURLMOPT_MAXCONNECTS, connections);
  return 1;
}

static int multi_transport(lua_State *L)
{
  static const char *const names[] = {"proxy", "ca_file", NULL};
  struct multi *multi = check_usable(L);
  long number;

  lua_settop(L, 2);
  avito_check_options(L, 2, names);
  avito_transport_read(L, 2, &multi->reading);
  (void)check_usable(L); /* a finalizer may have run since */
  number = avito_slots_pool(&multi->slots, &multi->reading);
  if (number < 0)
    return luaL_error(L, "not enough memory, or too many transports");
  lua_pushinteger(L, (lua_Integer)number + 1);
  return 1;
}

/* ---- one exchange ---- */

/* An idle slot whose place in the owned table exists already, so that anchoring a body allocates nothing.
 * [-0, +0, m|v] `owned` is the stack index of that table. */
static struct avito_slot *idle_slot(lua_State *L, struct multi *multi, struct avito_pool *pool, int owned)
{
  while (!avito_slots_idle(pool)) {
    size_t index = multi->slots.count;
    if (index >= AVITO_MAX_TRANSFERS)
      luaL_error(L, "too many transfers at once");
    lua_pushboolean(L, 0);
    lua_rawseti(L, owned, (int)index + 1);
    (void)check_usable(L); /* a finalizer may have run since */
    if (multi->slots.count == index && !avito_slots_grow(&multi->slots, pool))
      luaL_error(L, "not enough memory");
  }
  return avito_slots_idle(pool);
}

static struct avito_pool *pool_of(lua_State *L, const struct multi *multi, lua_Integer number)
{
  if (number < 1 || (size_t)number > multi->slots.pool_count)
    luaL_argerror(L, 3, "no such transport");
  return multi->slots.pools[number - 1];
}

/* No Lua code runs in here, unless an error is raised: then the slot is still idle. */
static void start(lua_State *L, struct multi *multi, struct avito_slot *slot, const struct avito_request *request)
{
  bool accepted;

  if (!slot->transfer.easy && !avito_transfer_open(&slot->transfer, &slot->pool->transport))
    luaL_error(L, "libcurl could not make a handle");
  accepted = avito_transfer_begin(L, &slot->transfer, request);
  if (accepted && curl_multi_add_handle(multi->handle, slot->transfer.easy) != CURLM_OK) {
    avito_transfer_rest(&slot->transfer); /* closes the files of the request */
    luaL_error(L, "libcurl could not add a transfer");
  }
  avito_slot_take(slot);
  if (accepted)
    slot->state = AVITO_SLOT_RUNNING;
  else
    make_done(multi, slot, CURLE_OK); /* the next step says why */
}

static int multi_add(lua_State *L)
{
  struct multi *multi = check_usable(L);
  lua_Integer transport = luaL_checkinteger(L, 3);
  double seconds = luaL_optnumber(L, 4, 0);
  struct avito_request request;
  struct avito_slot *slot;
  int owned;

  lua_settop(L, 2);
  avito_request_read(L, 2, &request); /* multi table method url body headers */
  if (seconds > 0)
    avito_request_limit(&request, seconds);
  avito_getowned(L, 1); /* ... owned */
  owned = lua_gettop(L);
  (void)check_usable(L); /* a finalizer may have run since */
  slot = idle_slot(L, multi, pool_of(L, multi, transport), owned);
  if (request.body) {
    lua_pushvalue(L, request.body_index);
    lua_rawseti(L, owned, (int)slot->index + 1);
  }
  start(L, multi, slot, &request);
  lua_pushinteger(L, (lua_Integer)avito_slot_number(slot));
  return 1;
}

static int multi_cancel(lua_State *L)
{
  struct multi *multi = check_usable(L);
  struct avito_slot *slot = avito_slots_find(&multi->slots, luaL_checknumber(L, 2));

  if (!slot) {
    lua_pushnil(L);
    return 1;
  }
  lua_pushboolean(L, avito_transfer_dispatched(&slot->transfer));
  if (slot->state == AVITO_SLOT_RUNNING)
    (void)curl_multi_remove_handle(multi->handle, slot->transfer.easy);
  else
    take_done(multi, slot);
  avito_transfer_end(&slot->transfer, CURLE_ABORTED_BY_CALLBACK);
  avito_slot_rest(slot);
  avito_getowned(L, 1); /* ... dispatched owned */
  forget_body(L, lua_gettop(L), slot);
  lua_pop(L, 1);
  return 1;
}

/* ---- waiting ---- */

static int multi_watch(lua_State *L)
{
  struct multi *multi = check_usable(L);
  lua_Number fd = luaL_checknumber(L, 2);
  const char *what = luaL_optstring(L, 3, "");
  bool read = strchr(what, 'r') != NULL;
  bool write = strchr(what, 'w') != NULL;

  if (strlen(what) != (size_t)read + (size_t)write)
    return luaL_argerror(L, 3, "\"r\", \"w\", \"rw\" or nil expected");
  if (!(fd >= 0 && fd <= INT32_MAX && fd == (lua_Number)(int)fd))
    return luaL_argerror(L, 2, "no descriptor");
  if (!avito_poller_watch(&multi->poller, (int)fd, read, write))
    return luaL_error(L, "descriptor %d cannot be watched: %s", (int)fd, strerror(errno));
  return 0;
}

/* Nothing would wake those whose socket could not be watched. */
static void end_lost(struct multi *multi)
{
  if (!multi->poller.lost)
    return;
  multi->poller.lost = false;
  for (size_t i = 0; i < multi->slots.count; i++) {
    struct avito_slot *slot = multi->slots.slots[i];
    if (slot->state == AVITO_SLOT_RUNNING && slot->transfer.no_memory) {
      (void)curl_multi_remove_handle(multi->handle, slot->transfer.easy);
      make_done(multi, slot, CURLE_OUT_OF_MEMORY);
    }
  }
}

static void collect(struct multi *multi)
{
  CURLMsg *message;
  int left;

  while ((message = curl_multi_info_read(multi->handle, &left))) {
    CURL *easy = message->easy_handle;
    CURLcode code = message->data.result; /* removing the easy frees the message */
    char *owner = NULL;
    if (message->msg != CURLMSG_DONE)
      continue;
    (void)curl_easy_getinfo(easy, CURLINFO_PRIVATE, &owner);
    (void)curl_multi_remove_handle(multi->handle, easy);
    make_done(multi, (struct avito_slot *)(void *)owner, code);
  }
  end_lost(multi);
}

/* The list stays until all of it is in Lua: after a memory error the next step returns it again. */
static lua_Integer put_done(lua_State *L, const struct multi *multi, int finished)
{
  int position = 0;

  for (const struct avito_slot *slot = multi->done.first; slot; slot = slot->next) {
    lua_pushinteger(L, (lua_Integer)avito_slot_number(slot));
    lua_rawseti(L, finished, ++position);
    avito_transfer_push(L, &slot->transfer);
    lua_rawseti(L, finished, ++position);
  }
  return position / 2;
}

static void forget_done(lua_State *L, struct multi *multi, int owned)
{
  struct avito_slot *slot = multi->done.first;

  multi->done.first = NULL;
  multi->done.end = &multi->done.first;
  while (slot) {
    struct avito_slot *next = slot->next;
    avito_slot_rest(slot);
    forget_body(L, owned, slot);
    slot = next;
  }
}

static lua_Integer put_ready(lua_State *L, const struct avito_poller *poller, int ready)
{
  for (int i = 0; i < poller->ready_count; i++) {
    const struct avito_ready *one = &poller->ready[i];
    lua_pushinteger(L, one->fd);
    lua_rawseti(L, ready, 2 * i + 1);
    lua_pushstring(L, one->readable && one->writable ? "rw" : one->readable ? "r" : "w");
    lua_rawseti(L, ready, 2 * i + 2);
  }
  return poller->ready_count;
}

/* (multi, finished, ready) -> n, m. Runs protected: the multi is busy meanwhile. */
static int push_step(lua_State *L)
{
  struct multi *multi = lua_touserdata(L, 1);

  avito_getowned(L, 1); /* multi finished ready owned */
  lua_pushinteger(L, put_ready(L, &multi->poller, 3));
  lua_pushinteger(L, put_done(L, multi, 2));
  forget_done(L, multi, 4);
  lua_insert(L, -2); /* ... n m */
  return 2;
}

static int multi_step(lua_State *L)
{
  struct multi *multi = check_usable(L);
  double seconds = luaL_checknumber(L, 2);
  CURLMcode code;
  int status;

  if (!(seconds >= 0))
    return luaL_argerror(L, 2, "seconds must not be negative");
  luaL_checktype(L, 3, LUA_TTABLE);
  luaL_checktype(L, 4, LUA_TTABLE);
  lua_settop(L, 4);
  lua_pushcfunction(L, push_step); /* multi seconds finished ready push_step */
  lua_replace(L, 2);
  lua_pushvalue(L, 1);
  lua_insert(L, 3); /* multi push_step multi finished ready */
  code = avito_poller_begin(&multi->poller);
  collect(multi);
  if (code == CURLM_OK)
    code = avito_poller_wait(&multi->poller, multi->done.first ? 0 : seconds);
  collect(multi);
  if (code != CURLM_OK)
    return luaL_error(L, "libcurl: %s", curl_multi_strerror(code));
  multi->busy = true;
  status = lua_pcall(L, 3, 2, 0); /* multi n m */
  multi->busy = false;
  if (multi->closing)
    release(multi);
  return status == LUA_OK ? 2 : lua_error(L);
}

/* ---- its end ---- */

static int multi_close(lua_State *L)
{
  struct multi *multi = check(L);

  if (multi->busy)
    multi->closing = true;
  else
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
  static const luaL_Reg methods[] = {{"transport", multi_transport},
                                     {"add", multi_add},
                                     {"cancel", multi_cancel},
                                     {"watch", multi_watch},
                                     {"step", multi_step},
                                     {"close", multi_close},
                                     {NULL, NULL}};
  static const luaL_Reg events[] = {
      {"__gc", multi_close}, {"__close", multi_close}, {"__tostring", multi_tostring}, {NULL, NULL}};

  avito_register(L, TYPE, methods, events);
}
