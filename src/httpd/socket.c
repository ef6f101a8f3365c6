/* socket.c - the socket a listener takes connections from. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "httpd.h"

void avito_httpd_say(char *problem, size_t size, const struct avito_listener_options *options, int code)
{
  const char *name = "", *hint = "";
  switch (code) {
  case EADDRINUSE:
    name = "EADDRINUSE: ";
    hint = ": end the program that has the port, or take another";
    break;
  case EACCES:
    name = "EACCES: ";
    break;
  case EADDRNOTAVAIL:
    name = "EADDRNOTAVAIL: ";
    break;
  default:
    break;
  }
  snprintf(problem, size, "%scannot listen on %s port %u: %s%s", name, options->host, options->port, strerror(code),
           hint);
}

int avito_httpd_socket(const struct avito_listener_options *options, unsigned *port, char *problem, size_t size)
{
  union {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
  } address;
  memset(&address, 0, sizeof address);
  socklen_t length;
  if (inet_pton(AF_INET, options->host, &address.v4.sin_addr) == 1) {
    address.v4.sin_family = AF_INET;
    address.v4.sin_port = htons((uint16_t)options->port);
    length = sizeof address.v4;
  } else if (inet_pton(AF_INET6, options->host, &address.v6.sin6_addr) == 1) {
    address.v6.sin6_family = AF_INET6;
    address.v6.sin6_port = htons((uint16_t)options->port);
    length = sizeof address.v6;
  } else {
    snprintf(problem, size, "cannot listen on '%s': not a numeric address", options->host);
    return -1;
  }
  int fd = socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  int yes = 1;
  if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) != 0 ||
      bind(fd, &address.any, length) != 0 || listen(fd, SOMAXCONN) != 0 ||
      getsockname(fd, &address.any, &length) != 0) {
    avito_httpd_say(problem, size, options, errno);
    if (fd >= 0)
      close(fd);
    return -1;
  }
  *port = ntohs(address.any.sa_family == AF_INET6 ? address.v6.sin6_port : address.v4.sin_port);
  return fd;
}
