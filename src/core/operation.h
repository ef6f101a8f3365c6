/* operation.h - one call, as a machine that decides while a driver moves bytes.
 *
 * Lua:  op:next(now, unix) says what to do; op:feed(…, now, unix) takes what came of it. Nothing here has a clock, a
 * socket or a random number of its own: `now` is monotonic seconds, `unix` Unix seconds, randomness the session's seed.
 *
 *   op:next(now, unix) ->            then
 *     "send", request, attempt, slot op:feed(now, unix, response)            request and response: see below; slot:
 *                                                                            does it have a place among those under way?
 *     "wait", seconds, reason        nothing; call next again then or earlier ("retry" | "token" | "lock" | "pace" |
 *                                  "slot"). "pace": a fourth value says in how many seconds its turn comes, as things are;
 *                                  "slot": it says in how many at the latest, for a driver that is told when another
 *                                  call of the session has been fed or is over, and need not look so often;
 *                                  "token": it says how many the call has left, for a driver that is told of the end
 *                                  of another's renewal and need not look so often
 *     "lock"                         op:feed(now, unix, true | false | nil, message)    the token store's lock: got it,
 *                                                                            another process has it, it cannot be had
 *     "load"                         op:feed(now, unix, tokens | nil, message)
 *     "save", tokens                 op:feed(now, unix, true | nil, message)
 *     "unlock"                       op:feed(now, unix)
 *     "done", value, meta            the end; next says the same again
 *     "fail", err                    the end
 *   op:feed returns whether the call is over, so that no turn is waited for any more
 *   op:limit(when)                   makes the deadline `when` (monotonic) if that is earlier
 *   op:cancel(message, kind)         gives the call up: "fail" comes next, or soon ("cancelled" | "timeout")
 *
 * Between "lock" and "unlock" the operation holds the store's lock: a caller that gives the operation up calls
 * op:cancel() and goes on until "fail".
 *
 * request   { method, url, headers = { "Name: value" … }, body, timeout, max_bytes,
 *             purpose = "call" | "token" | "self" | "download",
 *             upload = { path, size, head, tail }    instead of a body: head, the first `size` bytes of the file, tail
 *             output = path                          where the body of a 2xx answer goes
 *             once = true }                          its answer exists one time only, for it uses a code or a refresh
 *                                                    token up: a driver whose caller gives up goes on with it
 *           not to be changed: the headers and the upload are shared. Every driver does what upload and output say.
 * response  { status, head, body } or { error = "network" | "timeout" | "decode" | "cancelled" | "file", message,
 *             dispatched, stale }
 *           With an output a 2xx answer is { status, head, body = "", bytes }: how many were written. "file" says that a
 *           file could not be opened, read, written or closed, and the message which and why: the call fails as
 *           "invalid" and is not repeated.
 */
#ifndef AVITO_OPERATION_H
#define AVITO_OPERATION_H

#include <stdbool.h>

#include "endpoints.h"
#include "error.h"
#include "session.h"

#define AVITO_OPERATION "avito_messenger.operation"

enum avito_operation_slot {
  AVITO_OP_SESSION = 1,
  AVITO_OP_NAME,    /* what errors and events call it */
  AVITO_OP_URL,     /* with AVITO_ACCOUNT_SLOT where the account is not known yet */
  AVITO_OP_BODY,    /* a string, the table of an upload, or nil */
  AVITO_OP_TYPE,    /* the Content-Type header line, or nil */
  AVITO_OP_HEADERS, /* a list of more header lines, or nil */
  AVITO_OP_VALUE,   /* the result, or the error */
  AVITO_OP_META,
  AVITO_OP_OUTPUT, /* the path of the file a download goes to, or nil */
  AVITO_OP_GUARD,  /* ends its renewal when the operation is collected */
  AVITO_OP_PLACE,  /* takes it out of the session's pace then */
  AVITO_OP_SLOTS = AVITO_OP_PLACE
};

enum avito_purpose { AVITO_CALL, AVITO_TOKEN, AVITO_SELF, AVITO_DOWNLOAD };

enum avito_awaits {
  AVITO_AWAITS_NOTHING,
  AVITO_AWAITS_RESPONSE,
  AVITO_AWAITS_LOCK,
  AVITO_AWAITS_LOAD,
  AVITO_AWAITS_SAVE,
  AVITO_AWAITS_UNLOCK
};

/* How far the renewal of the token is that this operation carries out for all. */
enum avito_renewal {
  AVITO_RENEWAL_NONE,
  AVITO_RENEWAL_LOCK,
  AVITO_RENEWAL_LOAD,
  AVITO_RENEWAL_REQUEST,
  AVITO_RENEWAL_SAVE
};

enum avito_grant {
  AVITO_GRANT_NONE,
  AVITO_GRANT_REFRESH,
  AVITO_GRANT_GIVEN_REFRESH,
  AVITO_GRANT_CODE,
  AVITO_GRANT_CLIENT
};

enum avito_end { AVITO_RUNNING, AVITO_DONE, AVITO_FAILED };

struct avito_operation {
  const char *method; /* static */
  enum avito_answer answer;
  const char *answer_key; /* static, or NULL */
  enum avito_repeat repeat;
  enum avito_purpose own_purpose; /* AVITO_CALL or AVITO_DOWNLOAD */
  unsigned lane; /* 0: the one all share; else the position of its row, from 1: it has a limit of its own */
  bool needs_token, needs_user, has_headers;

  double deadline;
  double own_deadline; /* before any limit: of a request whose answer exists once */
  double wake;         /* not before this */
  const char *wake_reason;
  int attempts[4];  /* for each purpose */
  int retries_left; /* of all its requests together */
  bool dispatched;  /* may the server have seen the own request? */
  bool reauthorized;

