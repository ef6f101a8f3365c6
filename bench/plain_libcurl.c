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

#include <curl/curl.h>

#include "yardstick.h"

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
  struct avito_bench_body body = {0};

  curl_global_init(CURL_GLOBAL_DEFAULT);
  struct curl_slist *headers = avito_bench_headers(call > 0, call == 1);
  CURL *curl = avito_bench_easy(call > 0, headers, &body);
  if (argc > 5) {
    curl_easy_setopt(curl, CURLOPT_CAINFO, argv[5]);
  }

  double start = 0;
  for (long i = -warm_up; i < count; i++) {
    if (i == 0) {
      start = avito_bench_cpu_microseconds();
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
  printf("%.3f\n", (avito_bench_cpu_microseconds() - start) / (double)count);

  curl_easy_cleanup(curl);
  curl_slist_free_all(headers);
  free(body.data);
  curl_global_cleanup();
  return 0;
}
