/* Whether the messages of a packet are well-formed (§1, §3). */
#include "slipway_private.h"

/* The bytes that the varint at `p` takes of `left`; 0 if it is malformed (§1). */
uint8_t slipway_varint_size(const uint8_t *p, slipway_size_t left) {
  uint8_t size = 0;
  do {
    if (size == left || size == 4) return 0;
  } while (p[size++] & 0x80u);
  return size > 1 && p[size - 1] == 0 ? 0 : size;
}

/* Its value. A malformed one, or one of more than two bytes, is the greatest size: more than anything here can hold. */
SLIPWAY_APART slipway_size_t slipway_varint_value(const uint8_t *p, uint8_t size) {
  if (size == 1) return *p;
  if (size != 2) return (slipway_size_t)-1;
  return slipway_clamp((uint16_t)((*p & 0x7Fu) | (unsigned)p[1] << 7));
}

/* What a control message of the gateway's has after its head: so many bytes, or at least so many with OR_MORE.
 * 0: it does not come from a gateway (§3.2). */
enum { OR_MORE = 0x80, TIME_BYTES = 6 };
static const uint8_t body_sizes[16] SLIPWAY_FLASH = {
    0, (WELCOME_FIXED + 3 + TIME_BYTES) | OR_MORE, 0, 2 | OR_MORE, 1, 1, 1, 1 + TIME_BYTES,
    2 | OR_MORE, 4 | OR_MORE, 0, 0, 5, 0, 0, 1 | OR_MORE};

SLIPWAY_APART static bool welcome_fits(const uint8_t *p, slipway_size_t left) {
  uint8_t varints = 3;
  if (p[1] > 7 || !(p[6] | p[7] | p[8] | p[9])) return false;
  p += WELCOME_FIXED;
  left = (slipway_size_t)(left - WELCOME_FIXED);
  do {
    uint8_t size = slipway_varint_size(p, left);
    if (!size) return false;
    p += size;
    left = (slipway_size_t)(left - size);
  } while (--varints);
  if (left < TIME_BYTES) return false;
  p += TIME_BYTES;
  left = (slipway_size_t)(left - TIME_BYTES);
  while (left) {
    /* Options: type, length, value. */
    if (left < 2 || p[1] > left - 2) return false;
    left = (slipway_size_t)(left - 2 - p[1]);
    p += 2 + p[1];
  }
  return true;
}

static bool control_fits(uint8_t head, const uint8_t *p, slipway_size_t left) {
  uint8_t wanted = SLIPWAY_FLASH_BYTE(&body_sizes[head & 0x0F]);
  uint8_t least = wanted & (uint8_t)~OR_MORE;
  if (!wanted || left < least || (left > least && !(wanted & OR_MORE))) return false;
  if (head == HEAD_WELCOME) return welcome_fits(p, left);
#if SLIPWAY_WITH_RELIABLE
  if (head == HEAD_DECLARE) {
    uint8_t size = slipway_varint_size(p + 2, (slipway_size_t)(left - 2));
    return size && p[2] && left > 2u + size && left <= 2u + size + 255u;
  }
#endif
  return head != HEAD_ACK || left <= 34;
}

static bool emit_fits(uint8_t head, const uint8_t *p, slipway_size_t left) {
  if (head & HEAD_FRAGMENT) return false;
  if (head & HEAD_QOS) {
    if (left < 2) return false;
    p += 2;
    left = (slipway_size_t)(left - 2);
  }
  if (!(head & HEAD_NAME)) return slipway_varint_size(p, left) != 0;
  return !(head & HEAD_GATEWAY_ID) && left && p[0] && p[0] < left;
}

/* Whether a message is well-formed; `head` without its L, `p` what follows it and the length. */
bool slipway_fits(uint8_t head, const uint8_t *p, slipway_size_t left) {
  if (!(head & 0x80u)) return false;
  return IS_CONTROL(head) ? control_fits(head, p, left) : emit_fits(head, p, left);
}
