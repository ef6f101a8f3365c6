/* The yardstick of many calls at once: what a competent C programmer writes over libcurl's multi interface. As many easy
 * handles as calls at once, each reused with its connection and its buffer, nothing decoded; address and text change from
 * call to call.
 *
 *   many_libcurl poll|socket BASE-URL COUNT AT-ONCE WARM-UP
 *
 * poll: curl_multi_poll and curl_multi_perform; socket: epoll and curl_multi_socket_action. Prints the seconds and the
 * microseconds of CPU (user and system) of a call that sending COUNT messages took, after WARM-UP others.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include <curl/curl.h>

#include "yardstick.h"

enum { MAX_AT_ONCE = 1000, MAX_EVENTS = 64, PATIENCE_MS = 1000 };

/* One of those at once. It must not move: libcurl holds its address. */
struct call {
  CURL *easy;
  struct avito_bench_body body;
  char text[128];
};

struct batch {
  const char *url;
  CURLM *multi;
  long next; /* number of the next call */
  long end;  /* and of the last, plus one */
  int running;
  /* mode socket: */
  int poller;
  double deadline; /* when libcurl wants to be called, in seconds of the monotonic clock; negative: never */
};

static void fail(const char *what, long status)
{
  fprintf(stderr, "many_libcurl: %s, status %ld\n", what, status);
  exit(1);
}

static void check(CURLMcode code)
{
  if (code != CURLM_OK) {
    fail(curl_multi_strerror(code), 0);
  }
}

static double seconds(void)
{
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static void start(struct batch *batch, struct call *call)
{
  char url[512];
  snprintf(url, sizeof url, "%s/messenger/v1/accounts/1/chats/u2i-%ld/messages", batch->url, batch->next);
  int length = snprintf(call->text, sizeof call->text, "{\"message\":{\"text\":\"Yes, it is. %ld\"},\"type\":\"text\"}",
                        batch->next);
  batch->next++;
  call->body.length = 0;
  curl_easy_setopt(call->easy, CURLOPT_URL, url);
  curl_easy_setopt(call->easy, CURLOPT_POSTFIELDSIZE, (long)length);
  curl_easy_setopt(call->easy, CURLOPT_POSTFIELDS, call->text); /* borrowed, as long as the call takes */
  check(curl_multi_add_handle(batch->multi, call->easy));
  batch->running++;
}

/* Looks at those that ended and puts others in their place. */
static void collect(struct batch *batch)
{
  CURLMsg *message;
  int left;
  while ((message = curl_multi_info_read(batch->multi, &left)) != NULL) {
    CURLcode code = message->data.result;
    CURL *easy = message->easy_handle;
    char *owner = NULL;
    long status = 0;
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &owner);
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    struct call *call = (struct call *)(void *)owner;
    if (code != CURLE_OK || status != 200 || call->body.length == 0) {
      fail(curl_easy_strerror(code), status);
    }
    check(curl_multi_remove_handle(batch->multi, easy));
    batch->running--;
    if (batch->next < batch->end) {
      start(batch, call);
    }
  }
}

/* ---- mode socket ---- */

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *user, void *known)
{
  struct batch *batch = user;
  struct epoll_event event = {0};
  (void)easy;
  event.data.fd = fd;
  event.events =
      ((what & CURL_POLL_IN) != 0 ? (uint32_t)EPOLLIN : 0) | ((what & CURL_POLL_OUT) != 0 ? (uint32_t)EPOLLOUT : 0);
  if (what == CURL_POLL_REMOVE) {
    epoll_ctl(batch->poller, EPOLL_CTL_DEL, fd, NULL);
  } else if (known != NULL) {
    epoll_ctl(batch->poller, EPOLL_CTL_MOD, fd, &event);
  } else {
    epoll_ctl(batch->poller, EPOLL_CTL_ADD, fd, &event);
    curl_multi_assign(batch->multi, fd, batch);
  }
  return 0;
}

static int on_timer(CURLM *multi, long timeout_ms, void *user)
{
  struct batch *batch = user;
  (void)multi;
  batch->deadline = timeout_ms > 0 ? seconds() + 1e-3 * (double)timeout_ms : (double)timeout_ms;
  return 0;
}

