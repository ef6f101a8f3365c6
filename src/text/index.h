/* index.h - all patterns of a rulebook and the concepts they use, as one.
 *
 * A clause is an alternative of a pattern or of a concept: tests that must hold, and tests that must not. It hangs at
 * the rarest literal among the former, so that a message asks only for the clauses whose rarest literal it has. The
 * literals are found by the hashes of a message's words and of their beginnings; a filter small enough for the cache
 * answers for most of those that are not there. What a clause asks of the message besides is then known: which literal
 * was met where, and which concepts hold.
 *
 * An owner is who a clause belongs to: a pattern 0..patterns-1, then the concepts, each after those it uses. */
#ifndef AVITO_TEXT_INDEX_H
#define AVITO_TEXT_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "memory.h"
#include "pattern.h"

#define AVITO_NONE UINT32_MAX

/* Each word of a message and each beginning of one may be known. */
#define AVITO_GUESSES (AVITO_FOLD_ROOM(AVITO_MESSAGE_BYTES) + AVITO_MESSAGE_WORDS)

/* What of the message a clause asks for: a word or words side by side, or a concept. */
struct avito_test {
  uint32_t first;  /* of its words in `references`; the owner, of a concept */
  uint32_t wanted; /* the literal of its key */
  uint32_t guards; /* where in `references` the literals begin whose words do not count; follow the words' */
  uint16_t words;  /* 0: a concept */
  uint16_t key;    /* the word among them that is looked for */
  uint16_t guards_count;
};

struct avito_clause {
  uint32_t owner;
  uint32_t tests;
  uint16_t positives;
  uint16_t exclusions; /* behind the positives */
  uint32_t from;       /* as written, in the source of its owner */
  uint32_t to;
};

/* In a list of what hangs, beside the number of a clause: that it is one of a concept; or beside the number of an owner
 * that it holds at once, for it asks for nothing else. */
#define AVITO_OF_CONCEPT UINT32_C(0x40000000)
#define AVITO_ALONE      UINT32_C(0x80000000)

/* What hangs: one of these with the number; and a literal that the message must have besides, or AVITO_NONE. */
struct avito_hanging {
  uint32_t what;
  uint32_t besides;
};

enum { AVITO_NEAR_POINTS = 7, AVITO_LINE = 64 };

/* A literal of some pattern or concept, once; a line of the cache, for each one that a message meets is another. */
struct avito_known {
  uint32_t at; /* of its points */
  uint16_t length;
  bool prefix;
  bool sought;               /* is it the key of a test? */
  uint32_t uses;             /* of the building */
  uint32_t hang;             /* where in `hanging` what hangs there begins */
  uint32_t hangs;            /* how much */
  struct avito_hanging only; /* it, when it is one thing */
  /* Of the scratch. */
  uint16_t message;                 /* by number, when it was met */
  uint32_t hit;                     /* the last one */
  uint32_t near[AVITO_NEAR_POINTS]; /* the first of its points, once more */
};

struct avito_owner {
  struct avito_source source; /* in `texts` */
  struct avito_source name;   /* of a concept, there too */
  uint32_t clauses;
  uint32_t clauses_count;
  uint32_t hang; /* of a concept: what hangs there */
  uint32_t hangs;
  bool used; /* a pattern, or a concept that one uses */
};

struct avito_place {
  uint32_t tag; /* the upper half of a hash */
  uint32_t known;
};

struct avito_hit {
  uint32_t word;
  uint32_t next; /* an earlier hit of the literal, or AVITO_NONE */
};

/* A word or the beginning of one that is likely to be known. */
struct avito_guess {
  uint64_t hash;
  uint32_t word;
  uint16_t length;
  bool prefix;
};

struct avito_span {
  uint32_t at;
  uint32_t length;
};

/* What a message leaves; all of it is of the message numbered `message`. */
struct avito_scratch {
  uint16_t message;
  struct avito_array points;   /* uint32_t; the message's, and as many for folding */
  struct avito_array words;    /* struct avito_span */
  struct avito_array hits;     /* struct avito_hit */
  struct avito_array guesses;  /* struct avito_guess */
  struct avito_array holds;    /* uint16_t of each owner: the last message for which it held */
  struct avito_array asked;    /* struct avito_hanging: clauses of patterns to look at */
  struct avito_array waiting;  /* uint32_t of each concept: the last of its clauses to look at, or AVITO_NONE */
  struct avito_array before;   /* uint32_t of each clause: the next in that list */
  struct avito_array concepts; /* uint64_t: a bit for each concept with such a list */
  struct avito_array matched;  /* uint32_t: patterns, ascending once the message is done */
};

