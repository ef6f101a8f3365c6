/* dribble.c - spec_support.dribble: clients that never finish a request. Linux and BSD; both VMs.
 *
 *   dribble.run(port, count)   keeps `count` connections to 127.0.0.1 open, each sending a byte of a head twenty times a
 *                              second; a connection that is cut off is opened again. Prints "up" when all stood, and "cut"
 *                              when as many were cut off. Ends after a minute, or by a signal.
 *   dribble.descriptors(n)     lets the process have n descriptors; false when it may not
 *   dribble.limit(n)           lets it have no more than n
 */
#define _DEFAULT_SOURCE

#include "compat.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define ROUND_MS    50
#define ROUNDS      (60 * 1000 / ROUND_MS)
#define CONNECTIONS 4096

AVITO_EXPORT int luaopen_spec_support_dribble(lua_State *L);

static const char head[] = "POST /dribbling HTTP/1.1\r\nHost: slow\r\nX-Slow: ";

struct client {
  int fd; /* -1: none */
  size_t sent;
};

static bool raise_limit(rlim_t wanted)
{
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
    return false;
  if (limit.rlim_cur >= wanted)
    return true;
  limit.rlim_cur = wanted;
  return limit.rlim_max >= wanted && setrlimit(RLIMIT_NOFILE, &limit) == 0;
}

static int open_connection(unsigned port)
{
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in address;
  memset(&address, 0, sizeof address);
  address.sin_family = AF_INET;
  address.sin_port = htons((uint16_t)port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (fd < 0)
    return -1;
  if (fcntl(fd, F_SETFL, O_NONBLOCK) != 0 ||
      (connect(fd, (const struct sockaddr *)&address, sizeof address) != 0 && errno != EINPROGRESS)) {
    (void)close(fd);
    return -1;
  }
  return fd;
}

/* One byte more. False: the connection was cut off. */
static bool dribble(struct client *client)
{
  char byte = client->sent < sizeof head - 1 ? head[client->sent] : 'x';
  ssize_t count = send(client->fd, &byte, 1, MSG_NOSIGNAL);
  if (count == 1) {
    client->sent++;
    return true;
  }
  return errno == EAGAIN || errno == ENOTCONN || errno == EINPROGRESS;
}

static int run(lua_State *L)
{
  static struct client clients[CONNECTIONS];
  unsigned port = (unsigned)luaL_checkinteger(L, 1);
  size_t count = (size_t)luaL_checkinteger(L, 2);
  size_t cut = 0;
  bool told_up = false;
  bool told_cut = false;

  luaL_argcheck(L, count >= 1 && count <= CONNECTIONS, 2, "a number of connections expected");
  if (!raise_limit(count + 64))
    return luaL_error(L, "the process may not have %d descriptors", (int)count + 64);
  for (size_t i = 0; i < count; i++)
    clients[i].fd = -1;
  for (int round = 0; round < ROUNDS; round++) {
    size_t up = 0;
    for (size_t i = 0; i < count; i++) {
      struct client *client = &clients[i];
      if (client->fd >= 0 && !dribble(client)) {
        (void)close(client->fd);
        client->fd = -1;
        cut++;
      }
      if (client->fd < 0) {
        client->sent = 0;
        client->fd = open_connection(port);
      }
      up += client->sent > 0;
    }
    if (up == count && !told_up)
      told_up = puts("up") >= 0;
    if (cut >= count && !told_cut)
      told_cut = puts("cut") >= 0;
    (void)fflush(stdout);
    (void)poll(NULL, 0, ROUND_MS);
  }
  return 0;
}

static int descriptors(lua_State *L)
{
  lua_pushboolean(L, raise_limit((rlim_t)luaL_checkinteger(L, 1)));
  return 1;
}

static int limit_descriptors(lua_State *L)
{
  struct rlimit limit = {.rlim_cur = (rlim_t)luaL_checkinteger(L, 1), .rlim_max = (rlim_t)luaL_checkinteger(L, 1)};
  if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
    return luaL_error(L, "the number of descriptors cannot be limited");
  return 0;
}

int luaopen_spec_support_dribble(lua_State *L)
{
  static const luaL_Reg functions[] = {
      {"run", run}, {"descriptors", descriptors}, {"limit", limit_descriptors}, {NULL, NULL}};
  lua_newtable(L);
  luaL_setfuncs(L, functions, 0);
  return 1;
}
