/* pattern.h - one pattern of a rulebook, read.
 *
 *   a | b     either                     word*      what begins so
 *   a b       both, in any order         -a         not
 *   "a b"     side by side               ~name      a concept
 *
 * A word that the splitter parts (wi-fi, iphone13*) is a phrase; a phrase of one word is that word. */
#ifndef AVITO_TEXT_PATTERN_H
#define AVITO_TEXT_PATTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fold.h"
#include "limits.h"

/* Letters at points[at..at + length), or with `prefix` whatever begins with them. */
struct avito_literal {
  uint32_t at;
  uint16_t length;
  bool prefix;
};

struct avito_term {
  uint32_t from; /* as written: bytes from..to of the source, the sign included */
  uint32_t to;
  uint32_t column;
  uint16_t first; /* of its literals */
  uint16_t words; /* 0: a concept */
  bool excluded;
};

struct avito_alternative {
  uint32_t from;
  uint32_t to;
  uint16_t first; /* of its terms */
  uint16_t terms;
  uint16_t positives; /* 0: it stands alone, and its exclusions count in every other one */
};

struct avito_pattern {
  size_t points_count;
  size_t literals_count;
  size_t terms_count;
  size_t alternatives_count;
  struct avito_alternative alternatives[AVITO_PATTERN_ALTERNATIVES];
  struct avito_term terms[AVITO_PATTERN_TERMS];
  struct avito_literal literals[AVITO_PATTERN_WORDS];
  uint32_t points[AVITO_FOLD_ROOM(AVITO_PATTERN_BYTES)];
  uint32_t folded[AVITO_FOLD_ROOM(AVITO_PATTERN_BYTES)];
  uint32_t spare[AVITO_FOLD_ROOM(AVITO_PATTERN_BYTES)];
};

struct avito_source {
  const char *text;
  size_t length;
};

/* What is wrong with a pattern. */
struct avito_problem {
  char message[512];
  uint32_t column;             /* in code points, from 1 */
  struct avito_source unknown; /* a name that no concept has, in the pattern */
};

/* Reads a pattern; false with *problem filled when it is none. Whether its concepts are there is not looked at. */
bool avito_pattern_read(struct avito_pattern *pattern, const struct avito_source *source,
                        struct avito_problem *problem);

/* The name of a term that is a concept. */
struct avito_source avito_concept_name(const struct avito_source *source, const struct avito_term *term);

/* Fills a problem; `what` is what the message shows of the source, cut where it is long, in place of its %s. */
bool avito_problem_at(struct avito_problem *problem, uint32_t column, const char *message,
                      const struct avito_source *what);

#endif
