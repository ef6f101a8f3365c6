#include "target.h"

#include <stdbool.h>
#include <string.h>

#define MAX_PATH 1024

/* The length of scheme and authority, up to the path; 0 when there is no path. */
static size_t length_of_origin(const char *url)
{
  const char *authority = strstr(url, "://");
  const char *path = authority ? strpbrk(authority + strlen("://"), "/?#") : NULL;

  return path && *path == '/' ? (size_t)(path - url) : 0;
}

/* The host is the last one's: changes the path and the query alone. False when that is not possible. */
static bool set_path(struct avito_target *target, const char *url, size_t origin)
{
  char path[MAX_PATH];
  const char *rest = url + origin;
  size_t length = strcspn(rest, "?");

  if (origin == 0 || origin != target->origin_length || memcmp(url, target->origin, origin) != 0)
    return false;
  if (length >= sizeof path || strpbrk(rest, "%#")) /* libcurl writes %D1 as %d1 when it gets a part */
    return false;
  memcpy(path, rest, length);
  path[length] = '\0';
  return curl_url_set(target->parts, CURLUPART_PATH, path, 0) == CURLUE_OK &&
         curl_url_set(target->parts, CURLUPART_QUERY, rest[length] == '?' ? rest + length + 1 : NULL, 0) == CURLUE_OK;
}

const char *avito_target_set(struct avito_target *target, const char *url)
{
  size_t origin = length_of_origin(url);
  CURLUcode code;

  if (!target->parts)
    target->parts = curl_url();
  if (!target->parts)
    return "not enough memory to read the address";
  if (set_path(target, url, origin))
    return NULL;
  target->origin_length = 0;
  code = curl_url_set(target->parts, CURLUPART_URL, url, CURLU_DISALLOW_USER | CURLU_PATH_AS_IS);
  if (code == CURLUE_USER_NOT_ALLOWED)
    return "the address holds a user name";
  if (code != CURLUE_OK)
    return "the address is not a valid URL";
  if (origin < sizeof target->origin) {
    memcpy(target->origin, url, origin);
    target->origin_length = origin;
  }
  return NULL;
}

void avito_target_free(struct avito_target *target)
{
  curl_url_cleanup(target->parts);
  memset(target, 0, sizeof *target);
}
