/* address.h - which addresses may be called, and how an address is named in a message. */
#ifndef AVITO_CURL_ADDRESS_H
#define AVITO_CURL_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

/* NULL when `url` is https, or plain http to a loopback host (then *plain is true); else a constant
 * sentence that says why it is refused. A loopback host is "localhost", which libcurl resolves by itself
 * without asking anyone, an address of 127.0.0.0/8, or [::1]. */
const char *avito_address_refusal(const char *url, bool *plain);

/* Writes the "host:port" (or "host" for a default port) of `url` for a message: never a user name,
 * a path or a query. Always terminated; "the server" when the URL has no host. */
void avito_address_name(const char *url, char *name, size_t size);

/* Writes "address:port" of an IPv4 or IPv6 socket address; empty for any other family. */
void avito_peer_name(const struct sockaddr *address, char *name, size_t size);

#endif
