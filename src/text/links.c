/* links.c - addresses of pages and mail, and @names, as people write them.
 *
 * A run is letters, digits, '.', '-' and '_': a host is one, or begins one ("example.com.Жду"). A host that nothing
 * announces (no scheme, no www.) ends in one of the domains below: "т.д." and "фото.jpg" are no links. */
#include <utf8proc.h>

#include "finders.h"

/* Domains that are also the beginning of a sentence ("Продаю.Москва", "см.рис") stay out. */
static const char *const domains[] = {
    "ru",     "рф",    "ру",      "su",     "com",     "net",     "org",      "info",    "biz",    "pro",    "me",
    "io",     "ai",    "co",      "cc",     "tv",      "ws",      "im",       "gg",      "gl",     "gle",    "ly",
    "be",     "eu",    "uk",      "us",     "de",      "fr",      "it",       "es",      "pl",     "tr",     "cn",
    "jp",     "by",    "kz",      "ua",     "uz",      "kg",      "am",       "az",      "ge",     "md",     "tj",
    "lv",     "lt",    "ee",      "site",   "online",  "shop",    "store",    "app",     "dev",    "xyz",    "club",
    "top",    "link",  "live",    "space",  "website", "tech",    "cloud",    "fun",     "market", "media",  "mobi",
    "moscow", "tatar", "page",    "click",  "vip",     "world",   "blog",     "group",   "team",   "center", "school",
    "travel", "style", "digital", "agency", "studio",  "company", "services", "support", "email",  "chat",   "icu",
    "life",   "today", NULL};

static const char *const schemes[] = {"https", "http", "ftp", "tg", "whatsapp", "viber", NULL};

/* Hosts that people write with spaces in between to get past a filter: "t . me / name". */
static const char *const disguised[][2] = {{"t", "me"},     {"wa", "me"},       {"vk", "com"},
                                           {"vk", "ru"},    {"ok", "ru"},       {"youtu", "be"},
                                           {"avito", "ru"}, {"telegram", "me"}, {NULL, NULL}};

enum { HOST = 253, NAME_LEAST = 4, NAME_MOST = 32, DISGUISE_SPACES = 3 };

static bool in_run(uint32_t point)
{
  return avito_point_is_letter(point) || avito_point_is_digit(point) || point == '.' || point == '-' || point == '_';
}

static size_t run_end(const struct avito_letter *letters, size_t i)
{
  while (in_run(letters[i].point))
    i++;
  return i;
}

/* Whether letters[i .. end) are the word, to the letter. */
static bool exactly(const struct avito_letter *letters, size_t i, size_t end, const char *word)
{
  const utf8proc_uint8_t *at = (const utf8proc_uint8_t *)word;
  for (; *at != '\0'; i++) {
    utf8proc_int32_t point;
    at += utf8proc_iterate(at, -1, &point);
    if (i == end || letters[i].point != (uint32_t)point)
      return false;
  }
  return i == end;
}

static bool exactly_among(const struct avito_letter *letters, size_t i, size_t end, const char *const *words)
{
  for (; *words != NULL; words++)
    if (exactly(letters, i, end, *words))
      return true;
  return false;
}

static bool is_domain(const struct avito_letter *letters, size_t i, size_t end)
{
  bool punycode = end - i > 4 && exactly(letters, i, i + 4, "xn--");
  return punycode || exactly_among(letters, i, end, domains);
}

/* What an address may have behind its host. */
static bool in_path(uint32_t point)
{
  if (point < 0x80)
    return point > ' ' && point < 0x7f && strchr("<>\"`{}|\\^", (int)point) == NULL;
  if (point == AVITO_NO_LETTER)
    return false;
  utf8proc_category_t category = utf8proc_category((utf8proc_int32_t)point);
  return category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_NO;
}

/* Takes away what belongs to the sentence: full stops, commas, a bracket that is not opened in the address. */
static size_t trim(const struct avito_letter *letters, size_t i, size_t end)
{
  long open = 0;
  for (size_t k = i; k < end; k++)
    open += (letters[k].point == '(') - (letters[k].point == ')');
  for (; end > i; end--) {
    uint32_t last = letters[end - 1].point;
    if (last == ')' && open < 0)
      open++;
    else if (last == 0 || last >= 0x80 || strchr(".,;:!?'*(]", (int)last) == NULL)
      break;
  }
  return end;
}

