/* http_head.h - reading the head of an HTTP answer: a raw block of CRLF lines, status line included.
 * Pure: no Lua, no clock. Pointers returned point into the block. */
#ifndef AVITO_HTTP_HEAD_H
#define AVITO_HTTP_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The value of the first header of that name (given in lower case), without surrounding white space; NULL if absent. */
const char *avito_head_find(const char *head, size_t length, const char *name, size_t *value_length);

/* A date as RFC 9110 5.6.7 allows it (IMF-fixdate, RFC 850, asctime), or RFC 822 does (without a day of the week, a day of one
 * digit, a year of two, any numeric zone), in Unix seconds. False when it is none. */
bool avito_http_date(const char *text, size_t length, int64_t *unix_seconds);

/* Retry-After (RFC 9110 10.2.3) in seconds from now, 0 or more; -1 when absent or unreadable.
 * A date is taken relative to the answer's own Date header, so that a wrong local clock does no harm; without one,
 * relative to `unix_now`. */
double avito_retry_after(const char *head, size_t length, double unix_now);

/* What the headers of a rate limit tell; each -1 when absent or unreadable. */
struct avito_rate_limit {
  int64_t limit, remaining; /* at most nine digits each */
  double until;             /* in so many seconds requests are taken again; 0: that is past */
};

/* Reads the headers `prefix` (in lower case) + "limit", "remaining" and "until", in one pass. The date of the last is taken as
 * that of avito_retry_after is. */
void avito_rate_limit(const char *head, size_t length, const char *prefix, double unix_now,
                      struct avito_rate_limit *told);

#endif
