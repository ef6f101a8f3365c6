/* descriptors.h - foreign descriptors a step waits for beside the transfers. */
#ifndef AVITO_CURL_DESCRIPTORS_H
#define AVITO_CURL_DESCRIPTORS_H

#include "compat.h"

#include <poll.h>
#include <stddef.h>

#include <curl/curl.h>

/* All-zero is empty. The arrays are malloc'd scratch, kept from step to step. */
struct avito_descriptors {
  struct curl_waitfd *asked; /* what libcurl waits for */
  struct pollfd *seen;       /* and what came of it */
  size_t count;
  size_t capacity;
};

/* Reads an array of { fd =, read =, write = } at `index`, or nil. Raises, naming the entry, for misuse.
 * [-0, +0, m|v] */
void avito_descriptors_read(lua_State *L, struct avito_descriptors *descriptors, int index);

/* Asks the system again and sets `readable` and `writable` in each entry of the array at `index`: the
 * libcurl of today reports no hang-up and no error, so that a wait would end at once for ever and never
 * say why. A broken descriptor is both, as far as it was asked. [-0, +0, m] */
void avito_descriptors_report(lua_State *L, struct avito_descriptors *descriptors, int index);

void avito_descriptors_free(struct avito_descriptors *descriptors);

#endif
