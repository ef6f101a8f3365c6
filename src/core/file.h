/* file.h - files of tokens: private, replaced whole, locked between processes. POSIX. */
#ifndef AVITO_FILE_H
#define AVITO_FILE_H

#include "compat.h"

/* Adds to the module table on top [-0, +0, m]
 *   write_private(path, data) -> true | nil, message
 *     Replaces the file whole: a new file of mode 0600 beside it, written, synced and renamed over it. Whatever fails, the
 *     old file stays as it was.
 *   lock_file(path) -> lock | false | nil, message
 *     The exclusive lock of path (created, mode 0600, and left behind); false when another process or another lock of this
 *     one holds it. lock:unlock() may be called twice; a dead process holds nothing. */
void avito_file_register(lua_State *L);

#endif
