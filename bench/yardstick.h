/* yardstick.h - what the C programs of the benchmark share: a request as a competent C programmer sets it up. */
#ifndef AVITO_BENCH_YARDSTICK_H
#define AVITO_BENCH_YARDSTICK_H

#include <stdbool.h>
#include <stddef.h>

#include <curl/curl.h>

/* A body as it comes. Kept from call to call: before each, the caller sets `length` to 0. The caller frees `data`. All-zero
 * is empty. */
struct avito_bench_body {
  char *data;
  size_t length;
  size_t capacity;
};

/* The headers of every call; NULL for want of memory. The caller frees them, after the handles that were given them.
 * `json`: of a call that sends JSON. */
struct curl_slist *avito_bench_headers(bool post, bool json);

/* A handle with everything set that no call changes; NULL for want of memory. The caller frees it. `headers` and `body` are
 * borrowed and must stay in place until then. A `post` sends an empty body until it is told another. */
CURL *avito_bench_easy(bool post, struct curl_slist *headers, struct avito_bench_body *body);

/* User and system time of this process since it began. */
double avito_bench_cpu_microseconds(void);

#endif
