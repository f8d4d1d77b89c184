/*
 * Feeds the C client with noise, with well-formed packets and with damaged ones, in every framing, while its program
 * keeps emitting: run under the sanitizers it finds reads and writes outside of anything. The buffers that the
 * caller owns stand in blocks of their own, of exactly their size.
 *
 *   fuzz SEED ROUNDS
 *
 * Ends with 0 if in every round the client also came back to a working session.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "slipway.h"

static uint64_t state;
static uint32_t any(void) {
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return (uint32_t)(state >> 32);
}
static uint32_t below(uint32_t bound) { return any() % bound; }

static uint8_t wire[4096];
static size_t wire_length;
static uint8_t last_packet[4096];
static unsigned long messages;

static uint16_t room(slipway_t *s) { (void)s; return (uint16_t)(below(8) ? 2000 : below(64)); }
static void put(slipway_t *s, uint8_t byte) {
  (void)s;
  if (wire_length < sizeof wire) wire[wire_length++] = byte;
}
#if SLIPWAY_SEVERAL_FRAMINGS
#define FRAMING(s) ((s)->framing)
#else
#define FRAMING(s) SLIPWAY_FRAMING_SERIAL
#endif
#if SLIPWAY_WITH_RELIABLE
#define EXPECTED(s) ((s)->expected)
#else
#define EXPECTED(s) 0
#endif
static void end(slipway_t *s) {
  (void)s;
  memcpy(last_packet, wire, wire_length);
  wire_length = 0;
}

/* Reads all that a handler is given. */
static void on_message(slipway_t *s, const slipway_message_t *m) {
  unsigned sum = 0;
  for (size_t i = 0; i < m->length; i++) sum += m->payload[i];
#if SLIPWAY_WITH_NAMES
  for (size_t i = 0; m->name && i < m->name_length; i++) sum += (uint8_t)m->name[i];
#endif
  messages++;
  if (below(4) == 0) slipway_emit(s, (uint8_t)below(6), &sum, sizeof sum, (uint8_t)(below(4) << 4));
}
#if SLIPWAY_WITH_EVENTS
static void on_event(slipway_t *s, slipway_event_t event, uint8_t reason, uint8_t id) {
  (void)s; (void)event; (void)reason; (void)id;
}
#endif

static uint16_t crc16(const uint8_t *at, size_t count) {
  uint16_t crc = 0xFFFF;
  while (count--) {
    crc ^= *at++;
    for (int bit = 0; bit < 8; bit++) crc = (uint16_t)(crc & 1 ? (crc >> 1) ^ 0x8408 : crc >> 1);
  }
  return crc;
}

/* Gives the client a packet in its framing, in pieces, each in a block of exactly its size. */
static void give(slipway_t *s, const uint8_t *packet, size_t count) {
  uint8_t framed[8192];
  size_t length = 0;
  if (FRAMING(s) == SLIPWAY_FRAMING_SERIAL) {
    uint16_t crc = crc16(packet, count);
    framed[length++] = 0xC0;
    for (size_t i = 0; i < count + 2; i++) {
      uint8_t byte = i < count ? packet[i] : (uint8_t)(i == count ? crc : crc >> 8);
      if (byte == 0xC0 || byte == 0xDB) {
        framed[length++] = 0xDB;
        byte = byte == 0xC0 ? 0xDC : 0xDD;
      }
      framed[length++] = byte;
    }
    framed[length++] = 0xC0;
  } else if (FRAMING(s) == SLIPWAY_FRAMING_STREAM) {
    size_t rest = count;
    for (; rest > 127; rest >>= 7) framed[length++] = (uint8_t)(rest | 0x80);
    framed[length++] = (uint8_t)rest;
  }
  if (length == 0 || FRAMING(s) == SLIPWAY_FRAMING_STREAM) {
    memcpy(framed + length, packet, count);
    length += count;
  }
  if (below(20) == 0 && length) framed[below((uint32_t)length)] ^= (uint8_t)(1u << below(8));
  for (size_t at = 0; at < length || length == 0;) {
    size_t step = FRAMING(s) == SLIPWAY_FRAMING_DATAGRAM ? length : 1 + below((uint32_t)(length - at));
    uint8_t *piece = malloc(step ? step : 1);
    memcpy(piece, framed + at, step);
    bool fine = slipway_receive(s, piece, step);
    free(piece);
    at += step;
    if (!fine) {
      slipway_link(s, false);
      slipway_link(s, true);
      break;
    }
    if (length == 0) break;
  }
}

