/* text.c - Lua: the module of words, patterns and what is written in a message.
 *
 *   text.fold(s)              s in the form words are compared by: case, ё as е, look-alikes of Cyrillic letters, …
 *   text.words(s)             list of its folded words
 *   text.length(s)            code points | nil, message where s is not UTF-8
 *   text.split(s, limit)      list of pieces of at most `limit` code points, 1 or more; white space at the cuts is lost
 *   text.numbers(s)           list of amounts: numbers of 0 to 2^53, integers where they have no fraction
 *   text.phones(s)            list of phone numbers, "+79000000001"
 *   text.links(s)             list of links, mail addresses and @names, as written
 *   text.index(patterns [, concepts]) -> index | nil, problem
 *     patterns                list of strings, in the grammar of pattern.h; concepts: name -> pattern
 *     problem                 { message =, column = in code points from 1, pattern = number | concept = name }
 *     index:match(s [, into]) list of the numbers of the patterns that match, ascending; `into`: that table, emptied
 *     index:why(s, number)    { matched =, alternative = as written, words = { those that counted }, missing = the first
 *                             term that is not there, excluded = what forbids the message or took a word away }
 *
 * Strings may be any bytes: what is not UTF-8 parts words. Numbers, phones and links are looked for in the first
 * AVITO_FINDERS_BYTES of a text, at most AVITO_FINDERS_MOST of each; the bounds of an index are in limits.h. Arguments of
 * another type raise. */
#include "finders.h"
#include "text.h"

AVITO_EXPORT int luaopen_avito_messenger_text(lua_State *L);

int luaopen_avito_messenger_text(lua_State *L)
{
  static const luaL_Reg functions[] = {
      {"fold", avito_text_fold},       {"words", avito_text_words},
      {"numbers", avito_text_numbers}, {"phones", avito_text_phones},
      {"links", avito_text_links},     {"length", avito_text_length},
      {"split", avito_text_split},     {NULL, NULL},
  };
  lua_newtable(L); /* text */
  luaL_setfuncs(L, functions, 0);
  avito_text_add_index(L);
  return 1;
}
