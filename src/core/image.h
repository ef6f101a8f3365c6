/* image.h - what an image is, told by its first bytes and not by its name.
 *
 * The format is known from the signature; the size comes from the header, without decoding. Any bytes are safe input.
 */
#ifndef AVITO_IMAGE_H
#define AVITO_IMAGE_H

#include <stddef.h>
#include <stdint.h>

#include "compat.h"

/* The formats that uploadImages takes. */
enum avito_image_format {
  AVITO_IMAGE_UNKNOWN,
  AVITO_IMAGE_JPEG,
  AVITO_IMAGE_PNG,
  AVITO_IMAGE_GIF,
  AVITO_IMAGE_BMP,
  AVITO_IMAGE_HEIC
};

/* Pixels; 0 when the header does not say, because it is broken or cut off. */
struct avito_image {
  enum avito_image_format format;
  uint64_t width;
  uint64_t height;
};

/* `data` may be NULL when `length` is 0. */
struct avito_image avito_image_probe(const unsigned char *data, size_t length);

/* Static strings: "jpeg", "image/jpeg", "jpg"; all NULL for AVITO_IMAGE_UNKNOWN. */
const char *avito_image_name(enum avito_image_format format);
const char *avito_image_mime(enum avito_image_format format);
const char *avito_image_extension(enum avito_image_format format);

/* What data of an unknown format looks like, to end a sentence with: "WebP", "text", "an empty file". Static. */
const char *avito_image_guess(const unsigned char *data, size_t length);

/* Adds to the module table on top of the stack
 *   image_probe(data) -> name, width or nil, height or nil, mime | nil, message
 * The message says what was found instead. [-0, +0, m] */
void avito_image_register(lua_State *L);

#endif
