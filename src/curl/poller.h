/* poller.h - waiting: for libcurl's sockets and timer, and for foreign descriptors beside them.
 *
 * libcurl says which sockets it waits for and when it wants to be called (curl_multi_socket_action);
 * one epoll descriptor holds them all, so that a turn costs what has happened and not what waits.
 * All-zero is the empty state. A poller must not move in memory once opened: libcurl holds its address.
 */
#ifndef AVITO_CURL_POLLER_H
#define AVITO_CURL_POLLER_H

#include <stdbool.h>
#include <stddef.h>

#include <curl/curl.h>

#include "limits.h"

struct avito_ready {
  int fd;
  bool readable, writable; /* a descriptor that is broken is both: whoever uses it learns why */
};

struct avito_poller {
  CURLM *handle;          /* borrowed */
  unsigned char *sockets; /* by descriptor, `socket_count` of them: not 0 where libcurl waits for it */
  size_t socket_count;
  int epoll;
  bool open;
  bool lost; /* a socket could not be watched: its transfer is marked no_memory, and whoever sees this is to end it */
  bool timed;
  double due; /* monotonic seconds: when libcurl wants to be called, if `timed` */
  int ready_count;
  struct avito_ready ready[AVITO_EVENTS]; /* foreign descriptors, after a turn */
};

/* Takes charge of what `handle` waits for. False: errno says why. */
bool avito_poller_open(struct avito_poller *poller, CURLM *handle);

/* To be called after curl_multi_cleanup, or in a forked child instead of it. May be called again. */
void avito_poller_close(struct avito_poller *poller);

/* Watches a foreign descriptor, from now on and at every turn, for what is asked; for neither: no longer.
 * A socket of libcurl's is refused; that it is watched no longer changes nothing: whoever closes a descriptor that is
 * watched may find its number there. False: errno says why. */
bool avito_poller_watch(struct avito_poller *poller, int fd, bool read, bool write);

/* Lets libcurl do what its timer stands for, if it is time. New transfers send their requests here: to be called
 * before a wait, which must not be one when transfers have ended meanwhile. */
CURLMcode avito_poller_begin(struct avito_poller *poller);

/* Waits at most `seconds` for anything to happen and lets libcurl work. A signal ends the wait. */
CURLMcode avito_poller_wait(struct avito_poller *poller, double seconds);

/* Monotonic seconds. */
double avito_monotonic(void);

#endif
