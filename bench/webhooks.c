/* Tells a listener on loopback of messages, as the marketplace does: HTTP/1.1 over connections that stay open, one thread.
 *
 *   webhooks PORT PATH USER CONNECTIONS CHATS COUNT SECONDS RATE FIRST
 *
 * USER is the account the messages are for. They are spread over CHATS chats and numbered from FIRST on, which makes their
 * ids distinct. It ends when COUNT were sent or SECONDS are over, and what was sent by then is answered or PATIENCE is over.
 *
 * RATE 0, the closed loop: each connection sends when its last message was answered, as fast as answers come. Otherwise
 * the open loop: RATE a second, whatever the answers do. There a latency counts from the moment at which the message was
 * to be sent, also when every connection was still waiting for an answer: a listener that stands still for a second delays
 * all the messages of that second, and hides none of them.
 *
 * Prints one line: how many were answered with 200, with another status, and not at all (also: broken off); the seconds from
 * the first message to the last answer, the messages answered with 200 a second, and the latencies in milliseconds.
 *
 *   answered 1000 refused 0 lost 0 seconds 1.001 rate 999.0 p50 0.210 p99 0.480 p999 0.911 max 1.204
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { MAX_CONNECTIONS = 4096, MAX_COUNT = 10000000, MAX_REQUEST = 2048, MAX_ANSWER = 4096, MAX_EVENTS = 256 };

#define NS_PER_SECOND      INT64_C(1000000000)
#define NS_PER_MILLISECOND 1e6
#define PATIENCE           (10 * NS_PER_SECOND)

struct connection {
  int fd;
  bool waiting;      /* for an answer */
  int64_t scheduled; /* when the message was to be sent, in nanoseconds of the monotonic clock */
  size_t sent;
  size_t request_length;
  size_t answer_length;
  struct connection *next_idle;
  char request[MAX_REQUEST];
  char answer[MAX_ANSWER + 1];
};

struct load {
  struct sockaddr_in address;
  const char *path;
  const char *user;
  long connections;
  long chats;
  long count;
  long rate;
  long first;
  int64_t began;
  int64_t until; /* nothing is sent later */
  int poller;
  int timer;
  long started;
  long under_way;
  long refused;
  long lost;
  long answered;
  int64_t last;            /* when the last answer came */
  struct connection *idle; /* the one that has been idle for longest comes first: none is closed for having been idle */
  struct connection *last_idle;
  int64_t *latencies; /* of those answered with 200 */
};

static struct connection connections[MAX_CONNECTIONS];

static void fail(const char *what)
{
  fprintf(stderr, "webhooks: %s: %s\n", what, strerror(errno));
  exit(1);
}

static int64_t now(void)
{
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (int64_t)time.tv_sec * NS_PER_SECOND + (int64_t)time.tv_nsec;
}

static void make_idle(struct load *load, struct connection *c)
{
  c->waiting = false;
  c->next_idle = NULL;
  *(load->idle != NULL ? &load->last_idle->next_idle : &load->idle) = c;
  load->last_idle = c;
}

static void connect_anew(struct load *load, struct connection *c)
{
  static const int yes = 1;
  if (c->fd > 0) {
    close(c->fd);
  }
  c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (c->fd < 0 || connect(c->fd, (struct sockaddr *)(void *)&load->address, sizeof load->address) != 0) {
    fail("connect");
  }
  setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  fcntl(c->fd, F_SETFL, O_NONBLOCK);
  struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data = {.ptr = c}};
  if (epoll_ctl(load->poller, EPOLL_CTL_ADD, c->fd, &event) != 0) {
    fail("epoll_ctl");
  }
}

/* A message of the marketplace, with what it sends beside it. */
static void write_request(const struct load *load, struct connection *c, long number)
{
  long long wall = (long long)time(NULL);
  long chat = number % load->chats;
  char body[1024];
  int length = snprintf(
      body, sizeof body,
      "{\"id\":\"%08lx-0000-4000-8000-%012lx\",\"version\":\"v3.0.0\",\"timestamp\":%lld,\"payload\":{\"type\":"
      "\"message\","
      "\"value\":{\"id\":\"%032lx\",\"chat_id\":\"u2i-%022ld\",\"user_id\":%s,\"author_id\":%ld,\"created\":%lld,"
      "\"type\":\"text\",\"chat_type\":\"u2i\",\"content\":{\"text\":\"Здравствуйте! Планируется ли поставка в нужном "
      "размере, и сколько стоит доставка? %ld\"},\"item_id\":%ld,\"published_at\":\"2025-08-11T12:44:44Z\"}}}",
      number & 0xffffffff, number, wall, number, chat, load->user, 200000000 + chat, wall, number, 4000000000 + chat);
  int whole = snprintf(c->request, sizeof c->request,
                       "POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: Go-http-client/1.1\r\nContent-Type: "
                       "application/json\r\nAccept-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s",
                       load->path, length, body);
  if (length < 0 || (size_t)length >= sizeof body || whole < 0 || (size_t)whole >= sizeof c->request) {
    errno = EMSGSIZE;
    fail("the path is too long");
  }
  c->request_length = (size_t)whole;
}

