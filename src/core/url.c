#include "url.h"

#include <stdbool.h>
#include <string.h>

static bool starts(const char *text, size_t length, const char *prefix)
{
  size_t size = strlen(prefix);
  return length >= size && memcmp(text, prefix, size) == 0;
}

static bool digit(char c)
{
  return c >= '0' && c <= '9';
}

/* localhost, [::1], or four decimal numbers of which the first is 127: nothing a resolver could read otherwise. */
static bool loopback(const char *host, size_t length)
{
  if ((length == 9 && memcmp(host, "localhost", 9) == 0) || (length == 5 && memcmp(host, "[::1]", 5) == 0)) {
    return true;
  }
  if (!starts(host, length, "127.")) {
    return false;
  }
  int dots = 0;
  int digits = 0;
  int value = 0;
  for (size_t i = 0; i < length; i++) {
    if (digit(host[i]) && digits < 3 && value * 10 + (host[i] - '0') <= 255) {
      value = value * 10 + (host[i] - '0');
      digits++;
    } else if (host[i] == '.' && digits > 0) {
      dots++;
      digits = 0;
      value = 0;
    } else {
      return false;
    }
  }
  return dots == 3 && digits > 0;
}

static bool host_character(char c)
{
  return digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '.' || c == '_';
}

/* The length of the host (brackets included) at the start of an authority, or 0 when it is none. */
static size_t host_length(const char *authority, size_t length)
{
  size_t i = 0;
  if (length > 0 && authority[0] == '[') {
    while (i < length && authority[i] != ']') {
      i++;
    }
    return i < length ? i + 1 : 0;
  }
  while (i < length && host_character(authority[i])) {
    i++;
  }
  return i;
}

static const char *problem(const char *url, size_t length, bool http_anywhere)
{
  for (size_t i = 0; i < length; i++) {
    unsigned char c = (unsigned char)url[i];
    if (c <= 0x20 || c >= 0x7f) {
      return "has a control character, a space or a byte past ASCII (percent-encode it)";
    }
  }
  bool https = starts(url, length, "https://");
  if (!https && !starts(url, length, "http://")) {
    return "does not begin with https://";
  }
  const char *authority = url + (https ? 8 : 7);
  size_t rest = length - (https ? 8 : 7);
  size_t authority_length = 0;
  while (authority_length < rest && strchr("/?#", authority[authority_length]) == NULL) {
    authority_length++;
  }
  if (memchr(authority, '@', authority_length) != NULL) {
    return "has a user name before the host";
  }
  size_t host = host_length(authority, authority_length);
  if (host == 0) {
    return "has no host";
  }
  size_t i = host;
  if (i < authority_length && authority[i] == ':') {
    i++;
    size_t first = i;
    while (i < authority_length && digit(authority[i])) {
      i++;
    }
    if (i == first || i - first > 5) {
      return "has a port that is not a number";
    }
  }
  if (i != authority_length) {
    return "has a host with characters that no host name has";
  }
  if (!https && !http_anywhere && !loopback(authority, host)) {
    return "is plain http, which is allowed only to loopback (localhost, 127.0.0.1, [::1]): use https://";
  }
  return NULL;
}

const char *avito_url_problem(const char *url, size_t length)
{
  return problem(url, length, false);
}

const char *avito_webhook_problem(const char *url, size_t length)
{
  return problem(url, length, true);
}
