/* arguments.h - reading what a program passes, and telling it what is wrong with it. */
#ifndef AVITO_ARGUMENTS_H
#define AVITO_ARGUMENTS_H

#include <stdbool.h>
#include <stdint.h>

#include "compat.h"

/* Raises "NAME: unknown option 'x' (did you mean 'y'?)". `known` gives the names, ended by NULL. */
int avito_unknown_option(lua_State *L, const char *where, const char *option, const char *const *known);

/* Raises a misuse error at the line that called the method: "NAME: message". */
int avito_misuse(lua_State *L, const char *where, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* An integer, a float that is one, or a decimal string (as the decoder gives a number this Lua cannot hold exactly).
 * False for anything else and for what does not fit. [-0, +0, -] */
bool avito_to_integer(lua_State *L, int index, int64_t *value);

/* Pushes a member of a table as it is, without metamethods: one that made another call would change the request that is
 * being made. [-0, +1, m] */
void avito_push_member(lua_State *L, int index, const char *name);

/* Pushes the decimal string of an id. [-0, +1, m] */
void avito_push_id(lua_State *L, int64_t id);

#endif