/* The end of a port and a path behind a host that ends at i. */
static size_t rest_end(const struct avito_letter *letters, size_t i)
{
  size_t end = i;
  if (letters[i].point == ':' && avito_point_is_digit(letters[i + 1].point))
    end = avito_digits_end(letters, i + 1);
  if (letters[end].point == '/' || letters[end].point == '?' || letters[end].point == '#') {
    size_t path = end + 1;
    while (in_path(letters[path].point))
      path++;
    size_t trimmed = trim(letters, end, path);
    end = trimmed > end ? trimmed : end;
  }
  return end;
}

/* The end of "://host..." at i, or i. */
static size_t scheme_rest(const struct avito_letter *letters, size_t i)
{
  size_t host = i + 3;
  if (letters[i].point != ':' || letters[i + 1].point != '/' || letters[i + 2].point != '/')
    return i;
  size_t end = run_end(letters, host);
  if (letters[end].point == '@') /* "https://avito.ru@example.com" */
    end = run_end(letters, end + 1);
  size_t trimmed = trim(letters, host, end);
  if (trimmed == host)
    return i;
  return trimmed < end ? trimmed : rest_end(letters, end);
}

/* The end of the longest host that letters[i .. end) begin with, or i. */
static size_t host_end(const struct avito_letter *letters, size_t i, size_t end)
{
  size_t best = i;
  size_t label = i;
  bool named = false; /* a label before this one has a letter */
  if (end - i > HOST)
    end = i + HOST;
  for (size_t k = i; k <= end; k++) {
    if (k < end && letters[k].point != '.')
      continue;
    if (k == label)
      break; /* ".." */
    if (named && is_domain(letters, label, k))
      best = k;
    for (size_t j = label; j < k && !named; j++)
      named = avito_point_is_letter(letters[j].point);
    label = k + 1;
  }
  return best;
}

/* The end of the host of a mail address at i, or i: its last label is two letters or more of any domain. */
static size_t mail_host_end(const struct avito_letter *letters, size_t i)
{
  size_t end = trim(letters, i, run_end(letters, i));
  size_t known = host_end(letters, i, end);
  if (known > i)
    return known;
  size_t label = end;
  while (label > i && letters[label - 1].point != '.')
    label--;
  bool word = avito_word_end(letters, label) == end && end - label >= 2;
  return word && label > i + 1 && end - i <= HOST ? end : i;
}

static bool in_local_part(uint32_t point)
{
  return in_run(point) || point == '+' || point == '%';
}

/* A mail address or an @name around the '@' at i; nothing before `floor` belongs to it. */
static bool at_sign(const struct avito_letter *letters, size_t i, size_t floor, struct avito_found *link)
{
  size_t local = i;
  while (local > floor && in_local_part(letters[local - 1].point))
    local--;
  while (local < i && !avito_point_is_letter(letters[local].point) && !avito_point_is_digit(letters[local].point))
    local++;
  if (local < i) {
    *link = (struct avito_found){local, mail_host_end(letters, i + 1)};
    return link->end > i + 1;
  }
  size_t end = i + 1;
  if (letters[end].point < 'a' || letters[end].point > 'z')
    return false;
  while (letters[end].point < 0x80 && in_run(letters[end].point) && letters[end].point != '.' &&
         letters[end].point != '-')
    end++;
  *link = (struct avito_found){i, end};
  return end - i > NAME_LEAST && end - i <= NAME_MOST + 1 && !avito_point_is_letter(letters[end].point);
}

static size_t skip_some_spaces(const struct avito_letter *letters, size_t i)
{
  size_t end = i;
  while (end - i < DISGUISE_SPACES && avito_point_is_space(letters[end].point))
    end++;
  return end;
}

/* The end of the dot of a disguised host: ".", "точка", "(.)"; or i. */
static size_t disguised_dot(const struct avito_letter *letters, size_t i)
{
  size_t word = avito_word_end(letters, i);
  if (exactly(letters, i, word, "точка") || exactly(letters, i, word, "dot"))
    return word;
  size_t dot = i + (letters[i].point == '(');
  if (letters[dot].point != '.')
    return i;
  return dot + 1 + (dot > i && letters[dot + 1].point == ')');
}

