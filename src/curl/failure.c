#include "failure.h"

#include <stdio.h>
#include <string.h>

#include "address.h"

#define NAME_SIZE     272 /* a DNS name, its port and a little */
#define PEER_SIZE     64  /* an IPv6 address and its port */
#define MS_PER_SECOND 1000.0

static const char network[] = "network";
static const char timeout[] = "timeout";
static const char decode[] = "decode";
static const char file[] = "file";

#define SAY(failure, ...) (void)snprintf((failure)->message, sizeof(failure)->message, __VA_ARGS__)

/* Names the address the socket really went to, where that says more than the host. */
static void name_peer(const struct avito_transfer *transfer, const char *host, char *text, size_t size)
{
  char peer[PEER_SIZE];

  text[0] = '\0';
  avito_peer_name((const struct sockaddr *)&transfer->peer, peer, sizeof peer);
  if (peer[0] && strcmp(peer, host) != 0)
    (void)snprintf(text, size, " (%s%s)", transfer->proxied && !transfer->plain ? "proxy " : "", peer);
}

static void say_unconnected(const struct avito_transfer *transfer, const char *host, struct avito_failure *failure)
{
  char peer[PEER_SIZE + sizeof " (proxy )"];
  long reason = 0;

  name_peer(transfer, host, peer, sizeof peer);
  curl_easy_getinfo(transfer->easy, CURLINFO_OS_ERRNO, &reason);
  SAY(failure, "could not connect to %s%s: %s", host, peer, reason ? strerror((int)reason) : "no reason given");
}

static void say_timeout(const struct avito_transfer *transfer, const char *host, struct avito_failure *failure)
{
  long limit = transfer->timeout_ms;

  if (transfer->starts == 0) {
    if (transfer->connect_timeout_ms < limit)
      limit = transfer->connect_timeout_ms;
    SAY(failure, "no connection to %s within %g s", host, (double)limit / MS_PER_SECOND);
  } else if (transfer->head_seen > 0) {
    SAY(failure, "the answer of %s did not end within %g s", host, (double)limit / MS_PER_SECOND);
  } else {
    SAY(failure, "no answer from %s within %g s", host, (double)limit / MS_PER_SECOND);
  }
}

/* What libcurl's text says after its own heading ("SSL certificate problem: ..."); it speaks of
 * certificates and the TLS library only. */
static const char *detail_of(const struct avito_transfer *transfer)
{
  static const char *const headings[] = {"SSL certificate problem: ", "SSL: ", NULL};
  const char *detail = transfer->detail[0] ? transfer->detail : curl_easy_strerror(transfer->code);

  for (const char *const *heading = headings; *heading; heading++)
    if (strncmp(detail, *heading, strlen(*heading)) == 0)
      return detail + strlen(*heading);
  return detail;
}

static void say_broken(const struct avito_transfer *transfer, const char *host, struct avito_failure *failure)
{
  long answer = 0;

  if (transfer->starts == 0) {
    curl_easy_getinfo(transfer->easy, CURLINFO_HTTP_CONNECTCODE, &answer);
    if (answer >= 300)
      SAY(failure, "the proxy refused to connect to %s: status %ld", host, answer);
    else
      SAY(failure, "the connection to %s broke before the request was sent", host);
  } else if (failure->stale) {
    SAY(failure, "the kept-alive connection to %s was closed before an answer came", host);
  } else if (transfer->head_seen > 0) {
    SAY(failure, "the connection to %s broke in the middle of the answer", host);
  } else {
    SAY(failure, "the connection to %s was closed before an answer came", host);
  }
}

static void say_malformed(const char *host, struct avito_failure *failure)
{
  failure->kind = decode;
  SAY(failure, "the answer of %s is not valid HTTP", host);
}

/* Our own callbacks ended it. */
static bool say_bound(const struct avito_transfer *transfer, const char *host, struct avito_failure *failure)
{
  if (transfer->body_over)
    SAY(failure, "the answer of %s is longer than %zu bytes", host, transfer->max_body);
  else if (transfer->head_over)
    SAY(failure, "the answer of %s has more than %zu bytes or %d lines of headers", host, transfer->max_head,
        AVITO_MAX_HEAD_LINES);
  else if (transfer->misframed)
    say_malformed(host, failure);
  else
    return false;
  failure->kind = decode;
  return true;
}

