/* What the messages of the gateway do. A packet is gone through twice: first only to check its messages, then to act on
 * them. */
#include "slipway_private.h"

#include <string.h>

/* Neither the window nor the table is larger here. */
static uint8_t at_most_255(uint16_t value) { return (uint8_t)(value > 255 ? 255 : value); }

/* §4.2, §4.3 */
SLIPWAY_APART_IF_LARGE static bool welcome(slipway_t *s, const uint8_t *body, slipway_size_t left, bool acting) {
  slipway_size_t max_packet = 0, window = 0, ids = 0;
#if SLIPWAY_WITH_KEY
  /* The last option. */
  const uint8_t *proof = body + left - (2 + GATEWAY_PROOF_BYTES);
#endif
#if !SLIPWAY_TRUSTING
  const uint8_t *p = body + WELCOME_FIXED;
#if SLIPWAY_WITH_TIME
  const uint8_t *time;
#endif
#if SLIPWAY_WITH_RELIABLE
  uint8_t taken = 0;
#endif
  uint8_t i = 3;
  if (body[1] > 7 || !(body[6] | body[7] | body[8] | body[9])) return false;
  left = (slipway_size_t)(left - WELCOME_FIXED);
  do {
    slipway_varint_t varint = slipway_read_varint(p, left);
    if (!varint.size) return false;
    max_packet = window;
    window = ids;
    ids = varint.value;
    p += varint.size;
    left = (slipway_size_t)(left - varint.size);
  } while (--i);
  /* In less than that nothing could be asked of it, not even whether it is there. */
  if (max_packet < MIN_MAX_PACKET || left < TIME_BYTES) return false;
#if SLIPWAY_WITH_TIME
  time = p;
#endif
  p += TIME_BYTES;
  left = (slipway_size_t)(left - TIME_BYTES);
  while (left) {
    /* Options: type, length, value. */
    uint8_t size;
    if (left < 2) return false;
    left = (slipway_size_t)(left - 2);
    size = p[1];
    if (size > left) return false;
    left = (slipway_size_t)(left - size);
#if SLIPWAY_WITH_RELIABLE
    if (*p == OPTION_TAKEN && size) taken = p[2];
#endif
    p += size;
    p += 2;
  }
#else
  (void)left;
#endif
  if (acting && s->state == GREETING && (body[0] == 1 || SLIPWAY_TRUSTING) && slipway_are_same(body + 2, s->nonce)) {
#if SLIPWAY_WITH_TIME && !SLIPWAY_TRUSTING
    /* It was stamped after the first HELLO, when that was not too long ago for the clock. */
    bool timely = !(s->clock_flags & CLOCK_KNOWN) && s->tries <= MOST_HELLOS_TIMED;
#endif
#if SLIPWAY_WITH_KEY
    if (s->key && !slipway_is_proved(s, body + 6, proof)) {
      s->tries = SLOWEST;
      slipway_restart_timer(s);
      slipway_tell(s, SLIPWAY_REFUSED, SLIPWAY_REASON_BAD_CREDENTIALS, 0);
      return true;
    }
#endif
    slipway_welcomed(s, body, max_packet, at_most_255(window), at_most_255(ids));
#if SLIPWAY_WITH_RELIABLE && !SLIPWAY_TRUSTING
    /* What was taken behind a refused message is done with, too. Of a window of more than nine the rest may come again. */
    if (s->state == BEGINNING) {
      uint16_t seq = s->oldest;
      for (; taken; taken >>= 1) {
        seq++;
        if (taken & 1) slipway_refused(s, seq);
      }
    }
#endif
#if SLIPWAY_WITH_TIME && !SLIPWAY_TRUSTING
    if (timely && s->state == BEGINNING) slipway_time_told(s, time);
#endif
  }
  return true;
}

