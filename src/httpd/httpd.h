/* httpd.h - what the files of the HTTP listener share.
 *
 * The listener turns libmicrohttpd's callbacks into whole requests that are taken and answered
 * later, in any order. Three layers: the listener and its connections (socket.c, places.c,
 * listener.c), what is sent (answer.c), and Lua (httpd.c, request.c). No callback of libmicrohttpd touches a lua_State, none
 * blocks.
 *
 * Everything runs on one thread. Times are milliseconds of the monotonic clock; 0 means "none".
 * All-zero is the empty state of every struct.
 */
#ifndef AVITO_HTTPD_H
#define AVITO_HTTPD_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <microhttpd.h>

#include "compat.h"

#define AVITO_HTTPD_METHOD_MAX  16
#define AVITO_HTTPD_HEADERS_MAX 100

struct avito_exchange;

/* Where a connection stands. Those of a place are in a ring, in the order they came to it. */
enum avito_place {
  AVITO_BUSY,     /* a request comes in, or an answer goes out; cut off at its deadline */
  AVITO_RESTING,  /* between two requests; likewise */
  AVITO_WAITING,  /* its request is whole, and waits to be taken */
  AVITO_HELD,     /* the program has the request, and may take its time */
  AVITO_DRIPPING, /* sends an answer byte by byte */
  AVITO_CUT,      /* its socket is shut down */
  AVITO_PLACES
};

struct avito_link {
  struct avito_link *previous, *next;
};

/* One connection. Made and freed by libmicrohttpd's connection callbacks. */
struct avito_peer {
  struct avito_link link; /* first: a peer is found by its link */
  struct avito_listener *listener;
  struct MHD_Connection *connection;
  struct avito_exchange *exchange; /* the request under way, with one reference; or NULL */
  enum avito_place place;
  int64_t began;    /* the first moment in which the request may have begun */
  int64_t deadline; /* of the places that have one */
  int64_t wake;     /* when a dripping answer goes on */
  int socket;
  bool suspended;
  char address[INET6_ADDRSTRLEN];
};

enum avito_phase {
  AVITO_ARRIVING, /* head or body are still coming */
  AVITO_READY,    /* whole, waits to be taken */
  AVITO_TAKEN,    /* the program has it */
  AVITO_ANSWERED  /* answered or dropped */
};

/* One request and its answer. Reference counted: the connection holds one, the program's object
 * another, so either may go first. */
struct avito_exchange {
  unsigned references;
  struct avito_peer *peer; /* NULL: the connection is gone */
  enum avito_phase phase;
  bool head_seen;
  bool dropped; /* the connection ends without an answer */
  bool too_large;
  char method[AVITO_HTTPD_METHOD_MAX + 1];
  char *target; /* path and query exactly as sent */
  char *body;
  size_t length, capacity;
  size_t discarded;
  unsigned status;
  struct MHD_Response *answer; /* owned; ready to be queued, or being built */
};

struct avito_listener_options {
  const char *host; /* a numeric address */
  unsigned port;    /* 0: any free one */
  size_t max_body, max_head;
  unsigned timeout_ms; /* for a whole request, and for its answer */
  unsigned idle_ms;    /* for a connection between two requests */
  unsigned max_connections;
};

struct avito_listener {
  struct MHD_Daemon *daemon;             /* NULL: closed */
  struct avito_link rings[AVITO_PLACES]; /* heads; no connections */
  size_t max_body, max_head;
  unsigned timeout_ms, idle_ms;
  unsigned port;
  int epoll;
  unsigned pending;       /* requests that came whole, and whose answers are not through */
  uint64_t refused_count; /* requests answered here, without the program */
  uint64_t cut_count;     /* requests and answers that were not through in time */
  bool drained;           /* takes no further connections */
  bool resumed;           /* connections go on at the next run; no descriptor announces it */
  pid_t owner;            /* the process that may touch the daemon */
};

/* socket.c */

/* A socket that listens, and its port; or -1, with `problem` filled. */
int avito_httpd_socket(const struct avito_listener_options *options, unsigned *port, char *problem, size_t size);

/* Fills `problem` with why there is no listener, by errno. */
void avito_httpd_say(char *problem, size_t size, const struct avito_listener_options *options, int code);

/* places.c */

void avito_places_start(struct avito_listener *listener);

/* To the end of a ring; the first time a peer is in none. */
void avito_peer_move(struct avito_peer *peer, enum avito_place place);
void avito_peer_leave(struct avito_peer *peer);

/* To the places that have a deadline, with it. A peer that drips is cut off when a byte was not taken by then. */
void avito_peer_busy(struct avito_peer *peer);
void avito_peer_rest(struct avito_peer *peer);
void avito_peer_drip(struct avito_peer *peer, int64_t deadline);

/* The first peer of a place / the one after it in its place, or NULL. */
struct avito_peer *avito_peer_first(struct avito_listener *listener, enum avito_place place);
struct avito_peer *avito_peer_next(const struct avito_peer *peer);

/* listener.c */

int64_t avito_httpd_now(void);

/* Starts listening. The listener must not move in memory until it is stopped. On failure fills
 * `problem` and leaves the listener closed. */
bool avito_listener_start(struct avito_listener *listener, const struct avito_listener_options *options, char *problem,
                          size_t size);

/* Does all work that is due without waiting. */
void avito_listener_run(struct avito_listener *listener);

/* Milliseconds until avito_listener_run has work to do that no descriptor announces; -1: none. */
int64_t avito_listener_timeout(struct avito_listener *listener);

/* The next whole request that nobody took yet (borrowed), or NULL. */
struct avito_exchange *avito_listener_ready(struct avito_listener *listener);

/* Takes no further connections; those there are stay. May be called again. */
void avito_listener_drain(struct avito_listener *listener);

/* Cuts all connections and stops. May be called again. */
void avito_listener_stop(struct avito_listener *listener);

void avito_exchange_release(struct avito_exchange *exchange);

/* Notes that the program has the request. */
void avito_exchange_take(struct avito_exchange *exchange);

/* Lets the connection go on after its exchange was answered or dropped. */
void avito_exchange_finish(struct avito_exchange *exchange);

/* True while an answer may still arrive: the connection is there and not reset. */
bool avito_exchange_alive(const struct avito_exchange *exchange);

/* answer.c: what is sent. Each returns NULL when out of memory; the body is copied. */

struct MHD_Response *avito_answer_whole(const char *body, size_t length);
/* Announces `length` bytes, sends `sent` of them and cuts the connection. */
struct MHD_Response *avito_answer_cut(const char *body, size_t length, size_t sent);
/* Sends one byte every `interval_ms`. The peer outlives the reading of the answer. */
struct MHD_Response *avito_answer_drip(struct avito_peer *peer, const char *body, size_t length, unsigned interval_ms);

/* request.c */

/* [-0, +1, m] Pushes the request object of an exchange and marks it taken. The metatable is at
 * `metatable`. */
void avito_request_push(lua_State *L, struct avito_exchange *exchange, int metatable);
/* [-0, +1, m] Pushes the metatable of request objects. */
void avito_request_metatable(lua_State *L);

#endif
