/* Packets as they lie on the wire (§2), in the plainest way. */
#include "harness.h"

static uint16_t crc16(const uint8_t *at, size_t count) {
  uint16_t crc = 0xFFFF;
  while (count--) {
    crc ^= *at++;
    for (int bit = 0; bit < 8; bit++) crc = (uint16_t)(crc & 1 ? (crc >> 1) ^ 0x8408 : crc >> 1);
  }
  return crc;
}

/* Returns the bytes that the packet takes on the wire. */
size_t frame_packet(uint8_t framing, const uint8_t *packet, size_t count, uint8_t *framed) {
  size_t n = 0;
  if (framing == SLIPWAY_FRAMING_SERIAL) {
    uint16_t crc = crc16(packet, count);
    framed[n++] = 0xC0;
    for (size_t i = 0; i < count + 2; i++) {
      uint8_t byte = i < count ? packet[i] : (uint8_t)(i == count ? crc : crc >> 8);
      if (byte == 0xC0 || byte == 0xDB) {
        framed[n++] = 0xDB;
        byte = byte == 0xC0 ? 0xDC : 0xDD;
      }
      framed[n++] = byte;
    }
    framed[n++] = 0xC0;
    return n;
  }
  if (framing == SLIPWAY_FRAMING_STREAM) n = put_varint(framed, (uint32_t)count);
  memcpy(framed + n, packet, count);
  return n + count;
}

/* What a sender wrote as one packet, taken apart; returns the packet's size. */
size_t unframe_packet(uint8_t framing, const uint8_t *framed, size_t count, uint8_t *packet) {
  size_t n = 0;
  if (framing == SLIPWAY_FRAMING_SERIAL) {
    REQUIRE(count >= 5 && framed[0] == 0xC0 && framed[count - 1] == 0xC0, "a frame stands between ENDs");
    for (size_t i = 1; i < count - 1; i++) {
      uint8_t byte = framed[i];
      REQUIRE(byte != 0xC0, "there is no END within a frame");
      if (byte == 0xDB) {
        byte = framed[++i];
        REQUIRE(byte == 0xDC || byte == 0xDD, "ESC is followed by DC or DD");
        byte = byte == 0xDC ? 0xC0 : 0xDB;
      }
      packet[n++] = byte;
    }
    REQUIRE(n > 2 && crc16(packet, n) == 0, "a frame ends with its CRC");
    return n - 2;
  }
  size_t at = 0;
  if (framing == SLIPWAY_FRAMING_STREAM) {
    uint8_t length[4];
    size_t said = 0;
    for (unsigned shift = 0; at < count; shift += 7) {
      said |= (size_t)(framed[at] & 0x7F) << shift;
      if (framed[at++] < 0x80) break;
    }
    REQUIRE(said == count - at && put_varint(length, (uint32_t)said) == at, "a record's length is the packet's");
  }
  memcpy(packet, framed + at, count - at);
  return count - at;
}
