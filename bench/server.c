/* A server that costs next to nothing: fixed answers over keep-alive HTTP/1.1 on loopback, one
 * thread, a thousand connections and more.
 *
 *   server [LATENCY]      prints its port, then serves until it is killed
 *
 * GET …/messages/…: none; anything else: one chat, as the contract's example. POST …/messages: the message sent; …/read: ok; else a token. It reads only as much of
 * a request as it must: the end of its head and Content-Length. Each is answered LATENCY milliseconds after it was read, or
 * at once: the latency is the same for all, so those that wait stand in the order in which they come due.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "answers.h"

enum { MAX_DESCRIPTORS = 4096, MAX_REQUEST = 4096, MAX_EVENTS = 64 };

#define NS_PER_SECOND      INT64_C(1000000000)
#define NS_PER_MILLISECOND INT64_C(1000000)

/* The connection of one descriptor, which is its place in `clients`. */
struct client {
  const char *answer;     /* to the request at the start of `data`; NULL: none has come in whole */
  int64_t due;            /* of the answer, in nanoseconds of the monotonic clock */
  struct client *earlier; /* in the list of those that wait */
  struct client *later;
  size_t request; /* bytes */
  size_t length;
  char data[MAX_REQUEST];
};

static struct client clients[MAX_DESCRIPTORS];
static struct client *first_due;
static struct client *last_due;
static int64_t latency;

static char chat_answer[2048];
static char messages_answer[512];
static char sent_answer[1024];
static char read_answer[512];
static char token_answer[512];

static void make_answer(char *out, size_t size, const char *body)
{
  int length = snprintf(out, size,
                        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                        "Content-Length: %zu\r\nX-RateLimit-Limit: 500\r\n\r\n%s",
                        strlen(body), body);
  if (length < 0 || (size_t)length >= size) {
    abort();
  }
}

static int64_t now(void)
{
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (int64_t)time.tv_sec * NS_PER_SECOND + (int64_t)time.tv_nsec;
}

/* The length of the whole request at the start of `c`, or 0 while it has not come in. */
static size_t request_length(const struct client *c)
{
  const char *end = strstr(c->data, "\r\n\r\n");
  if (end == NULL) {
    return 0;
  }
  size_t length = (size_t)(end + 4 - c->data);
  for (const char *line = c->data; line < end; line = strstr(line, "\r\n") + 2) {
    if (strncasecmp(line, "content-length:", 15) == 0) {
      length += strtoul(line + 15, NULL, 10);
      break;
    }
  }
  return length <= c->length ? length : 0;
}

/* Does the path of the request end like this? */
static bool asks_for(const struct client *c, const char *end)
{
  const char *target = strchr(c->data, ' ');
  size_t length = target != NULL ? strcspn(target + 1, " ") : 0;
  return length >= strlen(end) && strncmp(target + 1 + length - strlen(end), end, strlen(end)) == 0;
}

/* Is that in the first line of the request? */
static bool asks_about(const struct client *c, const char *part)
{
  const char *found = strstr(c->data, part);
  return found != NULL && found < strstr(c->data, "\r\n");
}

static const char *answer_to(const struct client *c)
{
  if (strncmp(c->data, "GET ", 4) == 0) {
    return asks_about(c, "/messages/") ? messages_answer : chat_answer;
  }
  if (asks_for(c, "/messages")) {
    return sent_answer;
  }
  return asks_for(c, "/read") ? read_answer : token_answer;
}

/* Lets a request that is whole wait for its answer, the next one only after that. */
static void await_answer(struct client *c)
{
  c->request = c->answer == NULL ? request_length(c) : 0;
  if (c->request == 0) {
    return;
  }
  c->answer = answer_to(c);
  c->due = now() + latency;
  c->earlier = last_due;
  c->later = NULL;
  *(last_due != NULL ? &last_due->later : &first_due) = c;
  last_due = c;
}

static void forget_answer(struct client *c)
{
  *(c->earlier != NULL ? &c->earlier->later : &first_due) = c->later;
  *(c->later != NULL ? &c->later->earlier : &last_due) = c->earlier;
  c->answer = NULL;
}

static void drop(struct client *c)
{
  if (c->answer != NULL) {
    forget_answer(c);
  }
  close((int)(c - clients));
}

