/* endpoints.h - the operations of a marketplace as data: what a row says is in endpoint_rows.h. Everything here is static
 * and read-only. */
#ifndef AVITO_ENDPOINTS_H
#define AVITO_ENDPOINTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "compat.h"

enum avito_place { AVITO_PATH, AVITO_QUERY, AVITO_JSON, AVITO_MULTIPART };

enum avito_type {
  AVITO_ACCOUNT,  /* the account in the path, supplied by the client */
  AVITO_CONSTANT, /* a fixed string: `values` */
  AVITO_ID,
  AVITO_STRING,
  AVITO_URL,
  AVITO_INTEGER,
  AVITO_BOOLEAN,
  AVITO_STRINGS,
  AVITO_INTEGERS,
  AVITO_OBJECTS, /* a list of objects with `fields` */
  AVITO_IMAGE,
  AVITO_FILE
};

enum avito_repeat { AVITO_SAFE, AVITO_SEND };

enum avito_answer {
  AVITO_ANSWER_OBJECT,
  AVITO_ANSWER_LIST,
  AVITO_ANSWER_MAP,
  AVITO_ANSWER_NOTHING,
  AVITO_ANSWER_IMAGE,
  AVITO_ANSWER_ANY,   /* client:request: whatever came */
  AVITO_ANSWER_BYTES, /* a download: the body as it is */
  AVITO_ANSWER_FILE   /* a download to a file: how many bytes it has */
};

struct avito_param {
  const char *name;
  enum avito_place place;
  enum avito_type type;
  bool required;
  int64_t min, max;   /* 0, 0: no bound */
  const char *wire;   /* its name in the request; of JSON members a dotted path */
  const char *values; /* known values separated by |, or NULL */
  const char *doc;
  const struct avito_param *fields; /* of AVITO_OBJECTS: its members, ended by a row without a name */
};

struct avito_endpoint {
  const char *name;
  const char *method;
  const char *path;
  const char *scope;
  unsigned hourly; /* requests an hour; 0: no limit of its own */
  enum avito_repeat repeat;
  enum avito_answer answer;
  const char *answer_key; /* or NULL */
  const char *contract_id;
  const char *doc;
  const struct avito_param *params; /* ended by a row without a name */
};

struct avito_marketplace;

/* The row with that name, or NULL. */
const struct avito_endpoint *avito_endpoint_find(const struct avito_marketplace *marketplace, const char *name);
/* Does it have a parameter in that place? */
bool avito_endpoint_has(const struct avito_endpoint *endpoint, enum avito_place place);
/* Is it an argument of its own (not supplied by the client, not in the options table)? */
bool avito_param_positional(const struct avito_param *param);

/* core.endpoints(marketplace) -> a list with a fresh table for each row; of Avito when no name is given. [-0, +1, m] */
int avito_endpoints_list(lua_State *L);
#endif
