#include "answer.h"

#include "http_head.h"
#include "json_decode.h"
#include "limits.h"
#include "marketplace.h"
#include "text.h"

/* Pushes a decode error that keeps the start of the body. Pops the message. [-1, +1, m] */
static bool unreadable(lua_State *L, const struct avito_response *response, const char *name)
{
  avito_error_new(L, "decode", name, true); /* err */
  lua_pushinteger(L, response->status);
  lua_setfield(L, -2, "status");
  size_t length = response->body_length < AVITO_MAX_ERROR_BODY ? response->body_length : AVITO_MAX_ERROR_BODY;
  lua_pushlstring(L, response->body, length);
  lua_setfield(L, -2, "body");
  return false;
}

static bool unexpected(lua_State *L, const struct avito_response *response, const char *name, const char *expected)
{
  lua_pushfstring(L, "the answer is not what was expected: %s", expected);
  return unreadable(L, response, name);
}

/* A null member is left out by the decoder; servers write null for an empty list. Is the member there, and null? */
static bool names_null(const struct avito_response *response, const char *key)
{
  size_t length = strlen(key);
  const char *at = response->body;
  const char *end = at + response->body_length;
  while ((at = memchr(at, '"', (size_t)(end - at))) != NULL && (size_t)(end - ++at) > length) {
    if (memcmp(at, key, length) == 0 && at[length] == '"') {
      const char *colon = at + length + 1;
      colon += strspn(colon, " \t\r\n");
      if (*colon == ':' && strncmp(colon + 1 + strspn(colon + 1, " \t\r\n"), "null", 4) == 0) {
        return true;
      }
    }
  }
  return false;
}

/* Is the value on top a table with nothing in it? */
static bool is_empty(lua_State *L)
{
  if (lua_type(L, -1) != LUA_TTABLE) {
    return false;
  }
  lua_pushnil(L);
  if (lua_next(L, -2) == 0) {
    return true;
  }
  lua_pop(L, 2);
  return false;
}

/* Is the value on top a table without keys by name? */
static bool is_list(lua_State *L)
{
  return lua_type(L, -1) == LUA_TTABLE && (lua_rawlen(L, -1) > 0 || is_empty(L));
}

static bool no_list(lua_State *L, const struct avito_response *response, const char *key, const char *name)
{
  lua_pushfstring(L, "the answer is not what was expected: no list \"%s\"", key);
  return unreadable(L, response, name);
}

/* The answer on top is replaced by the list and its meta, or by an error. */
static bool read_list(lua_State *L, const struct avito_response *response, const char *key, const char *name)
{
  int answer = lua_gettop(L);
  lua_getfield(L, answer, key); /* answer list */
  if (is_list(L)) {
    lua_getfield(L, answer, "meta"); /* answer list meta */
    if (lua_type(L, -1) != LUA_TTABLE) {
      lua_pop(L, 1);
      lua_newtable(L);
    }
    lua_remove(L, answer); /* list meta */
    return true;
  }
  lua_pop(L, 1); /* answer */
  if (response->body[strspn(response->body, " \t\r\n")] == '[') {
    lua_newtable(L); /* list meta */
    return true;
  }
  lua_pop(L, 1); /* - */
  if (names_null(response, key)) {
    lua_newtable(L);
    lua_newtable(L); /* list meta */
    return true;
  }
  return no_list(L, response, key, name);
}

/* The same for a list in an object that is a member of the answer: the rest of that object is its meta. An answer that says
 * of itself that it is good, and has no such object or nothing in it, has nothing to list. */
static bool read_inner_list(lua_State *L, const struct avito_marketplace *marketplace,
                            const struct avito_response *response, const char *key, const char *name)
{
  int answer = lua_gettop(L);
  const char *list = strchr(key, '.') + 1;
  lua_pushlstring(L, key, (size_t)(list - key) - 1);
  lua_rawget(L, answer); /* answer object */
  if ((lua_isnil(L, -1) || is_empty(L)) && marketplace->verdict(L, answer) == AVITO_SAYS_OK) {
    lua_settop(L, answer - 1);
    lua_newtable(L);
    lua_newtable(L); /* list meta */
    return true;
  }
  lua_remove(L, answer); /* object */
  if (lua_type(L, answer) != LUA_TTABLE) {
    lua_pop(L, 1); /* - */
    return no_list(L, response, key, name);
  }
  lua_getfield(L, answer, list); /* object list */
  if (lua_isnil(L, -1) && names_null(response, list)) {
    lua_pop(L, 1);
    lua_newtable(L);
  }
  if (!is_list(L)) {
    lua_pop(L, 2); /* - */
    return no_list(L, response, key, name);
  }
  lua_insert(L, answer);
  lua_pushnil(L);
  lua_setfield(L, -2, list); /* list object */
  return true;
}

