/* answer.h - from a successful answer to the values a call returns. */
#ifndef AVITO_ANSWER_H
#define AVITO_ANSWER_H

#include "endpoints.h"
#include "error.h"

/* Reads a 2xx answer. True: pushes the value and its meta (or nil). [-0, +2, m]
 * False: pushes an error of kind "decode", or what an answer that is an error all the same stands for. [-0, +1, m]
 * `name` is what errors call the call; `decoder` the index of a JSON decoder. */
bool avito_answer_read(lua_State *L, const struct avito_marketplace *marketplace, int decoder,
                       const struct avito_response *response, enum avito_answer answer, const char *answer_key,
                       const char *name);

#endif