struct avito_index {
  struct avito_memory memory;
  uint32_t patterns;
  uint32_t concepts;
  struct avito_array texts;      /* char: all patterns, and concepts with their names */
  struct avito_array owners;     /* struct avito_owner */
  struct avito_array points;     /* uint32_t */
  struct avito_array known;      /* room for struct avito_known */
  struct avito_known *literals;  /* in it; once all are there, each in a line of its own */
  struct avito_array references; /* uint32_t: literals */
  struct avito_array tests;      /* struct avito_test */
  struct avito_array clauses;    /* struct avito_clause */
  struct avito_array hanging;    /* struct avito_hanging */
  struct avito_array places;     /* struct avito_place; a power of two of them */
  struct avito_array filter;     /* uint64_t; a power of two of them */
  uint64_t lengths;              /* bit n: there is a prefix of n code points */
  unsigned filter_shift;
  struct avito_scratch scratch;
  bool ready;
};

enum avito_built { AVITO_BUILT, AVITO_BAD_PATTERN, AVITO_NO_MEMORY };

/* Of which pattern or concept a problem is told: its place among those given, from 0. */
struct avito_culprit {
  bool concept;
  size_t number;
};

/* Fills an all-zero index. It keeps copies of names and sources. Whatever it returns, avito_index_free is due. */
enum avito_built avito_index_build(struct avito_index *index, const struct avito_source *patterns,
                                   size_t patterns_count, const struct avito_source *names,
                                   const struct avito_source *concepts, size_t concepts_count,
                                   struct avito_culprit *culprit, struct avito_problem *problem);

/* Makes tables and scratch of what has been read; false for want of memory. */
bool avito_index_finish(struct avito_index *index);

void avito_index_free(struct avito_index *index);

/* Which patterns match: their number; scratch.matched has them. Uses no memory but the scratch's. */
size_t avito_index_match(struct avito_index *index, const char *text, size_t length);

/* What decided about a pattern. */
struct avito_why {
  bool matched;
  uint32_t clause;   /* the alternative that matched, or came closest */
  uint32_t missing;  /* the first test that did not hold, or AVITO_NONE */
  uint32_t excluded; /* the exclusion that held, or AVITO_NONE */
  uint32_t guard;    /* the literal whose words did not count, or AVITO_NONE */
};

/* Matches, and tells about one pattern. marks[i] is set where word i counted; AVITO_MESSAGE_WORDS of them. */
void avito_index_why(struct avito_index *index, const char *text, size_t length, uint32_t pattern,
                     struct avito_why *why, bool *marks);

/* ---- shared by the files of the index ---- */

#define AVITO_HASH_SEED   UINT64_C(0x51ed270b7f4a2c35)
#define AVITO_HASH_FACTOR UINT64_C(0x9e3779b97f4a7c15)

static inline uint64_t avito_hash_step(uint64_t hash, uint32_t point)
{
  hash = (hash ^ point) * AVITO_HASH_FACTOR;
  return hash ^ hash >> 29;
}

/* What the table knows a prefix by is the hash of its points; and a whole word by this of it. */
static inline uint64_t avito_hash_whole(uint64_t hash)
{
  return (hash + 1) * UINT64_C(0xc2b2ae3d27d4eb4f);
}

/* What the table knows a literal by. */
static inline uint64_t avito_hash_literal(const uint32_t *points, size_t length, bool prefix)
{
  uint64_t hash = AVITO_HASH_SEED;
  for (size_t i = 0; i < length; i++)
    hash = avito_hash_step(hash, points[i]);
  return prefix ? hash : avito_hash_whole(hash);
}

/* Where in the table to look first, but for the mask. */
static inline size_t avito_hash_place(uint64_t hash)
{
  return (size_t)(hash >> 12);
}

/* Two bits of one word of the filter. */
static inline uint64_t avito_filter_bits(uint64_t hash)
{
  return UINT64_C(1) << (hash & 63) | UINT64_C(1) << (hash >> 6 & 63);
}

/* What of the last message. A word that a test with words holds by, of a phrase the first one, or AVITO_NONE; whether a
 * test, a clause holds; whether a literal is a word, or begins it. */
uint32_t avito_test_word(const struct avito_index *index, const struct avito_test *test);
bool avito_test_holds(const struct avito_index *index, const struct avito_test *test);
bool avito_clause_holds(const struct avito_index *index, const struct avito_clause *clause);
bool avito_literal_covers(const struct avito_index *index, uint32_t known, uint32_t word);

static inline struct avito_owner *avito_owner_at(const struct avito_index *index, uint32_t owner)
{
  return (struct avito_owner *)index->owners.items + owner;
}

static inline struct avito_clause *avito_clause_at(const struct avito_index *index, uint32_t clause)
{
  return (struct avito_clause *)index->clauses.items + clause;
}

static inline struct avito_test *avito_test_at(const struct avito_index *index, uint32_t test)
{
  return (struct avito_test *)index->tests.items + test;
}

static inline struct avito_known *avito_known_at(const struct avito_index *index, uint32_t known)
{
  return index->literals + known;
}

static inline const uint32_t *avito_points_of(const struct avito_index *index, const struct avito_known *known)
{
  return (const uint32_t *)index->points.items + known->at;
}

static inline uint32_t *avito_reference_at(const struct avito_index *index, uint32_t reference)
{
  return (uint32_t *)index->references.items + reference;
}

#endif
