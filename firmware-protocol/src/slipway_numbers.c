/* Numbers in packets (§1). */
#include "slipway_private.h"

SLIPWAY_APART uint16_t slipway_read16(const uint8_t *p) { return (uint16_t)(p[0] << 8 | p[1]); }

/* Whether four bytes are alike. */
SLIPWAY_APART_IF_LARGE bool slipway_are_same(const uint8_t *a, const uint8_t *b) {
  uint8_t left = 4;
  do {
    if (*a++ != *b++) return false;
  } while (--left);
  return true;
}

/* The varint at `p`, of which `left` bytes are there. */
slipway_varint_t slipway_read_varint(const uint8_t *p, slipway_size_t left) {
#if SLIPWAY_TRUSTING
  /* Only what can be the length of a message here; the CRC behind a packet may be looked at. 128 to 255 are the byte itself
   * and a one. */
  slipway_varint_t varint = {1, *p};
  if (*p & 0x80u) {
    varint.size = 2;
    if (p[1] != 1) left = 0;
  }
  if (varint.size > left) varint.size = 0;
  return varint;
#else
  slipway_varint_t varint = {0, (slipway_size_t)-1};
  uint8_t size = 0;
  do {
    if (size == left || size == 4) return varint;
  } while (p[size++] & 0x80u);
  if (size > 1 && p[size - 1] == 0) return varint;
  varint.size = size;
  if (size == 1) varint.value = *p;
  if (size == 2) varint.value = slipway_clamp((uint16_t)((*p & 0x7Fu) | (unsigned)p[1] << 7));
  return varint;
#endif
}