/* §7 */
static void refuse(slipway_t *s, const uint8_t *p, slipway_size_t left) {
  uint8_t reason = p[0];
  uint8_t head = p[1] & (uint8_t)~HEAD_LENGTH;
  uint8_t id = 0;
  if (head == HEAD_HELLO) {
    if (s->state != GREETING) return;
#if SLIPWAY_WITH_DATAGRAM
    if (reason == SLIPWAY_REASON_PROVE_ADDRESS && left >= 6) {
      memcpy(s->cookie, p + 2, 4);
      /* At once, but only once: what comes next waits for its time. */
      if (!(s->cookie_state & COOKIE_TOLD)) s->due = s->now;
      s->cookie_state = COOKIE_HELD | COOKIE_TOLD;
      return;
    }
#endif
#if SLIPWAY_WITH_KEY
    if (reason == SLIPWAY_REASON_PROVE_IDENTITY && s->key && left >= 2 + CHALLENGE_BYTES) {
      /* The first at once, others when their time comes. */
      if (!s->proof_size) s->due = s->now;
      slipway_prove(s, p + 2);
      return;
    }
#endif
    s->tries = SLOWEST;
    slipway_restart_timer(s);
  } else if (s->state < BEGINNING) {
    return;
  } else if (reason == SLIPWAY_REASON_NO_SESSION) {
    slipway_lose(s, reason);
    return;
#if SLIPWAY_WITH_TIME
  } else if (head == HEAD_TIME) {
    s->clock_flags &= (uint8_t)~(CLOCK_WANTED | CLOCK_ASKED);
#endif
  } else if (head >= HEAD_DECLARE) {
    if (left >= 4) id = slipway_refused(s, slipway_read16(p + 2));
  } else if (!IS_CONTROL(head) && !(head & (HEAD_QOS | HEAD_NAME)) && left > 2) {
    /* The program looks it up in its table. */
    if (p[2] <= s->channel_count) id = p[2];
  }
  slipway_tell(s, SLIPWAY_REFUSED, reason, id);
}

#if SLIPWAY_WITH_UNSUPPORTED
/* §10 */
static void refuse_unsupported(slipway_t *s, uint8_t head) {
  if (s->state < BEGINNING) return;
  s->payload = &head;
  s->payload_length = 1;
  slipway_transmit(s, HEAD_REFUSE, SLIPWAY_REASON_UNSUPPORTED, NULL);
}
#endif

static void acknowledge(slipway_t *s, const uint8_t *p, slipway_size_t left) {
  uint8_t held = 0;
#if SLIPWAY_WITH_RELIABLE && SLIPWAY_WITH_DATAGRAM
  /* Where order is kept one is as good as many. */
  slipway_size_t i;
  for (i = 2; i < left; i++) {
    uint8_t bits = p[i];
    for (; bits; bits &= (uint8_t)(bits - 1)) held++;
  }
#endif
  slipway_acknowledged(s, slipway_read16(p), left > 2, held);
}

#if !SLIPWAY_TRUSTING
/* What a control message of the gateway's has after its head: so many bytes, or at least so many with OR_MORE.
 * 0: it does not come from a gateway (§3.2). */
enum { OR_MORE = 0x80 };
static const uint8_t body_sizes[16] SLIPWAY_FLASH = {
    0, (WELCOME_FIXED + 3 + TIME_BYTES) | OR_MORE, 0, 2 | OR_MORE, 1, 1, 1, 1 + TIME_BYTES,
    2 | OR_MORE, 4 | OR_MORE, 0, 0, 5, 0, 0, 1 | OR_MORE};
#endif

/* Whether a message is well-formed; if `acting`, what it says is done. `head` is without its L, `p` what follows it and the
 * length. */