  enum avito_awaits awaits;
  enum avito_purpose sent;  /* what the request under way is for */
  unsigned sent_generation; /* the access token it carries */

  enum avito_renewal renewal;
  unsigned long renewal_number; /* which of the session's renewals it is */
  enum avito_grant grant;
  bool locked;
  bool waits_for_renewal;
  unsigned renewals_failed_before;

  uint64_t ticket;                /* its place among the calls of the session; 0 until it comes to the lane */
  uint64_t halvings;              /* the lane's, when the last request left */
  bool waits_for_slot;            /* in the gate */
  struct avito_held_place *place; /* in slot AVITO_OP_PLACE; NULL until it waits */

  enum avito_end end;
  const char *cancelled; /* static: the kind of the error, once new tokens are saved; its message is in AVITO_OP_META */
};

/* What a part tells the operation to do. */
enum avito_step {
  AVITO_STEP_READY,  /* go on */
  AVITO_STEP_PUSHED, /* a step has been pushed: return it */
  AVITO_STEP_FAILED  /* an error has been pushed */
};

void avito_operation_register(lua_State *L);

/* call.c: adds to sessions the methods that make operations, and encode_query to the module table on top. After
 * avito_session_register. [-0, +0, m]
 *   session:operation(name, now, …arguments…, call_options), as the operation's row has it
 *   session:request(method, now, path, query, body, content_type, call_options)
 *   session:download(url, now, call_options, output): its value is the body, or with the path of an output how many bytes
 *     were written there
 * call_options: timeout (seconds), retries, headers ({ name = value }), user_id. A wrong type raises; a value that is
 * refused gives an operation that fails with an error of kind "invalid" before anything is sent. */
void avito_call_register(lua_State *L);

/* ---- within the operation: operation.c, send.c, token.c and pace.c ---- */

void avito_op_get(lua_State *L, int op, enum avito_operation_slot slot); /* [-0, +1, -] */
void avito_op_set(lua_State *L, int op, enum avito_operation_slot slot); /* [-1, +0, m] */
/* Pushes the operation's session and returns it. [-0, +1, -] */
struct avito_session *avito_op_session(lua_State *L, int op);

/* Pushes "send", a request and the number of the attempt: 3. The URL and the body (a string, the table
 * of an upload, or nil) are the two topmost values;
 * `type` is the Content-Type header line or NULL; `authorized` adds the access token. [-2, +3, m] */
int avito_op_send(lua_State *L, int op, const char *method, enum avito_purpose purpose, const char *type,
                  bool authorized, double now);

/* send.c: pushes the step that makes the operation's own request / that looks the account up. `session` is the index of its
 * session. [-0, +3, m] */
int avito_op_send_own(lua_State *L, int op, int session, double now);
int avito_op_send_self(lua_State *L, int op, int session, double now);

/* Takes the session's present secrets out of the texts and fields of the error at `err`: a server or a driver may repeat what was sent
 * to it. [-0, +0, m] */
void avito_op_hide_secrets(lua_State *L, int op, int err);

/* May the failed request be made again? Then the operation waits, true is returned and the error on top is popped;
 * else it stays. `retry_after` negative when not given; `at_once` skips the backoff. [-(0|1), +0, m] */
bool avito_op_retry(lua_State *L, int op, double retry_after, bool at_once, double now);

void avito_token_register(lua_State *L); /* [-0, +0, m] */

/* token.c: brings the session to a usable access token, one operation for all. PUSHED: *pushed values, the step;
 * FAILED: an error. [-0, +n, m] */
enum avito_step avito_token_step(lua_State *L, int op, double now, int *pushed);

/* What came of a step asked for. False: an error has been pushed, and the renewal has ended. [-0, +(0|1), m] */
bool avito_token_locked(lua_State *L, int op, int value, double now);
bool avito_token_loaded(lua_State *L, int op, int value, double now, double unix_now);
bool avito_token_saved(lua_State *L, int op, int value, double now);
bool avito_token_answered(lua_State *L, int op, const struct avito_response *response, double now, double unix_now);
/* The token request got no answer; the error is on top. `passes`: it may get one in a while. True: the error is popped and
 * the call goes on. [-(0|1), +0, m] */
bool avito_token_unanswered(lua_State *L, int op, bool passes, double now);

/* Can a new access token be had at all, after one was refused? */
bool avito_token_renewable(lua_State *L, int op);
/* Ends a renewal that the operation leaves unfinished. */
void avito_token_abandon(lua_State *L, int op);

void avito_pace_register(lua_State *L); /* [-0, +0, m] */

/* pace.c: takes the operation's turn in its lane and a place in the gate for one request. READY: they have been taken; PUSHED:
 * 4 values, a wait; FAILED: an error, for the turn would not come before the deadline. [-0, +n, m] */
enum avito_step avito_pace_step(lua_State *L, int op, int session, double now);
/* What the pace learns of an answer to such a request. */
void avito_pace_answered(struct avito_operation *operation, struct avito_session *session,
                         const struct avito_response *response, double now, double unix_now);
/* When the answer says to come again, in seconds: Retry-After, or where a refusal tells it another way; -1 when it does not. */
double avito_pace_retry_after(const struct avito_marketplace *marketplace, const struct avito_response *response,
                              double unix_now);
/* At the deadline: true, and an error is pushed, for one that waited for a place in the gate. [-0, +(0|1), m] */
bool avito_pace_late(lua_State *L, int op);
/* The operation's deadline has changed / it waits no more, and has no place in the gate / has it one? */
void avito_pace_limit(struct avito_operation *operation);
void avito_pace_leave(struct avito_operation *operation);
bool avito_pace_holds(const struct avito_operation *operation);

#endif
