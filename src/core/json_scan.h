/* json_scan.h - checks a JSON text and cuts it into tokens. Knows no Lua.
 *
 * The scan is strict: the grammar of RFC 8259, well-formed UTF-8 (no overlong forms, no surrogates, nothing past
 * U+10FFFF), surrogates in \u escapes only in pairs, and nothing after the value. Tokens that come out of it need
 * no further checks: whoever builds values from them cannot meet an error.
 *
 * The time is linear in the length of the text; there is no recursion.
 */
#ifndef AVITO_JSON_SCAN_H
#define AVITO_JSON_SCAN_H

#include <stddef.h>
#include <stdint.h>

/* The longest text. Every count and offset of it fits in an int. */
#define AVITO_JSON_MAX_BYTES ((size_t)0x7ffffffe)

struct avito_json_error {
  const char *message; /* static */
  size_t offset;       /* bytes before the place of the error */
};

enum avito_json_kind {
  AVITO_JSON_ROOT, /* token 0 alone */
  AVITO_JSON_NULL,
  AVITO_JSON_FALSE,
  AVITO_JSON_TRUE,
  AVITO_JSON_INTEGER, /* an integer literal within int64 */
  AVITO_JSON_DIGITS,  /* an integer literal past int64 */
  AVITO_JSON_REAL,    /* a literal with a fraction or an exponent */
  AVITO_JSON_STRING,  /* its bytes are its value */
  AVITO_JSON_ESCAPED, /* avito_json_unescape() makes its value */
  AVITO_JSON_ARRAY,
  AVITO_JSON_OBJECT
};

/* A table is followed by what it holds: the elements of an array, a name (STRING or ESCAPED) before each member of
 * an object. A null element leaves no token; a null member does, because it overrides an earlier member of that name. */
struct avito_json_token {
  uint32_t kind;
  uint32_t size; /* bytes of `text`; in a table, how many values are not null */
  union {
    const char *text; /* DIGITS, STRING, ESCAPED: within the scanned text, not terminated */
    int64_t integer;
    double real;
    struct {
      uint32_t nulls;  /* members of an object that are null */
      uint32_t parent; /* index of the token of the enclosing table */
    } table;
  } as;
};

/* The caller owns the tokens. `grow` must make room for more of them than `capacity` (it may move them), set `tokens`
 * and `capacity`, and return nonzero; 0 gives the scan up. It may also leave by longjmp: a scan holds nothing. */
struct avito_json_scan {
  struct avito_json_token *tokens;
  size_t capacity;
  int (*grow)(struct avito_json_scan *scan);
  void *context; /* for `grow` */
  size_t count;  /* out: tokens written; the value starts at token 1 */
  size_t widest; /* out: bytes of the longest ESCAPED token */
};

/* Scans text[0..length); text[length] must be 0, as it is in every Lua string. Up to `max_depth` tables may be open at
 * once. Returns 1, or 0 with *error filled; error->message is NULL when `grow` gave up. */
int avito_json_scan(struct avito_json_scan *scan, const char *text, size_t length, unsigned max_depth,
                    struct avito_json_error *error);

/* Writes the value of an ESCAPED token to `out`, which has room for token->size bytes; returns its length. */
size_t avito_json_unescape(const struct avito_json_token *token, char *out);

#endif
