/* Packets out. They are written straight to the wire, byte by byte: there is no buffer to hold one. */
#include "slipway_private.h"

#ifdef __AVR__
#include <util/crc16.h>
#endif

#if SLIPWAY_WITH_SERIAL
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
#endif

/* A packet is composed twice: once to learn its size, then, if there is room for all of it, to be written. What surely fits is
 * not measured. */
SLIPWAY_APART static void raw(slipway_t *s, uint8_t byte) {
  if (s->writing) {
    s->write(s, byte);
  } else {
    /* Beyond what can be counted it fits nowhere anyway. */
    if (++s->wire == 0) s->wire--;
  }
}

SLIPWAY_APART static void put(slipway_t *s, uint8_t byte) {
  if (s->writing) {
#if SLIPWAY_WITH_SERIAL
    s->crc = slipway_crc(s->crc, byte);
#endif
#if !SLIPWAY_TRUSTING
  } else {
    if (++s->packet == 0) s->packet--;
#endif
  }
  if ((byte == END || byte == ESC) && IS_SERIAL(s)) {
    raw(s, ESC);
    byte = (uint8_t)(ESC_END + (byte & 1)); /* of END even, of ESC odd */
  }
  raw(s, byte);
}

static void put16(slipway_t *s, uint16_t value) {
  put(s, (uint8_t)(value >> 8));
  put(s, (uint8_t)value);
}

/* From RAM or flash, as `flags` of a channel say. */
SLIPWAY_APART static void put_bytes(slipway_t *s, const void *bytes, slipway_size_t count, uint8_t flags) {
  const char *at = (const char *)bytes;
  for (; count; count--) put(s, (uint8_t)slipway_name_at(at++, flags));
}

/* A name, behind its length if that is to be told. */
SLIPWAY_APART static void put_name(slipway_t *s, const char *name, uint8_t flags, bool told) {
  const char *at = name;
  uint8_t length = 0;
  while (slipway_name_at(at++, flags)) length++;
  if (told) put(s, length);
  put_bytes(s, name, length, flags);
}

