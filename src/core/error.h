/* error.h - the error values a program sees: what failed, of which kind, and what to do about it.
 *
 * An error is a table with the metatable AVITO_ERROR and the fields
 *   kind         "auth" "forbidden" "payment_required" "not_found" "invalid" "rate_limited" "server" "network"
 *                "timeout" "decode" "cancelled"
 *   message      one sentence                endpoint     the operation's name
 *   dispatched   may the server have seen the call's own request?
 *   status       the HTTP status             code         the API's own code: a number or a string
 *   fields       what is wrong with which parameter        hint   what to do
 *   retry_after  seconds                     body         an answer of unknown shape, at most AVITO_MAX_ERROR_BODY bytes
 * of which kind, message, endpoint and dispatched are always there. How it reads as a string is said in errors.lua.
 */
#ifndef AVITO_ERROR_H
#define AVITO_ERROR_H

#include <stdbool.h>

#include "compat.h"

#define AVITO_ERROR "avito_messenger.Error"

/* An HTTP answer, as a driver hands it over. The pointers are those of Lua strings that the caller anchors. */
struct avito_response {
  int status;
  const char *head;
  size_t head_length;
  const char *body;
  size_t body_length;
  double bytes; /* how many were written to the request's output; -1: the driver does not say */
};

/* An error that is being made of an answer, for the reader of a marketplace: it fills the table `err` from the decoded
 * answer at the index `object`, and the rest of this. */
struct avito_error_answer {
  int status;
  int err;
  int object;         /* 0: the answer is no JSON object */
  const char *kind;   /* static; by the status, to be changed where the answer says more */
  const char *hint;   /* out: static, or NULL */
  bool understood;    /* out: it has a message or a code; the start of the body is kept otherwise */
  bool token_refused; /* out: the access token is expired or wrong */
};

struct avito_marketplace;

/* Pops a message and pushes an error. [-1, +1, m] */
void avito_error_new(lua_State *L, const char *kind, const char *endpoint, bool dispatched);

/* Pushes the error an answer stands for. `decoder` is the index of a JSON decoder; `retry_after` is negative when
 * absent. [-0, +1, m]
 * Returns true when the answer says that the access token is expired or wrong. */
bool avito_error_from_answer(lua_State *L, const struct avito_marketplace *marketplace, int decoder,
                             const struct avito_response *response, const char *endpoint, double retry_after);

/* Copies a member of the table at `from` to the error under the name `field`, when it has the type and is no empty string.
 * [-0, +0, m] */
bool avito_error_take(lua_State *L, int err, int from, const char *member, int type, const char *field);

/* Sets field `hint` of the error on top. [-0, +0, m] */
void avito_error_hint(lua_State *L, const char *hint);

#endif
