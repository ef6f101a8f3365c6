/* secret.h - Lua: comparing and signing with secrets. */
#ifndef AVITO_SECRET_H
#define AVITO_SECRET_H

#include "compat.h"

/* Adds to the module table on top [-0, +0, m]:
 *   equal(given, secret) -> boolean       takes as long for one text of a length as for another
 *   hmac_sha256(key, text) -> string      64 hexadecimal digits, in lower case
 */
void avito_secret_register(lua_State *L);

#endif
