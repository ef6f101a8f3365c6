/* image.c - see image.h.
 *
 * Every reader below works on a span, from which nothing can be read past the end. */
#include "image.h"

struct span {
  const unsigned char *data;
  size_t length;
};

/* The part of the span from `offset` on, at most `length` bytes of it: less, or nothing, where it ends before. */
static struct span part(struct span span, uint64_t offset, uint64_t length)
{
  struct span result = {span.data, 0};
  if (offset < span.length) {
    uint64_t left = span.length - offset;
    result.data = span.data + offset;
    result.length = (size_t)(length < left ? length : left);
  }
  return result;
}

static struct span rest(struct span span, uint64_t offset)
{
  return part(span, offset, UINT64_MAX);
}

/* A number of 1 to 8 bytes; 0 when the span ends before it does. */
static uint64_t big_endian(struct span span, size_t offset, size_t size)
{
  uint64_t value = 0;
  struct span bytes = part(span, offset, size);
  if (bytes.length < size)
    return 0;
  for (size_t i = 0; i < size; ++i)
    value = value << 8 | bytes.data[i];
  return value;
}

static uint64_t little_endian(struct span span, size_t offset, size_t size)
{
  uint64_t value = 0;
  struct span bytes = part(span, offset, size);
  if (bytes.length < size)
    return 0;
  for (size_t i = size; i > 0; --i)
    value = value << 8 | bytes.data[i - 1];
  return value;
}

static int has_bytes(struct span span, size_t offset, const char *bytes, size_t size)
{
  struct span found = part(span, offset, size);
  return found.length == size && memcmp(found.data, bytes, size) == 0;
}

static int has_text(struct span span, size_t offset, const char *text)
{
  return has_bytes(span, offset, text, strlen(text));
}

/* -- JPEG: segments up to the frame header (ITU T.81, B.1 and B.2) -- */

static int is_frame(uint64_t marker)
{
  int table_or_reserved = marker == 0xC4 || marker == 0xC8 || marker == 0xCC;
  return marker >= 0xC0 && marker <= 0xCF && !table_or_reserved;
}

/* Markers that no length follows: TEM, RSTm, SOI. */
static int stands_alone(uint64_t marker)
{
  return marker == 0x01 || (marker >= 0xD0 && marker <= 0xD8);
}

static void probe_jpeg(struct span file, struct avito_image *image)
{
  size_t at = 0;
  while (big_endian(file, at, 1) == 0xFF) {
    uint64_t marker = big_endian(file, ++at, 1);
    if (marker == 0xFF)
      continue; /* a fill byte */
    ++at;
    if (stands_alone(marker))
      continue;
    if (is_frame(marker)) {
      image->height = big_endian(file, at + 3, 2);
      image->width = big_endian(file, at + 5, 2);
      return;
    }
    uint64_t length = big_endian(file, at, 2);
    if (marker == 0xD9 || marker == 0xDA)
      return; /* the end, or a scan: the frame header had to come before it */
    at += (size_t)length;
  }
}

/* -- PNG, GIF, BMP -- */

static void probe_png(struct span file, struct avito_image *image)
{
  if (!has_text(file, 12, "IHDR"))
    return;
  image->width = big_endian(file, 16, 4);
  image->height = big_endian(file, 20, 4);
}

static void probe_gif(struct span file, struct avito_image *image)
{
  image->width = little_endian(file, 6, 2);
  image->height = little_endian(file, 8, 2);
}

/* "BM" begins many a text: the size of the second header has to be one that exists. */
static int is_bmp(struct span file)
{
  static const unsigned sizes[] = {12, 16, 40, 52, 56, 64, 108, 124};
  uint64_t size = little_endian(file, 14, 4);
  if (!has_text(file, 0, "BM"))
    return 0;
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; ++i)
    if (size == sizes[i])
      return 1;
  return 0;
}

/* Rows may be stored top down, which a negative height says. */
static uint64_t magnitude(uint64_t word)
{
  return word > INT32_MAX ? (UINT64_C(1) << 32) - word : word;
}

static void probe_bmp(struct span file, struct avito_image *image)
{
  if (little_endian(file, 14, 4) == 12) {
    image->width = little_endian(file, 18, 2);
    image->height = little_endian(file, 20, 2);
  } else {
    image->width = magnitude(little_endian(file, 18, 4));
    image->height = magnitude(little_endian(file, 22, 4));
  }
}

