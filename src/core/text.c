#include "text.h"

int64_t avito_utf8_length(const char *bytes, size_t length)
{
  const unsigned char *p = (const unsigned char *)bytes;
  const unsigned char *end = p + length;
  int64_t count = 0;
  while (p < end) {
    unsigned char c = *p;
    unsigned more;
    if (c < 0x80) {
      more = 0;
    } else if (c >= 0xc2 && c <= 0xdf) {
      more = 1;
    } else if (c >= 0xe0 && c <= 0xef) {
      more = 2;
    } else if (c >= 0xf0 && c <= 0xf4) {
      more = 3;
    } else {
      return -1;
    }
    if ((size_t)(end - p) <= more) {
      return -1;
    }
    for (unsigned i = 1; i <= more; i++) {
      if ((p[i] & 0xc0) != 0x80) {
        return -1;
      }
    }
    if ((c == 0xe0 && p[1] < 0xa0) || (c == 0xed && p[1] > 0x9f) || (c == 0xf0 && p[1] < 0x90) ||
        (c == 0xf4 && p[1] > 0x8f)) {
      return -1;
    }
    p += more + 1;
    count++;
  }
  return count;
}

bool avito_has_control(const char *bytes, size_t length)
{
  for (size_t i = 0; i < length; i++) {
    unsigned char c = (unsigned char)bytes[i];
    if (c < 0x20 || c == 0x7f) {
      return true;
    }
  }
  return false;
}

static char lower(char c)
{
  return (c >= 'A' && c <= 'Z') ? (char)(c + ('a' - 'A')) : c;
}

bool avito_contains_word(const char *bytes, size_t length, const char *word)
{
  size_t size = strlen(word);
  for (size_t i = 0; i + size <= length; i++) {
    size_t j = 0;
    while (j < size && lower(bytes[i + j]) == word[j]) {
      j++;
    }
    if (j == size) {
      return true;
    }
  }
  return false;
}

static bool unreserved(char c)
{
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
         c == '_' || c == '~';
}

static const char hex_digits[] = "0123456789ABCDEF";

void avito_percent_encode(lua_State *L, struct avito_buffer *out, const char *bytes, size_t length, const char *keep)
{
  for (size_t i = 0; i < length; i++) {
    char c = bytes[i];
    if (unreserved(c) || (c != '\0' && strchr(keep, c) != NULL)) {
      avito_buffer_add_char(L, out, c);
    } else {
      unsigned char u = (unsigned char)c;
      const char escape[3] = {'%', hex_digits[u >> 4], hex_digits[u & 15]};
      avito_buffer_add(L, out, escape, sizeof escape);
    }
  }
}

void avito_json_string(lua_State *L, struct avito_buffer *out, const char *bytes, size_t length)
{
  avito_buffer_add_char(L, out, '"');
  size_t from = 0;
  for (size_t i = 0; i < length; i++) {
    unsigned char c = (unsigned char)bytes[i];
    if (c >= 0x20 && c != '"' && c != '\\') {
      continue;
    }
    avito_buffer_add(L, out, bytes + from, i - from);
    from = i + 1;
    if (c == '"' || c == '\\') {
      const char escape[2] = {'\\', (char)c};
      avito_buffer_add(L, out, escape, sizeof escape);
    } else if (c == '\n') {
      avito_buffer_add(L, out, "\\n", 2);
    } else {
      const char escape[6] = {'\\', 'u', '0', '0', hex_digits[c >> 4], hex_digits[c & 15]};
      avito_buffer_add(L, out, escape, sizeof escape);
    }
  }
  avito_buffer_add(L, out, bytes + from, length - from);
  avito_buffer_add_char(L, out, '"');
}

#define MAX_WORD 32

/* The letters of a word, a code point each; bytes that are no UTF-8 stand for themselves. MAX_WORD + 1 when there are more. */
static size_t letters_of(const char *word, uint32_t *letters)
{
  size_t count = 0;
  for (const unsigned char *byte = (const unsigned char *)word; *byte != '\0'; byte++) {
    bool continues =
        (*byte & 0xc0) == 0x80 && count > 0 && letters[count - 1] >= 0x80 && letters[count - 1] < 0x1000000;
    if (continues) {
      letters[count - 1] = letters[count - 1] << 8 | *byte;
      continue;
    }
    if (count == MAX_WORD)
      return MAX_WORD + 1;
    letters[count++] = *byte;
  }
  return count;
}

unsigned avito_distance(const char *one, const char *other, unsigned limit)
{
  uint32_t a[MAX_WORD];
  uint32_t b[MAX_WORD];
  size_t m = letters_of(one, a);
  size_t n = letters_of(other, b);
  if (m > MAX_WORD || n > MAX_WORD) {
    return limit;
  }
  unsigned char rows[3][MAX_WORD + 1];
  for (size_t j = 0; j <= n; j++) {
    rows[0][j] = (unsigned char)j;
  }
  for (size_t i = 1; i <= m; i++) {
    unsigned char *row = rows[i % 3];
    const unsigned char *above = rows[(i + 2) % 3];
    const unsigned char *two_above = rows[(i + 1) % 3];
    row[0] = (unsigned char)i;
    for (size_t j = 1; j <= n; j++) {
      unsigned best = above[j - 1] + (a[i - 1] == b[j - 1] ? 0u : 1u);
      if (above[j] + 1u < best) {
        best = above[j] + 1u;
      }
      if (row[j - 1] + 1u < best) {
        best = row[j - 1] + 1u;
      }
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && two_above[j - 2] + 1u < best) {
        best = two_above[j - 2] + 1u;
      }
      row[j] = (unsigned char)best;
    }
  }
  unsigned distance = rows[m % 3][n];
  return distance < limit ? distance : limit;
}