static void use_sockets(struct batch *batch)
{
  batch->poller = epoll_create1(EPOLL_CLOEXEC);
  batch->deadline = -1;
  curl_multi_setopt(batch->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
  curl_multi_setopt(batch->multi, CURLMOPT_SOCKETDATA, batch);
  curl_multi_setopt(batch->multi, CURLMOPT_TIMERFUNCTION, on_timer);
  curl_multi_setopt(batch->multi, CURLMOPT_TIMERDATA, batch);
}

static void step_sockets(struct batch *batch)
{
  struct epoll_event events[MAX_EVENTS];
  double left = batch->deadline > 0 ? batch->deadline - seconds() : batch->deadline;
  int running;
  if (batch->deadline >= 0 && left <= 0) {
    batch->deadline = -1;
    check(curl_multi_socket_action(batch->multi, CURL_SOCKET_TIMEOUT, 0, &running));
    return;
  }
  int wait = batch->deadline < 0 || left > 1 ? PATIENCE_MS : (int)(left * 1e3) + 1;
  int count = epoll_wait(batch->poller, events, MAX_EVENTS, wait);
  if (count < 0 && errno != EINTR) {
    fail("epoll_wait", errno);
  }
  for (int i = 0; i < count; i++) {
    int mask = ((events[i].events & EPOLLIN) != 0 ? CURL_CSELECT_IN : 0) |
               ((events[i].events & EPOLLOUT) != 0 ? CURL_CSELECT_OUT : 0) |
               ((events[i].events & (EPOLLERR | EPOLLHUP)) != 0 ? CURL_CSELECT_ERR : 0);
    check(curl_multi_socket_action(batch->multi, events[i].data.fd, mask, &running));
  }
}

/* ---- mode poll ---- */

static void step_poll(struct batch *batch)
{
  int running;
  check(curl_multi_perform(batch->multi, &running));
  if (running == batch->running) {
    check(curl_multi_poll(batch->multi, NULL, 0, PATIENCE_MS, NULL));
  }
}

/* ---- both ---- */

static void open_calls(struct call *calls, long at_once, struct curl_slist *headers)
{
  for (long i = 0; i < at_once; i++) {
    calls[i].easy = avito_bench_easy(true, headers, &calls[i].body);
    if (calls[i].easy == NULL) {
      fail("not enough memory", 0);
    }
    curl_easy_setopt(calls[i].easy, CURLOPT_PRIVATE, &calls[i]);
  }
}

static void close_calls(struct call *calls, long at_once)
{
  for (long i = 0; i < at_once; i++) {
    curl_easy_cleanup(calls[i].easy);
    free(calls[i].body.data);
  }
}

static void run(struct batch *batch, struct call *calls, long at_once, long count, void (*step)(struct batch *))
{
  batch->end = batch->next + count;
  for (long i = 0; i < at_once && batch->next < batch->end; i++) {
    start(batch, &calls[i]);
  }
  while (batch->running > 0) {
    step(batch);
    collect(batch);
  }
}

int main(int argc, char **argv)
{
  static struct call calls[MAX_AT_ONCE];
  bool sockets = argc == 6 && strcmp(argv[1], "socket") == 0;
  long count = argc == 6 ? strtol(argv[3], NULL, 10) : 0;
  long at_once = argc == 6 ? strtol(argv[4], NULL, 10) : 0;
  if (count < 1 || at_once < 1 || at_once > MAX_AT_ONCE || (!sockets && strcmp(argv[1], "poll") != 0)) {
    fprintf(stderr, "usage: many_libcurl poll|socket BASE-URL COUNT AT-ONCE WARM-UP\n");
    return 2;
  }
  void (*step)(struct batch *) = sockets ? step_sockets : step_poll;

  curl_global_init(CURL_GLOBAL_DEFAULT);
  struct batch batch = {.url = argv[2], .multi = curl_multi_init(), .poller = -1};
  curl_multi_setopt(batch.multi, CURLMOPT_MAXCONNECTS, at_once);
  if (sockets) {
    use_sockets(&batch);
  }
  struct curl_slist *headers = avito_bench_headers(true, true);
  open_calls(calls, at_once, headers);

  run(&batch, calls, at_once, strtol(argv[5], NULL, 10), step);
  double began = seconds();
  double cpu = avito_bench_cpu_microseconds();
  run(&batch, calls, at_once, count, step);
  printf("%.6f %.3f\n", seconds() - began, (avito_bench_cpu_microseconds() - cpu) / (double)count);

  close_calls(calls, at_once);
  curl_multi_cleanup(batch.multi);
  curl_slist_free_all(headers);
  curl_global_cleanup();
  if (sockets) {
    close(batch.poller);
  }
  return 0;
}