/* -- HEIC: boxes of ISO/IEC 14496-12 with the properties of 23008-12 -- */

struct box {
  char type[4];
  struct span body; /* cut to the bytes there are */
  uint64_t size;    /* with the header; 0 when there is no box */
};

static struct box box_at(struct span file, uint64_t offset)
{
  struct box box = {.size = 0};
  struct span header = rest(file, offset);
  uint64_t size = big_endian(header, 0, 4);
  uint64_t skip = 8;
  if (header.length < skip)
    return box;
  if (size == 1) {
    size = big_endian(header, 8, 8);
    skip = 16;
  } else if (size == 0) {
    size = header.length;
  }
  if (size < skip)
    return box;
  memcpy(box.type, header.data + 4, sizeof box.type);
  box.body = part(header, skip, size - skip);
  box.size = size < header.length ? size : header.length;
  return box;
}

static int is_type(const struct box *box, const char *type)
{
  return memcmp(box->type, type, sizeof box->type) == 0;
}

/* The body of the first box of this type; empty when there is none. */
static struct span find_box(struct span span, const char *type)
{
  uint64_t offset = 0;
  for (;;) {
    struct box box = box_at(span, offset);
    if (box.size == 0)
      return part(span, 0, 0);
    if (is_type(&box, type))
      return box.body;
    offset += box.size;
  }
}

/* Version and flags begin some boxes. */
enum { FULL_BOX = 4 };

struct extent {
  uint64_t width;
  uint64_t height;
};

static struct extent read_extent(struct span ispe)
{
  return (struct extent){big_endian(ispe, FULL_BOX, 4), big_endian(ispe, FULL_BOX + 4, 4)};
}

/* The properties of the primary item, by their numbers from 1. A set, so that no file can ask for the same walk twice. */
struct properties {
  unsigned char bits[(0x7FFF + 8) / 8];
};

/* Adds what one table of associations (ipma) says of the item. */
static void collect_properties(struct span table, uint64_t item, struct properties *set)
{
  size_t id_size = big_endian(table, 0, 1) == 0 ? 2 : 4;
  size_t index_size = (big_endian(table, 3, 1) & 1) != 0 ? 2 : 1;
  uint64_t index_mask = index_size == 2 ? 0x7FFF : 0x7F;
  uint64_t items = big_endian(table, FULL_BOX, 4);
  size_t at = FULL_BOX + 4;
  for (; items > 0 && at < table.length; --items) {
    uint64_t id = big_endian(table, at, id_size);
    uint64_t associations = big_endian(table, at + id_size, 1);
    at += id_size + 1;
    for (; associations > 0; --associations, at += index_size) {
      uint64_t number = big_endian(table, at, index_size) & index_mask;
      if (id == item)
        set->bits[number / 8] |= (unsigned char)(1U << number % 8);
    }
  }
}

/* The largest extent among the properties, of those in the set when there is one; zeros when there is none. */
static struct extent find_extent(struct span properties, const struct properties *set)
{
  struct extent largest = {0, 0};
  uint64_t offset = 0;
  for (uint64_t number = 1;; ++number) {
    struct box box = box_at(properties, offset);
    if (box.size == 0)
      return largest;
    int wanted = set == NULL || (number <= 0x7FFF && (set->bits[number / 8] >> number % 8 & 1) != 0);
    if (wanted && is_type(&box, "ispe")) {
      struct extent extent = read_extent(box.body);
      if (extent.width * extent.height > largest.width * largest.height)
        largest = extent;
    }
    offset += box.size;
  }
}

/* Of a grid the primary item is the whole, whose extent it carries as any other item does. */
static struct extent primary_extent(struct span meta, struct span iprp, struct span properties)
{
  struct properties set = {{0}};
  struct span pitm = find_box(meta, "pitm");
  uint64_t item = big_endian(pitm, FULL_BOX, big_endian(pitm, 0, 1) == 0 ? 2 : 4);
  uint64_t offset = 0;
  for (;;) {
    struct box box = box_at(iprp, offset);
    if (box.size == 0)
      return find_extent(properties, &set);
    if (is_type(&box, "ipma"))
      collect_properties(box.body, item, &set);
    offset += box.size;
  }
}

