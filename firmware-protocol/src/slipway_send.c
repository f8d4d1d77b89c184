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

/* Every packet is composed twice: once to learn its size, then, if there is room for all of it, to write it. */
typedef struct writer {
  slipway_t *s;
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

static void put_bytes(writer_t *w, const uint8_t *bytes, slipway_size_t count) {
  while (count--) put(w, *bytes++);
}

static void put_name(writer_t *w, const char *name, uint8_t in_ram, bool with_length) {
  char c;
  if (with_length) put(w, slipway_name_length(name, in_ram));
  while ((c = slipway_name_at(name++, in_ram)) != 0) put(w, (uint8_t)c);
}

/* §3.2 */
static void put_hello(writer_t *w) {
  slipway_t *s = w->s;
  put(w, 1);
  put(w, SLIPWAY_IS_PROGRAM ? 2 : 0);
  put_bytes(w, s->nonce, 4);
#if SLIPWAY_WITH_RELIABLE
  put_bytes(w, s->token, 4);
  put16(w, s->expected);
#else
  /* With nothing unacknowledged but the table's own declarations there is no epoch worth going on with. */
  put16(w, 0);
  put16(w, 0);
  put16(w, 0);
#endif
  put16(w, SLIPWAY_KEEP_ALIVE_S);
  put_varint(w, SLIPWAY_EXPIRY_S);
  put_varint(w, (uint16_t)(IS_SERIAL(s) ? s->buffer_size - 2 : s->buffer_size));
#if SLIPWAY_WITH_RELIABLE
  put(w, SLIPWAY_RECEIVE_WINDOW);
  put(w, s->slot_count);
#else
  put(w, 0);
  put(w, 1);
#endif
  put_varint(w, IS_SERIAL(s) ? SLIPWAY_RECEIVE_RING : 0);
  put(w, 0);
  put_name(w, s->identity, true, true);
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
    put_bytes(w, s->token, 4);
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
static void put_message(writer_t *w, const slipway_draft_t *draft) {
  slipway_t *s = w->s;
  uint8_t head = draft->head;
  bool is_control = (head & HEAD_CONTROL) == HEAD_CONTROL;
  if (head == HEAD_HELLO) {
    put(w, head);
    put_hello(w);
    return;
  }
  put_prefixes(w, head != HEAD_NONE);
  if (head == HEAD_NONE) return;
  put(w, head);
  if (is_control ? head >= HEAD_DECLARE : (head & HEAD_QOS) != 0) put16(w, draft->seq);
  if (is_control) {
    if (head >= HEAD_DECLARE && draft->id) {
      const slipway_channel_t *channel = &s->channels[draft->id - 1];
      if (head == HEAD_SUBSCRIBE) put(w, channel->flags & CHANNEL_OPTIONS);
      if (head != HEAD_UNSUBSCRIBE) put(w, slipway_usable_id(s, draft->id));
      put_name(w, channel->name, channel->flags & SLIPWAY_NAME_IN_RAM, false);
    }
  } else if (draft->name) {
    put_name(w, draft->name, draft->name_in_ram, true);
  } else {
    put(w, draft->id);
  }
  put_bytes(w, draft->payload, draft->length);
}

static void put_packet(writer_t *w, const slipway_draft_t *draft) {
#if SLIPWAY_WITH_SERIAL
  if (IS_SERIAL(w->s)) {
    uint16_t crc;
    raw(w, END);
    w->crc = 0xFFFF;
    put_message(w, draft);
    crc = w->crc;
    put(w, (uint8_t)crc);
    put(w, (uint8_t)(crc >> 8));
    w->packet = (uint16_t)(w->packet - 2);
    raw(w, END);
    return;
  }
#endif
  put_message(w, draft);
}

/* Sends the prefixes that are due and `draft`. A frame is not begun unless all of it fits: text printed between two
 * polls must never stand inside one. A frame larger than the ring can ever take waits until the ring is empty. */
slipway_result_t slipway_transmit(slipway_t *s, const slipway_draft_t *draft) {
  writer_t w;
  slipway_size_t room = slipway_clamp(s->room(s));
  if (room > s->capacity) s->capacity = room;
  w.s = s;
  w.packet = 0;
  w.wire = 0;
  w.writing = false;
  put_packet(&w, draft);
  if (draft->head != HEAD_HELLO && w.packet > s->max_packet) return SLIPWAY_TOO_LARGE;
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
  put_packet(&w, draft);
#if SLIPWAY_WITH_DATAGRAM || SLIPWAY_WITH_STREAM
  if (s->end) s->end(s);
#endif
#if SLIPWAY_WITH_RELIABLE
  if (draft->head != HEAD_HELLO) {
    s->ack_count = 0;
    s->flags &= (uint8_t)~(ACK_NOW | ACK_GAP);
  }
#endif
  return SLIPWAY_OK;
}

/* A control message of one byte: BYE, PING, PONG, TIME. */
slipway_result_t slipway_transmit_short(slipway_t *s, uint8_t head, uint8_t value) {
  slipway_draft_t draft = {0};
  draft.head = head;
  draft.payload = &value;
  draft.length = 1;
  return slipway_transmit(s, &draft);
}
