/* grant.h - the grants of OAuth 2: which one to ask with, asking, and reading the answer. `session` is the stack index of
 * the operation's session. */
#ifndef AVITO_GRANT_H
#define AVITO_GRANT_H

#include "operation.h"

/* What to do once neither a refresh token nor a code is accepted. */
#define AVITO_AUTHORIZE_AGAIN                                                                                          \
  "the seller must authorize again: send them to avito.authorize_url{…} and pass the new code"

/* The grant to be tried next. A program's own account needs no more than its credentials; another seller's account is
 * reached through a refresh token or a code only, never through the credentials alone. */
enum avito_grant avito_grant_next(lua_State *L, const struct avito_session *session, int index);

/* Pushes the step that asks with operation->grant. [-0, +3, m] */
int avito_grant_send(lua_State *L, int op, double now);

/* Takes the tokens of the decoded answer on top into the session. False when there is no access token in it. [-1, +0, m] */
bool avito_grant_take(lua_State *L, int op, int session, double now, double unix_now);

/* Pushes the error that an answer without a token stands for, without the body, which may hold what nobody is to see.
 * [-0, +1, m] */
void avito_grant_error(lua_State *L, int op, int decoder, const struct avito_response *response, double retry_after);

/* Does the answer, whose error is on top, refuse the grant for good? Anything but a refusal may pass. [-0, +0, m] */
bool avito_grant_refuses(lua_State *L, const struct avito_response *response);

/* The answer, whose error is on top, refuses the grant: it is not shown again. Is there another to try? [-0, +0, m] */
bool avito_grant_refused(lua_State *L, int op, int session, const struct avito_response *response);

/* Pushes a member of a table when it is a string that can stand in a header: true; else nil. [-0, +1, m] */
bool avito_push_token(lua_State *L, int object, const char *member);

#endif