static void probe_heic(struct span file, struct avito_image *image)
{
  struct span meta = rest(find_box(file, "meta"), FULL_BOX);
  struct span iprp = find_box(meta, "iprp");
  struct span properties = find_box(iprp, "ipco");
  struct extent extent = primary_extent(meta, iprp, properties);
  if (extent.width == 0)
    extent = find_extent(properties, NULL);
  image->width = extent.width;
  image->height = extent.height;
}

enum brand { BRAND_OTHER, BRAND_MIF1, BRAND_AVIF, BRAND_HEIC };

static enum brand brand_at(struct span body, size_t offset)
{
  static const char heic[][5] = {"heic", "heix", "hevc", "hevx", "heim", "heis", "hevm", "hevs"};
  for (size_t i = 0; i < sizeof heic / sizeof *heic; ++i)
    if (has_text(body, offset, heic[i]))
      return BRAND_HEIC;
  if (has_text(body, offset, "avif") || has_text(body, offset, "avis"))
    return BRAND_AVIF;
  if (has_text(body, offset, "mif1") || has_text(body, offset, "msf1"))
    return BRAND_MIF1;
  return BRAND_OTHER;
}

/* The major brand when it names a codec, else the most telling of the compatible ones: mif1 alone leaves the codec open. */
static enum brand file_brand(struct span file)
{
  struct span body = box_at(file, 0).body;
  enum brand brand = brand_at(body, 0);
  if (brand == BRAND_HEIC || brand == BRAND_AVIF)
    return brand;
  for (size_t at = 8; at + 4 <= body.length; at += 4) {
    enum brand compatible = brand_at(body, at);
    if (compatible > brand)
      brand = compatible;
  }
  return brand;
}

/* -- all of them -- */

static int is_iso_file(struct span file)
{
  return has_text(file, 4, "ftyp");
}

static enum avito_image_format format_of(struct span file)
{
  if (has_bytes(file, 0, "\xFF\xD8\xFF", 3))
    return AVITO_IMAGE_JPEG;
  if (has_bytes(file, 0, "\x89PNG\r\n\x1A\n", 8))
    return AVITO_IMAGE_PNG;
  if (has_text(file, 0, "GIF87a") || has_text(file, 0, "GIF89a"))
    return AVITO_IMAGE_GIF;
  if (is_bmp(file))
    return AVITO_IMAGE_BMP;
  if (is_iso_file(file)) {
    enum brand brand = file_brand(file);
    if (brand == BRAND_HEIC || brand == BRAND_MIF1)
      return AVITO_IMAGE_HEIC;
  }
  return AVITO_IMAGE_UNKNOWN;
}

struct avito_image avito_image_probe(const unsigned char *data, size_t length)
{
  struct span file = {data, length};
  struct avito_image image = {.format = format_of(file)};
  switch (image.format) {
  case AVITO_IMAGE_JPEG:
    probe_jpeg(file, &image);
    break;
  case AVITO_IMAGE_PNG:
    probe_png(file, &image);
    break;
  case AVITO_IMAGE_GIF:
    probe_gif(file, &image);
    break;
  case AVITO_IMAGE_BMP:
    probe_bmp(file, &image);
    break;
  case AVITO_IMAGE_HEIC:
    probe_heic(file, &image);
    break;
  case AVITO_IMAGE_UNKNOWN:
    break;
  }
  if (image.width == 0 || image.height == 0)
    image.width = image.height = 0;
  return image;
}

struct format {
  const char *name;
  const char *mime;
  const char *extension;
};

static const struct format *format_info(enum avito_image_format format)
{
  static const struct format formats[] = {
      [AVITO_IMAGE_UNKNOWN] = {NULL, NULL, NULL},      [AVITO_IMAGE_JPEG] = {"jpeg", "image/jpeg", "jpg"},
      [AVITO_IMAGE_PNG] = {"png", "image/png", "png"}, [AVITO_IMAGE_GIF] = {"gif", "image/gif", "gif"},
      [AVITO_IMAGE_BMP] = {"bmp", "image/bmp", "bmp"}, [AVITO_IMAGE_HEIC] = {"heic", "image/heic", "heic"},
  };
  return &formats[format];
}

const char *avito_image_name(enum avito_image_format format)
{
  return format_info(format)->name;
}

