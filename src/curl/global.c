/* dladdr and RTLD_NODELETE are not POSIX; every platform with a shared libcurl has them. */
#define _GNU_SOURCE

#include "global.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <curl/curl.h>

#include "trust.h"

#if LIBCURL_VERSION_NUM < 0x075700
#error "libcurl 7.87.0 or newer is needed (CURLOPT_QUICK_EXIT)"
#endif

#define OLDEST_VERSION 0x075700u

static pthread_once_t once = PTHREAD_ONCE_INIT;
static const char *trouble;
static const char *trusted;
static uint64_t *page; /* NULL: the system cannot wipe one */
static uint64_t epochs;

/* lua_close unloads C modules. A resolver thread that was given up on still runs in libcurl then,
 * so its code must stay mapped until the process ends. */
static void pin_libcurl(void)
{
  CURL *(*function)(void) = curl_easy_init;
  void *address;
  Dl_info info;

  memcpy(&address, &function, sizeof address);
  if (dladdr(address, &info) && info.dli_fname)
    (void)dlopen(info.dli_fname, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE);
}

/* A page that a forked child finds wiped tells it apart from its parent without asking the system at every request. */
static void make_page(void)
{
#ifdef MADV_WIPEONFORK
  const size_t size = (size_t)sysconf(_SC_PAGESIZE);
  void *made = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

  if (made == MAP_FAILED)
    return;
  if (madvise(made, size, MADV_WIPEONFORK) != 0) {
    (void)munmap(made, size);
    return;
  }
  page = made;
  *page = ++epochs;
#endif
}

uint64_t avito_process_epoch(void)
{
  if (!page)
    return (uint64_t)getpid();
  if (*page == 0)
    *page = ++epochs;
  return *page;
}

static void set_up(void)
{
  const curl_version_info_data *version;

  if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
    trouble = "libcurl could not be initialized";
    return;
  }
  pin_libcurl();
  make_page();
  trusted = avito_trust_directory();
  version = curl_version_info(CURLVERSION_NOW);
  if (version->version_num < OLDEST_VERSION)
    trouble = "libcurl 7.87.0 or newer is needed";
  else if (!(version->features & CURL_VERSION_SSL))
    trouble = "this libcurl was built without TLS";
  else if (!(version->features & CURL_VERSION_ASYNCHDNS))
    trouble = "this libcurl resolves names without a time limit (no AsynchDNS)";
}

const char *avito_curl_ready(void)
{
  (void)pthread_once(&once, set_up);
  return trouble;
}

const char *avito_curl_trusted(void)
{
  return trusted;
}
