/* text.h - what the files of the text module share.
 *
 * A text of a buyer becomes words (fold.c, words.c), words meet the patterns of a rulebook (pattern.c, index.c), and
 * what is written in it is recognised: numbers, phone numbers, links (numbers.c, phones.c, links.c). text.c is the Lua
 * side and the only file that raises.
 *
 * Everything works on bytes that are handed in and may be anything: what is not UTF-8 parts words and is never read
 * past its end. All-zero is the empty state of every struct. */
#ifndef AVITO_TEXT_MODULE_H
#define AVITO_TEXT_MODULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "compat.h"

#endif
