#include "body.h"

#include "arguments.h"
#include "image.h"
#include "limits.h"
#include "text.h"
#include "value.h"

/* Can the name stand between quotes in a header as it is? */
static bool plain_filename(const char *name, size_t length)
{
  for (size_t i = 0; i < length; i++) {
    unsigned char c = (unsigned char)name[i];
    if (c < 0x20 || c > 0x7e || c == '"' || c == '\\' || c == '/') {
      return false;
    }
  }
  return length > 0 && length <= 255;
}

/* Can others see it as the name of a file? */
static bool good_filename(const char *name, size_t length)
{
  bool dots = strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
  return !dots && length > 0 && length <= 255 && strpbrk(name, "/\\") == NULL && avito_utf8_length(name, length) > 0;
}

/* What the program gave: the bytes, or the path of a file and how it begins. The strings are those of the values on the
 * stack. */
struct source {
  const char *path; /* NULL: `start` is all of it */
  size_t path_length;
  const char *start; /* what the format and the pixels are read from */
  size_t start_length;
  uint64_t size;
  const char *filename; /* or NULL */
  size_t filename_length;
};

/* False as in value.h. */
static bool check_source(lua_State *L, struct avito_request *r, const struct avito_param *p,
                         const struct source *source)
{
  if (source->filename != NULL && avito_has_control(source->filename, source->filename_length)) {
    return avito_refuse(L, r, p, "has a filename with a control character (NUL, CR, LF or the like)");
  }
  if (source->path != NULL && strlen(source->path) != source->path_length) {
    return avito_refuse(L, r, p, "has a path with a zero byte");
  }
  return true;
}

static bool check_image(lua_State *L, struct avito_request *r, const struct avito_param *p, const struct source *source,
                        const struct avito_image *image)
{
  const unsigned char *start = (const unsigned char *)source->start;
  if (source->size > AVITO_MAX_IMAGE_BYTES) {
    return avito_refuse(L, r, p, "has %llu bytes; at most 24 MB are allowed", (unsigned long long)source->size);
  }
  if (image->format == AVITO_IMAGE_UNKNOWN) {
    return avito_refuse(L, r, p, "is not a JPEG, PNG, GIF, BMP or HEIC but, by its first bytes, %s",
                        avito_image_guess(start, source->start_length));
  }
  if (image->width != 0 && image->height > AVITO_MAX_IMAGE_PIXELS / image->width) {
    return avito_refuse(L, r, p, "is %llu by %llu pixels; at most 75 megapixels are allowed",
                        (unsigned long long)image->width, (unsigned long long)image->height);
  }
  return true;
}

/* Whatever it is, its name tells the buyer, and the server what to make of it. */
static bool check_file(lua_State *L, struct avito_request *r, const struct avito_param *p, const struct source *source)
{
  if (source->size < (uint64_t)p->min) {
    return avito_refuse(L, r, p, "is an empty file");
  }
  if (source->size > (uint64_t)p->max) {
    return avito_refuse(L, r, p, "has %llu bytes; at most %lld MB are allowed", (unsigned long long)source->size,
                        (long long)p->max / (1024 * 1024));
  }
  if (source->filename == NULL) {
    return avito_refuse(L, r, p, "needs a filename, such as \"receipt.pdf\"");
  }
  if (!good_filename(source->filename, source->filename_length)) {
    return avito_refuse(L, r, p, "has a filename that is none: 1 to 255 bytes of UTF-8 are, without / and \\");
  }
  return true;
}

/* Pushes a member, which is a string or, unless it is required, nil. [-0, +1, m|v] */
static const char *get_string(lua_State *L, const struct avito_request *r, const struct avito_param *p, int index,
                              const char *name, bool required, size_t *length)
{
  *length = 0;
  avito_push_member(L, index, name); /* value */
  if (lua_type(L, -1) != LUA_TSTRING && (required || !lua_isnil(L, -1))) {
    avito_misuse(L, r->endpoint->name, "%s.%s must be a string, got %s", p->name, name, luaL_typename(L, -1));
  }
  return lua_tolstring(L, -1, length);
}

static uint64_t get_size(lua_State *L, const struct avito_request *r, const struct avito_param *p, int index)
{
  int64_t size = 0;
  avito_push_member(L, index, "size"); /* value */
  if (lua_type(L, -1) != LUA_TNUMBER || !avito_to_integer(L, -1, &size) || size < 0) {
    avito_misuse(L, r->endpoint->name, "%s.size must be a number of bytes, got %s", p->name, luaL_typename(L, -1));
  }
  lua_pop(L, 1); /* - */
  return (uint64_t)size;
}

