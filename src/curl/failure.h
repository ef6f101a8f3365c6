/* failure.h - what a libcurl result means to the core. */
#ifndef AVITO_CURL_FAILURE_H
#define AVITO_CURL_FAILURE_H

#include <stdbool.h>
#include <stddef.h>

#include "transfer.h"

struct avito_failure {
  const char *kind; /* "network", "timeout", "decode" or "file" */
  bool dispatched;
  bool stale; /* a kept-alive connection died before the first byte of an answer */
  char message[AVITO_MESSAGE_SIZE];
};

/* Describes why `transfer` did not end with a whole answer. The message names the host and what
 * happened; it holds no path, query, header or body. It is empty when a file failed (files.h). */
void avito_transfer_failure(const struct avito_transfer *transfer, struct avito_failure *failure);

#endif
