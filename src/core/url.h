/* url.h - which URLs the client will talk to. Pure. */
#ifndef AVITO_URL_H
#define AVITO_URL_H

#include <stddef.h>

/* NULL when a request may go to this absolute URL: https, or http to loopback; a plain host and port, no user name;
 * no control characters, spaces or bytes past ASCII. Otherwise what is wrong with it (static). */
const char *avito_url_problem(const char *url, size_t length);

/* The same for a webhook address, which may be http anywhere. */
const char *avito_webhook_problem(const char *url, size_t length);

#endif
