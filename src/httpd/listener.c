/* listener.c - connections, the requests on them, and the deadlines that bound both. */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "httpd.h"

/* Left for the files and connections of the rest of the program. */
#define SPARE_DESCRIPTORS 64

int64_t avito_httpd_now(void)
{
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Exchanges */

void avito_exchange_release(struct avito_exchange *exchange)
{
  if (--exchange->references > 0)
    return;
  if (exchange->answer != NULL)
    MHD_destroy_response(exchange->answer);
  free(exchange->target);
  free(exchange->body);
  free(exchange);
}

static void resume(struct avito_peer *peer)
{
  peer->wake = 0;
  if (peer->suspended) {
    peer->suspended = false;
    peer->listener->resumed = true;
    MHD_resume_connection(peer->connection);
  }
}

void avito_exchange_finish(struct avito_exchange *exchange)
{
  exchange->phase = AVITO_ANSWERED;
  if (exchange->peer == NULL || exchange->peer->listener->owner != getpid())
    return;
  avito_peer_busy(exchange->peer);
  resume(exchange->peer);
}

void avito_exchange_take(struct avito_exchange *exchange)
{
  exchange->phase = AVITO_TAKEN;
  avito_peer_move(exchange->peer, AVITO_HELD);
}

bool avito_exchange_alive(const struct avito_exchange *exchange)
{
  if (exchange->peer == NULL)
    return false;
  struct pollfd state = {.fd = exchange->peer->socket};
  return poll(&state, 1, 0) == 0 || (state.revents & (POLLHUP | POLLERR)) == 0;
}

static struct avito_peer *peer_of(struct MHD_Connection *connection)
{
  const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
  return info == NULL ? NULL : info->socket_context;
}

/* The only place where path and query are seen as they were sent: later the path is unescaped. What
 * it returns becomes the context of the request. */
static void *on_target(void *context, const char *target, struct MHD_Connection *connection)
{
  (void)context;
  struct avito_peer *peer = peer_of(connection);
  if (peer == NULL || peer->exchange != NULL)
    return NULL;
  struct avito_exchange *exchange = calloc(1, sizeof *exchange);
  if (exchange == NULL)
    return NULL;
  exchange->references = 1;
  exchange->target = strdup(target);
  if (exchange->target == NULL) {
    avito_exchange_release(exchange);
    return NULL;
  }
  exchange->peer = peer;
  peer->exchange = exchange;
  if (peer->place == AVITO_RESTING) {
    peer->began = avito_httpd_now();
    avito_peer_busy(peer);
  }
  return exchange;
}

static enum MHD_Result refuse(struct avito_exchange *exchange, struct MHD_Connection *connection, unsigned status,
                              const char *text)
{
  exchange->peer->listener->refused_count++;
  struct MHD_Response *answer = avito_answer_whole(text, strlen(text));
  if (answer == NULL)
    return MHD_NO;
  enum MHD_Result result = MHD_add_response_header(answer, "Content-Type", "text/plain");
  if (result == MHD_YES)
    result = MHD_add_response_header(answer, "Connection", "close");
  if (result == MHD_YES)
    result = MHD_queue_response(connection, status, answer);
  MHD_destroy_response(answer);
  return result;
}

struct head_size {
  size_t count, bytes;
};

static enum MHD_Result measure_header(void *context, enum MHD_ValueKind kind, const char *name, size_t name_size,
                                      const char *value, size_t value_size)
{
  (void)kind;
  (void)name;
  (void)value;
  struct head_size *size = context;
  size->count++;
  size->bytes += name_size + value_size + 4; /* ": " and the line end */
  return MHD_YES;
}

static bool method_known(const char *method)
{
  static const char *const known[] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"};
  for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
    if (strcmp(method, known[i]) == 0)
      return true;
  return false;
}

/* The head is whole, no byte of the body was taken. */
static enum MHD_Result take_head(struct avito_exchange *exchange, struct MHD_Connection *connection, const char *method)
{
  const struct avito_listener *listener = exchange->peer->listener;
  if (!method_known(method))
    return refuse(exchange, connection, MHD_HTTP_NOT_IMPLEMENTED, "this method is not known here\n");
  memcpy(exchange->method, method, strlen(method) + 1);

  struct head_size size = {0, strlen(exchange->target)};
  MHD_get_connection_values_n(connection, MHD_HEADER_KIND, measure_header, &size);
  if (size.count > AVITO_HTTPD_HEADERS_MAX || size.bytes > listener->max_head)
    return refuse(exchange, connection, MHD_HTTP_REQUEST_HEADER_FIELDS_TOO_LARGE, "the head is too large\n");

  const char *announced = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_LENGTH);
  if (announced != NULL && strtoull(announced, NULL, 10) > listener->max_body)
    return refuse(exchange, connection, MHD_HTTP_CONTENT_TOO_LARGE, "the body is too large\n");
  return MHD_YES;
}

/* A body whose size was not announced is refused only at its end: libmicrohttpd takes no answer in
 * between. What is thrown away until then is bounded too. */