static bool message(slipway_t *s, uint8_t head, const uint8_t *p, slipway_size_t left, bool acting) {
  uint8_t least;
#if !SLIPWAY_TRUSTING
  uint8_t sizes;
#endif
  if (!(head & 0x80u)) return false;
  if (acting && s->state < BEGINNING && head != HEAD_WELCOME && head != HEAD_REFUSE) {
    /* Meant for the session before. */
    COUNT(s, unexpected);
    return true;
  }
  if (!IS_CONTROL(head)) return slipway_emit_arrived(s, head, p, left, acting);
#if SLIPWAY_TRUSTING
  /* What is read below; a gateway sends this board nothing that is shorter. */
  least = 2;
  if (head == HEAD_WELCOME) least = WELCOME_FIXED;
  if (SLIPWAY_WITH_TIME && head == HEAD_TIME) least = 1 + TIME_BYTES;
  if (head == HEAD_BYE || head == HEAD_PING || head == HEAD_PONG) least = 1;
  if (left < least) return false;
#else
  sizes = SLIPWAY_FLASH_BYTE(&body_sizes[head & 0x0F]);
  least = sizes & (uint8_t)~OR_MORE;
  if (!sizes || left < least || (sizes < OR_MORE && left != sizes)) return false;
#endif
  if (head == HEAD_WELCOME) return welcome(s, p, left, acting);
#if SLIPWAY_WITH_RELIABLE
  if (head == HEAD_DECLARE) {
    uint8_t size = slipway_read_varint(p + 2, (slipway_size_t)(left - 2)).size;
    if (!size || !p[2] || left <= 2u + size || left > 2u + size + 255u) return false;
  }
#endif
  if (!SLIPWAY_TRUSTING && head == HEAD_ACK && left > 34) return false;
  if (!acting) return true;
  if (head == HEAD_REFUSE) {
    refuse(s, p, left);
  } else if (head == HEAD_ACK) {
    acknowledge(s, p, left);
  } else if (head == HEAD_BYE) {
    slipway_lose(s, *p);
  } else if (head == HEAD_PING) {
    /* At the next poll, or as soon as the line has room: the gateway may be waiting for it to send more (§5.6). */
    s->pong_token = *p;
    s->pong = SLIPWAY_BUSY;
#if SLIPWAY_WITH_TIME
  } else if (head == HEAD_TIME) {
    if (s->clock_flags & CLOCK_ASKED && *p == s->clock_token) slipway_time_told(s, p + 1);
#endif
#if SLIPWAY_WITH_RELIABLE
  } else if (head == HEAD_REJECT || head == HEAD_DECLARE) {
    if (!slipway_is_next(s, slipway_read16(p))) return true;
    if (head == HEAD_REJECT) {
      slipway_tell(s, SLIPWAY_REFUSED, p[4], slipway_refused(s, slipway_read16(p + 2)));
    } else {
      /* HELLO's `ids` was 0. But it has a number, and the numbering must not stop there. */
      COUNT(s, unexpected);
    }
    slipway_taken(s);
#endif
  } else if (head != HEAD_PONG) {
    COUNT(s, unexpected);
#if SLIPWAY_WITH_UNSUPPORTED
    if (head == HEAD_EXTENDED) refuse_unsupported(s, head);
#endif
  }
  return true;
}

/* A whole packet: every message is checked before any is acted on (§2). */
void slipway_packet(slipway_t *s, const uint8_t *bytes, slipway_size_t count) {
  bool acting = false;
  do {
    const uint8_t *p = bytes;
    slipway_size_t left = count;
    do {
      slipway_size_t length;
      uint8_t head;
      if (!left) goto malformed;
      head = *p++;
      length = --left;
      if (head & HEAD_LENGTH) {
        slipway_varint_t varint = slipway_read_varint(p, left);
        p += varint.size;
        left = (slipway_size_t)(left - varint.size);
        length = varint.value;
        if (!varint.size || length > left) goto malformed;
        head &= (uint8_t)~HEAD_LENGTH;
      }
      if (!message(s, head, p, length, acting)) {
#if SLIPWAY_WITH_UNSUPPORTED
        if (head >= HEAD_EMIT && !IS_CONTROL(head) && head & HEAD_FRAGMENT) refuse_unsupported(s, head);
#endif
        goto malformed;
      }
      p += length;
      left = (slipway_size_t)(left - length);
    } while (left);
    acting = !acting;
  } while (acting);
  slipway_heard(s);
  return;
malformed:
  COUNT(s, malformed);
}
