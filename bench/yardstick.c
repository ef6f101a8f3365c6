#include "yardstick.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

static size_t gather(char *data, size_t size, size_t count, void *user)
{
  struct avito_bench_body *body = user;
  size_t length = size * count;
  if (body->length + length > body->capacity) {
    size_t capacity = 2 * (body->length + length);
    char *grown = realloc(body->data, capacity);
    if (grown == NULL) {
      return 0;
    }
    body->data = grown;
    body->capacity = capacity;
  }
  memcpy(body->data + body->length, data, length);
  body->length += length;
  return length;
}

struct curl_slist *avito_bench_headers(bool post, bool json)
{
  struct curl_slist *headers = curl_slist_append(NULL, "Authorization: Bearer dummy-access-token");
  headers = curl_slist_append(headers, "Accept: application/json");
  if (json) {
    headers = curl_slist_append(headers, "Content-Type: application/json");
  }
  return post ? curl_slist_append(headers, "Expect:") : headers;
}

CURL *avito_bench_easy(bool post, struct curl_slist *headers, struct avito_bench_body *body)
{
  CURL *curl = curl_easy_init();
  if (curl == NULL) {
    return NULL;
  }
  if (post) {
    curl_easy_setopt(curl, CURLOPT_POST, 1L);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, 0L);
  }
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
  curl_easy_setopt(curl, CURLOPT_USERAGENT, "plain-libcurl");
  curl_easy_setopt(curl, CURLOPT_ACCEPT_ENCODING, "");
  curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, 10000L);
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, gather);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, body);
  curl_easy_setopt(curl, CURLOPT_CAPATH, NULL);
  return curl;
}

double avito_bench_cpu_microseconds(void)
{
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return 1e6 * (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}
