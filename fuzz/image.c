/* image.c - libFuzzer harness of the image probe. */
#include "core/image.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  struct avito_image image = avito_image_probe(data, size);
  int known = image.format != AVITO_IMAGE_UNKNOWN;
  if (known != (avito_image_mime(image.format) != NULL) || known != (avito_image_name(image.format) != NULL))
    abort();
  if ((image.width == 0) != (image.height == 0) || (!known && image.width != 0))
    abort();
  if (image.width > UINT32_MAX || image.height > UINT32_MAX)
    abort();
  if (avito_image_guess(data, size) == NULL)
    abort();
  return 0;
}