static enum MHD_Result take_body(struct avito_exchange *exchange, const char *data, size_t *size)
{
  size_t max_body = exchange->peer->listener->max_body;
  if (exchange->too_large || *size > max_body - exchange->length) {
    exchange->too_large = true;
    exchange->discarded += *size;
    *size = 0;
    return exchange->discarded > max_body ? MHD_NO : MHD_YES;
  }
  size_t needed = exchange->length + *size;
  if (needed > exchange->capacity) {
    size_t capacity = exchange->capacity < 1024 ? 1024 : exchange->capacity * 2;
    if (capacity < needed)
      capacity = needed;
    char *grown = realloc(exchange->body, capacity);
    if (grown == NULL)
      return MHD_NO;
    exchange->body = grown;
    exchange->capacity = capacity;
  }
  memcpy(exchange->body + exchange->length, data, *size);
  exchange->length = needed;
  *size = 0;
  return MHD_YES;
}

static enum MHD_Result on_request(void *context, struct MHD_Connection *connection, const char *url, const char *method,
                                  const char *version, const char *data, size_t *size, void **request)
{
  (void)context;
  (void)url;
  (void)version;
  struct avito_exchange *exchange = *request;
  if (exchange == NULL || exchange->dropped)
    return MHD_NO;
  if (!exchange->head_seen) {
    exchange->head_seen = true;
    return take_head(exchange, connection, method);
  }
  if (*size > 0)
    return take_body(exchange, data, size);
  if (exchange->too_large)
    return refuse(exchange, connection, MHD_HTTP_CONTENT_TOO_LARGE, "the body is too large\n");
  if (exchange->phase == AVITO_ANSWERED) {
    enum MHD_Result result = MHD_queue_response(connection, exchange->status, exchange->answer);
    MHD_destroy_response(exchange->answer);
    exchange->answer = NULL;
    return result;
  }
  if (exchange->phase == AVITO_ARRIVING) {
    exchange->phase = AVITO_READY;
    exchange->peer->listener->pending++;
    exchange->peer->suspended = true;
    avito_peer_move(exchange->peer, AVITO_WAITING);
    MHD_suspend_connection(connection);
  }
  return MHD_YES;
}

static void on_completed(void *context, struct MHD_Connection *connection, void **request,
                         enum MHD_RequestTerminationCode reason)
{
  (void)context;
  (void)reason;
  struct avito_exchange *exchange = *request;
  struct avito_peer *peer = peer_of(connection);
  *request = NULL;
  if (exchange == NULL)
    return;
  if (peer != NULL) {
    if (exchange->phase != AVITO_ARRIVING)
      peer->listener->pending--;
    peer->exchange = NULL;
    peer->wake = 0;
    avito_peer_rest(peer);
  }
  exchange->peer = NULL;
  avito_exchange_release(exchange);
}

/* Connections */

static void on_connection(void *context, struct MHD_Connection *connection, void **socket_context,
                          enum MHD_ConnectionNotificationCode what)
{
  struct avito_listener *listener = context;
  if (what == MHD_CONNECTION_NOTIFY_CLOSED) {
    struct avito_peer *peer = *socket_context;
    if (peer == NULL)
      return;
    *socket_context = NULL;
    avito_peer_leave(peer);
    free(peer);
    return;
  }
  int socket = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
  struct avito_peer *peer = calloc(1, sizeof *peer);
  *socket_context = peer;
  if (peer == NULL) {
    shutdown(socket, SHUT_RDWR);
    return;
  }
  const struct sockaddr *address = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS)->client_addr;
  const void *numeric = address->sa_family == AF_INET6
                            ? (const void *)&((const struct sockaddr_in6 *)(const void *)address)->sin6_addr
                            : (const void *)&((const struct sockaddr_in *)(const void *)address)->sin_addr;
  inet_ntop(address->sa_family, numeric, peer->address, sizeof peer->address);
  peer->listener = listener;
  peer->connection = connection;
  peer->socket = socket;
  peer->began = avito_httpd_now();
  avito_peer_busy(peer);
}

/* The listener */

/* As many connections as are asked for, but not all descriptors of the process: its other work needs some, and without one
 * left libmicrohttpd could not even accept a connection to turn it away. */
static unsigned connection_limit(const struct avito_listener_options *options)
{
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
    return options->max_connections;
  rlim_t most = limit.rlim_cur > 2 * SPARE_DESCRIPTORS ? limit.rlim_cur - SPARE_DESCRIPTORS : limit.rlim_cur / 2;
  return options->max_connections < most ? options->max_connections : (unsigned)most;
}