/* It is of no use any more: what was under way on it is lost. */
static void give_up(struct load *load, struct connection *c)
{
  if (c->waiting) {
    load->lost++;
    load->under_way--;
    connect_anew(load, c);
    make_idle(load, c);
  }
}

static void flush(struct load *load, struct connection *c)
{
  while (c->waiting && c->sent < c->request_length) {
    ssize_t sent = send(c->fd, c->request + c->sent, c->request_length - c->sent, MSG_NOSIGNAL);
    if (sent < 0 && errno == EAGAIN) {
      return;
    }
    if (sent < 0) {
      give_up(load, c);
      return;
    }
    c->sent += (size_t)sent;
  }
}

static void start(struct load *load, int64_t scheduled)
{
  struct connection *c = load->idle;
  load->idle = c->next_idle;
  c->waiting = true;
  c->scheduled = scheduled;
  c->sent = 0;
  c->answer_length = 0;
  write_request(load, c, load->first + load->started);
  load->started++;
  load->under_way++;
  flush(load, c);
}

/* When the next message is to be sent. */
static int64_t next_at(const struct load *load)
{
  return load->rate == 0 ? load->began : load->began + load->started * NS_PER_SECOND / load->rate;
}

static bool finished(const struct load *load, int64_t time)
{
  int64_t at = next_at(load);
  return load->started >= load->count || (at > time ? at : time) >= load->until;
}

/* Sends what is due, as far as connections are idle. */
static void start_due(struct load *load)
{
  int64_t time = now();
  while (load->idle != NULL && !finished(load, time) && next_at(load) <= time) {
    start(load, load->rate == 0 ? time : next_at(load));
    time = now();
  }
  if (load->rate > 0 && load->idle != NULL && !finished(load, time)) {
    int64_t at = next_at(load);
    struct itimerspec when = {
        .it_value = {.tv_sec = (time_t)(at / NS_PER_SECOND), .tv_nsec = (long)(at % NS_PER_SECOND)}};
    timerfd_settime(load->timer, TFD_TIMER_ABSTIME, &when, NULL);
  }
}

/* The length of the whole answer, or 0 while it has not come in. */
static size_t whole_answer(const struct connection *c)
{
  const char *end = strstr(c->answer, "\r\n\r\n");
  if (end == NULL) {
    return 0;
  }
  size_t length = (size_t)(end + 4 - c->answer);
  for (const char *line = c->answer; line < end; line = strstr(line, "\r\n") + 2) {
    if (strncasecmp(line, "Content-Length:", 15) == 0) {
      length += strtoul(line + 15, NULL, 10);
    }
  }
  return length <= c->answer_length ? length : 0;
}

static void take_answer(struct load *load, struct connection *c)
{
  load->under_way--;
  load->last = now();
  if (strncmp(c->answer, "HTTP/1.1 200 ", 13) == 0) {
    load->latencies[load->answered] = load->last - c->scheduled;
    load->answered++;
  } else {
    load->refused++;
  }
  make_idle(load, c);
}

static void receive(struct load *load, struct connection *c)
{
  while (c->waiting) {
    ssize_t got = recv(c->fd, c->answer + c->answer_length, MAX_ANSWER - c->answer_length, 0);
    if (got < 0 && errno == EAGAIN) {
      return;
    }
    if (got <= 0) {
      give_up(load, c);
      return;
    }
    c->answer_length += (size_t)got;
    c->answer[c->answer_length] = '\0';
    if (whole_answer(c) > 0) {
      take_answer(load, c);
    }
  }
}

/* One that was closed while it was idle is opened again. */
static void look_after_idle(struct load *load, struct connection *c)
{
  char byte;
  if (!c->waiting && recv(c->fd, &byte, 1, MSG_PEEK) == 0) {
    connect_anew(load, c);
  }
}

