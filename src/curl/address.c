#include "address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <curl/curl.h>

#define LOOPBACK_NET 127

void avito_peer_name(const struct sockaddr *address, char *name, size_t size)
{
  char text[INET6_ADDRSTRLEN];

  name[0] = '\0';
  if (address->sa_family == AF_INET) {
    struct sockaddr_in in;
    memcpy(&in, address, sizeof in);
    if (inet_ntop(AF_INET, &in.sin_addr, text, sizeof text))
      (void)snprintf(name, size, "%s:%u", text, (unsigned)ntohs(in.sin_port));
  } else if (address->sa_family == AF_INET6) {
    struct sockaddr_in6 in6;
    memcpy(&in6, address, sizeof in6);
    if (inet_ntop(AF_INET6, &in6.sin6_addr, text, sizeof text))
      (void)snprintf(name, size, "[%s]:%u", text, (unsigned)ntohs(in6.sin6_port));
  }
}

/* Only names that cannot mean anything else: libcurl itself resolves "localhost" without asking
 * anyone. */
static bool is_loopback_host(const char *host)
{
  unsigned char bytes[4];

  if (strcasecmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0)
    return true;
  return inet_pton(AF_INET, host, bytes) == 1 && bytes[0] == LOOPBACK_NET;
}

/* The form every real request has, which no parser can read in another way: it needs none. */
static bool is_plainly_loopback(const char *authority)
{
  static const char *const hosts[] = {"127.0.0.1", "localhost", NULL};

  for (const char *const *host = hosts; *host; host++) {
    size_t length = strlen(*host);
    if (strncmp(authority, *host, length) != 0)
      continue;
    authority += length;
    if (*authority == ':')
      authority += 1 + strspn(authority + 1, "0123456789");
    return *authority == '/';
  }
  return false;
}

static const char *plain_refusal(CURLU *parts, const char *url)
{
  char *host = NULL;
  const char *refusal = "plain http goes only to loopback (localhost, 127.0.0.0/8, [::1]); use https";
  CURLUcode code = curl_url_set(parts, CURLUPART_URL, url, CURLU_DISALLOW_USER | CURLU_PATH_AS_IS);

  if (code == CURLUE_USER_NOT_ALLOWED)
    return "the address holds a user name";
  if (code != CURLUE_OK || curl_url_get(parts, CURLUPART_HOST, &host, 0) != CURLUE_OK)
    return "the address is not a valid URL";
  if (is_loopback_host(host))
    refusal = NULL;
  curl_free(host);
  return refusal;
}

const char *avito_address_refusal(const char *url, bool *plain)
{
  CURLU *parts;
  const char *refusal;
  const size_t scheme_length = strlen("http://");

  *plain = false;
  if (strncasecmp(url, "https://", strlen("https://")) == 0)
    return NULL; /* libcurl parses the rest of it, with the same strictness */
  if (strncasecmp(url, "http://", scheme_length) != 0)
    return "the address must begin with https://";
  *plain = is_plainly_loopback(url + scheme_length);
  if (*plain)
    return NULL;
  parts = curl_url();
  if (!parts)
    return "not enough memory to read the address";
  refusal = plain_refusal(parts, url);
  curl_url_cleanup(parts);
  *plain = refusal == NULL;
  return refusal;
}

void avito_address_name(const char *url, char *name, size_t size)
{
  CURLU *parts = curl_url();
  char *host = NULL;
  char *port = NULL;

  (void)snprintf(name, size, "the server");
  if (parts && curl_url_set(parts, CURLUPART_URL, url, CURLU_PATH_AS_IS) == CURLUE_OK &&
      curl_url_get(parts, CURLUPART_HOST, &host, 0) == CURLUE_OK) {
    if (curl_url_get(parts, CURLUPART_PORT, &port, 0) == CURLUE_OK)
      (void)snprintf(name, size, "%s:%s", host, port);
    else
      (void)snprintf(name, size, "%s", host);
  }
  curl_free(host);
  curl_free(port);
  curl_url_cleanup(parts);
}
