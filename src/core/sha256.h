/* sha256.h - SHA-256 (FIPS 180-4) and HMAC-SHA256 (RFC 2104), for the signatures of webhooks. Pure. */
#ifndef AVITO_SHA256_H
#define AVITO_SHA256_H

#include <stddef.h>

#define AVITO_SHA256_BYTES 32

void avito_sha256(const void *data, size_t length, unsigned char digest[AVITO_SHA256_BYTES]);
void avito_hmac_sha256(const void *key, size_t key_length, const void *data, size_t length,
                       unsigned char digest[AVITO_SHA256_BYTES]);

#endif
