/* session.h - what the calls of one client share: who it is, its tokens, its pace, its retry quota, its random numbers.
 *
 * A session is a userdata; the Lua values it holds stand in the table it owns, at the slots below. It knows no clock:
 * every time is handed in, `now` in monotonic seconds and `unix` in Unix seconds. Expiry is kept in monotonic seconds,
 * so that a wall clock that jumps neither ages a token nor revives it.
 */
#ifndef AVITO_SESSION_H
#define AVITO_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "buffer.h"
#include "marketplace.h"
#include "pace.h"

#define AVITO_SESSION "avito_messenger.session"

enum avito_session_slot {
  AVITO_SLOT_DECODER = 1,
  AVITO_SLOT_BASE_URL,  /* without a slash at its end */
  AVITO_SLOT_CLIENT_ID, /* the slots from here on may be nil */
  AVITO_SLOT_CLIENT_SECRET,
  AVITO_SLOT_CODE,
  AVITO_SLOT_GIVEN_REFRESH, /* the refresh token the program gave */
  AVITO_SLOT_REFRESH,       /* the one to use: the last the server or the store gave */
  AVITO_SLOT_ACCESS,        /* or the key */
  AVITO_SLOT_AUTHORIZATION, /* the header line with the access token */
  AVITO_SLOT_SCOPE,
  AVITO_SLOT_ACCOUNT,       /* a decimal string */
  AVITO_SLOT_USER_AGENT,    /* the header line */
  AVITO_SLOT_HEADERS,       /* lists of header lines that requests share: with the access token */
  AVITO_SLOT_JSON_HEADERS,  /* with that and a JSON body */
  AVITO_SLOT_PLAIN_HEADERS, /* without */
  AVITO_SLOT_DOWNLOAD_HEADERS,
  AVITO_SLOT_SCRATCH,
  AVITO_SLOT_TOKENS,     /* the table to save */
  AVITO_SLOT_TOKEN_ERROR /* why the last renewal failed, for those who waited for it */
};

struct avito_session {
  const struct avito_marketplace *marketplace;
  const char *authorization; /* static: what the header line with the access token begins with */
  uint64_t random;
  double quota;   /* retries that may be made now */
  double timeout; /* the defaults of a call */
  int retries;
  bool repeat_keys; /* how list parameters are written in a query */
  bool has_store, has_lock;
  struct avito_pace pace;

  bool has_access;
  double expires;              /* monotonic; HUGE_VAL when not known */
  double renew;                /* monotonic: from when on to renew ahead */
  unsigned generation;         /* counts the access tokens */
  unsigned headers_generation; /* the one AVITO_SLOT_HEADERS was made with */
  bool unsaved;                /* the store does not have the present refresh token yet */
  bool code_spent, given_refresh_spent;

  unsigned long renewals; /* counts the renewals begun */
  unsigned long renewing; /* the number of the one under way, or 0 */
  double renewing_until;  /* after this it is taken for dead */
  unsigned renewals_failed;
};

/* core.session(options) -> session. Raises for values it cannot take, naming the option.
 * options: marketplace ("avito", also when absent | "yandex_market"), base_url, user_agent (strings), the account (an integer,
 * or a string of digits), timeout (seconds), retries, array_style ("comma" | "repeat"), seed (a string no other client
 * shares), pace (see pace.h);
 * of Avito client_id, client_secret, code, refresh_token, access_token (strings), has_store, has_lock (booleans), and the
 * account is user_id; of Yandex Market api_key or oauth_token (strings), and the account is business_id. */
int avito_session_new(lua_State *L);
void avito_session_register(lua_State *L);

/* The session at that index; raises when it is something else. For methods, whose first upvalue is its metatable. */
struct avito_session *avito_session_check(lua_State *L, int index);

/* Pushes a slot of the session at `index` / sets it from the top. [-0, +1, -] / [-1, +0, m] */
void avito_session_get(lua_State *L, int index, enum avito_session_slot slot);
void avito_session_set(lua_State *L, int index, enum avito_session_slot slot);
/* Does the string at `text` hold one of the session's secrets? [-0, +0, -] */
bool avito_session_has_secret(lua_State *L, int index, int text);
bool avito_session_has(lua_State *L, int index, enum avito_session_slot slot);

/* Memory in which the parts of a request are put together. Whoever makes one takes it out of the session and gives it back:
 * what runs meanwhile, such as a finalizer that makes a call, finds none and gets its own. */
struct avito_scratch {
  struct avito_buffer url, body; /* empty when taken */
};

/* Pushes a scratch and returns it / pops it back into the session at `index`. [-0, +1, m] / [-1, +0, m] */
struct avito_scratch *avito_scratch_take(lua_State *L, int index);
void avito_scratch_give(lua_State *L, int index);

/* A number in [0, 1); the next of a sequence the seed decides. */
double avito_session_random(struct avito_session *session);
/* 32 hexadecimal digits of the same sequence and a terminator. */
void avito_session_boundary(struct avito_session *session, char boundary[33]);

/* Makes the string on top the access token. `lifetime` in seconds, negative when not known. [-1, +0, m] */
void avito_session_set_access(lua_State *L, int index, double now, double lifetime);
/* The server refused the access token of that generation; a newer one stays. */
void avito_session_reject(struct avito_session *session, unsigned generation);
bool avito_session_usable(const struct avito_session *session, double now);

#endif