static size_t put16(uint8_t *at, uint16_t value) {
  at[0] = (uint8_t)(value >> 8);
  at[1] = (uint8_t)value;
  return 2;
}

static size_t welcome(uint8_t *p, const slipway_t *s, uint8_t flags) {
  size_t n = 0;
  p[n++] = 0xB1; p[n++] = 1; p[n++] = flags;
  memcpy(p + n, s->nonce, 4); n += 4;
  for (int i = 0; i < 4; i++) p[n++] = (uint8_t)(1 + below(255));
  n += put16(p + n, (uint16_t)any());
  n += put16(p + n, (uint16_t)any());
  n += put16(p + n, (uint16_t)(s->oldest + below(4)));
  n += put16(p + n, 15);
  p[n++] = 0x80; p[n++] = 8; p[n++] = 32; p[n++] = 64;
  memset(p + n, 1, 6); n += 6;
  return n;
}

/* A packet that a gateway might send just now. */
static size_t plausible(uint8_t *p, const slipway_t *s) {
  size_t n = 0;
  uint16_t seq = (uint16_t)(EXPECTED(s) + (below(4) ? 0 : below(6)) - below(2));
  switch (below(12)) {
    case 0: return welcome(p, s, (uint8_t)below(8));
    case 1: p[n++] = 0xB3; p[n++] = (uint8_t)below(20); p[n++] = (uint8_t)(0x80 | below(64)); n += put16(p + n, (uint16_t)(s->oldest + below(3))); return n;
    case 2: p[n++] = 0xB4; p[n++] = (uint8_t)below(20); return below(4) ? 0 : n;
    case 3: p[n++] = 0xB5; p[n++] = (uint8_t)any(); return n;
    case 4: p[n++] = 0xB6; p[n++] = (uint8_t)any(); return n;
    case 5: p[n++] = 0xBC; n += put16(p + n, seq); n += put16(p + n, (uint16_t)(s->oldest + below(3))); p[n++] = 13; return n;
    case 6: p[n++] = 0xB9; n += put16(p + n, seq); p[n++] = 5; p[n++] = 'a'; return n;
    case 7: case 8: p[n++] = 0xB8; n += put16(p + n, (uint16_t)(s->oldest + below((uint32_t)s->sent + 1))); if (below(2)) p[n++] = (uint8_t)any(); return n;
    default: {
      uint8_t qos = (uint8_t)below(3);
      bool named = below(2);
      p[n++] = (uint8_t)(0x80 | qos << 4 | (named ? 4 : 0) | (below(8) ? 0 : 8));
      if (qos) n += put16(p + n, seq);
      if (named) {
        uint8_t length = (uint8_t)(1 + below(8));
        p[n++] = length;
        while (length--) p[n++] = (uint8_t)("ab/$c+#\0"[below(8)]);
      } else {
        p[n++] = (uint8_t)below(8);
      }
      for (uint32_t i = below(40); i; i--) p[n++] = (uint8_t)any();
      return n;
    }
  }
}

static void damage(uint8_t *packet, size_t *count) {
  switch (below(4)) {
    case 0: if (*count) *count = below((uint32_t)*count + 1); break;
    case 1: packet[(*count)++] = (uint8_t)any(); break;
    default: if (*count) packet[below((uint32_t)*count)] = (uint8_t)any(); break;
  }
}

static bool recovers(slipway_t *s, uint32_t *now) {
  uint8_t packet[256];
  slipway_link(s, false);
  slipway_link(s, true);
  for (int i = 0; i < 40000 && !slipway_connected(s); i++) {
    slipway_poll(s, *now += 5);
    if (s->state == 1) give(s, packet, welcome(packet, s, 0));
    packet[0] = 0xB8;
    put16(packet + 1, (uint16_t)(s->oldest + s->sent));
    give(s, packet, 3);
  }
  return slipway_connected(s);
}

