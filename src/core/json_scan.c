/* json_scan.c - see json_scan.h.
 *
 * The 0 behind the text is a sentinel: no rule accepts it, so no rule has to look for the end. */
#include "json_scan.h"
#include "json_number.h"

#include <float.h>
#include <string.h>

#if defined(__SSE2__) && !defined(AVITO_JSON_PORTABLE)
#define USE_SSE2 1
#include <emmintrin.h>
#else
#define USE_SSE2 0
#endif

typedef unsigned char byte;

struct reader {
  const byte *end; /* the sentinel */
  const byte *at;  /* where an error was met */
  const char *message;
};

static const byte *refuse(struct reader *reader, const byte *at, const char *message)
{
  reader->at = at;
  if (at == reader->end)
    reader->message = "unexpected end of the text";
  else if (*at == 0)
    reader->message = "unexpected NUL byte";
  else
    reader->message = message;
  return NULL;
}

static inline const byte *skip_space(const byte *p)
{
  while (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t')
    ++p;
  return p;
}

static inline int is_digit(byte c)
{
  return (unsigned)c - '0' < 10;
}

/* -- strings ------------------------------------------------------------------------------------------------------- */

static inline int is_continuation(byte c)
{
  return (c & 0xC0) == 0x80;
}

/* Length of the well-formed UTF-8 sequence of two or more bytes at p, 0 when there is none (Unicode, table 3-7). */
static inline size_t sequence(const byte *p)
{
  byte lead = p[0];
  if (lead < 0xE0)
    return lead >= 0xC2 && is_continuation(p[1]) ? 2 : 0;
  if (lead < 0xF0) {
    byte low = lead == 0xE0 ? 0xA0 : 0x80;
    byte high = lead == 0xED ? 0x9F : 0xBF;
    return p[1] >= low && p[1] <= high && is_continuation(p[2]) ? 3 : 0;
  }
  if (lead < 0xF5) {
    byte low = lead == 0xF0 ? 0x90 : 0x80;
    byte high = lead == 0xF4 ? 0x8F : 0xBF;
    return p[1] >= low && p[1] <= high && is_continuation(p[2]) && is_continuation(p[3]) ? 4 : 0;
  }
  return 0;
}

static inline int hex_digit(byte c)
{
  if (is_digit(c))
    return c - '0';
  c |= 0x20;
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The value of four hex digits, -1 when they are not. */
static int hex4(const byte *p)
{
  int value = 0;
  for (int i = 0; i < 4; ++i) {
    int digit = hex_digit(p[i]);
    if (digit < 0)
      return -1;
    value = value * 16 + digit;
  }
  return value;
}

static inline int is_high_surrogate(int unit)
{
  return (unit & 0xFC00) == 0xD800;
}

static inline int is_low_surrogate(int unit)
{
  return (unit & 0xFC00) == 0xDC00;
}

/* p is at a backslash; returns what follows the escape. */
static const byte *scan_escape(struct reader *reader, const byte *p)
{
  switch (p[1]) {
  case '"':
  case '\\':
  case '/':
  case 'b':
  case 'f':
  case 'n':
  case 'r':
  case 't':
    return p + 2;
  case 'u':
    break;
  default:
    return refuse(reader, p + 1, "invalid escape in a string");
  }
  int unit = hex4(p + 2);
  if (unit < 0) {
    for (p += 2; hex_digit(*p) >= 0;)
      ++p;
    return refuse(reader, p, "invalid \\u escape in a string");
  }
  if (is_low_surrogate(unit))
    return refuse(reader, p, "lone surrogate in a \\u escape");
  if (!is_high_surrogate(unit))
    return p + 6;
  if (p[6] == '\\' && p[7] == 'u' && is_low_surrogate(hex4(p + 8)))
    return p + 12;
  return refuse(reader, p, "lone surrogate in a \\u escape");
}

/* The first byte from p on that is not plain: a quote, a backslash, a control character, beyond ASCII. */
static inline const byte *skip_plain(const byte *p, const byte *end)
{
#if USE_SSE2
  const __m128i quote = _mm_set1_epi8('"');
  const __m128i backslash = _mm_set1_epi8('\\');
  const __m128i space = _mm_set1_epi8(' ');
  for (; end - p >= 16; p += 16) {
    __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)p);
    /* The comparison is signed: what lies beyond ASCII is also less than a space. */
    __m128i found = _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(bytes, quote), _mm_cmpeq_epi8(bytes, backslash)),
                                 _mm_cmplt_epi8(bytes, space));
    int mask = _mm_movemask_epi8(found);
    if (mask != 0)
      return p + __builtin_ctz((unsigned)mask);
  }
#else
  const uint64_t ones = UINT64_C(0x0101010101010101);
  for (; end - p >= 8; p += 8) {
    uint64_t bytes;
    memcpy(&bytes, p, sizeof bytes);
    uint64_t quote = bytes ^ (ones * '"');
    uint64_t backslash = bytes ^ (ones * '\\');
    /* Each term has the top bit of a byte that matches, and perhaps of one above it in a byte of the same word: enough
     * to say that the word holds one. */
    uint64_t found = bytes | (quote - ones) | (backslash - ones) | (bytes - ones * ' ');
    if ((found & (ones << 7)) != 0)
      break;
  }
