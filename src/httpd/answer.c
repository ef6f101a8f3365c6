/* answer.c - the answers that are not sent whole and at once. */
#include <stdlib.h>
#include <string.h>

#include "httpd.h"

/* A body that is handed out by hand. */
struct portion {
  struct avito_peer *peer; /* of a dripping answer */
  size_t length;
  size_t sent;
  int64_t next;
  unsigned interval_ms;
  char body[];
};

static void portion_free(void *context)
{
  free(context);
}

static ssize_t read_cut(void *context, uint64_t position, char *buffer, size_t room)
{
  const struct portion *portion = context;
  if (position >= portion->sent)
    return MHD_CONTENT_READER_END_WITH_ERROR;
  size_t left = portion->sent - (size_t)position;
  size_t count = left < room ? left : room;
  memcpy(buffer, portion->body + position, count);
  return (ssize_t)count;
}

static ssize_t read_drip(void *context, uint64_t position, char *buffer, size_t room)
{
  struct portion *portion = context;
  struct avito_peer *peer = portion->peer;
  if (position >= portion->length || room == 0)
    return MHD_CONTENT_READER_END_OF_STREAM;
  int64_t now = avito_httpd_now();
  if (now < portion->next) {
    /* Returning 0 alone would be asked again at once, for ever. */
    peer->wake = portion->next;
    peer->suspended = true;
    MHD_suspend_connection(peer->connection);
    return 0;
  }
  portion->next = now + portion->interval_ms;
  avito_peer_drip(peer, portion->next + peer->listener->timeout_ms); /* slow on purpose: each byte counts anew */
  buffer[0] = portion->body[position];
  return 1;
}

static struct portion *portion_new(const char *body, size_t length)
{
  struct portion *portion = malloc(sizeof *portion + length);
  if (portion == NULL)
    return NULL;
  memset(portion, 0, sizeof *portion);
  portion->length = length;
  if (length > 0)
    memcpy(portion->body, body, length);
  return portion;
}

static struct MHD_Response *portion_answer(struct portion *portion, size_t block, MHD_ContentReaderCallback reader)
{
  struct MHD_Response *answer =
      MHD_create_response_from_callback(portion->length, block, reader, portion, portion_free);
  if (answer == NULL)
    free(portion);
  return answer;
}

struct MHD_Response *avito_answer_whole(const char *body, size_t length)
{
  void *unconst; /* the library copies, but its parameter is not const */
  memcpy(&unconst, &body, sizeof unconst);
  return MHD_create_response_from_buffer(length, unconst, MHD_RESPMEM_MUST_COPY);
}

struct MHD_Response *avito_answer_cut(const char *body, size_t length, size_t sent)
{
  struct portion *portion = portion_new(body, length);
  if (portion == NULL)
    return NULL;
  portion->sent = sent;
  return portion_answer(portion, 4096, read_cut);
}

struct MHD_Response *avito_answer_drip(struct avito_peer *peer, const char *body, size_t length, unsigned interval_ms)
{
  struct portion *portion = portion_new(body, length);
  if (portion == NULL)
    return NULL;
  portion->peer = peer;
  portion->interval_ms = interval_ms;
  return portion_answer(portion, 1024, read_drip);
}
