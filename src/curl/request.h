/* request.h - the request table of a driver, read and checked. */
#ifndef AVITO_CURL_REQUEST_H
#define AVITO_CURL_REQUEST_H

#include "compat.h"

#include <stddef.h>

/* A body of which the middle is a file. */
struct avito_upload {
  const char *path; /* NULL: there is no such body */
  const char *head;
  const char *tail;
  size_t head_length;
  size_t tail_length;
  size_t size; /* how many bytes of the file are sent */
};

/* The strings belong to Lua: they live as long as the values avito_request_read pushed stay on the
 * stack. All strings are free of NUL, CR and LF except those of a body; paths only of NUL. */
struct avito_request {
  const char *method;
  const char *url;
  const char *body;   /* NULL when there is none */
  size_t body_length; /* of an upload too */
  const char *output; /* the path of the file a 2xx answer's body is written to; NULL: it goes into memory */
  struct avito_upload upload;
  int headers; /* stack index of an array of "Name: value" strings, or of nil */
  int body_index;
  long timeout_ms;
  long connect_timeout_ms;
  size_t max_body; /* bytes after content decoding */
  size_t max_head; /* bytes of all heads and trailers together */
};

/* Reads the table at `index`; raises, naming the field, when it is not a request.
 * [-0, +8, m|v] pushes method, url, body, headers and the strings of files. Metamethods are not consulted. */
void avito_request_read(lua_State *L, int index, struct avito_request *request);

/* Leaves the request only `seconds` (more than 0) of its time. */
void avito_request_limit(struct avito_request *request, double seconds);

/* The option `field` of the table at `index` (or of nil): a string without NUL, or NULL. Raises
 * otherwise.
 * [-0, +1, m|v] pushes the value that keeps the string alive. */
const char *avito_option_string(lua_State *L, int index, const char *field);

/* Raises, naming it, when the options at `index` hold a name that is not in the NULL-terminated
 * list, or are neither a table nor absent. [-0, +0, v] */
void avito_check_options(lua_State *L, int index, const char *const names[]);

/* Milliseconds of `seconds`, at least one unless it is zero, bounded by AVITO_MAX_SECONDS. */
long avito_milliseconds(double seconds);

#endif
