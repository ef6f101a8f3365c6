/* How long a program takes from its start until its first request has come in here.
 *
 *   startup COUNT COMMAND [ARGUMENT...]
 *
 * Starts the command COUNT times, BENCH_URL in its environment, answers its first request with a
 * chat, and prints the median of the milliseconds from just before fork until the head of the
 * request was complete. That is more than "require to first request": the start of the interpreter
 * is in it.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "answers.h"

enum { MAX_COUNT = 1000, PATIENCE_MS = 10000 };

static double now_ms(void)
{
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return 1e3 * (double)now.tv_sec + 1e-6 * (double)now.tv_nsec;
}

static int by_size(const void *a, const void *b)
{
  double left = *(const double *)a;
  double right = *(const double *)b;
  return (left > right) - (left < right);
}

static int wait_for(int fd)
{
  struct pollfd poller = {.fd = fd, .events = POLLIN};
  return poll(&poller, 1, PATIENCE_MS) == 1;
}

/* Milliseconds, or a negative number when no request came. */
static double run_once(int listener, char **command)
{
  double start = now_ms();
  pid_t child = fork();
  if (child == 0) {
    execvp(command[0], command);
    perror(command[0]);
    _exit(127);
  }
  double arrived = -1;
  int fd = child > 0 && wait_for(listener) ? accept(listener, NULL, NULL) : -1;
  if (fd >= 0) {
    char request[8192] = "";
    size_t length = 0;
    while (length < sizeof request - 1 && strstr(request, "\r\n\r\n") == NULL && wait_for(fd)) {
      ssize_t got = recv(fd, request + length, sizeof request - 1 - length, 0);
      if (got <= 0) {
        break;
      }
      length += (size_t)got;
      request[length] = '\0';
    }
    arrived = strstr(request, "\r\n\r\n") != NULL ? now_ms() : -1;
    char answer[2048];
    int size = snprintf(answer, sizeof answer,
                        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                        "Content-Length: %zu\r\nConnection: close\r\n\r\n%s",
                        strlen(BENCH_CHAT), BENCH_CHAT);
    if (send(fd, answer, (size_t)size, MSG_NOSIGNAL) != size) {
      arrived = -1;
    }
    close(fd);
  }
  int status = 1;
  if (child > 0) {
    waitpid(child, &status, 0);
  }
  return status == 0 && arrived >= 0 ? arrived - start : -1;
}

int main(int argc, char **argv)
{
  static double taken[MAX_COUNT];
  int count = argc > 2 ? (int)strtol(argv[1], NULL, 10) : 0;
  if (count < 1 || count > MAX_COUNT) {
    fprintf(stderr, "usage: startup COUNT COMMAND [ARGUMENT...]\n");
    return 2;
  }
  struct sockaddr_in address = {.sin_family = AF_INET};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (listener < 0 || bind(listener, (struct sockaddr *)&address, size) != 0 || listen(listener, 8) != 0 ||
      getsockname(listener, (struct sockaddr *)&address, &size) != 0) {
    perror("startup");
    return 1;
  }
  char url[64];
  snprintf(url, sizeof url, "http://127.0.0.1:%d", ntohs(address.sin_port));
  setenv("BENCH_URL", url, 1);
  for (int i = 0; i < count; i++) {
    taken[i] = run_once(listener, argv + 2);
    if (taken[i] < 0) {
      fprintf(stderr, "startup: no request came, or the program failed\n");
      return 1;
    }
  }
  qsort(taken, (size_t)count, sizeof taken[0], by_size);
  printf("%.3f\n", taken[count / 2]);
  return 0;
}