/* [-0, +3, m|v] pushes the strings of the source. */
static void read_source(lua_State *L, const struct avito_request *r, const struct avito_param *p, int index,
                        struct source *source)
{
  static const char *const known[] = {"data", "filename", "path", "size", "start", NULL};
  lua_pushnil(L);                   /* key */
  while (lua_next(L, index) != 0) { /* key value */
    const char *key = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "[a number]";
    const char *const *name = known;
    while (*name != NULL && strcmp(key, *name) != 0) {
      name++;
    }
    if (*name == NULL) {
      avito_unknown_option(L, r->endpoint->name, key, known);
    }
    lua_pop(L, 1); /* key */
  }
  source->path = get_string(L, r, p, index, "path", false, &source->path_length);
  if (source->path != NULL) {
    source->start = get_string(L, r, p, index, "start", true, &source->start_length);
    source->size = get_size(L, r, p, index);
    if (source->start_length > source->size) {
      source->start_length = (size_t)source->size;
    }
  } else {
    source->start = get_string(L, r, p, index, "data", true, &source->start_length);
    source->size = source->start_length;
  }
  source->filename = get_string(L, r, p, index, "filename", false, &source->filename_length);
}

/* A quote would end the name; browsers write it so. */
static void add_filename(lua_State *L, const struct avito_request *r, const char *name, size_t length)
{
  for (size_t i = 0; i < length; i++) {
    if (name[i] == '"') {
      avito_buffer_add_string(L, r->body, "%22");
    } else {
      avito_buffer_add_char(L, r->body, name[i]);
    }
  }
}

static void add_head(lua_State *L, const struct avito_request *r, const struct avito_param *p,
                     const struct source *source, enum avito_image_format format)
{
  avito_buffer_add_string(L, r->body, "--");
  avito_buffer_add_string(L, r->body, r->boundary);
  avito_buffer_add_string(L, r->body, "\r\nContent-Disposition: form-data; name=\"");
  avito_buffer_add_string(L, r->body, p->wire);
  avito_buffer_add_string(L, r->body, "\"; filename=\"");
  bool named = source->filename != NULL && plain_filename(source->filename, source->filename_length);
  if (named || p->type == AVITO_FILE) {
    add_filename(L, r, source->filename, source->filename_length);
  } else {
    avito_buffer_add_string(L, r->body, "image.");
    avito_buffer_add_string(L, r->body, avito_image_extension(format));
  }
  const char *mime = avito_image_mime(format);
  avito_buffer_add_string(L, r->body, "\"\r\nContent-Type: ");
  avito_buffer_add_string(L, r->body, mime != NULL ? mime : "application/octet-stream");
  avito_buffer_add_string(L, r->body, "\r\n\r\n");
}

static void add_tail(lua_State *L, const struct avito_request *r)
{
  avito_buffer_add_string(L, r->body, "\r\n--");
  avito_buffer_add_string(L, r->body, r->boundary);
  avito_buffer_add_string(L, r->body, "--\r\n");
}

/* Sets a field of the table on top to what the body holds, and empties the body. [-0, +0, m] */
static void move_body(lua_State *L, const struct avito_request *r, const char *field)
{
  avito_buffer_push(L, r->body);
  lua_setfield(L, -2, field);
  avito_buffer_reset(L, r->body);
}

/* Puts the table of an upload in the place of the argument. [-0, +0, m] */
static void make_upload(lua_State *L, struct avito_request *r, const struct avito_param *p, int index,
                        const struct source *source, enum avito_image_format format)
{
  lua_createtable(L, 0, 4); /* upload */
  lua_pushstring(L, source->path);
  lua_setfield(L, -2, "path");
  lua_pushinteger(L, (lua_Integer)source->size);
  lua_setfield(L, -2, "size");
  add_head(L, r, p, source, format);
  move_body(L, r, "head");
  add_tail(L, r);
  move_body(L, r, "tail");
  lua_replace(L, index); /* - */
  r->upload = index;
}

bool avito_multipart_part(lua_State *L, struct avito_request *r, const struct avito_param *p, int index)
{
  if (lua_type(L, index) != LUA_TTABLE) {
    avito_wrong_type(L, r, p, "a path or a table with data", index);
  }
  int top = lua_gettop(L);
  struct source source;
  read_source(L, r, p, index, &source); /* path start filename */
  struct avito_image image = avito_image_probe((const unsigned char *)source.start, source.start_length);
  bool fine = check_source(L, r, p, &source) &&
              (p->type == AVITO_FILE ? check_file(L, r, p, &source) : check_image(L, r, p, &source, &image));
  if (!fine) { /* path start filename message */
    lua_replace(L, top + 1);
    lua_settop(L, top + 1); /* message */
    return false;
  }
  if (source.path != NULL) {
    make_upload(L, r, p, index, &source, image.format);
  } else {
    add_head(L, r, p, &source, image.format);
    avito_buffer_add(L, r->body, source.start, source.start_length);
    add_tail(L, r);
  }
  lua_settop(L, top); /* - */
  return true;
}
