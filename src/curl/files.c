#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char shorter[] = "the file has become shorter";

static bool fail(struct avito_files *files, const char *what, int error, const char *why)
{
  files->failed = what;
  files->error = error;
  files->why = why;
  return false;
}

static bool unreadable(struct avito_files *files, int error, const char *why)
{
  return fail(files, "read", error, why);
}

static bool unwritable(struct avito_files *files, int error)
{
  return fail(files, "write", error, NULL);
}

void avito_files_push(lua_State *L, const struct avito_files *files)
{
  bool output = files->failed[0] == 'w';

  lua_pushfstring(L, "cannot %s %s: %s", files->failed, output ? files->output : files->upload,
                  files->why ? files->why : strerror(files->error));
}

/* ---- from beginning to end ---- */

static bool take_upload(struct avito_files *files, const struct avito_upload *upload)
{
  files->upload = strdup(upload->path);
  files->frame = malloc(upload->head_length + upload->tail_length + 1);
  if (!files->upload || !files->frame)
    return false;
  memcpy(files->frame, upload->head, upload->head_length);
  memcpy(files->frame + upload->head_length, upload->tail, upload->tail_length);
  files->head = upload->head_length;
  files->tail = upload->tail_length;
  files->size = upload->size;
  return true;
}

bool avito_files_take(struct avito_files *files, const struct avito_request *request)
{
  if (request->output) {
    files->output = strdup(request->output);
    if (!files->output)
      return false;
  }
  return !request->upload.path || take_upload(files, &request->upload);
}

/* Opening a pipe, or writing to one, must not wait for its other end. */
static int open_file(const char *path, int flags)
{
  int fd;

  do
    fd = open(path, flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0666);
  while (fd < 0 && errno == EINTR);
  return fd;
}

static bool open_output(struct avito_files *files)
{
  int fd = open_file(files->output, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW);

  if (fd < 0)
    return unwritable(files, errno);
  files->output_fd = fd + 1;
  return true;
}

static bool open_upload(struct avito_files *files)
{
  struct stat about;
  int fd = open_file(files->upload, O_RDONLY);

  if (fd < 0)
    return unreadable(files, errno, NULL);
  files->upload_fd = fd + 1;
  if (fstat(fd, &about) != 0)
    return unreadable(files, errno, NULL);
  if (!S_ISREG(about.st_mode))
    return unreadable(files, 0, "it is not a regular file");
  if ((uintmax_t)about.st_size < files->size)
    return unreadable(files, 0, shorter);
  return true;
}

bool avito_files_open(struct avito_files *files)
{
  /* the upload first: an output is not emptied for a request that cannot be made */
  return (!files->upload || open_upload(files)) && (!files->output || open_output(files));
}

void avito_files_close(struct avito_files *files, bool written)
{
  if (files->upload_fd > 0)
    (void)close(files->upload_fd - 1);
  files->upload_fd = 0;
  if (files->output_fd > 0 && close(files->output_fd - 1) != 0 && written)
    (void)unwritable(files, errno);
  files->output_fd = 0;
}

void avito_files_free(struct avito_files *files)
{
  avito_files_close(files, false);
  free(files->output);
  free(files->upload);
  free(files->frame);
  memset(files, 0, sizeof *files);
}

/* ---- the bytes ---- */

bool avito_files_write(struct avito_files *files, const char *data, size_t length)
{
  while (length > 0) {
    ssize_t written = write(files->output_fd - 1, data, length);
    if (written < 0 && errno != EINTR)
      return unwritable(files, errno);
    if (written > 0) {
      data += written;
      length -= (size_t)written;
    }
  }
  return true;
}

/* Up to `most` bytes of the file from `offset` on; 0 when it cannot be read. */
static size_t read_file(struct avito_files *files, char *buffer, size_t most, size_t offset)
{
  size_t left = files->size - offset;
  ssize_t got;

  do
    got = pread(files->upload_fd - 1, buffer, left < most ? left : most, (off_t)offset);
  while (got < 0 && errno == EINTR);
  if (got <= 0)
    (void)unreadable(files, errno, got < 0 ? NULL : shorter);
  return got > 0 ? (size_t)got : 0;
}

static size_t read_frame(const char *part, size_t left, char *buffer, size_t most)
{
  size_t length = left < most ? left : most;

  memcpy(buffer, part, length);
  return length;
}

size_t avito_files_read(char *buffer, size_t size, size_t count, void *user)
{
  struct avito_files *files = user;
  size_t most = size * count;
  size_t at = files->at;
  size_t length;

  if (at < files->head) {
    length = read_frame(files->frame + at, files->head - at, buffer, most);
  } else if (at - files->head < files->size) {
    length = read_file(files, buffer, most, at - files->head);
    if (length == 0)
      return CURL_READFUNC_ABORT;
  } else {
    at -= files->size;
    length = read_frame(files->frame + at, files->head + files->tail - at, buffer, most);
  }
  files->at += length;
  return length;
}

int avito_files_seek(void *user, curl_off_t offset, int origin)
{
  struct avito_files *files = user;

  if (origin != SEEK_SET || offset < 0 || (uintmax_t)offset > files->head + files->size + files->tail)
    return CURL_SEEKFUNC_FAIL;
  files->at = (size_t)offset;
  return CURL_SEEKFUNC_OK;
}
