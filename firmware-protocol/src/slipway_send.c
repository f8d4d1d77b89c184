/* Packets out. They are written straight to the wire, byte by byte: there is no buffer to hold one. */
#include "slipway_private.h"

#ifdef __AVR__
#include <util/crc16.h>
#endif

/* CRC-16/MCRF4XX (§2.1). */
uint16_t slipway_crc(uint16_t crc, uint8_t byte) {
#ifdef __AVR__
  return _crc_ccitt_update(crc, byte);
#else
  byte = (uint8_t)(byte ^ (crc & 0xFFu));
  byte = (uint8_t)(byte ^ (byte << 4));
  return (uint16_t)(((uint16_t)byte << 8 | crc >> 8) ^ (byte >> 4) ^ ((uint16_t)byte << 3));
#endif
}

/* A packet on its way out. It is composed twice: once to learn its size, then, if there is room for all of it, to be
 * written. Which fields follow the head depends on the head. */
typedef struct writer {
  slipway_t *s;
  const void *payload;
  const char *name; /* of an emit on a channel that has no id */
  uint16_t seq;
  slipway_size_t length;
  uint8_t head;
  uint8_t id;
  uint8_t name_flags;
  uint16_t crc;
  uint16_t packet; /* bytes, before framing */
  uint16_t wire;   /* bytes, as written */
  bool writing;
} writer_t;

static void raw(writer_t *w, uint8_t byte) {
  w->wire++;
  if (w->writing) w->s->write(w->s, byte);
}

static void put(writer_t *w, uint8_t byte) {
  w->packet++;
#if SLIPWAY_WITH_SERIAL
  if (IS_SERIAL(w->s)) {
    w->crc = slipway_crc(w->crc, byte);
    if (byte == END || byte == ESC) {
      raw(w, ESC);
      byte = byte == END ? ESC_END : ESC_ESC;
    }
  }
#endif
  raw(w, byte);
}

static void put16(writer_t *w, uint16_t value) {
  put(w, (uint8_t)(value >> 8));
  put(w, (uint8_t)value);
}

static void put_varint(writer_t *w, uint16_t value) {
  while (value > 127) {
    put(w, (uint8_t)(value | 0x80u));
    value >>= 7;
  }
  put(w, (uint8_t)value);
}

/* From RAM or flash, as `flags` of a channel say. */
static void put_bytes(writer_t *w, const void *bytes, slipway_size_t count, uint8_t flags) {
  const char *at = (const char *)bytes;
  while (count--) put(w, (uint8_t)slipway_name_at(at++, flags));
}

static void put_name(writer_t *w, const char *name, uint8_t flags, bool with_length) {
  uint8_t length = 0;
  while (slipway_name_at(name + length, flags)) length++;
  if (with_length) put(w, length);
  put_bytes(w, name, length, flags);
}

/* What every HELLO of this build says alike (§3.2). */
static const uint8_t promises[] SLIPWAY_FLASH = {
#if !SLIPWAY_WITH_RELIABLE
    /* No epoch, hence no number: with nothing unacknowledged but the table's own wishes there is none worth going on. */
    0, 0, 0, 0, 0, 0,
#endif
    0, SLIPWAY_KEEP_ALIVE_S,
#if SLIPWAY_EXPIRY_S > 127
    0x80 | (SLIPWAY_EXPIRY_S & 0x7F),
#endif
#if SLIPWAY_EXPIRY_S > 16383
    0x80 | (SLIPWAY_EXPIRY_S >> 7 & 0x7F), SLIPWAY_EXPIRY_S >> 14
#else
    SLIPWAY_EXPIRY_S >> (SLIPWAY_EXPIRY_S > 127 ? 7 : 0)
#endif
};

static void put_hello(writer_t *w) {
  slipway_t *s = w->s;
  uint16_t largest = s->buffer_size;
  put(w, HEAD_HELLO);
  put(w, 1);
  put(w, SLIPWAY_IS_PROGRAM ? 2 : 0);
  put_bytes(w, s->nonce, 4, SLIPWAY_NAME_IN_RAM);
#if SLIPWAY_WITH_RELIABLE
  put_bytes(w, s->token, 4, SLIPWAY_NAME_IN_RAM);
  put16(w, s->expected);
#endif
  put_bytes(w, promises, sizeof promises, 0);
  if (IS_SERIAL(s)) largest = (uint16_t)(largest - 2);
  put_varint(w, largest);
#if SLIPWAY_WITH_RELIABLE
  put(w, SLIPWAY_RECEIVE_WINDOW);
  put(w, s->slot_count);
#else
  put(w, 0);
  put(w, 1);
#endif
  put_varint(w, IS_SERIAL(s) ? SLIPWAY_RECEIVE_RING : 0);
  put(w, 0);
  put_name(w, s->identity, SLIPWAY_NAME_IN_RAM, true);
}