/* What every HELLO of this build says alike (§3.2), from its nonce to its max_packet, and behind that. */
static const uint8_t hello_promises[] SLIPWAY_FLASH = {
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
static const uint8_t hello_end[] SLIPWAY_FLASH = {
#if !SLIPWAY_WITH_RELIABLE
    0, 1, /* window, in_flight */
#endif
    /* The ring, and no ids of the gateway's. */
#if SLIPWAY_RECEIVE_RING > 127
    0x80 | (SLIPWAY_RECEIVE_RING & 0x7F),
#endif
#if SLIPWAY_RECEIVE_RING > 16383
    0x80 | (SLIPWAY_RECEIVE_RING >> 7 & 0x7F), SLIPWAY_RECEIVE_RING >> 14, 0
#else
    SLIPWAY_RECEIVE_RING >> (SLIPWAY_RECEIVE_RING > 127 ? 7 : 0), 0
#endif
};
/* Where there is no ring. */
static const uint8_t hello_end_no_ring[] SLIPWAY_FLASH = {
#if !SLIPWAY_WITH_RELIABLE
    0, 1,
#endif
    0, 0};

static void put_hello(slipway_t *s) {
  slipway_size_t largest;
  put(s, HEAD_HELLO);
  put(s, 1);
  /* With QoS 0 only there is nothing that the gateway could hold but subscriptions, and these are made anew. */
  put(s, (SLIPWAY_WITH_RELIABLE ? 0 : HELLO_CLEAN) | (SLIPWAY_IS_PROGRAM ? HELLO_PROGRAM : 0));
#if SLIPWAY_WITH_RELIABLE
  put_bytes(s, s->nonce, 8, SLIPWAY_NAME_IN_RAM); /* and the token */
  put16(s, s->expected);
#else
  put_bytes(s, s->nonce, 4, SLIPWAY_NAME_IN_RAM);
#endif
  put_bytes(s, hello_promises, sizeof hello_promises, 0);
  largest = (slipway_size_t)(s->buffer_size - (IS_SERIAL(s) ? 2 : 0));
  while (largest > 127) {
    put(s, (uint8_t)(largest | 0x80u));
    largest >>= 7;
  }
  put(s, (uint8_t)largest);
#if SLIPWAY_WITH_RELIABLE
  put(s, SLIPWAY_RECEIVE_WINDOW);
  put(s, s->slot_count);
#endif
  if (IS_SERIAL(s)) {
    put_bytes(s, hello_end, sizeof hello_end, 0);
  } else {
    put_bytes(s, hello_end_no_ring, sizeof hello_end_no_ring, 0);
  }
  put_name(s, s->identity, SLIPWAY_NAME_IN_RAM, true);
#if SLIPWAY_WITH_DATAGRAM
  if (s->cookie_state) {
    put(s, OPTION_COOKIE);
    put(s, 4);
    put_bytes(s, s->cookie, 4, SLIPWAY_NAME_IN_RAM);
  }
#endif
#if SLIPWAY_WITH_KEY
  if (s->key) {
    put(s, OPTION_PROOF);
    put(s, s->proof_size);
    put_bytes(s, s->proof, s->proof_size, SLIPWAY_NAME_IN_RAM);
  }
#endif
}

/* The messages that go before any other: BEGIN until the gateway has answered it (§4.2), and what is to be
 * acknowledged. */
static void put_prefixes(slipway_t *s, uint8_t head) {
  if (s->state == BEGINNING) {
    put(s, HEAD_BEGIN | HEAD_LENGTH);
    put(s, 4);
    put_bytes(s, s->token, 4, SLIPWAY_NAME_IN_RAM);
  }
#if SLIPWAY_WITH_RELIABLE
  if (s->ack_count) {
    uint8_t gap = (s->flags & ACK_GAP) != 0;
    put(s, head ? HEAD_ACK | HEAD_LENGTH : HEAD_ACK);
    if (head) put(s, (uint8_t)(2 + gap));
    put16(s, s->expected);
    if (gap) put(s, 0);
  }
#else
  (void)head;
#endif
}

#if SLIPWAY_WITH_SLEEP
SLIPWAY_APART static void put_varint(slipway_t *s, uint32_t value) {
  for (; value > 127; value >>= 7) put(s, (uint8_t)(value | 0x80u));
  put(s, (uint8_t)value);
}
#endif

/* The channel, by its name or else by its id, and the payload (§3.1). */
static void put_emit(slipway_t *s, uint8_t id, const slipway_channel_t *channel) {
  if (channel) {
    put_name(s, channel->name, channel->flags, true);
  } else {
    put(s, id);
  }
  put_bytes(s, s->payload, s->payload_length, SLIPWAY_NAME_IN_RAM);
}

/* §3.2 */
static void put_control(slipway_t *s, uint8_t head, uint8_t id, const slipway_channel_t *channel) {
  if (head >= HEAD_DECLARE) put16(s, SEQUENCE(s));
#if SLIPWAY_WITH_SLEEP
  if (head == HEAD_SLEEP) {
    put_varint(s, s->sleep_seconds);
    return;
  }
#endif
#if SLIPWAY_WITH_WILL
  if (head == HEAD_WILL) {
    /* None, to take it back, is an id of 0, which looks like a length of 0. */
    put(s, (uint8_t)((s->will_flags & HEAD_RETAIN) | (s->will_flags & HEAD_QOS) >> 4));
    put_emit(s, id, channel);
    return;
  }
#endif
  if (head == HEAD_SUBSCRIBE) put(s, channel->flags & CHANNEL_OPTIONS);
  if (head != HEAD_UNSUBSCRIBE) put(s, id);
  if (channel) put_name(s, channel->name, channel->flags, false);
#if SLIPWAY_WITH_UNSUPPORTED
  if (head == HEAD_REFUSE) put_bytes(s, s->payload, s->payload_length, SLIPWAY_NAME_IN_RAM);
#endif
}

static void put_packet(slipway_t *s, uint8_t head, uint8_t id, const slipway_channel_t *channel) {
  if (head == HEAD_HELLO) {
    put_hello(s);
    return;
  }
  put_prefixes(s, head);
  if (head == HEAD_NONE) return;
  put(s, head);
  if (IS_CONTROL(head)) {
    put_control(s, head, id, channel);
  } else {
    if (IS_RELIABLE(head)) put16(s, SEQUENCE(s));
    put_emit(s, id, channel);
  }
}

#if SLIPWAY_WITH_STREAM
/* §2.3 */
static void put_length(slipway_t *s) {
  slipway_size_t packet = s->packet;
  for (; packet > 127; packet >>= 7) raw(s, (uint8_t)(packet | 0x80u));
  raw(s, (uint8_t)packet);
}
#endif

/* Whether an emit by id fits whatever has to be escaped, so that it need not be measured: with END, BEGIN, ACK, head, number, id,
 * CRC and END around its payload. */
enum { MOST_AROUND = 29 };
static bool is_short(const slipway_t *s, uint8_t head, slipway_size_t room) {
  if (!IS_SERIAL(s) || IS_CONTROL(head) || head & HEAD_NAME) return false;
#if !SLIPWAY_TRUSTING
  if (room > s->max_packet) room = s->max_packet;
#endif
  return room >= MOST_AROUND && s->payload_length <= (slipway_size_t)(room - MOST_AROUND) / 2;
}

/* Sends a message, and before it those that are due. `channel`: what it is about, if anything; `id`: its id, 0 if it has
 * none, or the value of BYE, PING and PONG; the payload of an emit is in the context. A frame is not begun unless all of it
 * fits: text printed between two polls must never stand inside one. A frame larger than the ring can ever take waits until
 * the ring is empty. */
SLIPWAY_APART slipway_result_t slipway_transmit(slipway_t *s, uint8_t head, uint8_t id,
                                                const slipway_channel_t *channel) {
  slipway_size_t room = slipway_clamp(s->room(s));
  if (room > s->capacity) s->capacity = room;
  s->writing = is_short(s, head, room);
  for (;;) {
#if !SLIPWAY_TRUSTING
    s->packet = 0;
#endif
    /* The CRC is not known before it is written: both its bytes may have to be escaped. */
    s->wire = IS_SERIAL(s) ? 2 : 0;
#if SLIPWAY_WITH_SERIAL
    if (IS_SERIAL(s)) raw(s, END);
    s->crc = 0xFFFF;
#endif
    put_packet(s, head, id, channel);
#if !SLIPWAY_TRUSTING
    if (head != HEAD_HELLO && s->packet > s->max_packet) return SLIPWAY_TOO_LARGE;
#endif
#if SLIPWAY_WITH_SERIAL
    if (IS_SERIAL(s)) {
      /* The low byte moves the high one down. */
      put(s, (uint8_t)s->crc);
      put(s, (uint8_t)s->crc);
      raw(s, END);
    }
#endif
    if (s->writing) break;
#if SLIPWAY_WITH_STREAM
    if (IS_STREAM(s)) put_length(s);
#endif
    if (s->wire > room && room < s->capacity) return SLIPWAY_BUSY;
    s->writing = true;
#if SLIPWAY_WITH_STREAM
    if (IS_STREAM(s)) put_length(s);
#endif
  }
#if SLIPWAY_WITH_DATAGRAM || SLIPWAY_WITH_STREAM
  if (s->end) s->end(s);
#endif
#if SLIPWAY_WITH_RELIABLE
  if (head != HEAD_HELLO) {
    s->ack_count = 0;
    s->flags &= (uint8_t)~ACK_GAP;
  }
#endif
  return SLIPWAY_OK;
}

/* The same about the table entry `id`, or about nothing if it is 0. */
slipway_result_t slipway_transmit_entry(slipway_t *s, uint8_t head, uint8_t id) {
  const slipway_channel_t *channel = NULL;
  if (id) {
    channel = slipway_entry(s, id);
#if SLIPWAY_WITH_RELIABLE
    if (!IS_CONTROL(head)) {
      /* As slipway_emit has it. */
      if (channel->flags & CHANNEL_DECLARED) return slipway_transmit(s, head, id, NULL);
      return slipway_transmit(s, head | HEAD_NAME, id, channel);
    }
#endif
    id = slipway_usable_id(s, id);
#if SLIPWAY_WITH_PATTERNS
    /* It was to be declared to a gateway that took more ids. The number must go, with an idle sweep. */
    if (head == HEAD_DECLARE && !id) {
      head = HEAD_UNSUBSCRIBE;
      channel = NULL;
    }
#endif
  }
  return slipway_transmit(s, head, id, channel);
}
