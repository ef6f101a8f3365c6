/* limits.h - every bound of the text module, in one place. */
#ifndef AVITO_TEXT_LIMITS_H
#define AVITO_TEXT_LIMITS_H

/* What of a message an index looks at; the rest is as if it were not there. A message of Avito has 1,000 code points. */
#define AVITO_MESSAGE_BYTES 16384
#define AVITO_MESSAGE_WORDS 4096

/* A pattern or concept. */
#define AVITO_PATTERN_BYTES        16384
#define AVITO_PATTERN_WORDS        2048
#define AVITO_PATTERN_TERMS        2048
#define AVITO_PATTERN_ALTERNATIVES 1024
#define AVITO_ALTERNATIVE_TERMS    64 /* and exclusions of a pattern that stand alone */
#define AVITO_PHRASE_WORDS         16
#define AVITO_PATTERN_WORD         63 /* code points; the index keeps lengths of prefixes in 64 bits */

/* A rulebook. */
#define AVITO_INDEX_PATTERNS 100000
#define AVITO_INDEX_CONCEPTS 1000
#define AVITO_CONCEPT_DEPTH  32 /* concepts that use each other in a row */

/* A bound as a literal, for messages. */
#define AVITO_DIGITS_OF(number) #number
#define AVITO_DIGITS(number)    AVITO_DIGITS_OF(number)

#endif