/* The messages that go before any other: BEGIN until the gateway has answered it (§4.2), and what is to be acknowledged. */
static void put_prefixes(writer_t *w, bool more) {
  slipway_t *s = w->s;
  bool ack = false;
#if SLIPWAY_WITH_RELIABLE
  ack = s->ack_count != 0;
#endif
  if (s->state == BEGINNING) {
    if (more || ack) {
      put(w, HEAD_BEGIN | HEAD_LENGTH);
      put(w, 4);
    } else {
      put(w, HEAD_BEGIN);
    }
    put_bytes(w, s->token, 4, SLIPWAY_NAME_IN_RAM);
  }
#if SLIPWAY_WITH_RELIABLE
  if (ack) {
    bool gap = (s->flags & ACK_GAP) != 0;
    put(w, more ? HEAD_ACK | HEAD_LENGTH : HEAD_ACK);
    if (more) put(w, gap ? 3 : 2);
    put16(w, s->expected);
    if (gap) put(w, 0);
  }
#endif
}

/* §3.1, §3.2 */
static void put_message(writer_t *w) {
  slipway_t *s = w->s;
  uint8_t head = w->head;
  uint8_t id = w->id;
  const char *name = w->name;
  uint8_t name_flags = w->name_flags;
  uint8_t options = 0;
  if (head == HEAD_HELLO) {
    put_hello(w);
    return;
  }
  put_prefixes(w, head != HEAD_NONE);
  if (head == HEAD_NONE) return;
  if (id) {
    const slipway_channel_t *channel = slipway_entry(s, id);
    name = channel->name;
    name_flags = channel->flags;
    options = name_flags & CHANNEL_OPTIONS;
  }
  if (!IS_CONTROL(head)) {
    /* The id once the gateway knows it, until then the name (§6.3). */
    if (name_flags & CHANNEL_DECLARED) name = NULL;
    if (name) head |= HEAD_NAME;
  }
  put(w, head);
  if (head >= HEAD_DECLARE || (!IS_CONTROL(head) && head & HEAD_QOS)) put16(w, w->seq);
  if (!IS_CONTROL(head)) {
    if (!name) put(w, id);
  } else if (head <= HEAD_SUBSCRIBE && head >= HEAD_DECLARE) {
    if (head == HEAD_SUBSCRIBE) put(w, options);
    put(w, slipway_usable_id(s, id));
  }
  if (name) put_name(w, name, name_flags, !IS_CONTROL(head));
  put_bytes(w, w->payload, w->length, SLIPWAY_NAME_IN_RAM);
}

static void put_packet(writer_t *w) {
#if SLIPWAY_WITH_SERIAL
  if (IS_SERIAL(w->s)) {
    uint16_t crc;
    raw(w, END);
    w->crc = 0xFFFF;
    put_message(w);
    crc = w->crc;
    put(w, (uint8_t)crc);
    put(w, (uint8_t)(crc >> 8));
    w->packet = (uint16_t)(w->packet - 2);
    raw(w, END);
    return;
  }
#endif
  put_message(w);
}

/* Sends a message, and before it those that are due. `id` is the table entry that it is about, 0 if none; `name`, of an emit, is
 * used instead when there is none. A frame is not begun unless all of it fits: text printed between two polls must
 * never stand inside one. A frame larger than the ring can ever take waits until the ring is empty. */
slipway_result_t slipway_transmit(slipway_t *s, uint8_t head, uint8_t id, uint16_t seq, const void *payload,
                                  slipway_size_t length, const char *name, uint8_t name_flags) {
  writer_t w;
  slipway_size_t room = slipway_clamp(s->room(s));
  if (room > s->capacity) s->capacity = room;
  w.s = s;
  w.payload = payload;
  w.name = name;
  w.seq = seq;
  w.length = length;
  w.head = head;
  w.id = id;
  w.name_flags = name_flags;
  w.packet = 0;
  w.wire = 0;
  w.writing = false;
  put_packet(&w);
  if (head != HEAD_HELLO && w.packet > s->max_packet) return SLIPWAY_TOO_LARGE;
  if (w.wire > room && room < s->capacity) return SLIPWAY_BUSY;
  w.writing = true;
#if SLIPWAY_WITH_STREAM
  if (IS_STREAM(s)) {
    uint16_t packet = w.packet;
    while (packet > 127) {
      s->write(s, (uint8_t)(packet | 0x80u));
      packet >>= 7;
    }
    s->write(s, (uint8_t)packet);
  }
#endif
  put_packet(&w);
#if SLIPWAY_WITH_DATAGRAM || SLIPWAY_WITH_STREAM
  if (s->end) s->end(s);
#endif
#if SLIPWAY_WITH_RELIABLE
  if (head != HEAD_HELLO) {
    s->ack_count = 0;
    s->flags &= (uint8_t)~(ACK_NOW | ACK_GAP);
  }
#endif
  return SLIPWAY_OK;
}

/* HELLO; BYE, PING and PONG, which have just this value; or with HEAD_NONE only what goes before other messages. */
slipway_result_t slipway_transmit_control(slipway_t *s, uint8_t head, uint8_t value) {
  return slipway_transmit(s, head, 0, 0, &value, 1, NULL, 0);
}
