/* places.c - the rings of connections, and the deadlines that follow from where one stands. */
#include "httpd.h"

void avito_places_start(struct avito_listener *listener)
{
  for (size_t i = 0; i < AVITO_PLACES; i++)
    listener->rings[i].previous = listener->rings[i].next = &listener->rings[i];
}

void avito_peer_leave(struct avito_peer *peer)
{
  struct avito_link *link = &peer->link;
  if (link->next == NULL)
    return;
  link->previous->next = link->next;
  link->next->previous = link->previous;
}

void avito_peer_move(struct avito_peer *peer, enum avito_place place)
{
  avito_peer_leave(peer);
  struct avito_link *head = &peer->listener->rings[place];
  peer->place = place;
  peer->link.previous = head->previous;
  peer->link.next = head;
  head->previous->next = &peer->link;
  head->previous = &peer->link;
}

/* All of a place have the same time, so that its ring is in the order of the deadlines. */
void avito_peer_busy(struct avito_peer *peer)
{
  avito_peer_move(peer, AVITO_BUSY);
  peer->deadline = avito_httpd_now() + peer->listener->timeout_ms;
}

void avito_peer_rest(struct avito_peer *peer)
{
  avito_peer_move(peer, AVITO_RESTING);
  peer->deadline = avito_httpd_now() + peer->listener->idle_ms;
}

void avito_peer_drip(struct avito_peer *peer, int64_t deadline)
{
  avito_peer_move(peer, AVITO_DRIPPING);
  peer->deadline = deadline;
}

struct avito_peer *avito_peer_first(struct avito_listener *listener, enum avito_place place)
{
  struct avito_link *first = listener->rings[place].next;
  return first == &listener->rings[place] ? NULL : (struct avito_peer *)(void *)first;
}

struct avito_peer *avito_peer_next(const struct avito_peer *peer)
{
  struct avito_link *next = peer->link.next;
  return next == &peer->listener->rings[peer->place] ? NULL : (struct avito_peer *)(void *)next;
}
