/* value.h - reading one argument of an operation: its type, its bounds.
 *
 * A wrong type raises, naming the parameter. A value that is refused returns false with the message pushed and
 * request->invalid set: [-0, +1, m]. A value that is taken returns true and pushes nothing. Strings that are returned are
 * those of the value at `index`.
 */
#ifndef AVITO_VALUE_H
#define AVITO_VALUE_H

#include "request.h"

/* Refuses: sets the message to "NAME …" and returns false. [-0, +1, m] */
bool avito_refuse(lua_State *L, struct avito_request *r, const struct avito_param *p, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* Raises "OPERATION: NAME must be EXPECTED, got TYPE". */
int avito_wrong_type(lua_State *L, const struct avito_request *r, const struct avito_param *p, const char *expected,
                     int index);

bool avito_read_integer(lua_State *L, struct avito_request *r, const struct avito_param *p, int index, int64_t *value);
/* UTF-8; without control characters unless it goes into a JSON body as a text. */
bool avito_read_string(lua_State *L, struct avito_request *r, const struct avito_param *p, int index,
                       const char **bytes, size_t *length);
/* A string that can be a segment of a path. */
bool avito_read_id(lua_State *L, struct avito_request *r, const struct avito_param *p, int index, const char **bytes,
                   size_t *length);
bool avito_read_url(lua_State *L, struct avito_request *r, const struct avito_param *p, int index, const char **bytes,
                    size_t *length);
/* An element of a list of strings: one that is not empty. */
bool avito_read_string_in(lua_State *L, struct avito_request *r, const struct avito_param *p, int index,
                          const char **bytes, size_t *length);
/* A table that is a list, its length in bounds. */
bool avito_read_list(lua_State *L, struct avito_request *r, const struct avito_param *p, int index, size_t *length);

#endif
