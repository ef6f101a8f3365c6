/* A server that costs next to nothing: fixed answers over keep-alive HTTP/1.1 on loopback, one
 * thread.
 *
 *   server        prints its port, then serves until it is killed
 *
 * GET anything: one chat, as the contract's example. POST …/messages: the message sent; …/read: ok; else a token. It reads only as much of
 * a request as it must: the end of its head and Content-Length.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MAX_CLIENTS = 64, MAX_REQUEST = 8192 };

struct client {
  size_t length;
  char data[MAX_REQUEST];
};

#include "answers.h"

static char chat_answer[2048];
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

static const char *answer_to(const struct client *c)
{
  if (strncmp(c->data, "GET ", 4) == 0) {
    return chat_answer;
  }
  if (asks_for(c, "/messages")) {
    return sent_answer;
  }
  return asks_for(c, "/read") ? read_answer : token_answer;
}

/* False: the connection is to be closed. */
static bool serve(int fd, struct client *c)
{
  ssize_t got = recv(fd, c->data + c->length, sizeof c->data - 1 - c->length, 0);
  if (got <= 0) {
    return got < 0 && errno == EINTR;
  }
  c->length += (size_t)got;
  c->data[c->length] = '\0';
  size_t length;
  while ((length = request_length(c)) > 0) {
    const char *answer = answer_to(c);
    size_t size = strlen(answer);
    if (send(fd, answer, size, MSG_NOSIGNAL) != (ssize_t)size) {
      return false;
    }
    c->length -= length;
    memmove(c->data, c->data + length, c->length + 1);
  }
  return c->length < sizeof c->data - 1;
}

int main(void)
{
  static struct client clients[MAX_CLIENTS];
  struct pollfd fds[MAX_CLIENTS + 1];
  nfds_t count = 1;

  make_answer(chat_answer, sizeof chat_answer, BENCH_CHAT);
  make_answer(sent_answer, sizeof sent_answer, BENCH_SENT);
  make_answer(read_answer, sizeof read_answer, "{\"ok\":true}");
  make_answer(token_answer, sizeof token_answer, BENCH_TOKEN);

  struct sockaddr_in address = {.sin_family = AF_INET};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  int listener = socket(AF_INET, SOCK_STREAM, 0);
  if (listener < 0 || bind(listener, (struct sockaddr *)&address, size) != 0 || listen(listener, 64) != 0 ||
      getsockname(listener, (struct sockaddr *)&address, &size) != 0) {
    perror("server");
    return 1;
  }
  printf("%d\n", ntohs(address.sin_port));
  fflush(stdout);

  fds[0] = (struct pollfd){.fd = listener, .events = POLLIN};
  for (;;) {
    if (poll(fds, count, -1) < 0 && errno != EINTR) {
      perror("server");
      return 1;
    }
    for (nfds_t i = count - 1; i > 0; i--) {
      if (fds[i].revents != 0 && !serve(fds[i].fd, &clients[i - 1])) {
        close(fds[i].fd);
        count--;
        fds[i] = fds[count];
        clients[i - 1] = clients[count - 1];
      }
    }
    if ((fds[0].revents & POLLIN) != 0) {
      int fd = accept(listener, NULL, NULL);
      if (fd >= 0 && count <= MAX_CLIENTS) {
        int one = 1;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        clients[count - 1].length = 0;
        fds[count++] = (struct pollfd){.fd = fd, .events = POLLIN};
      } else if (fd >= 0) {
        close(fd);
      }
    }
  }
}
