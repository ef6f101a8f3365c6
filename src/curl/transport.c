#include "transport.h"

#include <stdlib.h>
#include <string.h>

#include "global.h"
#include "limits.h"
#include "request.h"

static char *copy(lua_State *L, const char *text)
{
  char *made = text ? strdup(text) : NULL;

  if (text && !made)
    luaL_error(L, "not enough memory");
  return made;
}

void avito_transport_read(lua_State *L, int index, struct avito_transport *transport)
{
  const char *proxy = avito_option_string(L, index, "proxy");     /* ... proxy */
  const char *ca_file = avito_option_string(L, index, "ca_file"); /* ... proxy ca_file */

  /* no Lua code runs from here on: a finalizer may have read another one into it */
  avito_transport_free(transport);
  transport->proxy = copy(L, proxy);
  transport->ca_file = copy(L, ca_file);
  lua_pop(L, 2); /* ... */
}

void avito_transport_free(struct avito_transport *transport)
{
  free(transport->proxy);
  free(transport->ca_file);
  memset(transport, 0, sizeof *transport);
}

static bool set_limits(CURL *easy)
{
  AVITO_SET(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  AVITO_SET(easy, CURLOPT_REDIR_PROTOCOLS_STR, "https");
  AVITO_SET(easy, CURLOPT_FOLLOWLOCATION, 0L); /* a redirect would carry secret headers to another host */
  AVITO_SET(easy, CURLOPT_PATH_AS_IS, 1L);     /* /a/../b is not ours to fold */
  AVITO_SET(easy, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
  AVITO_SET(easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
  AVITO_SET(easy, CURLOPT_HTTP09_ALLOWED, 0L);
  AVITO_SET(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  AVITO_SET(easy, CURLOPT_NOSIGNAL, 1L);
  /* without this, giving up on a name waits for the resolver thread, however long that takes */
  AVITO_SET(easy, CURLOPT_QUICK_EXIT, 1L);
  return true;
}

static bool set_connection(CURL *easy)
{
  /* one HTTP/2 connection stalls in 50 ms steps at 50 requests at once; 50 connections do not */
  AVITO_SET(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
  AVITO_SET(easy, CURLOPT_MAXAGE_CONN, AVITO_MAX_IDLE_SECONDS);
  AVITO_SET(easy, CURLOPT_TCP_NODELAY, 1L);
  AVITO_SET(easy, CURLOPT_TCP_KEEPALIVE, 1L);
  AVITO_SET(easy, CURLOPT_TCP_KEEPIDLE, AVITO_KEEPALIVE_IDLE);
  AVITO_SET(easy, CURLOPT_TCP_KEEPINTVL, AVITO_KEEPALIVE_INTERVAL);
  AVITO_SET(easy, CURLOPT_ACCEPT_ENCODING, "gzip");
  return true;
}

/* A directory of certificates beside the bundle switches libcurl's cache of the bundle off: every new
 * connection would parse all of it again, 26 ms of CPU. A TLS library without directories says no. */
static bool set_bundle(CURL *easy, const char *ca_file)
{
  if (ca_file) {
    AVITO_SET(easy, CURLOPT_CAINFO, ca_file);
    AVITO_SET(easy, CURLOPT_PROXY_CAINFO, ca_file);
  }
  (void)curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
  (void)curl_easy_setopt(easy, CURLOPT_PROXY_CAPATH, NULL);
  return true;
}

static bool set_trust(CURL *easy, const char *ca_file)
{
  AVITO_SET(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
  AVITO_SET(easy, CURLOPT_SSL_VERIFYPEER, 1L);
  AVITO_SET(easy, CURLOPT_SSL_VERIFYHOST, 2L);
  AVITO_SET(easy, CURLOPT_PROXY_SSL_VERIFYPEER, 1L);
  AVITO_SET(easy, CURLOPT_PROXY_SSL_VERIFYHOST, 2L);
  if (ca_file || !avito_curl_trusted())
    return set_bundle(easy, ca_file);
  AVITO_SET(easy, CURLOPT_CAINFO, NULL);
  AVITO_SET(easy, CURLOPT_CAPATH, avito_curl_trusted());
  AVITO_SET(easy, CURLOPT_PROXY_CAINFO, NULL);
  AVITO_SET(easy, CURLOPT_PROXY_CAPATH, avito_curl_trusted());
  return true;
}

static bool set_proxy(CURL *easy, const char *proxy)
{
  if (proxy)
    AVITO_SET(easy, CURLOPT_PROXY, proxy);
  return true;
}

bool avito_transport_set(CURL *easy, const struct avito_transport *transport)
{
  return set_limits(easy) && set_connection(easy) && set_trust(easy, transport->ca_file) &&
         set_proxy(easy, transport->proxy);
}
