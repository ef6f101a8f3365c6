/* The yardstick: what a competent C programmer writes to make the same calls. One easy handle,
 * reused, keep-alive, the headers made once, the body gathered into one buffer that is kept from
 * call to call, nothing decoded. As in any program the address changes from call to call, and so
 * does what is sent.
 *
 *   plain_libcurl get_chat|send_message|mark_chat_as_read BASE-URL COUNT WARM-UP [CA-FILE]
 *
 * Prints the microseconds of CPU (user and system) of one call, over COUNT calls after WARM-UP
 * calls.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <curl/curl.h>

struct body {
  char *data;
  size_t length;
  size_t capacity;
};

static size_t gather(char *data, size_t size, size_t count, void *user)
{
  struct body *body = user;
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

static double cpu_microseconds(void)
{
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return 1e6 * (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

static const char *const names[] = {"get_chat", "send_message", "mark_chat_as_read"};
static const char *const ends[] = {"", "/messages", "/read"};
static const char *const versions[] = {"v2", "v1", "v1"};

int main(int argc, char **argv)
{
  int call = 0;
  while (argc > 4 && call < 3 && strcmp(argv[1], names[call]) != 0) {
    call++;
  }
  if (argc < 5 || call == 3) {
    fprintf(stderr, "usage: plain_libcurl get_chat|send_message|mark_chat_as_read BASE-URL COUNT WARM-UP [CA-FILE]\n");
    return 2;
  }
  long count = strtol(argv[3], NULL, 10);
  long warm_up = strtol(argv[4], NULL, 10);
  struct body body = {0};
  struct curl_slist *headers = NULL;

  curl_global_init(CURL_GLOBAL_DEFAULT);
  CURL *curl = curl_easy_init();
  headers = curl_slist_append(headers, "Authorization: Bearer dummy-access-token");
  headers = curl_slist_append(headers, "Accept: application/json");
  if (call == 1) {
    headers = curl_slist_append(headers, "Content-Type: application/json");
  }
  if (call > 0) {
    headers = curl_slist_append(headers, "Expect:");
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
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &body);
  curl_easy_setopt(curl, CURLOPT_CAPATH, NULL);
  if (argc > 5) {
    curl_easy_setopt(curl, CURLOPT_CAINFO, argv[5]);
  }

  double start = 0;
  for (long i = -warm_up; i < count; i++) {
    if (i == 0) {
      start = cpu_microseconds();
    }
    char url[512];
    char text[128];
    long status = 0;
    snprintf(url, sizeof url, "%s/messenger/%s/accounts/1/chats/u2i-%ld%s", argv[2], versions[call], i, ends[call]);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    if (call == 1) {
      snprintf(text, sizeof text, "{\"message\":{\"text\":\"Yes, it is. %ld\"},\"type\":\"text\"}", i);
      curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, (long)strlen(text));
      curl_easy_setopt(curl, CURLOPT_COPYPOSTFIELDS, text);
    }
    body.length = 0;
    CURLcode code = curl_easy_perform(curl);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    if (code != CURLE_OK || status != 200 || body.length == 0) {
      fprintf(stderr, "plain_libcurl: %s, status %ld\n", curl_easy_strerror(code), status);
      return 1;
    }
  }
  printf("%.3f\n", (cpu_microseconds() - start) / (double)count);

  curl_easy_cleanup(curl);
  curl_slist_free_all(headers);
  free(body.data);
  curl_global_cleanup();
  return 0;
}