static void step(struct load *load)
{
  struct epoll_event events[MAX_EVENTS];
  int count = epoll_wait(load->poller, events, MAX_EVENTS, 100);
  if (count < 0 && errno != EINTR) {
    fail("epoll_wait");
  }
  for (int i = 0; i < count; i++) {
    struct connection *c = events[i].data.ptr;
    if (c == NULL) {
      uint64_t ticks;
      if (read(load->timer, &ticks, sizeof ticks) < 0 && errno != EAGAIN) {
        fail("timerfd");
      }
      continue;
    }
    flush(load, c);
    receive(load, c);
    look_after_idle(load, c);
  }
}

static int by_size(const void *left, const void *right)
{
  const int64_t *a = left;
  const int64_t *b = right;
  return (*a > *b) - (*a < *b);
}

/* Milliseconds that so many of a thousand took at most. */
static double quantile(const struct load *load, long per_thousand)
{
  if (load->answered == 0) {
    return 0;
  }
  long place = (load->answered * per_thousand + 999) / 1000;
  return (double)load->latencies[place > 0 ? place - 1 : 0] / NS_PER_MILLISECOND;
}

static void print_line(struct load *load)
{
  double seconds = (double)(load->last - load->began) / (double)NS_PER_SECOND;
  qsort(load->latencies, (size_t)load->answered, sizeof *load->latencies, by_size);
  printf("answered %ld refused %ld lost %ld seconds %.6f rate %.1f p50 %.3f p99 %.3f p999 %.3f max %.3f\n",
         load->answered, load->refused, load->lost, seconds, seconds > 0 ? (double)load->answered / seconds : 0,
         quantile(load, 500), quantile(load, 990), quantile(load, 999), quantile(load, 1000));
}

static void run(struct load *load, double seconds)
{
  load->began = now();
  load->last = load->began;
  load->until = load->began + (int64_t)(seconds * (double)NS_PER_SECOND);
  for (;;) {
    start_due(load);
    int64_t time = now();
    if (finished(load, time) && (load->under_way == 0 || time > load->until + PATIENCE)) {
      break;
    }
    if (load->under_way > 0 && time > load->last + PATIENCE && time > load->began + PATIENCE) {
      break; /* the listener does not answer any more */
    }
    step(load);
  }
  load->lost += load->under_way;
}

static void open_all(struct load *load)
{
  load->poller = epoll_create1(EPOLL_CLOEXEC);
  load->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
  struct epoll_event event = {.events = EPOLLIN, .data = {.ptr = NULL}};
  if (load->poller < 0 || load->timer < 0 || epoll_ctl(load->poller, EPOLL_CTL_ADD, load->timer, &event) != 0) {
    fail("epoll");
  }
  for (long i = 0; i < load->connections; i++) {
    connect_anew(load, &connections[i]);
    make_idle(load, &connections[i]);
  }
}

int main(int argc, char **argv)
{
  struct load load = {0};
  long port = argc == 10 ? strtol(argv[1], NULL, 10) : 0;
  double seconds = argc == 10 ? strtod(argv[7], NULL) : 0;
  if (argc == 10) {
    load.path = argv[2];
    load.user = argv[3];
    load.connections = strtol(argv[4], NULL, 10);
    load.chats = strtol(argv[5], NULL, 10);
    load.count = strtol(argv[6], NULL, 10);
    load.rate = strtol(argv[8], NULL, 10);
    load.first = strtol(argv[9], NULL, 10);
  }
  if (port < 1 || port > 65535 || load.connections < 1 || load.connections > MAX_CONNECTIONS || load.chats < 1 ||
      load.count < 1 || load.count > MAX_COUNT || load.rate < 0 || load.rate > 1000000 || load.first < 0 ||
      !(seconds > 0 && seconds < 86400)) {
    fprintf(stderr, "usage: webhooks PORT PATH USER CONNECTIONS CHATS COUNT SECONDS RATE FIRST\n");
    return 2;
  }
  load.address.sin_family = AF_INET;
  load.address.sin_port = htons((uint16_t)port);
  load.address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  load.latencies = malloc((size_t)load.count * sizeof *load.latencies);
  if (load.latencies == NULL) {
    fail("latencies");
  }
  open_all(&load);
  run(&load, seconds);
  print_line(&load);
  for (long i = 0; i < load.connections; i++) {
    close(connections[i].fd);
  }
  close(load.timer);
  close(load.poller);
  free(load.latencies);
  return 0;
}
