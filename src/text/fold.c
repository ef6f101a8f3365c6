/* fold.c - see fold.h.
 *
 * Plain Russian and English, the usual punctuation and emoji need no tables: they are composed already, and case is an
 * offset. The first character of another kind sends the whole text through utf8proc. */
#include "fold.h"

#include <utf8proc.h>

enum {
  DROPPED = 0xff,   /* beside the classes: not part of the folded text */
  UNKNOWN = 0xfe,   /* utf8proc knows */
  CAPITAL = 1 << 21 /* of B and H until the word ends: as capitals they look like other letters than as small ones */
};

#define POINT(class, code) ((uint32_t)(class) << AVITO_CLASS_SHIFT | ((uint32_t)(code)&0xffffffu))

uint32_t avito_utf8_read(const char *text, size_t length, size_t *size)
{
  const unsigned char *p = (const unsigned char *)text;
  *size = 1;
  if (p[0] < 0x80)
    return p[0];
  uint32_t code;
  uint32_t least;
  size_t bytes;
  if (p[0] >= 0xc2 && p[0] <= 0xdf) {
    bytes = 2;
    least = 0x80;
    code = p[0] & 0x1fu;
  } else if (p[0] >= 0xe0 && p[0] <= 0xef) {
    bytes = 3;
    least = 0x800;
    code = p[0] & 0x0fu;
  } else if (p[0] >= 0xf0 && p[0] <= 0xf4) {
    bytes = 4;
    least = 0x10000;
    code = p[0] & 0x07u;
  } else {
    return 0xfffd;
  }
  if (bytes > length)
    return 0xfffd;
  for (size_t i = 1; i < bytes; i++) {
    if ((p[i] & 0xc0) != 0x80)
      return 0xfffd;
    code = code << 6 | (p[i] & 0x3fu);
  }
  if (code < least || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
    return 0xfffd;
  *size = bytes;
  return code;
}

size_t avito_utf8_write(uint32_t code, char *out)
{
  if (code < 0x80) {
    out[0] = (char)code;
    return 1;
  }
  if (code < 0x800) {
    out[0] = (char)(0xc0 | code >> 6);
    out[1] = (char)(0x80 | (code & 0x3f));
    return 2;
  }
  if (code < 0x10000) {
    out[0] = (char)(0xe0 | code >> 12);
    out[1] = (char)(0x80 | (code >> 6 & 0x3f));
    out[2] = (char)(0x80 | (code & 0x3f));
    return 3;
  }
  out[0] = (char)(0xf0 | code >> 18);
  out[1] = (char)(0x80 | (code >> 12 & 0x3f));
  out[2] = (char)(0x80 | (code >> 6 & 0x3f));
  out[3] = (char)(0x80 | (code & 0x3f));
  return 4;
}

/* ---- one character ---- */

static bool is_emoji(uint32_t code)
{
  return (code >= 0x1f000 && code <= 0x1faff) || (code >= 0x2600 && code <= 0x27bf) ||
         (code >= 0x2300 && code <= 0x23ff) || (code >= 0x2b00 && code <= 0x2bff);
}

/* Zero-width characters, marks of direction, variation selectors, skin tones, tags; accents that are left where no
 * composed letter has them, and the frame of a key. */
static bool is_dropped(uint32_t code)
{
  if (code < 0x300)
    return code == 0xad;
  return code <= 0x36f || (code >= 0x200b && code <= 0x200f) || (code >= 0x202a && code <= 0x202e) ||
         (code >= 0x2060 && code <= 0x206f) || (code >= 0x20d0 && code <= 0x20ff) || code == 0xfeff || code == 0x61c ||
         code == 0x180e || (code >= 0x1ab0 && code <= 0x1aff) || (code >= 0xfe00 && code <= 0xfe0f) ||
         (code >= 0x1f3fb && code <= 0x1f3ff) || (code >= 0xe0000 && code <= 0xe01ef);
}

/* The point of a character that stands for itself whatever is beside it, or UNKNOWN in place of its class. */
static inline uint32_t simple_point(uint32_t code)
{
  if (code < 0x80) {
    if (code >= 'a' && code <= 'z')
      return POINT(AVITO_LETTER, code);
    if (code >= 'A' && code <= 'Z')
      return POINT(AVITO_LETTER, (code + 32) | (code == 'B' || code == 'H' ? CAPITAL : 0));
    return POINT(code >= '0' && code <= '9' ? AVITO_DIGIT : AVITO_APART, code);
  }
  if (code >= 0x430 && code <= 0x44f)
    return POINT(AVITO_CYRILLIC, code);
  if (code >= 0x410 && code <= 0x42f)
    return POINT(AVITO_CYRILLIC, code + 0x20);
  if (code == 0x451 || code == 0x401)
    return POINT(AVITO_CYRILLIC, 0x435);
  if (code == 0xad || (code >= 0x200b && code <= 0x200f) || code == 0xfeff || code == 0xfe0f ||
      (code >= 0x1f3fb && code <= 0x1f3ff))
    return POINT(DROPPED, code);
  if (code == 0xa0 || code == 0xab || code == 0xbb || (code >= 0x2010 && code <= 0x2027) || code == 0x2116 ||
      code == 0x20bd || code == 0xfffd)
    return POINT(AVITO_APART, code);
  if ((code >= 0x1f000 && code <= 0x1faff) || (code >= 0x2600 && code <= 0x27bf))
    return POINT(AVITO_EMOJI, code);
  return POINT(UNKNOWN, code);
}

/* The class of a character in lower case and composed. */
static enum avito_class class_of(uint32_t code)
{
  if (is_emoji(code))
    return AVITO_EMOJI;
  switch (utf8proc_category((utf8proc_int32_t)code)) {
  case UTF8PROC_CATEGORY_LU:
  case UTF8PROC_CATEGORY_LL:
  case UTF8PROC_CATEGORY_LT:
  case UTF8PROC_CATEGORY_LM:
  case UTF8PROC_CATEGORY_LO:
  case UTF8PROC_CATEGORY_MN: /* vowels of scripts that write them so */
  case UTF8PROC_CATEGORY_MC:
    return code >= 0x400 && code <= 0x52f ? AVITO_CYRILLIC : AVITO_LETTER;
  case UTF8PROC_CATEGORY_ND:
    return AVITO_DIGIT;
  default:
    return AVITO_APART;
  }
}

enum avito_class avito_class_of(uint32_t code, bool *dropped)
{
  *dropped = is_dropped(code);
  return *dropped ? AVITO_APART : class_of(code);
}

/* ---- look-alikes ---- */

/* The Cyrillic letter that a Latin one looks like, or 0. */
static uint32_t cyrillic_of(uint32_t code)
{
  switch (code) {
  case 'a':
  case 0xe0: /* à, á: an accent is how stress is typed */
  case 0xe1:
    return 0x430;
  case 'b' | CAPITAL:
    return 0x432;
  case 'b':
    return 0x44c;
  case 'c':
    return 0x441;
  case 'e':
  case 0xe8:
  case 0xe9:
  case 0xeb:
    return 0x435;
  case 'h' | CAPITAL:
    return 0x43d;
  case 'k':
    return 0x43a;
  case 'm':
    return 0x43c;
  case 'o':
  case 0xf2:
  case 0xf3:
    return 0x43e;
  case 'p':
    return 0x440;
  case 't':
    return 0x442;
  case 'x':
    return 0x445;
  case 'y':
  case 0xfd:
    return 0x443;
  default:
    return 0;
  }
}

static bool is_letter(uint32_t point)
{
  return AVITO_CLASS_OF(point) == AVITO_LETTER || AVITO_CLASS_OF(point) == AVITO_CYRILLIC;
}

/* A word of letters of which some are Cyrillic. */
static void mend_letters(uint32_t *points, size_t count)
{
  for (size_t i = 0; i < count; i++) {
    uint32_t code = AVITO_CLASS_OF(points[i]) == AVITO_LETTER ? cyrillic_of(points[i] & 0x3fffff) : 0;
    if (code != 0)
      points[i] = POINT(AVITO_CYRILLIC, code);
  }
}

/* A run of letters and digits in which Cyrillic letters stand beside Latin ones or digits. */
static void mend_run(uint32_t *points, size_t count)
{
  for (size_t from = 0, to; from < count; from = to) {
    bool cyrillic = false;
    for (to = from; to < count && is_letter(points[to]); to++)
      cyrillic = cyrillic || AVITO_CLASS_OF(points[to]) == AVITO_CYRILLIC;
    if (cyrillic)
      mend_letters(points + from, to - from);
    to += to == from;
  }
  for (size_t i = 1; i + 1 < count; i++)
    if (AVITO_CLASS_OF(points[i - 1]) == AVITO_CYRILLIC && AVITO_CLASS_OF(points[i + 1]) == AVITO_CYRILLIC) {
      if (points[i] == POINT(AVITO_DIGIT, '0'))
        points[i] = POINT(AVITO_CYRILLIC, 0x43e);
      else if (points[i] == POINT(AVITO_DIGIT, '3'))
        points[i] = POINT(AVITO_CYRILLIC, 0x437);
    }
}

/* ---- a text ---- */

/* The points written so far, and of the run of letters and digits at their end its beginning and the classes in it. */
struct folded {
  uint32_t *points;
  size_t count;
  size_t run;
  unsigned classes; /* a bit for each */
  uint32_t codes;   /* all of the run or-ed */
};

static void end_run(struct folded *folded)
{
  unsigned cyrillic = 1u << AVITO_CYRILLIC;
  if ((folded->classes & cyrillic) != 0 && folded->classes != cyrillic)
    mend_run(folded->points + folded->run, folded->count - folded->run);
  if ((folded->codes & CAPITAL) != 0)
    for (size_t i = folded->run; i < folded->count; i++)
      folded->points[i] &= ~(uint32_t)CAPITAL;
  folded->classes = 0;
  folded->codes = 0;
}

static inline void add(struct folded *folded, uint32_t point)
{
  enum avito_class class = AVITO_CLASS_OF(point);
  if (class == AVITO_APART || class == AVITO_EMOJI) {
    if (folded->classes != 0)
      end_run(folded);
  } else {
    if (folded->classes == 0)
      folded->run = folded->count;
    folded->classes |= 1u << class;
    folded->codes |= point;
  }
  folded->points[folded->count++] = point;
}

/* In lower case; е and и that Unicode has with an accent lose it as those do that it has not. */
static void add_any(struct folded *folded, uint32_t code)
{
  if (code == 0x400 || code == 0x450) {
    code = 0x435;
  } else if (code == 0x40d || code == 0x45d) {
    code = 0x438;
  }
  if (is_dropped(code))
    return;
  uint32_t point = simple_point(code);
  add(folded, point >> AVITO_CLASS_SHIFT <= AVITO_EMOJI ? point : POINT(class_of(code), code));
}

static size_t fold_any(const char *text, size_t length, uint32_t *points, uint32_t *spare)
{
  size_t room = AVITO_FOLD_ROOM(length);
  utf8proc_int32_t *codes = (utf8proc_int32_t *)spare;
  size_t count = 0;
  for (size_t at = 0, size; at < length; at += size) {
    uint32_t code = avito_utf8_read(text + at, length - at, &size);
    int bounds = 0;
    utf8proc_ssize_t added = utf8proc_decompose_char((utf8proc_int32_t)code, codes + count,
                                                     (utf8proc_ssize_t)(room - count), UTF8PROC_DECOMPOSE, &bounds);
    if (added < 0 || (size_t)added > room - count)
      break;
    count += (size_t)added;
  }
  /* Accents of one letter in their canonical order, by insertion: there are a few. */
  for (size_t i = 1; i < count; i++) {
    utf8proc_int32_t code = codes[i];
    utf8proc_propval_t rank = utf8proc_get_property(code)->combining_class;
    size_t to = i;
    size_t most = i < 32 ? i : 32;
    while (rank != 0 && i - to < most && utf8proc_get_property(codes[to - 1])->combining_class > rank) {
      codes[to] = codes[to - 1];
      to--;
    }
    codes[to] = code;
  }
  utf8proc_ssize_t composed =
      utf8proc_normalize_utf32(codes, (utf8proc_ssize_t)count, UTF8PROC_COMPOSE | UTF8PROC_STABLE);
  count = composed > 0 ? (size_t)composed : 0;
  struct folded folded = {.points = points};
  for (size_t i = 0; i < count; i++) {
    utf8proc_int32_t lower[4];
    int bounds = 0;
    utf8proc_ssize_t added =
        codes[i] < 0x80 ? 0 : utf8proc_decompose_char(codes[i], lower, 4, UTF8PROC_CASEFOLD, &bounds);
    if (added < 1 || added > 4) {
      lower[0] = codes[i];
      added = 1;
    }
    for (utf8proc_ssize_t j = 0; j < added && folded.count < room; j++)
      add_any(&folded, (uint32_t)lower[j]);
  }
  end_run(&folded);
  return folded.count;
}

size_t avito_fold(const char *text, size_t length, uint32_t *points, uint32_t *spare)
{
  struct folded folded = {.points = points};
  const unsigned char *bytes = (const unsigned char *)text;
  for (size_t at = 0, size; at < length; at += size) {
    uint32_t code;
    if (bytes[at] < 0x80) {
      code = bytes[at];
      size = 1;
    } else if ((bytes[at] == 0xd0 || bytes[at] == 0xd1) && at + 1 < length && (bytes[at + 1] & 0xc0) == 0x80) {
      code = (bytes[at] & 0x1fu) << 6 | (bytes[at + 1] & 0x3fu);
      size = 2;
    } else {
      code = avito_utf8_read(text + at, length - at, &size);
    }
    uint32_t point = simple_point(code);
    unsigned class = point >> AVITO_CLASS_SHIFT;
    if (class == UNKNOWN)
      return fold_any(text, length, points, spare);
    if (class != DROPPED)
      add(&folded, point);
  }
  end_run(&folded);
  return folded.count;
}
