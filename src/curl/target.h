/* target.h - the URL of a transfer, taken apart for libcurl.
 *
 * libcurl parses a URL given as a string and puts it together again for every transfer, a sixth of the CPU of a small call.
 * Given in parts (CURLOPT_CURLU), only what changed since the last request is read.
 */
#ifndef AVITO_CURL_TARGET_H
#define AVITO_CURL_TARGET_H

#include <stddef.h>

#include <curl/curl.h>

/* All-zero is empty. Owned by the transfer, which frees it after its easy handle. */
struct avito_target {
  CURLU *parts;
  char origin[256];     /* scheme and authority that `parts` holds, as they were given */
  size_t origin_length; /* 0: not known */
};

/* Makes `parts` the URL. NULL, or a constant sentence that says what is wrong with it. */
const char *avito_target_set(struct avito_target *target, const char *url);
void avito_target_free(struct avito_target *target);

#endif
