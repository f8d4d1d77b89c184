/* Reads what the client sends as strictly as §3 is written: a client never sends anything malformed. */
#include "harness.h"

typedef struct reader {
  const uint8_t *at;
  size_t left;
} reader_t;

static uint8_t u8(reader_t *r) {
  REQUIRE(r->left >= 1, "a message has all its fields");
  r->left--;
  return *r->at++;
}
static uint16_t u16(reader_t *r) {
  uint8_t high = u8(r);
  return (uint16_t)(high << 8 | u8(r));
}
static uint32_t u32(reader_t *r) {
  uint32_t high = u16(r);
  return high << 16 | u16(r);
}
static uint32_t varint(reader_t *r) {
  uint32_t value = 0;
  for (unsigned shift = 0; shift < 28; shift += 7) {
    uint8_t byte = u8(r);
    value |= (uint32_t)(byte & 0x7F) << shift;
    if (byte < 0x80) {
      REQUIRE(byte != 0 || shift == 0, "a varint is as short as possible");
      return value;
    }
  }
  REQUIRE(false, "a varint has 4 bytes at most");
}
static void rest(reader_t *r, const uint8_t **at, size_t *count) {
  *at = r->at;
  *count = r->left;
  r->at += r->left;
  r->left = 0;
}
static void name(reader_t *r, sent_message_t *m, size_t count) {
  REQUIRE(count <= 255 && count <= r->left, "a name has 255 bytes at most");
  m->name = r->at;
  m->name_length = count;
  r->at += count;
  r->left -= count;
}

static void hello(reader_t *r, sent_message_t *m) {
  REQUIRE(u8(r) == 1 && u8(r) <= 3, "HELLO has version 1 and known flags");
  m->nonce = r->at;
  u32(r);
  m->token = u32(r);
  m->number = u16(r);
  u16(r);
  varint(r);
  REQUIRE(varint(r) >= 48, "HELLO's max_packet is 48 at least");
  REQUIRE(varint(r) <= 16383, "HELLO's window is 16383 at most");
  for (int i = 0; i < 3; i++) varint(r);
  uint8_t length = u8(r);
  REQUIRE(length >= 1 && length <= 64, "an identity has 1 to 64 bytes");
  name(r, m, length);
  while (r->left) {
    uint8_t type = u8(r);
    uint8_t left = u8(r);
    if (type == 3) {
      REQUIRE(left == 0 || left == 16, "a proof has 16 bytes, if any");
      m->proof = r->at;
      m->proof_size = left;
    }
    for (; left; left--) u8(r);
  }
}

static void emit(reader_t *r, sent_message_t *m) {
  REQUIRE(!(m->head & 1), "bit F is 0");
  if (m->reliable) m->seq = u16(r);
  if (m->head & 4) {
    REQUIRE(!(m->head & 2), "an emit with a name has no G");
    name(r, m, u8(r));
    REQUIRE(m->name_length > 0, "a channel has 1 byte at least");
  } else {
    m->id = varint(r);
  }
  rest(r, &m->payload, &m->payload_length);
}

static void control(reader_t *r, sent_message_t *m) {
  if (m->reliable) m->seq = u16(r);
  switch (m->head) {
    case 0xB0: hello(r, m); break;
    case 0xB2: m->token = u32(r); REQUIRE(m->token != 0 || SLIPWAY_TRUSTING, "BEGIN's token is not 0"); break;
    case 0xB3: u8(r); u8(r); rest(r, &m->payload, &m->payload_length); break;
    case 0xB4: case 0xB5: case 0xB6: case 0xB7: m->options = u8(r); break;
    case 0xB8: m->number = u16(r); rest(r, &m->payload, &m->payload_length); REQUIRE(m->payload_length <= 32, "a bitmap has 32 bytes at most"); break;
    case 0xB9: m->id = varint(r); REQUIRE(m->id > 0, "DECLARE's id is not 0"); name(r, m, r->left); break;
    case 0xBA:
      m->options = u8(r);
      REQUIRE(m->options < 16 && (m->options & 3) < 3, "SUBSCRIBE has known options");
      m->id = varint(r);
      name(r, m, r->left);
      REQUIRE(m->id == 0 || !(memchr(m->name, '+', m->name_length) || memchr(m->name, '#', m->name_length)),
              "a pattern has no id");
      break;
    case 0xBB: name(r, m, r->left); return;
    case 0xBC: m->number = u16(r); u8(r); return;
    case 0xBD:
      m->options = u8(r);
      name(r, m, u8(r));
      rest(r, &m->payload, &m->payload_length);
      REQUIRE(m->options < 12 && (m->options & 7) < 3, "WILL has known options");
      REQUIRE(m->name_length > 0 || m->payload_length == 0, "what takes a will back has no payload");
      return;
    case 0xBE: m->id = varint(r); return;
    case 0xBF: REQUIRE(false, "a client sends no EXTENDED"); break;
    default: REQUIRE(false, "a peer does not send %02X", m->head);
  }
  REQUIRE((m->head != 0xB9 && m->head != 0xBA) || m->name_length > 0, "a channel has 1 byte at least");
}

size_t read_sent(const uint8_t *packet, size_t count, sent_message_t messages[MOST_MESSAGES]) {
  reader_t all = {packet, count};
  size_t n = 0;
  REQUIRE(count > 0, "a packet holds at least one message");
  while (all.left) {
    sent_message_t *m = &messages[n++];
    REQUIRE(n <= MOST_MESSAGES, "a board's packet holds few messages");
    memset(m, 0, sizeof *m);
    uint8_t head = u8(&all);
    size_t length = all.left;
    REQUIRE(head & 0x80, "a message begins with a byte from 80 on");
    if (head & 0x40) {
      length = varint(&all);
      REQUIRE(length <= all.left, "a message ends within its packet");
    }
    reader_t own = {all.at, length};
    m->head = head & 0xBF;
    m->reliable = m->head >= 0xB0 ? m->head >= 0xB9 && m->head <= 0xBE : (m->head & 0x30) != 0;
    if (m->head >= 0xB0) control(&own, m);
    else emit(&own, m);
    REQUIRE(own.left == 0, "%02X has no bytes too many", m->head);
    all.at += length;
    all.left -= length;
  }
  return n;
}
