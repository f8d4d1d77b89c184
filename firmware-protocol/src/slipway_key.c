/* Proofs of a key (§4.8): HMAC (RFC 2104) with SHA-256 (FIPS 180-4), made small rather than fast. */
#include "slipway_private.h"

#if SLIPWAY_WITH_KEY

#include <string.h>

enum { BLOCK = 64, LENGTH_AT = 56, INNER_PAD = 0x36, OUTER_PAD = 0x5C };
/* Whose proof it is. */
enum { OF_PEER = 1, OF_GATEWAY = 2 };

static const uint32_t rounds[64] SLIPWAY_FLASH = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};
static const uint32_t start[8] SLIPWAY_FLASH = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                                0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

/* Of at most 255 bytes, the padding included. */
typedef struct slipway_hash {
  uint32_t state[8];
  uint32_t block[BLOCK / 4]; /* the last bytes, four in each */
  uint8_t count;             /* bytes so far */
} slipway_hash_t;

SLIPWAY_APART static uint32_t turn(uint32_t word, uint8_t bits) {
  for (; bits >= 8; bits = (uint8_t)(bits - 8)) word = word >> 8 | word << 24;
  for (; bits; bits--) word = word >> 1 | word << 31;
  return word;
}

/* The sums of FIPS 180-4 §4.1.2, turned from within so that few bits are turned. */
static void compress(slipway_hash_t *hash) {
  uint32_t v[8]; /* a to h */
  uint8_t i;
  memcpy(v, hash->state, sizeof v);
  for (i = 0; i < 64; i++) {
    uint32_t *word = &hash->block[i & 15];
    uint32_t sum;
    if (i > 15) {
      uint32_t w = hash->block[(i + 1) & 15];
      *word += turn(w ^ turn(w, 11), 7) ^ w >> 3;
      w = hash->block[(i + 14) & 15];
      *word += turn(w ^ turn(w, 2), 17) ^ w >> 10;
      *word += hash->block[(i + 9) & 15];
    }
    sum = v[7] + *word + SLIPWAY_FLASH_WORD(&rounds[i]);
    sum += turn(v[4] ^ turn(v[4] ^ turn(v[4], 14), 5), 6);
    sum += v[6] ^ (v[4] & (v[5] ^ v[6]));
    v[3] += sum;
    sum += turn(v[0] ^ turn(v[0] ^ turn(v[0], 9), 11), 2);
    sum += (v[0] & v[1]) | (v[2] & (v[0] | v[1]));
    memmove(v + 1, v, 7 * sizeof *v);
    v[0] = sum;
  }
  for (i = 0; i < 8; i++) hash->state[i] += v[i];
}

SLIPWAY_APART static void add(slipway_hash_t *hash, uint8_t byte) {
  uint32_t *word = &hash->block[hash->count++ / 4 % (BLOCK / 4)];
  *word = *word << 8 | byte;
  if (hash->count % BLOCK == 0) compress(hash);
}

SLIPWAY_APART static void add_bytes(slipway_hash_t *hash, const uint8_t *bytes, uint8_t count) {
  for (; count; count--) add(hash, *bytes++);
}

/* Begins with the key, under one of the pads. */
static void begin(slipway_hash_t *hash, const uint8_t *key, uint8_t pad) {
  uint8_t i;
  for (i = 0; i < 8; i++) hash->state[i] = SLIPWAY_FLASH_WORD(&start[i]);
  hash->count = 0;
  for (i = 0; i < BLOCK; i++) add(hash, i < SLIPWAY_KEY_BYTES ? SLIPWAY_FLASH_BYTE(key + i) ^ pad : pad);
}

/* Makes the state what was asked for. */
static void finish(slipway_hash_t *hash) {
  uint16_t bits = (uint16_t)(hash->count * 8u);
  uint8_t i;
  add(hash, 0x80);
  while (hash->count % BLOCK != LENGTH_AT) add(hash, 0);
  /* Of its eight bytes. */
  for (i = 0; i < 6; i++) add(hash, 0);
  add(hash, (uint8_t)(bits >> 8));
  add(hash, (uint8_t)bits);
}

static uint8_t digest_byte(const uint32_t *digest, uint8_t i) {
  return (uint8_t)(digest[i / 4] >> (24 - i % 4 * 8));
}

/* From the inner hash, complete but for its end, to the outer one. */
static void close_proof(slipway_hash_t *hash, const uint8_t *key) {
  uint32_t inner[8];
  uint8_t i;
  finish(hash);
  memcpy(inner, hash->state, sizeof inner);
  begin(hash, key, OUTER_PAD);
  for (i = 0; i < sizeof inner; i++) add(hash, digest_byte(inner, i));
  finish(hash);
}

void slipway_prove(slipway_t *s, const uint8_t *challenge) {
  slipway_hash_t hash;
  const char *identity = s->identity;
  uint8_t i;
  begin(&hash, s->key, INNER_PAD);
  add(&hash, OF_PEER);
  add_bytes(&hash, challenge, CHALLENGE_BYTES);
  add_bytes(&hash, s->nonce, 4);
  /* As HELLO has it. */
  for (i = 0; i < 4; i++) add(&hash, SLIPWAY_WITH_RELIABLE ? s->token[i] : 0);
  while (*identity) add(&hash, (uint8_t)*identity++);
  close_proof(&hash, s->key);
  for (i = 0; i < sizeof s->proof; i++) s->proof[i] = digest_byte(hash.state, i);
  s->proof_size = sizeof s->proof;
}

bool slipway_is_proved(const slipway_t *s, const uint8_t *token, const uint8_t *option) {
  slipway_hash_t hash;
  uint8_t wrong;
  uint8_t i;
  if (!s->proof_size || *option++ != OPTION_PROOF || *option++ != GATEWAY_PROOF_BYTES) return false;
  begin(&hash, s->key, INNER_PAD);
  add(&hash, OF_GATEWAY);
  add_bytes(&hash, s->proof, sizeof s->proof);
  add_bytes(&hash, token, 4);
  close_proof(&hash, s->key);
  /* All of it, whatever is found: how long it takes tells nothing. */
  for (wrong = 0, i = 0; i < GATEWAY_PROOF_BYTES; i++) wrong |= (uint8_t)(digest_byte(hash.state, i) ^ option[i]);
  return !wrong;
}

#else
/* ISO C wants something in every file. */
typedef int slipway_no_key;
#endif
