/* fold.h - the letters of a text as words are compared by.
 *
 * A folded point is a code point with its class in the top byte. The class follows from the code point alone, so that
 * points are compared as they are. */
#ifndef AVITO_TEXT_FOLD_H
#define AVITO_TEXT_FOLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum avito_class {
  AVITO_APART, /* parts words */
  AVITO_LETTER,
  AVITO_CYRILLIC, /* a letter, too */
  AVITO_DIGIT,
  AVITO_EMOJI /* a word of its own */
};

#define AVITO_CLASS_SHIFT     24
#define AVITO_CLASS_OF(point) ((enum avito_class)((point) >> AVITO_CLASS_SHIFT))
#define AVITO_CODE_OF(point)  ((point)&0x1fffffu)

/* Room in points that folding `length` bytes takes at most: of `points` and of `spare` each. No character takes more than
 * two a byte, the widest being U+0390: two bytes, three points. */
#define AVITO_FOLD_ROOM(length) (2 * (length))

/* Folds a text: case, ё as е, composed forms; drops what is not seen (zero-width characters, soft hyphens, accents);
 * makes Latin letters that look like Cyrillic ones Cyrillic within a word that has Cyrillic letters, and a single 0 or 3
 * between Cyrillic letters о or з. A byte that is not UTF-8 becomes U+FFFD. Returns the number of points; both arrays
 * are the caller's. */
size_t avito_fold(const char *text, size_t length, uint32_t *points, uint32_t *spare);

/* The class of a character as it stands in a text, and whether folding drops it. */
enum avito_class avito_class_of(uint32_t code, bool *dropped);

/* The code point at text[0..length), length > 0, and *size, the bytes it takes. A byte that is not UTF-8 is U+FFFD. */
uint32_t avito_utf8_read(const char *text, size_t length, size_t *size);

/* Writes a code point as UTF-8; returns its bytes, at most 4. */
size_t avito_utf8_write(uint32_t code, char *out);

/* The next word at or after points[*at]: sets *at to its first point and returns how many it has, 0 at the end. */
static inline size_t avito_next_word(const uint32_t *points, size_t count, size_t *at)
{
  size_t i = *at;
  while (i < count && AVITO_CLASS_OF(points[i]) == AVITO_APART)
    i++;
  *at = i;
  if (i == count)
    return 0;
  enum avito_class first = AVITO_CLASS_OF(points[i]);
  i++;
  if (first == AVITO_DIGIT)
    while (i < count && AVITO_CLASS_OF(points[i]) == AVITO_DIGIT)
      i++;
  else if (first != AVITO_EMOJI)
    while (i < count && (AVITO_CLASS_OF(points[i]) == AVITO_LETTER || AVITO_CLASS_OF(points[i]) == AVITO_CYRILLIC))
      i++;
  return i - *at;
}

#endif