/* The answer on top is replaced by the object under the key, or by an error. Null stands for an empty MAP. */
static bool read_object(lua_State *L, const struct avito_response *response, enum avito_answer answer, const char *key,
                        const char *name)
{
  lua_getfield(L, -1, key); /* answer object */
  lua_remove(L, -2);        /* object */
  if (lua_type(L, -1) == LUA_TTABLE) {
    return true;
  }
  lua_pop(L, 1); /* - */
  if (answer == AVITO_ANSWER_MAP && names_null(response, key)) {
    lua_newtable(L); /* object */
    return true;
  }
  lua_pushfstring(L, "the answer is not what was expected: no object \"%s\"", key);
  return unreadable(L, response, name);
}

/* {image_id: {size: url}}: pushes the id and the sizes. */
static bool read_image(lua_State *L, const struct avito_response *response, const char *name)
{
  int answer = lua_gettop(L);
  lua_pushnil(L);                    /* answer nil */
  while (lua_next(L, answer) != 0) { /* answer id sizes */
    if (lua_type(L, -2) == LUA_TSTRING && lua_type(L, -1) == LUA_TTABLE) {
      lua_remove(L, answer); /* id sizes */
      return true;
    }
    lua_pop(L, 1); /* answer id */
  }
  lua_pop(L, 1); /* - */
  return unexpected(L, response, name, "no image id with its sizes");
}

static bool is_json(const struct avito_response *response)
{
  size_t length;
  const char *type = avito_head_find(response->head, response->head_length, "content-type", &length);
  return type == NULL || avito_contains_word(type, length, "json");
}

bool avito_answer_read(lua_State *L, const struct avito_marketplace *marketplace, int decoder,
                       const struct avito_response *response, enum avito_answer answer, const char *answer_key,
                       const char *name)
{
  static const struct avito_json_limits limits = {AVITO_MAX_ANSWER, AVITO_MAX_DEPTH};
  struct avito_json_error error;
  decoder = lua_absindex(L, decoder);
  luaL_checkstack(L, 10, NULL);
  if (answer == AVITO_ANSWER_BYTES) {
    lua_pushlstring(L, response->body, response->body_length);
    lua_pushnil(L);
    return true;
  }
  if (answer == AVITO_ANSWER_FILE) {
    if (!(response->bytes >= 0 && response->bytes <= 9007199254740992.0)) {
      luaL_error(L, "response.bytes must be a number: this driver does not write an answer to request.output");
    }
    lua_pushinteger(L, (lua_Integer)response->bytes);
    lua_pushnil(L);
    return true;
  }
  if (response->body_length == 0 &&
      (answer == AVITO_ANSWER_ANY || (answer == AVITO_ANSWER_NOTHING && marketplace->silent))) {
    lua_pushboolean(L, 1);
    lua_pushnil(L);
    return true;
  }
  if (answer == AVITO_ANSWER_ANY && !is_json(response)) {
    lua_pushlstring(L, response->body, response->body_length);
    lua_pushnil(L);
    return true;
  }
  if (!avito_json_decode(L, decoder, response->body, response->body_length, &limits, &error)) {
    if (response->body_length == 0) {
      lua_pushliteral(L, "the answer is empty");
    } else {
      lua_pushfstring(L, "the answer is not JSON: %s at byte %d", error.message, (int)error.offset + 1);
    }
    return unreadable(L, response, name);
  }
  if (lua_type(L, -1) == LUA_TTABLE) { /* value */
    if (marketplace->verdict(L, lua_gettop(L)) == AVITO_SAYS_FAILURE) {
      lua_pop(L, 1); /* - */
      avito_error_from_answer(L, marketplace, decoder, response, name, -1);
      lua_pushstring(L, "server"); /* err kind */
      lua_setfield(L, -2, "kind"); /* err */
      return false;
    }
  } else if (answer != AVITO_ANSWER_ANY && answer != AVITO_ANSWER_NOTHING) {
    lua_pop(L, 1);
    return unexpected(L, response, name, "neither an object nor a list");
  }
  switch (answer) {
  case AVITO_ANSWER_LIST:
    return strchr(answer_key, '.') != NULL ? read_inner_list(L, marketplace, response, answer_key, name)
                                           : read_list(L, response, answer_key, name);
  case AVITO_ANSWER_IMAGE:
    return read_image(L, response, name);
  case AVITO_ANSWER_NOTHING:
    lua_pop(L, 1);
    lua_pushboolean(L, 1); /* true */
    break;
  default:
    if (answer_key != NULL && !read_object(L, response, answer, answer_key, name)) {
      return false;
    }
    break;
  }
  lua_pushnil(L); /* value nil */
  return true;
}