static bool round_of(uint8_t framing) {
  size_t buffer_size = 48 + below(100);
  uint8_t slot_count = (uint8_t)(2 + below(6));
  slipway_t *s = calloc(1, sizeof *s);
  uint8_t *buffer = malloc(buffer_size);
  slipway_channel_t *channels = calloc(5, sizeof *channels);
#if SLIPWAY_WITH_RELIABLE
  slipway_slot_t *slots = malloc(slot_count * sizeof *slots);
#endif
  uint32_t now = any();
  bool ok;
  s->identity = "fuzz";
  s->room = room; s->write = put;
#if SLIPWAY_SEVERAL_FRAMINGS
  s->end = end;
  s->framing = framing;
#else
  (void)end;
  (void)framing;
#endif
  s->on_other = below(2) ? on_message : NULL;
#if SLIPWAY_WITH_EVENTS
  s->on_event = on_event;
#endif
  s->buffer = buffer; s->buffer_size = (slipway_size_t)buffer_size;
  s->channels = channels; s->channel_count = 5;
#if SLIPWAY_WITH_RELIABLE
  s->slots = slots; s->slot_count = slot_count;
#endif
  slipway_channel(s, "a/b", on_message, SLIPWAY_SUBSCRIBE_QOS2);
  slipway_channel(s, "a/#", on_message, SLIPWAY_SUBSCRIBE);
  slipway_channel(s, "+/c", NULL, SLIPWAY_SUBSCRIBE_QOS1);
  slipway_channel(s, "b", NULL, 0);
  slipway_begin(s, any());
  for (int step = 0; step < 400; step++) {
    uint8_t packet[512];
    size_t count = 0;
    slipway_poll(s, now += below(below(10) ? 20 : 3000));
    switch (below(8)) {
      case 0: { /* noise, straight to the wire */
        static const uint8_t special[] = {0xC0, 0xDB, 0xDC, 0xDD, 0x80, 0xF4};
        uint8_t *noise = malloc(64);
        count = below(65);
        for (size_t i = 0; i < count; i++) noise[i] = (uint8_t)(below(6) ? any() : special[below(sizeof special)]);
        if (!slipway_receive(s, noise, count)) { slipway_link(s, false); slipway_link(s, true); }
        free(noise);
        break;
      }
      case 1: case 2: count = plausible(packet, s); damage(packet, &count); give(s, packet, count); break;
      case 3: slipway_emit(s, (uint8_t)below(7), packet, below(48), (uint8_t)any()); break;
      case 4: { /* several in one packet, each but the last with its length */
        for (uint32_t i = below(3); i; i--) {
          uint8_t one[128];
          size_t n = plausible(one, s);
          if (n < 2 || count + n + 2 > 200) continue;
          packet[count++] = one[0] | 0x40; packet[count++] = (uint8_t)(n - 1);
          memcpy(packet + count, one + 1, n - 1); count += n - 1;
        }
        count += plausible(packet + count, s);
        give(s, packet, count);
        break;
      }
      default: count = plausible(packet, s); give(s, packet, count); break;
    }
    if (below(100) == 0) slipway_subscribe(s, (uint8_t)below(7), (uint8_t)any());
    if (s->count > slot_count || s->sent > s->count) { fprintf(stderr, "window out of bounds\n"); return false; }
  }
  ok = recovers(s, &now);
  if (!ok) fprintf(stderr, "framing %u: no session after the noise ended\n", framing);
#if SLIPWAY_WITH_RELIABLE
  free(slots);
#endif
  free(channels); free(buffer); free(s);
  return ok;
}

int main(int count, char **words) {
  if (count != 3) return 2;
  state = strtoull(words[1], NULL, 10) * 0x9E3779B97F4A7C15u + 1;
  for (unsigned long i = strtoul(words[2], NULL, 10); i; i--) {
    if (!round_of((uint8_t)(i % 3))) return 1;
  }
  printf("%lu messages\n", messages);
  return messages == 0;
}
