#include "poller.h"

#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "transfer.h"

#define NS_PER_SECOND 1e9
#define MS_PER_SECOND 1000.0
#define FIRST_SOCKETS ((size_t)64)

/* What epoll hands back with an event: the descriptor, and whose it is. */
#define FOREIGN (UINT64_C(1) << 32)

double avito_monotonic(void)
{
  struct timespec time = {0, 0};

  (void)clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / NS_PER_SECOND;
}

/* A descriptor may have been closed, and its number used again, without a word. */
static bool control(const struct avito_poller *poller, int fd, uint32_t events, uint64_t owner, bool known)
{
  struct epoll_event event = {.events = events, .data = {.u64 = owner | (uint32_t)fd}};

  if (epoll_ctl(poller->epoll, known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event) == 0)
    return true;
  if (errno == EEXIST)
    return epoll_ctl(poller->epoll, EPOLL_CTL_MOD, fd, &event) == 0;
  if (errno == ENOENT)
    return epoll_ctl(poller->epoll, EPOLL_CTL_ADD, fd, &event) == 0;
  return false;
}

/* ---- which descriptors are libcurl's ---- */

static bool is_socket(const struct avito_poller *poller, int fd)
{
  return (size_t)fd < poller->socket_count && poller->sockets[fd];
}

static bool note_socket(struct avito_poller *poller, int fd)
{
  size_t count = poller->socket_count ? poller->socket_count : FIRST_SOCKETS;
  unsigned char *grown;

  while (count <= (size_t)fd)
    count *= 2;
  if (count > poller->socket_count) {
    grown = realloc(poller->sockets, count);
    if (!grown)
      return false;
    memset(grown + poller->socket_count, 0, count - poller->socket_count);
    poller->sockets = grown;
    poller->socket_count = count;
  }
  poller->sockets[fd] = 1;
  return true;
}

/* ---- callbacks of libcurl: to return an error from one would end all transfers, and the multi for good ---- */

static void lose(struct avito_poller *poller, CURL *easy)
{
  char *owner = NULL;

  (void)curl_easy_getinfo(easy, CURLINFO_PRIVATE, &owner);
  if (!owner) /* no transfer of ours */
    return;
  ((struct avito_transfer *)(void *)owner)->no_memory = true;
  poller->lost = true;
}

static int on_socket_wish(CURL *easy, curl_socket_t fd, int what, void *user, void *known)
{
  struct avito_poller *poller = user;
  uint32_t events = 0;

  (void)known;
  if (what == CURL_POLL_REMOVE) {
    if (is_socket(poller, fd))
      poller->sockets[fd] = 0;
    (void)epoll_ctl(poller->epoll, EPOLL_CTL_DEL, fd, NULL);
    return 0;
  }
  if (what & CURL_POLL_IN)
    events |= EPOLLIN;
  if (what & CURL_POLL_OUT)
    events |= EPOLLOUT;
  if (!control(poller, fd, events, 0, is_socket(poller, fd)) || !note_socket(poller, fd))
    lose(poller, easy);
  return 0;
}

static int on_timer_wish(CURLM *handle, long milliseconds, void *user)
{
  struct avito_poller *poller = user;

  (void)handle;
  poller->timed = milliseconds >= 0;
  if (milliseconds > 0)
    poller->due = avito_monotonic() + (double)milliseconds / MS_PER_SECOND;
  else
    poller->due = 0;
  return 0;
}

/* ---- */

bool avito_poller_open(struct avito_poller *poller, CURLM *handle)
{
  int epoll = epoll_create1(EPOLL_CLOEXEC);

  if (epoll < 0)
    return false;
  poller->epoll = epoll;
  poller->open = true;
  poller->handle = handle;
  (void)curl_multi_setopt(handle, CURLMOPT_SOCKETFUNCTION, on_socket_wish);
  (void)curl_multi_setopt(handle, CURLMOPT_SOCKETDATA, poller);
  (void)curl_multi_setopt(handle, CURLMOPT_TIMERFUNCTION, on_timer_wish);
  (void)curl_multi_setopt(handle, CURLMOPT_TIMERDATA, poller);
  return true;
}

void avito_poller_close(struct avito_poller *poller)
{
  if (poller->open)
    (void)close(poller->epoll);
  free(poller->sockets);
  memset(poller, 0, sizeof *poller);
}

bool avito_poller_watch(struct avito_poller *poller, int fd, bool read, bool write)
{
  uint32_t events = (read ? (uint32_t)EPOLLIN : 0) | (write ? (uint32_t)EPOLLOUT : 0);

  if (is_socket(poller, fd)) {
    errno = EBUSY;
    return events == 0;
  }
  if (events)
    return control(poller, fd, events, FOREIGN, false);
  return epoll_ctl(poller->epoll, EPOLL_CTL_DEL, fd, NULL) == 0 || errno == ENOENT || errno == EBADF;
}

static void note_ready(struct avito_poller *poller, const struct epoll_event *event)
{
  struct avito_ready *ready = &poller->ready[poller->ready_count++];
  bool broken = (event->events & (EPOLLERR | EPOLLHUP)) != 0;

  ready->fd = (int)(event->data.u64 & UINT32_MAX);
  ready->readable = broken || (event->events & EPOLLIN) != 0;
  ready->writable = broken || (event->events & EPOLLOUT) != 0;
}

static CURLMcode tell(const struct avito_poller *poller, const struct epoll_event *event)
{
  int running;
  int what = 0;

  if (event->events & EPOLLIN)
    what |= CURL_CSELECT_IN;
  if (event->events & EPOLLOUT)
    what |= CURL_CSELECT_OUT;
  if (event->events & (EPOLLERR | EPOLLHUP))
    what |= CURL_CSELECT_ERR;
  return curl_multi_socket_action(poller->handle, (curl_socket_t)(event->data.u64 & UINT32_MAX), what, &running);
}

CURLMcode avito_poller_begin(struct avito_poller *poller)
{
  CURLMcode code = CURLM_OK;
  int running;

  for (int again = 0; again < AVITO_TIMER_TURNS && code == CURLM_OK && poller->timed; again++) {
    if (poller->due > 0 && poller->due > avito_monotonic())
      break;
    poller->timed = false;
    code = curl_multi_socket_action(poller->handle, CURL_SOCKET_TIMEOUT, 0, &running);
  }
  return code;
}

static int patience(const struct avito_poller *poller, double seconds)
{
  if (poller->timed) {
    double left = poller->due - avito_monotonic();
    seconds = left < seconds ? left : seconds;
  }
  if (!(seconds > 0))
    return 0;
  return (int)ceil(fmin(seconds, AVITO_MAX_SECONDS) * MS_PER_SECOND);
}

CURLMcode avito_poller_wait(struct avito_poller *poller, double seconds)
{
  struct epoll_event events[AVITO_EVENTS];
  CURLMcode code = CURLM_OK;
  int count = epoll_wait(poller->epoll, events, AVITO_EVENTS, patience(poller, seconds));

  poller->ready_count = 0;
  for (int i = 0; i < count && code == CURLM_OK; i++) {
    if (events[i].data.u64 & FOREIGN)
      note_ready(poller, &events[i]);
    else
      code = tell(poller, &events[i]);
  }
  return code == CURLM_OK ? avito_poller_begin(poller) : code;
}