const char *avito_image_mime(enum avito_image_format format)
{
  return format_info(format)->mime;
}

const char *avito_image_extension(enum avito_image_format format)
{
  return format_info(format)->extension;
}

/* -- what it is instead -- */

static int is_space(unsigned char c)
{
  return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Whether text stands here, whatever the case of its ASCII letters; `text` is in small letters. */
static int has_word(struct span span, size_t offset, const char *text)
{
  for (size_t i = 0; text[i] != '\0'; ++i) {
    uint64_t c = big_endian(span, offset + i, 1);
    if (c >= 'A' && c <= 'Z')
      c += 'a' - 'A';
    if (c != (unsigned char)text[i])
      return 0;
  }
  return 1;
}

static int contains_word(struct span span, const char *text)
{
  for (size_t at = 0; at < span.length; ++at)
    if (has_word(span, at, text))
      return 1;
  return 0;
}

/* NULL when the span is no text. */
static const char *guess_text(struct span file)
{
  struct span head = part(file, has_bytes(file, 0, "\xEF\xBB\xBF", 3) ? 3 : 0, 512);
  while (head.length > 0 && is_space(head.data[0]))
    head = rest(head, 1);
  for (size_t i = 0; i < head.length; ++i)
    if ((head.data[i] < ' ' && !is_space(head.data[i])) || head.data[i] == 0x7F)
      return NULL;
  if (has_word(head, 0, "<!doctype html") || has_word(head, 0, "<html"))
    return "HTML";
  if (has_word(head, 0, "<svg") || (has_word(head, 0, "<?xml") && contains_word(head, "<svg")))
    return "SVG";
  return head.length > 0 && head.data[0] < 0x80 ? "text" : NULL;
}

const char *avito_image_guess(const unsigned char *data, size_t length)
{
  static const struct {
    size_t offset;
    size_t size;
    const char *bytes;
    const char *name;
  } signatures[] = {
      {8, 4, "WEBP", "WebP"},
      {0, 4, "II*\0", "TIFF"},
      {0, 4, "MM\0*", "TIFF"},
      {0, 5, "%PDF-", "PDF"},
      {0, 4, "PK\x03\x04", "a ZIP archive"},
      {0, 4, "8BPS", "Photoshop"},
      {0, 2, "\xFF\x0A", "JPEG XL"},
      {4, 8, "JXL \r\n\x87\n", "JPEG XL"},
      {4, 8, "jP  \r\n\x87\n", "JPEG 2000"},
      {0, 4, "\x1A\x45\xDF\xA3", "Matroska or WebM"},
  };
  struct span file = {data, length};
  if (length == 0)
    return "an empty file";
  for (size_t i = 0; i < sizeof signatures / sizeof *signatures; ++i)
    if (has_bytes(file, signatures[i].offset, signatures[i].bytes, signatures[i].size))
      return signatures[i].name;
  if (is_iso_file(file))
    return file_brand(file) == BRAND_AVIF ? "AVIF" : "MP4";
  const char *text = guess_text(file);
  return text != NULL ? text : "data of an unknown format";
}

/* -- the Lua function -- */

/* [-0, +1, m] */
static void push_pixels(lua_State *L, uint64_t pixels)
{
  if (pixels == 0)
    lua_pushnil(L);
  else
    lua_pushinteger(L, (lua_Integer)pixels);
}

/* image_probe(data) */
static int image_probe(lua_State *L)
{
  size_t length;
  luaL_checktype(L, 1, LUA_TSTRING);
  const unsigned char *data = (const unsigned char *)lua_tolstring(L, 1, &length);
  struct avito_image image = avito_image_probe(data, length);
  if (image.format == AVITO_IMAGE_UNKNOWN) {
    lua_pushnil(L);
    lua_pushfstring(L, "JPEG, PNG, GIF, BMP or HEIC expected, found %s", avito_image_guess(data, length));
    return 2;
  }
  lua_pushstring(L, avito_image_name(image.format));
  push_pixels(L, image.width);
  push_pixels(L, image.height);
  lua_pushstring(L, avito_image_mime(image.format));
  return 4;
}

void avito_image_register(lua_State *L)
{
  lua_pushcfunction(L, image_probe);
  lua_setfield(L, -2, "image_probe");
}
