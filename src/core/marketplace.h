/* marketplace.h - what the core knows of each marketplace. A marketplace is data: the rows of its operations, how requests
 * are authorized, what its answers say. Everything here is static and read-only. */
#ifndef AVITO_MARKETPLACE_H
#define AVITO_MARKETPLACE_H

#include "endpoints.h"
#include "error.h"

enum avito_auth {
  AVITO_AUTH_OAUTH, /* an access token, which is renewed */
  AVITO_AUTH_KEY    /* a key that the program has, for good */
};

/* What an answer says of itself, whatever its status is. */
enum avito_verdict { AVITO_SAYS_NOTHING, AVITO_SAYS_OK, AVITO_SAYS_FAILURE };

struct avito_marketplace {
  const char *name;
  const char *client;  /* what errors about options begin with */
  const char *account; /* the option and the parameter of the path that name the account */
  const char *self; /* the operation that looks the account up; NULL: it is always given, and the same for all calls */
  enum avito_auth auth;
  const struct avito_endpoint *endpoints;
  unsigned endpoint_count;
  int refusals[2];         /* the statuses of a request that was one too many, and was not acted on */
  const char *rate_prefix; /* of the headers that tell the rate limit, in lower case */
  double rate_period;      /* the seconds they count */
  unsigned at_once;        /* how many requests an account may have under way; 0: any number */
  bool silent; /* may say nothing at all where there is nothing to say: an empty body is a good answer then */

  enum avito_verdict (*verdict)(lua_State *L, int object);                   /* of the decoded object [-0, +0, m] */
  void (*read_error)(lua_State *L, struct avito_error_answer *error_answer); /* see error.h [-0, +0, m] */
};

extern const struct avito_marketplace avito_marketplace_avito, avito_marketplace_yandex;

/* The marketplace with that name, or NULL. */
const struct avito_marketplace *avito_marketplace_find(const char *name);
/* The one named by the value at `index`, Avito when there is none; raises for any other value, beginning with `where`. */
const struct avito_marketplace *avito_marketplace_at(lua_State *L, int index, const char *where);

/* Does the status say that there are too many requests? */
bool avito_marketplace_refuses(const struct avito_marketplace *marketplace, int status);

#endif