static void say_code(const struct avito_transfer *transfer, const char *host, struct avito_failure *failure)
{
  switch (transfer->no_memory ? CURLE_OUT_OF_MEMORY : transfer->code) {
  case CURLE_OK: /* to libcurl a head that breaks off is an answer */
    say_broken(transfer, host, failure);
    return;
  case CURLE_URL_MALFORMAT:
    SAY(failure, "the address is not a valid URL");
    return;
  case CURLE_LOGIN_DENIED:
    SAY(failure, "the address holds a user name");
    return;
  case CURLE_COULDNT_RESOLVE_HOST:
    SAY(failure, "the name %s could not be resolved", host);
    return;
  case CURLE_COULDNT_RESOLVE_PROXY:
    SAY(failure, "the name of the proxy could not be resolved");
    return;
  case CURLE_COULDNT_CONNECT:
    say_unconnected(transfer, host, failure);
    return;
  case CURLE_OPERATION_TIMEDOUT:
    failure->kind = timeout;
    say_timeout(transfer, host, failure);
    return;
  case CURLE_PEER_FAILED_VERIFICATION:
  case CURLE_SSL_ISSUER_ERROR:
    SAY(failure, "the certificate of %s was not accepted: %s", host, detail_of(transfer));
    return;
  case CURLE_SSL_CACERT_BADFILE:
    SAY(failure, "the CA certificates could not be read: %s", detail_of(transfer));
    return;
  case CURLE_SSL_CONNECT_ERROR:
  case CURLE_SSL_CIPHER:
  case CURLE_SSL_CERTPROBLEM:
  case CURLE_SSL_ENGINE_INITFAILED:
    SAY(failure, "no TLS connection to %s: %s", host, detail_of(transfer));
    return;
  case CURLE_BAD_CONTENT_ENCODING:
    failure->kind = decode;
    SAY(failure, "the answer of %s has a broken or unknown content encoding", host);
    return;
#if LIBCURL_VERSION_NUM >= 0x080600
  case CURLE_TOO_LARGE:
#endif
  case CURLE_WEIRD_SERVER_REPLY:
  case CURLE_UNSUPPORTED_PROTOCOL:
    say_malformed(host, failure);
    return;
  case CURLE_RECV_ERROR:
    if (strstr(transfer->detail, "chunk")) /* libcurl has no code of its own for broken framing */
      say_malformed(host, failure);
    else
      say_broken(transfer, host, failure);
    return;
  case CURLE_SEND_ERROR:
  case CURLE_GOT_NOTHING:
  case CURLE_PARTIAL_FILE:
  case CURLE_SEND_FAIL_REWIND:
    say_broken(transfer, host, failure);
    return;
  case CURLE_OUT_OF_MEMORY:
    if (!transfer->no_memory && transfer->starts > 0 && !transfer->in_body)
      say_malformed(host, failure); /* what libcurl says of a header line over 100 KB */
    else
      SAY(failure, "not enough memory for the exchange with %s", host);
    return;
  default:
    SAY(failure, "the request to %s failed: %s", host, curl_easy_strerror(transfer->code));
  }
}

static bool died_unanswered(const struct avito_transfer *transfer)
{
  if (!transfer->reused || transfer->head_seen > 0)
    return false;
  return transfer->code == CURLE_SEND_ERROR || transfer->code == CURLE_RECV_ERROR ||
         transfer->code == CURLE_GOT_NOTHING || transfer->code == CURLE_SEND_FAIL_REWIND;
}

void avito_transfer_failure(const struct avito_transfer *transfer, struct avito_failure *failure)
{
  bool retried; /* libcurl wanted to repeat the request, and may have failed to connect again */
  char host[NAME_SIZE];

  memset(failure, 0, sizeof *failure);
  failure->kind = network;
  if (transfer->refusal) {
    SAY(failure, "%s", transfer->refusal);
    return;
  }
  failure->dispatched = avito_transfer_dispatched(transfer);
  if (transfer->files.failed) { /* avito_files_push says it: a path may be longer than a message */
    failure->kind = file;
    return;
  }
  avito_address_name(transfer->url.data, host, sizeof host);
  if (say_bound(transfer, host, failure))
    return;
  retried = transfer->starts > 1 || (transfer->starts == 1 && transfer->reused && transfer->connected);
  failure->stale = retried || died_unanswered(transfer);
  if (retried)
    say_broken(transfer, host, failure);
  else
    say_code(transfer, host, failure);
}
