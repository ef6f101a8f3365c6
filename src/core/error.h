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

/* Pops a message and pushes an error. [-1, +1, m] */
void avito_error_new(lua_State *L, const char *kind, const char *endpoint, bool dispatched);

/* Pushes the error an answer stands for. `decoder` is the index of a JSON decoder; `retry_after` is negative when
 * absent. [-0, +1, m]
 * Returns true when the answer says that the access token is expired or wrong: 401, or 403 that speaks of the token. */
bool avito_error_from_answer(lua_State *L, int decoder, const struct avito_response *response, const char *endpoint,
                             double retry_after);

/* Sets field `hint` of the error on top. [-0, +0, m] */
void avito_error_hint(lua_State *L, const char *hint);

#endif
