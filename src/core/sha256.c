#include "sha256.h"

#include <stdint.h>
#include <string.h>

enum { BLOCK_BYTES = 64, LENGTH_BYTES = 8 };

struct hash {
  uint32_t state[8];
  uint64_t bytes; /* taken so far */
  unsigned char block[BLOCK_BYTES];
};

/* The fractions of the cube roots of the first primes. */
static const uint32_t round_constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static void begin(struct hash *hash)
{
  static const uint32_t first[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                    0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  memcpy(hash->state, first, sizeof first);
  hash->bytes = 0;
}

static uint32_t rotate(uint32_t word, unsigned count)
{
  return word >> count | word << (32 - count);
}

static uint32_t load(const unsigned char *bytes)
{
  return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static void store(unsigned char *bytes, uint32_t word)
{
  for (unsigned i = 0; i < 4; i++)
    bytes[i] = (unsigned char)(word >> (24 - 8 * i));
}

static void compress(uint32_t state[8], const unsigned char *block)
{
  uint32_t w[64];
  for (unsigned i = 0; i < 16; i++)
    w[i] = load(block + (size_t)i * 4);
  for (unsigned i = 16; i < 64; i++) {
    uint32_t low = rotate(w[i - 15], 7) ^ rotate(w[i - 15], 18) ^ w[i - 15] >> 3;
    uint32_t high = rotate(w[i - 2], 17) ^ rotate(w[i - 2], 19) ^ w[i - 2] >> 10;
    w[i] = w[i - 16] + low + w[i - 7] + high;
  }
  uint32_t v[8]; /* a to h of the standard */
  memcpy(v, state, sizeof v);
  for (unsigned i = 0; i < 64; i++) {
    uint32_t choice = (v[4] & v[5]) ^ (~v[4] & v[6]);
    uint32_t majority = (v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]);
    uint32_t one = v[7] + (rotate(v[4], 6) ^ rotate(v[4], 11) ^ rotate(v[4], 25)) + choice + round_constants[i] + w[i];
    uint32_t two = (rotate(v[0], 2) ^ rotate(v[0], 13) ^ rotate(v[0], 22)) + majority;
    memmove(v + 1, v, 7 * sizeof v[0]);
    v[4] += one;
    v[0] = one + two;
  }
  for (unsigned i = 0; i < 8; i++)
    state[i] += v[i];
}

static void add(struct hash *hash, const unsigned char *data, size_t length)
{
  while (length > 0) {
    size_t used = hash->bytes % BLOCK_BYTES;
    size_t count = BLOCK_BYTES - used < length ? BLOCK_BYTES - used : length;
    memcpy(hash->block + used, data, count);
    hash->bytes += count;
    data += count;
    length -= count;
    if (used + count == BLOCK_BYTES)
      compress(hash->state, hash->block);
  }
}

static void end(struct hash *hash, unsigned char digest[AVITO_SHA256_BYTES])
{
  static const unsigned char padding[BLOCK_BYTES] = {0x80};
  uint64_t bits = hash->bytes * 8;
  unsigned char length[LENGTH_BYTES];
  store(length, (uint32_t)(bits >> 32));
  store(length + 4, (uint32_t)bits);
  size_t used = hash->bytes % BLOCK_BYTES;
  size_t room = BLOCK_BYTES - LENGTH_BYTES;
  add(hash, padding, used < room ? room - used : room + BLOCK_BYTES - used);
  add(hash, length, sizeof length);
  for (size_t i = 0; i < 8; i++)
    store(digest + i * 4, hash->state[i]);
}

void avito_sha256(const void *data, size_t length, unsigned char digest[AVITO_SHA256_BYTES])
{
  struct hash hash;
  begin(&hash);
  add(&hash, data, length);
  end(&hash, digest);
}

/* One of the two hashes of an HMAC. */
static void keyed(const unsigned char key[BLOCK_BYTES], unsigned char mask, const void *data, size_t length,
                  unsigned char digest[AVITO_SHA256_BYTES])
{
  unsigned char pad[BLOCK_BYTES];
  for (size_t i = 0; i < BLOCK_BYTES; i++)
    pad[i] = key[i] ^ mask;
  struct hash hash;
  begin(&hash);
  add(&hash, pad, sizeof pad);
  add(&hash, data, length);
  end(&hash, digest);
}

void avito_hmac_sha256(const void *key, size_t key_length, const void *data, size_t length,
                       unsigned char digest[AVITO_SHA256_BYTES])
{
  unsigned char whole[BLOCK_BYTES] = {0};
  if (key_length > BLOCK_BYTES)
    avito_sha256(key, key_length, whole);
  else if (key_length > 0)
    memcpy(whole, key, key_length);
  unsigned char inner[AVITO_SHA256_BYTES];
  keyed(whole, 0x36, data, length, inner);
  keyed(whole, 0x5c, inner, sizeof inner, digest);
}