#endif
  while (*p >= ' ' && *p < 0x80 && *p != '"' && *p != '\\')
    ++p;
  return p;
}

/* p is behind the opening quote; returns the closing one. */
static inline const byte *scan_string(struct reader *reader, const byte *p, uint32_t *kind)
{
  *kind = AVITO_JSON_STRING;
  for (;;) {
    p = skip_plain(p, reader->end);
    if (*p == '"')
      return p;
    if (*p >= 0x80) {
      do {
        size_t length = sequence(p);
        if (length == 0)
          return refuse(reader, p, "invalid UTF-8");
        p += length;
      } while (*p >= 0x80);
    } else if (*p == '\\') {
      *kind = AVITO_JSON_ESCAPED;
      p = scan_escape(reader, p);
      if (p == NULL)
        return NULL;
    } else {
      return refuse(reader, p, "control character in a string");
    }
  }
}

static char *put_utf8(char *out, unsigned code)
{
  if (code < 0x80) {
    *out++ = (char)code;
  } else if (code < 0x800) {
    *out++ = (char)(0xC0 | code >> 6);
    *out++ = (char)(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    *out++ = (char)(0xE0 | code >> 12);
    *out++ = (char)(0x80 | (code >> 6 & 0x3F));
    *out++ = (char)(0x80 | (code & 0x3F));
  } else {
    *out++ = (char)(0xF0 | code >> 18);
    *out++ = (char)(0x80 | (code >> 12 & 0x3F));
    *out++ = (char)(0x80 | (code >> 6 & 0x3F));
    *out++ = (char)(0x80 | (code & 0x3F));
  }
  return out;
}

static char simple_escape(char letter)
{
  switch (letter) {
  case 'b':
    return '\b';
  case 'f':
    return '\f';
  case 'n':
    return '\n';
  case 'r':
    return '\r';
  case 't':
    return '\t';
  default:
    return letter;
  }
}

size_t avito_json_unescape(const struct avito_json_token *token, char *out)
{
  const char *p = token->as.text;
  const char *end = p + token->size;
  char *start = out;
  while (p < end) {
    if (*p != '\\') {
      *out++ = *p++;
    } else if (p[1] != 'u') {
      *out++ = simple_escape(p[1]);
      p += 2;
    } else {
      int unit = hex4((const byte *)p + 2);
      p += 6;
      if (is_high_surrogate(unit)) {
        int low = hex4((const byte *)p + 2);
        p += 6;
        unit = 0x10000 + ((unit & 0x3FF) << 10) + (low & 0x3FF);
      }
      out = put_utf8(out, (unsigned)unit);
    }
  }
  return (size_t)(out - start);
}

/* -- numbers ------------------------------------------------------------------------------------------------------- */

/* A literal whose integer part is well formed and ends at p, which is '.', 'e' or 'E'. */
static const byte *scan_real(struct reader *reader, const byte *start, const byte *p, double *value)
{
  if (*p == '.') {
    if (!is_digit(*++p))
      return refuse(reader, p, "digit expected after the decimal point");
    while (is_digit(*p))
      ++p;
  }
  if (*p == 'e' || *p == 'E') {
    ++p;
    if (*p == '-' || *p == '+')
      ++p;
    if (!is_digit(*p))
      return refuse(reader, p, "digit expected in the exponent");
    while (is_digit(*p))
      ++p;
  }
  *value = avito_json_real((const char *)start, (const char *)p);
  if (*value > DBL_MAX || *value < -DBL_MAX)
    return refuse(reader, start, "number out of range");
  return p;
}

/* p is at a minus sign or a digit; returns what follows the number. */
static inline const byte *scan_number(struct reader *reader, const byte *p, struct avito_json_token *token)
{
  const byte *start = p;
  int negative = *p == '-';
  p += negative;
  const byte *digits = p;
  if (!is_digit(*p))
    return refuse(reader, p, "digit expected");
  uint64_t magnitude = 0; /* meaningless past 19 digits */
  for (; is_digit(*p); ++p)
    magnitude = magnitude * 10 + (uint64_t)(*p - '0');
  if (*digits == '0' && p - digits > 1)
    return refuse(reader, digits, "number with a leading zero");
  if (*p == '.' || *p == 'e' || *p == 'E') {
    token->kind = AVITO_JSON_REAL;
    return scan_real(reader, start, p, &token->as.real);
  }
  uint64_t limit = (uint64_t)INT64_MAX + (uint64_t)negative;
  if (p - digits > 19 || magnitude > limit) {
    token->kind = AVITO_JSON_DIGITS;
    token->size = (uint32_t)(p - start);
    token->as.text = (const char *)start;
  } else {
    token->kind = AVITO_JSON_INTEGER;
    token->as.integer = negative ? (int64_t)(0 - magnitude) : (int64_t)magnitude;
  }
  return p;
}

/* -- the grammar --------------------------------------------------------------------------------------------------- */

static const byte *scan_word(struct reader *reader, const byte *p, const char *word)
{
  for (; *word != '\0'; ++word, ++p)
    if (*p != (byte)*word)
      return refuse(reader, p, "unexpected character in a value");
  return p;
}

/* The next free token; may move the tokens. */
static inline struct avito_json_token *next_token(struct avito_json_scan *scan)
{
  if (scan->count == scan->capacity && !scan->grow(scan))
    return NULL;
  return &scan->tokens[scan->count++];
}

int avito_json_scan(struct avito_json_scan *scan, const char *text, size_t length, unsigned max_depth,
                    struct avito_json_error *error)
{
  const byte *p = (const byte *)text;
  struct reader reader = {.end = p + length, .at = p};
  struct avito_json_token *token;
  uint32_t open = 0; /* index of the innermost open table */
  unsigned depth = 0;

  scan->count = 0;
  scan->widest = 0;
  token = next_token(scan);
  if (token == NULL)
    goto failed;
  *token = (struct avito_json_token){.kind = AVITO_JSON_ROOT};

  if (length > AVITO_JSON_MAX_BYTES) {
    refuse(&reader, p, "text too long");
    goto failed;
  }
  if (p[0] == 0xEF && p[1] == 0xBB && p[2] == 0xBF) {
    refuse(&reader, p, "byte order mark before the value");
    goto failed;
  }

value:
  p = skip_space(p);
  token = next_token(scan);
  if (token == NULL)
    goto failed;
  switch (*p) {
  case '"':
    token->as.text = (const char *)++p;
    p = scan_string(&reader, p, &token->kind);
    if (p == NULL)
      goto failed;
    token->size = (uint32_t)((const char *)p - token->as.text);
    if (token->kind == AVITO_JSON_ESCAPED && token->size > scan->widest)
      scan->widest = token->size;
    ++p;
    break;
  case '{':
  case '[':
    if (depth == max_depth) {
      refuse(&reader, p, "nested too deeply");
      goto failed;
    }
    ++depth;
    ++scan->tokens[open].size;
    token->kind = *p == '{' ? AVITO_JSON_OBJECT : AVITO_JSON_ARRAY;
    token->size = 0;
    token->as.table.nulls = 0;
    token->as.table.parent = open;
    open = (uint32_t)(scan->count - 1);
    p = skip_space(p + 1);
    if (token->kind == AVITO_JSON_OBJECT) {
      if (*p != '}')
        goto name;
    } else {
      if (*p != ']')
        goto value;
    }
    goto close;
  case 't':
    token->kind = AVITO_JSON_TRUE;
    p = scan_word(&reader, p, "true");
    break;
  case 'f':
    token->kind = AVITO_JSON_FALSE;
    p = scan_word(&reader, p, "false");
    break;
  case 'n':
    token->kind = AVITO_JSON_NULL;
    p = scan_word(&reader, p, "null");
    if (p == NULL)
      goto failed;
    if (scan->tokens[open].kind == AVITO_JSON_ARRAY)
      --scan->count;
    else
      ++scan->tokens[open].as.table.nulls;
    goto after;
  case '-':
  case '0':
  case '1':
  case '2':
  case '3':
  case '4':
  case '5':
  case '6':
  case '7':
  case '8':
  case '9':
    p = scan_number(&reader, p, token);
    break;
  default:
    refuse(&reader, p, "value expected");
    goto failed;
  }
  if (p == NULL)
    goto failed;
  ++scan->tokens[open].size;

after:
  p = skip_space(p);
  switch (scan->tokens[open].kind) {
  case AVITO_JSON_OBJECT:
    if (*p == ',') {
      p = skip_space(p + 1);
      goto name;
    }
    if (*p == '}')
      goto close;
    refuse(&reader, p, "',' or '}' expected");
    goto failed;
  case AVITO_JSON_ARRAY:
    if (*p == ',') {
      ++p;
      goto value;
    }
    if (*p == ']')
      goto close;
    refuse(&reader, p, "',' or ']' expected");
    goto failed;
  default:
    if (p == reader.end)
      return 1;
    refuse(&reader, p, "text after the value");
    goto failed;
  }

name:
  if (*p != '"') {
    refuse(&reader, p, "name of a member expected");
    goto failed;
  }
  token = next_token(scan);
  if (token == NULL)
    goto failed;
  token->as.text = (const char *)++p;
  p = scan_string(&reader, p, &token->kind);
  if (p == NULL)
    goto failed;
  token->size = (uint32_t)((const char *)p - token->as.text);
  if (token->kind == AVITO_JSON_ESCAPED && token->size > scan->widest)
    scan->widest = token->size;
  p = skip_space(p + 1);
  if (*p != ':') {
    refuse(&reader, p, "':' expected");
    goto failed;
  }
  ++p;
  goto value;

close:
  ++p;
  --depth;
  open = scan->tokens[open].as.table.parent;
  goto after;

failed:
  error->message = reader.message;
  error->offset = (size_t)(reader.at - (const byte *)text);
  return 0;
}
