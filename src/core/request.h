/* request.h - from arguments to the URL and the body of a request, by the rows of a marketplace. */
#ifndef AVITO_REQUEST_H
#define AVITO_REQUEST_H

#include "buffer.h"
#include "endpoints.h"

/* Where the account's id goes when it is not known yet; an encoded URL never holds these braces. */
#define AVITO_ACCOUNT_SLOT "{account}"

struct avito_request {
  const struct avito_endpoint *endpoint;
  struct avito_buffer *url;  /* has the base URL already; the path and query are added */
  struct avito_buffer *body; /* empty; is filled where the operation has a body */
  const char *account;       /* or NULL: AVITO_ACCOUNT_SLOT is written */
  const char *boundary;      /* for multipart: 32 unguessable letters */
  bool repeat_keys;          /* item_ids=1&item_ids=2 rather than item_ids=1,2 */
  const char *content_type;  /* out: a header line, or NULL without a body */
  int upload;                /* out: the stack index of the table that stands for the body, or 0 (see operation.h) */
  const char *invalid;       /* out: the parameter whose value is refused */
};

/* How many arguments the operation takes: the required ones, and an options table where it has optional ones. */
int avito_request_arity(const struct avito_endpoint *endpoint);

/* Reads the operation's arguments from the stack, from `first` on: arity values, of which the last, the options table,
 * may be nil; an upload takes the place of its argument. A wrong type or an unknown option raises, naming it. A value out of bounds returns false, with `invalid`
 * set and the message pushed: [-0, +1, m]. Otherwise true: [-0, +0, m]. */
bool avito_request_build(lua_State *L, struct avito_request *request, int first);

#endif
