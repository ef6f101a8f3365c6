/* finders.c - libFuzzer harness of what is found in a message, and of splitting.
 *
 * The first byte is the limit of a piece. */
#include "text/finders.h"

#include <stdlib.h>

struct text {
  struct avito_letter *letters;
  size_t count;
};

static struct text read_text(const char *bytes, size_t size)
{
  struct text text = {malloc((size + 1) * sizeof *text.letters), 0};
  text.count = avito_letters(text.letters, bytes, size);
  if (text.count > size || text.letters[text.count].point != AVITO_NO_LETTER)
    abort();
  for (size_t i = 0; i < text.count; i++)
    if (text.letters[i].start >= text.letters[i].end || text.letters[i].end > text.letters[i + 1].start)
      abort();
  return text;
}

/* What is found lies in the text, behind what was found before. */
static void check_found(struct avito_found found, size_t from, size_t count)
{
  if (found.start < from || found.end <= found.start || found.end > count)
    abort();
}

static void check_phone(const char *phone)
{
  size_t digits = strspn(phone + 1, "0123456789");
  if (phone[0] != '+' || digits < 8 || digits > AVITO_PHONE_DIGITS || phone[digits + 1] != '\0')
    abort();
}

static void find(const char *bytes, size_t size)
{
  struct text text = read_text(bytes, size);
  struct avito_found link = {0, 0};
  for (size_t from = 0; avito_find_link(text.letters, text.count, from, &link); from = link.end) {
    check_found(link, from, text.count);
    for (size_t i = link.start; i < link.end; i++)
      if (text.letters[i].point == AVITO_NO_LETTER)
        abort();
  }
  avito_links_hide(text.letters, text.count);
  struct avito_phone phone;
  for (size_t from = 0; avito_find_phone(text.letters, text.count, from, &phone); from = phone.found.end) {
    check_found(phone.found, from, text.count);
    check_phone(phone.text);
    avito_letters_hide(text.letters, phone.found);
  }
  struct avito_number number;
  for (size_t from = 0; avito_find_number(text.letters, text.count, from, &number); from = number.found.end) {
    check_found(number.found, from, text.count);
    if (!(number.value >= 0 && number.value <= 9007199254740992.0))
      abort();
  }
  free(text.letters);
}

static size_t points(const char *bytes, size_t size)
{
  size_t count = 0;
  for (size_t i = 0; i < size;) {
    unsigned char byte = (unsigned char)bytes[i++];
    size_t more = byte >= 0xf0 ? 3 : byte >= 0xe0 ? 2 : byte >= 0xc0 ? 1 : 0;
    for (; more > 0 && i < size && ((unsigned char)bytes[i] & 0xc0) == 0x80; more--)
      i++;
    count++;
  }
  return count;
}

static void split(const char *bytes, size_t size, size_t limit)
{
  size_t at = 0;
  size_t start;
  size_t length;
  for (size_t from = 0; (length = avito_split_next(bytes, size, limit, &at, &start)) > 0; from = at) {
    if (start < from || start + length > at || at > size)
      abort();
    /* Bytes that are not UTF-8 may be counted as less here, never as more. */
    if (points(bytes + start, length) > limit)
      abort();
  }
  if (at != size)
    abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  if (size == 0)
    return 0;
  char *text = malloc(size > 1 ? size - 1 : 1); /* of the exact size, for AddressSanitizer */
  memcpy(text, data + 1, size - 1);
  find(text, size - 1);
  split(text, size - 1, data[0] == 0 ? 1 : data[0]);
  free(text);
  return 0;
}
