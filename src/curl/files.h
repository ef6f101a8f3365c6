/* files.h - the files of an exchange: the one the body of an answer goes to, and the one the body of a request comes from.
 *
 * No body is ever in memory as a whole. Reading and writing block: a local disk is taken for faster than the network.
 * All-zero is the empty state: no file. Nothing here touches a lua_State but avito_files_push.
 */
#ifndef AVITO_CURL_FILES_H
#define AVITO_CURL_FILES_H

#include "compat.h"

#include <stdbool.h>
#include <stddef.h>

#include <curl/curl.h>

#include "request.h"

struct avito_files {
  char *output;       /* its path, or NULL */
  char *upload;       /* its path, or NULL */
  char *frame;        /* what is sent before the file, and then what after it; NULL when there is neither */
  int output_fd;      /* one more than the descriptor; 0: not open */
  int upload_fd;      /* the same */
  size_t head;        /* bytes of `frame` before the file */
  size_t tail;        /* and after it */
  size_t size;        /* of the file */
  size_t at;          /* bytes of the whole that were read */
  const char *failed; /* what could not be done: "read" or "write"; NULL: nothing failed */
  const char *why;    /* static; NULL: as `error` says */
  int error;          /* an errno */
};

/* Copies what the request says of files. False for want of memory. The struct must be empty. */
bool avito_files_take(struct avito_files *files, const struct avito_request *request);

/* Opens them; the output is emptied. False when one cannot be used. */
bool avito_files_open(struct avito_files *files);

/* Appends to the output. False when it cannot be written. */
bool avito_files_write(struct avito_files *files, const char *data, size_t length);

/* For CURLOPT_READFUNCTION and CURLOPT_SEEKFUNCTION; `user` is the struct. */
size_t avito_files_read(char *buffer, size_t size, size_t count, void *user);
int avito_files_seek(void *user, curl_off_t offset, int origin);

/* Closes the files. `written`: an output that cannot be closed may not be whole, and that is a failure of it. */
void avito_files_close(struct avito_files *files, bool written);

/* Pushes "cannot write PATH: why" when a file has failed. [-0, +1, m] */
void avito_files_push(lua_State *L, const struct avito_files *files);

/* Closes and frees everything; the struct is empty afterwards. */
void avito_files_free(struct avito_files *files);

#endif
