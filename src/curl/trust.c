#include "trust.h"

#include <dirent.h>
#include <stdbool.h>
#include <string.h>

#include <curl/curl.h>

#define HASH_DIGITS 8

static bool is_hash_link(const char *name)
{
  return strspn(name, "0123456789abcdef") == HASH_DIGITS && strcmp(name + HASH_DIGITS, ".0") == 0;
}

static bool is_hashed(const char *path)
{
  DIR *directory = opendir(path);
  const struct dirent *entry;
  unsigned links = 0;
  unsigned others = 0;

  if (!directory)
    return false;
  while ((entry = readdir(directory)) != NULL) {
    if (is_hash_link(entry->d_name))
      links++;
    else if (entry->d_name[0] != '.')
      others++;
  }
  (void)closedir(directory);
  return links > 0 && links >= others / 2;
}

const char *avito_trust_directory(void)
{
  const curl_version_info_data *version = curl_version_info(CURLVERSION_NOW);

  if (!version->capath || !version->ssl_version || !strstr(version->ssl_version, "OpenSSL/"))
    return NULL;
  return is_hashed(version->capath) ? version->capath : NULL;
}
