/* options.h - reading the options of core.session, a table at stack index 1. Each function raises "WHERE: NAME PROBLEM" for a
 * value it cannot take; `where` is the client's name for itself. */
#ifndef AVITO_OPTIONS_H
#define AVITO_OPTIONS_H

#include <stdbool.h>

#include "compat.h"

int avito_option_bad(lua_State *L, const char *where, const char *name, const char *problem);

/* Pushes a string that may stand in a header, a form or a URL, and returns it with its length; or nil, and NULL.
 * [-0, +1, m] */
const char *avito_option_string(lua_State *L, const char *where, const char *name, size_t *length);

/* A member of the table at `from`, called what follows the last dot of `name`. [-0, +0, m] */
double avito_option_number(lua_State *L, const char *where, int from, const char *name, double otherwise);

/* Is the option there, and not false? [-0, +0, m] */
bool avito_option_flag(lua_State *L, const char *name);

#endif
