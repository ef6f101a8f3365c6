/* owners.c - which processes are alive: each holds a lock on a byte of its own.
 *
 * Locks of open file descriptions: they conflict between two handles of one process, too, and another part of the program
 * that opens and closes the file does not let go of them. A child that was forked and did not exec keeps its parent's. */
#define _GNU_SOURCE /* F_OFD_SETLK */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "journal.h"

static bool open_file(struct avito_owners *owners, sqlite3 *handle, struct avito_problem *problem)
{
  char path[PATH_MAX];
  int fd;
  if (owners->fd_plus_one > 0)
    return true;
  int length = snprintf(path, sizeof path, "%s-lock", sqlite3_db_filename(handle, "main"));
  if (length < 0 || (size_t)length >= sizeof path) {
    avito_problem_of_errno(problem, "its lock file", ENAMETOOLONG);
    return false;
  }
  do {
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, S_IRUSR | S_IWUSR);
  } while (fd < 0 && errno == EINTR);
  if (fd < 0) {
    avito_problem_of_errno(problem, "its lock file cannot be opened", errno);
    return false;
  }
  owners->fd_plus_one = fd + 1;
  return true;
}

/* fcntl on one byte of the file; errno tells why it failed. */
static bool control(const struct avito_owners *owners, int command, short type, int64_t id, struct flock *lock)
{
  int result;
  do {
    *lock = (struct flock){.l_type = type, .l_whence = SEEK_SET, .l_start = (off_t)id, .l_len = 1};
    result = fcntl(owners->fd_plus_one - 1, command, lock);
  } while (result != 0 && errno == EINTR);
  return result == 0;
}

int avito_owners_lock(struct avito_owners *owners, sqlite3 *handle, int64_t id, struct avito_problem *problem)
{
  struct flock lock;
  if (!open_file(owners, handle, problem))
    return -1;
  if (owners->id == id)
    return 1;
  if (owners->id != 0)
    (void)control(owners, F_OFD_SETLK, F_UNLCK, owners->id, &lock);
  owners->id = 0;
  if (control(owners, F_OFD_SETLK, F_WRLCK, id, &lock)) {
    owners->id = id;
    return 1;
  }
  if (errno == EAGAIN || errno == EACCES)
    return 0;
  avito_problem_of_errno(problem, "its lock file cannot be locked", errno);
  return -1;
}

int avito_owners_alive(struct avito_owners *owners, sqlite3 *handle, int64_t id, struct avito_problem *problem)
{
  struct flock lock;
  if (!open_file(owners, handle, problem))
    return -1;
  if (owners->id == id) /* one's own locks are not in one's way, and so not told */
    return 1;
  if (control(owners, F_OFD_GETLK, F_WRLCK, id, &lock))
    return lock.l_type != F_UNLCK;
  avito_problem_of_errno(problem, "its lock file cannot be asked", errno);
  return -1;
}

void avito_owners_close(struct avito_owners *owners)
{
  if (owners->fd_plus_one > 0)
    close(owners->fd_plus_one - 1);
  memset(owners, 0, sizeof *owners);
}
