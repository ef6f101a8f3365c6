/* body.h - the bodies of requests: JSON members and the multipart form of a file. */
#ifndef AVITO_BODY_H
#define AVITO_BODY_H

#include "request.h"

/* Writes members in the order of the rows; a dotted path opens an object, the next other path closes it. All-zero is the
 * start of an object. */
struct avito_object_writer {
  char open[32]; /* the first segment of the open inner object, or "" */
  bool outer_comma, inner_comma;
};

/* Writes the name of a member; its value follows. */
void avito_json_member(lua_State *L, struct avito_buffer *body, struct avito_object_writer *w, const char *wire);
/* Closes the inner object, if one is open. */
void avito_json_close(lua_State *L, struct avito_buffer *body, struct avito_object_writer *w);
/* Writes the value at `index` as the parameter has it; false as in value.h. */
bool avito_json_value(lua_State *L, struct avito_request *r, const struct avito_param *p, int index);
/* Writes the image or the file at `index`, { data, filename }, as a form of one part. Of { path, size, start, filename }, a
 * file on disk and how it begins, the form becomes an upload (see operation.h) in the place of the argument. False as in
 * value.h. */
bool avito_multipart_part(lua_State *L, struct avito_request *r, const struct avito_param *p, int index);

#endif