bool avito_listener_start(struct avito_listener *listener, const struct avito_listener_options *options, char *problem,
                          size_t size)
{
  unsigned port = 0;
  int fd = avito_httpd_socket(options, &port, problem, size);
  if (fd < 0)
    return false;
  avito_places_start(listener);
  listener->max_body = options->max_body;
  listener->max_head = options->max_head;
  listener->timeout_ms = options->timeout_ms;
  listener->idle_ms = options->idle_ms;
  listener->port = port;
  listener->owner = getpid();
  /* The pool of a connection holds the head of the request, the head of the answer and a piece of
   * body. */
  size_t pool = options->max_head + 16 * 1024;
  unsigned longest = options->idle_ms > options->timeout_ms ? options->idle_ms : options->timeout_ms;
  listener->daemon = MHD_start_daemon(
      MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, on_request, listener, MHD_OPTION_LISTEN_SOCKET, fd,
      MHD_OPTION_CONNECTION_MEMORY_LIMIT, pool, MHD_OPTION_CONNECTION_LIMIT, connection_limit(options),
      MHD_OPTION_CONNECTION_TIMEOUT, longest / 1000 + 1, MHD_OPTION_URI_LOG_CALLBACK, on_target, listener,
      MHD_OPTION_NOTIFY_COMPLETED, on_completed, listener, MHD_OPTION_NOTIFY_CONNECTION, on_connection, listener,
      MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_END);
  if (listener->daemon == NULL) {
    avito_httpd_say(problem, size, options, ENOMEM);
    return false;
  }
  listener->epoll = MHD_get_daemon_info(listener->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
  return true;
}

/* Shut down, not closed: the descriptor stays libmicrohttpd's, which now reads the end of the stream. */
static void cut(struct avito_peer *peer)
{
  shutdown(peer->socket, SHUT_RDWR);
  avito_peer_move(peer, AVITO_CUT);
}

static void cut_late(struct avito_listener *listener, enum avito_place place, int64_t now)
{
  struct avito_peer *peer;
  while ((peer = avito_peer_first(listener, place)) != NULL && peer->deadline <= now) {
    if (place == AVITO_BUSY)
      listener->cut_count++;
    cut(peer);
  }
}

void avito_listener_run(struct avito_listener *listener)
{
  int64_t now = avito_httpd_now();
  cut_late(listener, AVITO_BUSY, now);
  cut_late(listener, AVITO_RESTING, now);
  struct avito_peer *next;
  for (struct avito_peer *peer = avito_peer_first(listener, AVITO_DRIPPING); peer != NULL; peer = next) {
    next = avito_peer_next(peer);
    if (peer->suspended && peer->wake <= now)
      resume(peer);
    else if (!peer->suspended && peer->deadline <= now)
      cut(peer);
  }
  listener->resumed = false;
  MHD_run(listener->daemon);
}

static int64_t sooner(int64_t nearest, int64_t at, int64_t now)
{
  int64_t left = at > now ? at - now : 0;
  return nearest < 0 || left < nearest ? left : nearest;
}

int64_t avito_listener_timeout(struct avito_listener *listener)
{
  if (listener->resumed)
    return 0;
  MHD_UNSIGNED_LONG_LONG wait = 0;
  int64_t nearest = -1;
  if (MHD_get_timeout(listener->daemon, &wait) == MHD_YES)
    nearest = (int64_t)wait;
  int64_t now = avito_httpd_now();
  const struct avito_peer *busy = avito_peer_first(listener, AVITO_BUSY);
  const struct avito_peer *resting = avito_peer_first(listener, AVITO_RESTING);
  if (busy != NULL)
    nearest = sooner(nearest, busy->deadline, now);
  if (resting != NULL)
    nearest = sooner(nearest, resting->deadline, now);
  const struct avito_peer *peer = avito_peer_first(listener, AVITO_DRIPPING);
  for (; peer != NULL; peer = avito_peer_next(peer))
    nearest = sooner(nearest, peer->suspended ? peer->wake : peer->deadline, now);
  return nearest;
}

struct avito_exchange *avito_listener_ready(struct avito_listener *listener)
{
  const struct avito_peer *peer = avito_peer_first(listener, AVITO_WAITING);
  return peer == NULL ? NULL : peer->exchange;
}

void avito_listener_drain(struct avito_listener *listener)
{
  if (listener->drained)
    return;
  listener->drained = true;
  MHD_socket fd = MHD_quiesce_daemon(listener->daemon);
  if (fd != MHD_INVALID_SOCKET)
    close(fd);
}

/* Those that go on must not be answered any more. */
static void forget(struct avito_peer *peer, bool ours)
{
  struct avito_exchange *exchange = peer->exchange;
  if (!ours) {
    /* A forked child shares the connections: shutting them down would cut the parent's. */
    if (exchange != NULL)
      exchange->peer = NULL;
    return;
  }
  if (exchange != NULL)
    exchange->dropped = true;
  resume(peer); /* libmicrohttpd aborts the process when it is stopped with suspended connections */
}

void avito_listener_stop(struct avito_listener *listener)
{
  struct MHD_Daemon *daemon = listener->daemon;
  listener->daemon = NULL;
  if (daemon == NULL)
    return;
  bool ours = listener->owner == getpid();
  for (unsigned place = 0; place < AVITO_PLACES; place++)
    for (struct avito_peer *peer = avito_peer_first(listener, (enum avito_place)place); peer != NULL;
         peer = avito_peer_next(peer))
      forget(peer, ours);
  if (ours)
    MHD_stop_daemon(daemon);
}
