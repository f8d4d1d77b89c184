/* Packets of a gateway that is broken, late or worse. Numbers and tokens are chosen near to what the client holds, so that
 * they get past its guards. */
#include "harness.h"

#if SLIPWAY_WITH_RELIABLE
#define EXPECTED(s) ((s)->expected)
#else
#define EXPECTED(s) ((void)(s), 0)
#endif

static const uint16_t sizes[] = {0, 1, 5, 6, 47, 48, 50, 64, 128, 255, 256, 1024, 1472, 16383, 65535};
static uint16_t any_size(choices_t *c) { return sizes[choose_below(c, sizeof sizes / sizeof *sizes)]; }

/* Mostly the number itself, else one near to it, else any. */
static uint16_t near(choices_t *c, uint16_t number) {
  uint8_t how = choose(c);
  if (how < 128) return number;
  if (how < 240) return (uint16_t)(number + how % 16 - 8);
  return choose16(c);
}

static size_t welcome(choices_t *c, const slipway_t *s, uint8_t *p) {
  size_t n = 0;
  uint8_t how = choose(c);
  p[n++] = 0xB1;
  p[n++] = (how & 0xF0) == 0xF0 ? choose(c) : 1;
  p[n++] = choose_below(c, 9);
  memcpy(p + n, s->nonce, 4);
  if ((how & 0x0F) == 0x0F) p[n] ^= 1;
  n += 4;
  /* The client's token, another, or none. */
  memcpy(p + n, s->token, 4);
  if (choose(c) & 1) p[n + 3] = choose(c);
  n += 4;
  n += put16(p + n, near(c, s->oldest));
  n += put16(p + n, near(c, EXPECTED(s)));
  n += put16(p + n, near(c, s->oldest));
  n += put16(p + n, choose(c));
  for (int i = 0; i < 3; i++) n += put_varint(p + n, any_size(c));
  memset(p + n, 0, 6);
  n += 6;
  for (uint8_t options = choose_below(c, 4); options; options--) {
    uint8_t length = choose_below(c, 9);
    p[n++] = options;
    p[n++] = length;
    memset(p + n, 0, length);
    n += length;
  }
  return n;
}

static size_t emit(choices_t *c, const slipway_t *s, uint8_t *p) {
  size_t n = 0;
  uint8_t flags = choose(c) & 0x3F;
  if ((flags & 0x30) == 0x30) flags &= 0x0F;
  p[n++] = 0x80 | flags;
  if (flags & 0x30) n += put16(p + n, near(c, EXPECTED(s)));
  if (flags & 0x04) {
    uint8_t length = choose_below(c, 10);
    p[n++] = length;
    while (length--) p[n++] = (uint8_t)("ab/$c+#\0"[choose_below(c, 8)]);
  } else {
    n += put_varint(p + n, choose_below(c, 4) ? choose_below(c, 8) : any_size(c));
  }
  for (uint8_t length = choose_below(c, 70); length; length--) p[n++] = choose(c);
  return n;
}

static size_t refuse(choices_t *c, const slipway_t *s, uint8_t *p) {
  static const uint8_t heads[] = {0xB0, 0x80, 0x84, 0x90, 0xA0, 0xB2, 0xB9, 0xBA, 0xBB, 0xBD, 0xBE, 0xB5};
  size_t n = 0;
  p[n++] = 0xB3;
  p[n++] = choose_below(c, 24);
  p[n++] = heads[choose_below(c, sizeof heads)];
  switch (choose_below(c, 5)) {
    case 0: return n;
    case 1: p[n++] = choose(c); return n;
    case 2: return n + put16(p + n, near(c, s->oldest));
    case 3: memset(p + n, choose(c), 8); return n + 8;
    default: memset(p + n, choose(c), 4); return n + 4;
  }
}

/* One message, its head without L. */
static size_t message(choices_t *c, const slipway_t *s, uint8_t *p) {
  size_t n = 0;
  switch (choose_below(c, 14)) {
    case 0: return welcome(c, s, p);
    case 1: return refuse(c, s, p);
    case 2: p[n++] = 0xB4; p[n++] = choose_below(c, 24); return n;
    case 3: p[n++] = 0xB5; p[n++] = choose(c); return n;
    case 4: p[n++] = 0xB6; p[n++] = choose(c); return n;
    case 5: p[n++] = 0xB7; p[n++] = choose(c); memset(p + n, choose(c), 6); return n + 6;
    case 6: p[n++] = 0xBC; n += put16(p + n, near(c, EXPECTED(s))); n += put16(p + n, near(c, s->oldest)); p[n++] = choose_below(c, 24); return n;
    case 7: p[n++] = 0xB9; n += put16(p + n, near(c, EXPECTED(s))); n += put_varint(p + n, any_size(c)); p[n++] = 'a'; return n;
    case 8: p[n++] = 0xBF; p[n++] = choose(c); return n;
    case 9: case 10: case 11: {
      p[n++] = 0xB8;
      n += put16(p + n, near(c, (uint16_t)(s->oldest + choose_below(c, (uint8_t)(s->sent + 1)))));
      for (uint8_t bitmap = choose(c) & 1 ? choose_below(c, 33) : 0; bitmap; bitmap--) p[n++] = choose(c);
      return n;
    }
    default: return emit(c, s, p);
  }
}

/* One to three messages in 400 bytes at most, some with a length that is wrong. Returns the packet's size. */
size_t hostile_packet(choices_t *c, const slipway_t *s, uint8_t *packet) {
  size_t count = 0;
  uint8_t more = choose_below(c, 6);
  for (more = more < 3 ? 0 : (uint8_t)(more - 3); more; more--) {
    uint8_t one[256];
    size_t n = message(c, s, one);
    uint8_t lie = choose(c);
    packet[count++] = one[0] | 0x40;
    count += put_varint(packet + count, (uint32_t)(n - 1) + (lie > 250 ? lie - 250u : 0u));
    memcpy(packet + count, one + 1, n - 1);
    count += n - 1;
  }
  count += message(c, s, packet + count);
  uint8_t damage = choose(c);
  if (damage > 250) packet[choose(c) % count] = choose(c);
  else if (damage > 245) count = choose(c) % (count + 1);
  return count;
}
