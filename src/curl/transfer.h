/* transfer.h - one HTTP exchange over one reused libcurl easy handle.
 *
 * The easy and the multi transport both set a transfer up and judge its end here, so they cannot
 * differ. A transfer never touches a lua_State while libcurl runs: the callbacks fill bounded
 * buffers it owns, or files. All-zero is the empty state. A transfer must not move in memory once opened:
 * libcurl holds its address.
 */
#ifndef AVITO_CURL_TRANSFER_H
#define AVITO_CURL_TRANSFER_H

#include "compat.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#include <curl/curl.h>

#include "files.h"
#include "limits.h"
#include "request.h"
#include "target.h"
#include "transport.h"

/* What libcurl would add to the headers by itself depends on it. */
enum avito_body_kind { AVITO_NO_BODY, AVITO_SMALL_BODY, AVITO_LARGE_BODY };

struct avito_bytes {
  char *data;
  size_t length;
  size_t capacity;
};

struct avito_transfer {
  CURL *easy;
  struct curl_slist *headers; /* libcurl reads it during the transfer and frees nothing of it */
  int header_lines;           /* how many lines of the request it was made of; -1: it is not whole */
  enum avito_body_kind headers_of;
  struct avito_bytes head; /* the final response's head; heads of 1xx answers are dropped */
  struct avito_bytes body; /* after content decoding */

  struct avito_files files;

  struct avito_target target;
  struct avito_bytes url; /* of the request, terminated: a transfer that never starts has a name too */

  /* what the present request allows */
  size_t max_head;
  size_t max_body;
  long timeout_ms;
  long connect_timeout_ms;
  bool plain; /* http, so to loopback only */
  bool direct;

  /* what happened */
  const char *refusal; /* constant sentence: nothing was tried */
  size_t body_seen;
  bool to_file; /* the body is that of a 2xx answer and goes to files.output */
  size_t head_seen;
  size_t head_lines;
  unsigned starts; /* times libcurl was about to send the request */
  bool connected;  /* a socket was opened for this transfer */
  bool reused;     /* the first start was on a kept-alive connection */
  bool in_body;    /* the final head is complete */
  bool head_over;
  bool misframed; /* a Content-Length that is no number */
  bool body_over;
  bool no_memory;
  bool proxied; /* a proxy option is in force */
  struct sockaddr_storage peer;
  CURLcode code;
  char detail[CURL_ERROR_SIZE];
};

/* Makes the easy handle and sets everything that no request changes. False when libcurl has no
 * memory or lacks something this transport cannot do without; the transfer is empty then. */
bool avito_transfer_open(struct avito_transfer *transfer, const struct avito_transport *transport);

/* Prepares the next exchange. Copies headers, URL and paths; the body is borrowed and must stay in place
 * until avito_transfer_end. Raises when a header is misuse, or for want of memory; no Lua code runs
 * before that. False when the address is refused or a file cannot be used: nothing may be performed
 * then, and the response says why.
 * [-0, +0, m|v] */
bool avito_transfer_begin(lua_State *L, struct avito_transfer *transfer, const struct avito_request *request);

/* Records how the exchange ended, lets go of the request's body and closes the files. */
void avito_transfer_end(struct avito_transfer *transfer, CURLcode code);

/* May the server have seen the request? */
bool avito_transfer_dispatched(const struct avito_transfer *transfer);

/* The response table of the exchange that ended. [-0, +1, m] */
void avito_transfer_push(lua_State *L, const struct avito_transfer *transfer);

/* Forgets the exchange and gives back the memory of a large one. */
void avito_transfer_rest(struct avito_transfer *transfer);

/* Frees everything; the transfer is empty afterwards. It must not be part of a multi any more. */
void avito_transfer_close(struct avito_transfer *transfer);

/* Forgets the handle without a byte to anyone: in a forked child the connections are the parent's.
 */
void avito_transfer_abandon(struct avito_transfer *transfer);

#endif
