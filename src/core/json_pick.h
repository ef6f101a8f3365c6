/* json_pick.h - a few members of a JSON text, without the tables of all the others. */
#ifndef AVITO_JSON_PICK_H
#define AVITO_JSON_PICK_H

#include "compat.h"

/* Adds to the module table on top of the stack
 *   picker(paths) -> pick
 *   pick(text)    -> true and the value of each path, or nil, "message at byte N (line L)"
 *
 * `paths` names members of the text, which is an object, and members of those: { "payload", "payload.value" }; at most 16
 * of them, each after the one that it lies in. The whole text is checked as decode does, and the values are what decode
 * makes of them; but every object and every array is the same empty table, which is nobody's to change. Wrong arguments
 * raise. [-0, +0, m] */
void avito_json_pick_register(lua_State *L);

#endif
