/* Packets out of the bytes of a link (§2). */
#include "slipway_private.h"

#if SLIPWAY_WITH_SERIAL
/* §2.1 */
static void serial_byte(slipway_t *s, uint8_t byte) {
  if (byte == END) {
    slipway_size_t count = s->length;
    slipway_size_t left = count;
    const uint8_t *p = s->buffer;
    uint16_t crc = 0xFFFF;
    bool spoiled = (s->flags & (SKIPPING | ESCAPED)) != 0;
    s->length = 0;
    s->flags &= (uint8_t)~(SKIPPING | ESCAPED);
    for (; left; left--) crc = slipway_crc(crc, *p++);
    if (spoiled || count < 3 || crc) {
      if (spoiled || count) COUNT(s, crc);
    } else {
      slipway_packet(s, p - count, (slipway_size_t)(count - 2));
    }
    return;
  }
  if (s->flags & SKIPPING) return;
  if (s->flags & ESCAPED) {
    s->flags &= (uint8_t)~ESCAPED;
    if (byte == ESC_END) {
      byte = END;
    } else if (byte == ESC_ESC) {
      byte = ESC;
    } else {
      s->flags |= SKIPPING;
      return;
    }
  } else if (byte == ESC) {
    s->flags |= ESCAPED;
    return;
  }
  if (s->length == s->buffer_size) {
    COUNT(s, oversize);
    s->flags |= SKIPPING;
    return;
  }
  s->buffer[s->length++] = byte;
}
#endif

#if SLIPWAY_WITH_STREAM
/* §2.3. False if the stream cannot be followed any longer. */
static bool stream_byte(slipway_t *s, uint8_t byte) {
  if (s->flags & SKIPPING) return false;
  s->buffer[s->length++] = byte;
  if (s->wanted == 0) {
    /* The length's own bytes stand in the buffer until the last of them is there. */
    slipway_varint_t size;
    if (byte & 0x80u && s->length < 4) return true;
    size = slipway_read_varint(s->buffer, s->length);
    s->wanted = size.value;
    s->length = 0;
    if (size.size != 0 && s->wanted != 0 && s->wanted <= s->buffer_size) return true;
    COUNT(s, oversize);
    s->flags |= SKIPPING;
    return false;
  }
  if (s->length == s->wanted) {
    s->length = 0;
    slipway_packet(s, s->buffer, (slipway_size_t)s->wanted);
    s->wanted = 0;
  }
  return true;
}
#endif

bool slipway_receive(slipway_t *s, const uint8_t *bytes, size_t count) {
#if SLIPWAY_WITH_DATAGRAM
  if (IS_DATAGRAM(s)) {
    if (count > s->buffer_size) {
      COUNT(s, oversize);
    } else {
      slipway_packet(s, bytes, (slipway_size_t)count);
    }
    return true;
  }
#endif
#if SLIPWAY_WITH_STREAM
  if (IS_STREAM(s)) {
    while (count--) {
      if (!stream_byte(s, *bytes++)) return false;
    }
    return true;
  }
#endif
#if SLIPWAY_WITH_SERIAL
  while (count--) serial_byte(s, *bytes++);
#endif
  return true;
}
