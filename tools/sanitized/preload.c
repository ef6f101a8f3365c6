/* Loaded before a stock interpreter, after libasan, by tools/lua-sanitized.
 *
 * Programs the interpreter starts (sh, curl, luarocks) must not inherit the sanitizer: their own
 * harmless leaks would fail the run. A Lua child that needs it is started through $AVITO_LUA again.
 */
#define _GNU_SOURCE
#include <stdlib.h>

int dlclose(void *handle);

__attribute__((constructor)) static void forget_preload(void)
{
  unsetenv("LD_PRELOAD");
}

/* lua_close unloads every C module before LeakSanitizer looks, which leaves stacks without names
 * and, for static data, leaks without roots. A module that stays is read correctly. */
int dlclose(void *handle)
{
  (void)handle;
  return 0;
}
