/* finders.c - letters, and Lua: text.numbers, text.phones, text.links, text.length, text.split. */
#include <math.h>
#include <utf8proc.h>

#include "finders.h"

/* Letters */

struct digits {
  uint32_t first; /* of those that follow each other */
  uint32_t last;
  uint32_t value; /* of the first */
};

/* Digits of other makes; those of the mathematical alphabets are several times 0 to 9. */
static const struct digits other_digits[] = {{0xff10, 0xff19, 0}, {0x2460, 0x2468, 1},   {0x2776, 0x277e, 1},
                                             {0x2780, 0x2788, 1}, {0x278a, 0x2792, 1},   {0x24f5, 0x24fd, 1},
                                             {0x24ea, 0x24ea, 0}, {0x1d7ce, 0x1d7ff, 0}, {0x1fbf0, 0x1fbf9, 0}};

static uint32_t lower(uint32_t point)
{
  if (point < 0x80)
    return point >= 'A' && point <= 'Z' ? point + ('a' - 'A') : point;
  if (point >= 0x410 && point <= 0x42f)
    return point + 0x20;
  if (point == 0x401 || point == 0x451)
    return 0x435; /* ё as е */
  if (point == 0xff0b)
    return '+';
  if (point < 0x2460)
    return point;
  for (size_t i = 0; i < sizeof other_digits / sizeof *other_digits; i++)
    if (point >= other_digits[i].first && point <= other_digits[i].last)
      return '0' + (other_digits[i].value + point - other_digits[i].first) % 10;
  return point;
}

/* What belongs to the character before it: accents, the variation and the key of "1️⃣". */
static bool is_mark(uint32_t point)
{
  return (point >= 0x300 && point <= 0x36f) || point == 0x20e3 || (point >= 0xfe00 && point <= 0xfe0f);
}

static bool is_unseen(uint32_t point)
{
  return point == 0xad || (point >= 0x200b && point <= 0x200f) || (point >= 0x202a && point <= 0x202e) ||
         (point >= 0x2060 && point <= 0x2064) || point == 0xfeff;
}

size_t avito_letters(struct avito_letter *letters, const char *text, size_t length)
{
  size_t count = 0;
  for (size_t at = 0; at < length;) {
    utf8proc_int32_t code;
    utf8proc_ssize_t size =
        utf8proc_iterate((const utf8proc_uint8_t *)text + at, (utf8proc_ssize_t)(length - at), &code);
    uint32_t point = size > 0 ? (uint32_t)code : AVITO_NO_LETTER;
    uint32_t start = (uint32_t)at;
    at += size > 0 ? (size_t)size : 1;
    if (point != AVITO_NO_LETTER && is_unseen(point))
      continue;
    if (point != AVITO_NO_LETTER && is_mark(point)) {
      if (count > 0)
        letters[count - 1].end = (uint32_t)at;
      continue;
    }
    letters[count++] = (struct avito_letter){point == AVITO_NO_LETTER ? point : lower(point), start, (uint32_t)at};
  }
  letters[count] = (struct avito_letter){AVITO_NO_LETTER, (uint32_t)length, (uint32_t)length};
  return count;
}

void avito_letters_hide(struct avito_letter *letters, struct avito_found found)
{
  for (size_t i = found.start; i < found.end; i++)
    letters[i].point = AVITO_NO_LETTER;
}

bool avito_point_is_digit(uint32_t point)
{
  return point >= '0' && point <= '9';
}

bool avito_point_is_letter(uint32_t point)
{
  if (point < 0x80)
    return point >= 'a' && point <= 'z';
  if (point >= 0x410 && point <= 0x45f)
    return true;
  if (point == AVITO_NO_LETTER)
    return false;
  utf8proc_category_t category = utf8proc_category((utf8proc_int32_t)point);
  return category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LO;
}

bool avito_point_is_space(uint32_t point)
{
  return point == ' ' || point == '\t' || point == 0xa0 || (point >= 0x2000 && point <= 0x200a) || point == 0x202f ||
         point == 0x205f || point == 0x3000;
}

bool avito_point_is_dash(uint32_t point)
{
  return point == '-' || (point >= 0x2010 && point <= 0x2015) || point == 0x2212 || point == 0x2e3a ||
         point == 0x2e3b || point == 0xfe58 || point == 0xfe63 || point == 0xff0d;
}

uint32_t avito_point_before(const struct avito_letter *letters, size_t i)
{
  return i > 0 ? letters[i - 1].point : AVITO_NO_LETTER;
}

size_t avito_skip_spaces(const struct avito_letter *letters, size_t i)
{
  while (avito_point_is_space(letters[i].point))
    i++;
  return i;
}

size_t avito_word_end(const struct avito_letter *letters, size_t i)
{
  while (avito_point_is_letter(letters[i].point))
    i++;
  return i;
}

size_t avito_digits_end(const struct avito_letter *letters, size_t i)
{
  while (avito_point_is_digit(letters[i].point))
    i++;
  return i;
}

