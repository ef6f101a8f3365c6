/* json_number.h - the value of a number literal. Knows no Lua. */
#ifndef AVITO_JSON_NUMBER_H
#define AVITO_JSON_NUMBER_H

/* The double nearest to the JSON number literal [text, end), which is well formed; infinite past the largest. What
 * stands at `end` is not read. Takes no notice of the locale. */
double avito_json_real(const char *text, const char *end);

#endif