static void read_from(struct client *c)
{
  ssize_t got = recv((int)(c - clients), c->data + c->length, sizeof c->data - 1 - c->length, MSG_DONTWAIT);
  if (got <= 0) {
    if (got == 0 || (errno != EINTR && errno != EAGAIN)) {
      drop(c);
    }
    return;
  }
  c->length += (size_t)got;
  c->data[c->length] = '\0';
  await_answer(c);
}

static void answer_those_due(void)
{
  while (first_due != NULL && first_due->due <= now()) {
    struct client *c = first_due;
    size_t size = strlen(c->answer);
    if (send((int)(c - clients), c->answer, size, MSG_NOSIGNAL) != (ssize_t)size) {
      drop(c);
      continue;
    }
    forget_answer(c);
    c->length -= c->request;
    memmove(c->data, c->data + c->request, c->length + 1);
    await_answer(c);
  }
}

static void accept_from(int listener, int poller)
{
  int fd = accept(listener, NULL, NULL);
  int one = 1;
  struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
  if (fd < 0) {
    return;
  }
  if (fd >= MAX_DESCRIPTORS || epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event) != 0) {
    close(fd);
    return;
  }
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  clients[fd].length = 0;
}

static int listen_on_loopback(void)
{
  struct sockaddr_in address = {.sin_family = AF_INET};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  int listener = socket(AF_INET, SOCK_STREAM, 0);
  if (listener < 0 || bind(listener, (struct sockaddr *)&address, size) != 0 || listen(listener, 1024) != 0 ||
      getsockname(listener, (struct sockaddr *)&address, &size) != 0) {
    return -1;
  }
  printf("%d\n", ntohs(address.sin_port));
  fflush(stdout);
  return listener;
}

/* Edge-triggered, it need not be read; epoll_wait alone knows only milliseconds. */
static int make_timer(int poller)
{
  struct epoll_event event = {.events = EPOLLIN | EPOLLET};
  event.data.fd = timerfd_create(CLOCK_MONOTONIC, 0);
  return event.data.fd >= 0 && epoll_ctl(poller, EPOLL_CTL_ADD, event.data.fd, &event) == 0 ? event.data.fd : -1;
}

static void wake_when_due(int timer)
{
  static int64_t set_for;
  if (first_due != NULL && first_due->due != set_for) {
    struct itimerspec when = {.it_value = {.tv_sec = (time_t)(first_due->due / NS_PER_SECOND),
                                           .tv_nsec = (long)(first_due->due % NS_PER_SECOND)}};
    timerfd_settime(timer, TFD_TIMER_ABSTIME, &when, NULL);
    set_for = first_due->due;
  }
}

int main(int argc, char **argv)
{
  struct epoll_event events[MAX_EVENTS];
  struct rlimit descriptors;

  latency = argc > 1 ? strtol(argv[1], NULL, 10) * NS_PER_MILLISECOND : 0;
  make_answer(chat_answer, sizeof chat_answer, BENCH_CHAT);
  make_answer(messages_answer, sizeof messages_answer, "{\"messages\":[],\"meta\":{\"has_more\":false}}");
  make_answer(sent_answer, sizeof sent_answer, BENCH_SENT);
  make_answer(read_answer, sizeof read_answer, "{\"ok\":true}");
  make_answer(token_answer, sizeof token_answer, BENCH_TOKEN);

  if (getrlimit(RLIMIT_NOFILE, &descriptors) == 0 && descriptors.rlim_cur < MAX_DESCRIPTORS) {
    descriptors.rlim_cur = descriptors.rlim_max < MAX_DESCRIPTORS ? descriptors.rlim_max : MAX_DESCRIPTORS;
    setrlimit(RLIMIT_NOFILE, &descriptors);
  }
  int poller = epoll_create1(0);
  int timer = make_timer(poller);
  int listener = listen_on_loopback();
  struct epoll_event event = {.events = EPOLLIN, .data.fd = listener};
  if (timer < 0 || listener < 0 || epoll_ctl(poller, EPOLL_CTL_ADD, listener, &event) != 0) {
    perror("server");
    return 1;
  }
  for (;;) {
    wake_when_due(timer);
    int count = epoll_wait(poller, events, MAX_EVENTS, -1);
    if (count < 0 && errno != EINTR) {
      perror("server");
      return 1;
    }
    for (int i = 0; i < count; i++) {
      if (events[i].data.fd == listener) {
        accept_from(listener, poller);
      } else if (events[i].data.fd != timer) {
        read_from(&clients[events[i].data.fd]);
      }
      answer_those_due();
    }
  }
}
