/* interpose.c - a library to LD_PRELOAD into a child interpreter (it is not a Lua module).
 *
 * It makes visible, or slow, what no server on loopback can:
 *   - a name that ends in ".slow.invalid" takes SLOW_SECONDS to resolve, ".brief.invalid" BRIEF_NS;
 *   - "localhost" resolves to 192.0.2.1 (TEST-NET-1), as a hostile resolver could say;
 *   - each time a TLS library reads a bundle or a directory of certificates, a line is written to
 *     the file named by INTERPOSE_LOG: "bundle" or "directory";
 *   - a file whose name ends in ".unclosable" is closed with the error of a full disk;
 *   - with INTERPOSE_UNWATCHED=n the n-th descriptor that epoll is given is refused;
 *   - with INTERPOSE_LINGER set the process ends only after names of ".brief.invalid" were
 * resolved.
 */
#define _GNU_SOURCE

#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#define SHOW         __attribute__((visibility("default")))
#define SLOW_SECONDS 20u
#define BRIEF_NS     300000000L

SHOW int X509_STORE_load_file(void *store, const char *path);
SHOW int X509_STORE_load_path(void *store, const char *path);

static void find(void *library, const char *name, void *function)
{
  void *address = dlsym(library, name);

  if (!address)
    abort();
  memcpy(function, &address, sizeof address);
}

/* Lua loads modules, and what they need, into no global scope: RTLD_NEXT does not reach it. */
static void *crypto(void)
{
  void *library = dlopen("libcrypto.so.3", RTLD_LAZY | RTLD_NOLOAD);
  return library ? library : dlopen("libcrypto.so.1.1", RTLD_LAZY | RTLD_NOLOAD);
}

static int ends_with(const char *text, const char *end)
{
  size_t length = text ? strlen(text) : 0;
  return length >= strlen(end) && strcmp(text + length - strlen(end), end) == 0;
}

/* NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name): libc's names are reserved */
SHOW int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **result)
{
  int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
  const struct timespec brief = {0, BRIEF_NS};

  find(RTLD_NEXT, "getaddrinfo", &real);
  if (ends_with(node, ".slow.invalid"))
    (void)sleep(SLOW_SECONDS);
  if (ends_with(node, ".brief.invalid"))
    (void)nanosleep(&brief, NULL);
  if (ends_with(node, "localhost"))
    node = "192.0.2.1";
  return real(node, service, hints, result);
}

/* As a network file system may do, which writes only now. */
SHOW int close(int fd)
{
  int (*real)(int);
  char link[32];
  char path[256];
  ssize_t length;

  find(RTLD_NEXT, "close", &real);
  (void)snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  length = readlink(link, path, sizeof path - 1);
  path[length > 0 ? length : 0] = '\0';
  if (!ends_with(path, ".unclosable"))
    return real(fd);
  (void)real(fd);
  errno = ENOSPC;
  return -1;
}

/* Runs after lua_close has unloaded every C module. */
__attribute__((destructor)) static void linger(void)
{
  const struct timespec twice = {0, 2 * BRIEF_NS};

  if (getenv("INTERPOSE_LINGER"))
    (void)nanosleep(&twice, NULL);
}

/* NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name): libc's names are reserved */
SHOW int epoll_ctl(int epoll, int what, int fd, struct epoll_event *event)
{
  static int given;
  int (*real)(int, int, int, struct epoll_event *);
  const char *refused = getenv("INTERPOSE_UNWATCHED");

  find(RTLD_NEXT, "epoll_ctl", &real);
  if (refused && what == EPOLL_CTL_ADD && ++given == (int)strtol(refused, NULL, 10)) {
    errno = ENOSPC;
    return -1;
  }
  return real(epoll, what, fd, event);
}

static void note(const char *line)
{
  const char *path = getenv("INTERPOSE_LOG");
  int fd = path ? open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600) : -1;

  if (fd < 0)
    return;
  if (write(fd, line, strlen(line)) < 0)
    abort();
  (void)close(fd);
}

int X509_STORE_load_file(void *store, const char *path)
{
  int (*real)(void *, const char *);

  find(crypto(), "X509_STORE_load_file", &real);
  note("bundle\n");
  return real(store, path);
}

int X509_STORE_load_path(void *store, const char *path)
{
  int (*real)(void *, const char *);

  find(crypto(), "X509_STORE_load_path", &real);
  note("directory\n");
  return real(store, path);
}
