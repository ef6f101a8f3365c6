#define _DEFAULT_SOURCE /* flock */
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOCK "avito_messenger.lock"

/* Pushes nil and "path: what failed". [-0, +2, m] */
static int failure(lua_State *L, const char *path, int error)
{
  lua_pushnil(L);
  lua_pushfstring(L, "%s: %s", path, strerror(error));
  return 2;
}

static int open_retrying(const char *path, int flags)
{
  int fd;
  do {
    fd = open(path, flags | O_CLOEXEC | O_NOFOLLOW, S_IRUSR | S_IWUSR);
  } while (fd < 0 && errno == EINTR);
  return fd;
}

/* Writes all of it and makes it durable. 0, or the error. */
static int write_all(int fd, const char *data, size_t length)
{
  while (length > 0) {
    ssize_t written = write(fd, data, length);
    if (written < 0 && errno != EINTR) {
      return errno;
    }
    if (written > 0) {
      data += written;
      length -= (size_t)written;
    }
  }
  return fsync(fd) == 0 ? 0 : errno;
}

/* A rename lasts only once the directory is on disk. Some file systems cannot sync one; that is no failure. */
static void sync_directory(char *path)
{
  char *slash = strrchr(path, '/');
  if (slash != NULL) {
    slash[1] = '\0';
  }
  int fd = open(slash != NULL ? path : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd >= 0) {
    (void)fsync(fd);
    close(fd);
  }
}

static int write_private(lua_State *L)
{
  size_t length;
  size_t path_length;
  const char *path = luaL_checklstring(L, 1, &path_length);
  const char *data = luaL_checklstring(L, 2, &length);
  lua_pushfstring(L, "%s.%d.new", path, (int)getpid()); /* temporary */
  const char *temporary = lua_tostring(L, -1);
  char *directory = avito_newuserdata(L, path_length + 1); /* temporary directory */
  memcpy(directory, path, path_length + 1);
  (void)unlink(temporary); /* left by a process of the same number that died here */
  int fd = open_retrying(temporary, O_WRONLY | O_CREAT | O_EXCL);
  if (fd < 0) {
    return failure(L, temporary, errno);
  }
  int error = write_all(fd, data, length);
  if (close(fd) != 0 && error == 0) {
    error = errno;
  }
  if (error == 0 && rename(temporary, path) != 0) {
    error = errno;
  }
  if (error != 0) {
    (void)unlink(temporary);
    return failure(L, path, error);
  }
  sync_directory(directory);
  lua_pushboolean(L, 1);
  return 1;
}

/* The descriptor plus one, so that all-zero is the closed state. */
struct lock {
  int fd_plus_one;
};

static int lock_file(lua_State *L)
{
  const char *path = luaL_checkstring(L, 1);
  struct lock *lock = avito_newuserdata(L, sizeof *lock); /* lock */
  luaL_getmetatable(L, LOCK);
  lua_setmetatable(L, -2);
  int fd = open_retrying(path, O_RDWR | O_CREAT);
  if (fd < 0) {
    return failure(L, path, errno);
  }
  lock->fd_plus_one = fd + 1;
  int result;
  do {
    result = flock(fd, LOCK_EX | LOCK_NB);
  } while (result != 0 && errno == EINTR);
  if (result == 0) {
    return 1;
  }
  int error = errno;
  close(fd);
  lock->fd_plus_one = 0;
  if (error == EWOULDBLOCK) {
    lua_pushboolean(L, 0);
    return 1;
  }
  return failure(L, path, error);
}

static int unlock(lua_State *L)
{
  struct lock *lock = luaL_checkudata(L, 1, LOCK);
  if (lock->fd_plus_one > 0) {
    close(lock->fd_plus_one - 1); /* and with it goes the lock */
    lock->fd_plus_one = 0;
  }
  return 0;
}

void avito_file_register(lua_State *L)
{
  static const luaL_Reg functions[] = {{"write_private", write_private}, {"lock_file", lock_file}, {NULL, NULL}};
  static const luaL_Reg methods[] = {{"unlock", unlock}, {"__gc", unlock}, {"__close", unlock}, {NULL, NULL}};
  luaL_newmetatable(L, LOCK); /* metatable */
  luaL_setfuncs(L, methods, 0);
  lua_pushvalue(L, -1);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1); /* - */
  luaL_setfuncs(L, functions, 0);
}
