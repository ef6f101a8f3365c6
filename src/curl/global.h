/* global.h - libcurl's own set-up, done when the first handle is made and never at require time. */
#ifndef AVITO_CURL_GLOBAL_H
#define AVITO_CURL_GLOBAL_H

#include <stdint.h>

/* NULL when libcurl is ready, else a constant sentence that says what is wrong. Safe between
 * threads. */
const char *avito_curl_ready(void);

/* After avito_curl_ready: a number that differs between a process and those forked from it. What libcurl made belongs to the
 * process that made it. */
uint64_t avito_process_epoch(void);

/* After avito_curl_ready: the hashed directory of certificates to trust by default, or NULL (see trust.h). */
const char *avito_curl_trusted(void);

#endif
