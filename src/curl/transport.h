/* transport.h - the options of a transport, and all that no request changes on its handles. */
#ifndef AVITO_CURL_TRANSPORT_H
#define AVITO_CURL_TRANSPORT_H

#include "compat.h"

#include <stdbool.h>

#include <curl/curl.h>

/* The strings are malloc'd copies owned by the transport; NULL when not given. `proxy` may hold a password: it is never
 * part of a message. All-zero is empty. */
struct avito_transport {
  char *proxy;   /* NULL: the environment decides (https_proxy, no_proxy …); "": none */
  char *ca_file; /* NULL: the trust store libcurl was built with */
};

/* Reads { proxy =, ca_file = } at `index` into `transport`, which a userdata must own already; what it held is freed.
 * [-0, +0, m|v] */
void avito_transport_read(lua_State *L, int index, struct avito_transport *transport);
void avito_transport_free(struct avito_transport *transport);

/* Sets a new handle up. False when libcurl has no memory or lacks something this transport cannot do without. */
bool avito_transport_set(CURL *easy, const struct avito_transport *transport);

/* A type-checked curl_easy_setopt whose failure is not lost. */
#define AVITO_SET(easy, option, value)                                                                                 \
  do {                                                                                                                 \
    if (curl_easy_setopt((easy), (option), (value)) != CURLE_OK)                                                       \
      return false;                                                                                                    \
  } while (0)

#endif
