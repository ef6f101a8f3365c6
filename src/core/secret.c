#include "secret.h"

#include "sha256.h"

/* The time depends on the length of the secret alone, not on how much of it was guessed. */
static int equal(lua_State *L)
{
  size_t given_length;
  size_t length;
  const char *given = luaL_checklstring(L, 1, &given_length);
  const char *secret = luaL_checklstring(L, 2, &length);
  const char *compared = given_length == length ? given : secret;
  volatile unsigned char difference = given_length != length;
  for (size_t i = 0; i < length; i++)
    difference = (unsigned char)(difference | (compared[i] ^ secret[i]));
  lua_pushboolean(L, difference == 0);
  return 1;
}

static int hmac_sha256(lua_State *L)
{
  size_t key_length;
  size_t length;
  const char *key = luaL_checklstring(L, 1, &key_length);
  const char *text = luaL_checklstring(L, 2, &length);
  unsigned char digest[AVITO_SHA256_BYTES];
  avito_hmac_sha256(key, key_length, text, length, digest);
  static const char digits[] = "0123456789abcdef";
  char hex[2 * AVITO_SHA256_BYTES];
  for (size_t i = 0; i < sizeof digest; i++) {
    hex[2 * i] = digits[digest[i] >> 4];
    hex[2 * i + 1] = digits[digest[i] & 15];
  }
  lua_pushlstring(L, hex, sizeof hex);
  return 1;
}

void avito_secret_register(lua_State *L)
{
  static const luaL_Reg functions[] = {{"equal", equal}, {"hmac_sha256", hmac_sha256}, {NULL, NULL}};
  luaL_setfuncs(L, functions, 0);
}