static uint32_t cyrillic(uint32_t point)
{
  static const char latin[] = "aceopxykmthb";
  static const uint16_t alike[] = {0x430, 0x441, 0x435, 0x43e, 0x440, 0x445,
                                   0x443, 0x43a, 0x43c, 0x442, 0x43d, 0x432}; /* асеорхукмтнв */
  const char *found = point > 0 && point < 0x80 ? strchr(latin, (int)point) : NULL;
  return found != NULL ? alike[found - latin] : point;
}

bool avito_word_is(const struct avito_letter *letters, size_t i, size_t end, const char *word)
{
  const utf8proc_uint8_t *at = (const utf8proc_uint8_t *)word;
  while (*at != '\0' && *at != '*') {
    utf8proc_int32_t point;
    at += utf8proc_iterate(at, -1, &point);
    if (i == end || cyrillic(letters[i].point) != cyrillic((uint32_t)point))
      return false;
    i++;
  }
  return *at == '*' || i == end;
}

int avito_word_among(const struct avito_letter *letters, size_t i, size_t end, const char *const *words)
{
  for (int index = 0; words[index] != NULL; index++)
    if (avito_word_is(letters, i, end, words[index]))
      return index;
  return -1;
}

/* Lua */

struct message {
  const char *text;
  struct avito_letter *letters;
  size_t count;
};

/* Reads the first argument; its letters stay on the stack. [-0, +1, m] */
static struct message read_message(lua_State *L)
{
  size_t length;
  struct message message;
  message.text = luaL_checklstring(L, 1, &length);
  if (length > AVITO_FINDERS_BYTES)
    length = AVITO_FINDERS_BYTES;
  message.letters = lua_newuserdata(L, (length + 1) * sizeof *message.letters); /* letters */
  message.count = avito_letters(message.letters, message.text, length);
  return message;
}

static void push_number(lua_State *L, double value)
{
#if LUA_VERSION_NUM >= 503
  if (floor(value) == value) {
    lua_pushinteger(L, (lua_Integer)value);
    return;
  }
#endif
  lua_pushnumber(L, value);
}

int avito_text_numbers(lua_State *L)
{
  struct message message = read_message(L); /* letters */
  struct avito_phone phone = {.found = {0, 0}};
  struct avito_number number = {.found = {0, 0}};
  avito_links_hide(message.letters, message.count);
  while (avito_find_phone(message.letters, message.count, phone.found.end, &phone))
    avito_letters_hide(message.letters, phone.found);
  lua_newtable(L); /* letters list */
  for (int i = 1; i <= AVITO_FINDERS_MOST; i++) {
    if (!avito_find_number(message.letters, message.count, number.found.end, &number))
      break;
    push_number(L, number.value); /* letters list value */
    lua_rawseti(L, -2, i);        /* letters list */
  }
  return 1;
}

int avito_text_phones(lua_State *L)
{
  struct message message = read_message(L); /* letters */
  struct avito_phone phone = {.found = {0, 0}};
  avito_links_hide(message.letters, message.count);
  lua_newtable(L); /* letters list */
  for (int i = 1; i <= AVITO_FINDERS_MOST; i++) {
    if (!avito_find_phone(message.letters, message.count, phone.found.end, &phone))
      break;
    lua_pushstring(L, phone.text); /* letters list phone */
    lua_rawseti(L, -2, i);         /* letters list */
  }
  return 1;
}

int avito_text_links(lua_State *L)
{
  struct message message = read_message(L); /* letters */
  struct avito_found link = {0, 0};
  lua_newtable(L); /* letters list */
  for (int i = 1; i <= AVITO_FINDERS_MOST; i++) {
    if (!avito_find_link(message.letters, message.count, link.end, &link))
      break;
    size_t start = message.letters[link.start].start;
    lua_pushlstring(L, message.text + start, message.letters[link.end - 1].end - start); /* letters list link */
    lua_rawseti(L, -2, i);                                                               /* letters list */
  }
  return 1;
}

int avito_text_length(lua_State *L)
{
  size_t length;
  const char *text = luaL_checklstring(L, 1, &length);
  lua_Integer count = 0;
  for (size_t at = 0; at < length; count++) {
    utf8proc_int32_t code;
    utf8proc_ssize_t size =
        utf8proc_iterate((const utf8proc_uint8_t *)text + at, (utf8proc_ssize_t)(length - at), &code);
    if (size <= 0) {
      lua_pushnil(L);                                                            /* nil */
      lua_pushfstring(L, "the text is not UTF-8: byte %d of it", (int)(at + 1)); /* nil message */
      return 2;
    }
    at += (size_t)size;
  }
  lua_pushinteger(L, count); /* count */
  return 1;
}

int avito_text_split(lua_State *L)
{
  size_t length;
  const char *text = luaL_checklstring(L, 1, &length);
  lua_Number limit = luaL_checknumber(L, 2);
  luaL_argcheck(L, limit >= 1 && limit <= INT32_MAX && floor(limit) == limit, 2,
                "limit must be a whole number of code points, 1 or more");
  size_t at = 0;
  size_t start;
  size_t size;
  lua_newtable(L); /* list */
  for (int i = 1; (size = avito_split_next(text, length, (size_t)limit, &at, &start)) > 0; i++) {
    lua_pushlstring(L, text + start, size); /* list piece */
    lua_rawseti(L, -2, i);                  /* list */
  }
  return 1;
}