/* A disguised host whose first label is letters[i .. end). */
static size_t disguised_end(const struct avito_letter *letters, size_t i, size_t end)
{
  size_t dot = skip_some_spaces(letters, end);
  size_t behind = disguised_dot(letters, dot);
  if (behind == dot)
    return i;
  size_t domain = skip_some_spaces(letters, behind);
  size_t domain_end = avito_word_end(letters, domain);
  for (size_t k = 0; disguised[k][0] != NULL; k++) {
    if (!exactly(letters, i, end, disguised[k][0]) || !exactly(letters, domain, domain_end, disguised[k][1]))
      continue;
    size_t slash = skip_some_spaces(letters, domain_end);
    if (letters[slash].point != '/')
      return domain_end;
    size_t path = skip_some_spaces(letters, slash + 1);
    size_t path_end = path;
    while (in_path(letters[path_end].point))
      path_end++;
    path_end = trim(letters, path, path_end);
    return path_end > path ? path_end : slash + 1;
  }
  return i;
}

/* The end of a host of any domain behind the "www." that the run letters[i .. end) begins with, or i. */
static size_t www_end(const struct avito_letter *letters, size_t i, size_t end)
{
  uint32_t first = letters[i + 4].point;
  return avito_point_is_letter(first) || avito_point_is_digit(first) ? trim(letters, i, end) : i;
}

/* A link that begins in the run letters[i .. end). */
static bool link_in_run(const struct avito_letter *letters, size_t i, size_t end, struct avito_found *link)
{
  if (letters[end].point == ':') {
    size_t rest = scheme_rest(letters, end);
    for (size_t k = 0; rest > end && schemes[k] != NULL; k++) {
      size_t length = strlen(schemes[k]);
      if (end - i < length || !exactly(letters, end - length, end, schemes[k]))
        continue;
      *link = (struct avito_found){end - length, rest};
      return true;
    }
  }
  size_t start = i;
  while (start < end && !avito_point_is_letter(letters[start].point) && !avito_point_is_digit(letters[start].point))
    start++;
  size_t host = host_end(letters, start, end);
  if (host == start && end - start > 4 && exactly(letters, start, start + 4, "www."))
    host = www_end(letters, start, end);
  if (host > start) {
    *link = (struct avito_found){start, host < end ? host : rest_end(letters, end)};
    return true;
  }
  *link = (struct avito_found){start, disguised_end(letters, start, avito_word_end(letters, start))};
  return link->end > start;
}

bool avito_find_link(const struct avito_letter *letters, size_t count, size_t from, struct avito_found *link)
{
  for (size_t i = from; i < count;) {
    size_t end = run_end(letters, i);
    if (letters[end].point == '@' && at_sign(letters, end, from, link))
      return true;
    if (end > i && link_in_run(letters, i, end, link))
      return true;
    i = end > i ? end : i + 1;
  }
  return false;
}

/* Before the phone number in an address. */
static const char *const before_phones[] = {"wa.me/", "t.me/", "phone=", NULL};

/* The first digit of the phone number in a link, or its end. */
static size_t phone_in_link(const struct avito_letter *letters, struct avito_found link)
{
  for (size_t i = link.start; i < link.end; i++) {
    for (size_t k = 0; before_phones[k] != NULL; k++) {
      size_t behind = i + strlen(before_phones[k]);
      if (behind >= link.end || !exactly(letters, i, behind, before_phones[k]))
        continue;
      size_t digits = behind + (letters[behind].point == '+');
      size_t length = avito_digits_end(letters, digits) - digits;
      if (length >= 8 && !avito_point_is_letter(letters[digits + length].point))
        return digits;
    }
  }
  return link.end;
}

void avito_links_hide(struct avito_letter *letters, size_t count)
{
  struct avito_found link = {0, 0};
  while (avito_find_link(letters, count, link.end, &link)) {
    size_t digits = phone_in_link(letters, link);
    size_t end = digits < link.end ? avito_digits_end(letters, digits) : link.end;
    avito_letters_hide(letters, (struct avito_found){link.start, digits});
    avito_letters_hide(letters, (struct avito_found){end, link.end});
    if (digits < link.end)
      letters[digits - 1].point = '+';
  }
}
