/* What the messages of the gateway do. Their bytes have been counted by slipway_check.c. */
#include "slipway_private.h"

#include <string.h>

SLIPWAY_APART static uint16_t read16(const uint8_t *p) { return (uint16_t)(p[0] << 8 | p[1]); }

#if SLIPWAY_WITH_RELIABLE
/* Whether a reliable message is the one that is next (§5.2). If not, the gateway is told at once what is. */
static bool is_next(slipway_t *s, uint16_t seq) {
  uint16_t ahead = (uint16_t)(seq - s->expected);
  if (ahead == 0) return true;
  if (ahead >= 0x8000) {
    COUNT(s, duplicates);
  } else {
    COUNT(s, gaps);
    if (ahead >= SLIPWAY_RECEIVE_WINDOW) return false;
    s->flags |= ACK_GAP;
  }
  s->flags |= ACK_NOW;
  s->ack_count = 1;
  return false;
}

/* Its handler has returned: now it may be acknowledged (§5.1, §5.3). */
SLIPWAY_APART static void taken(slipway_t *s) {
  s->expected++;
  s->flags &= (uint8_t)~ACK_GAP;
  if (s->ack_count++ == 0) {
    s->ack_since = (uint8_t)s->now;
  } else {
    s->flags |= ACK_NOW;
  }
}
#endif

/* To the entry whose id it carries, else to the first entry whose name or pattern it fits, else to `on_other`. */
static void dispatch(slipway_t *s, const slipway_message_t *message) {
  slipway_handler_t handler = NULL;
  const slipway_channel_t *own = NULL;
  if (message->id && message->id <= s->channel_count) {
    own = slipway_entry(s, message->id);
    handler = own->handler;
  }
#if SLIPWAY_WITH_PATTERNS
  {
    const char *name = own ? own->name : message->name;
    uint8_t length = own ? 255 : message->name_length;
    uint8_t flags = own ? own->flags : SLIPWAY_NAME_IN_RAM;
    const slipway_channel_t *channel = s->channels;
    uint8_t left = name ? s->channel_count : 0;
    for (; left && !handler; left--, channel++) {
      if (channel->name && slipway_matches(channel, name, length, flags)) handler = channel->handler;
    }
  }
#endif
  if (!handler) handler = s->on_other;
  if (handler) {
    handler(s, message);
  } else {
    COUNT(s, unclaimed);
  }
}

/* §3.1 */
static void emit(slipway_t *s, uint8_t head, const uint8_t *p, slipway_size_t left) {
  slipway_message_t message;
  uint8_t before;
#if SLIPWAY_WITH_RELIABLE
  bool reliable = (head & HEAD_QOS) != 0;
  if (reliable) {
    if (!is_next(s, read16(p))) return;
    p += 2;
    left = (slipway_size_t)(left - 2);
  }
#else
  /* HELLO's `window` was 0. */
  if (head & HEAD_QOS) {
    COUNT(s, unexpected);
    return;
  }
#endif
  message.flags = head & (HEAD_QOS | HEAD_RETAIN);
  message.name = NULL;
  message.id = 0;
  before = *p;
  if (head & HEAD_NAME) {
    message.name = (const char *)p + 1;
    message.name_length = before++;
  } else {
    /* An id of the gateway's, which HELLO's `ids` forbids, or beyond any table, fits no entry. */
    message.id = before < 128 && !(head & HEAD_GATEWAY_ID && before) ? before : 255;
    before = slipway_varint_size(p, left);
  }
  message.payload = p + before;
  message.length = (slipway_size_t)(left - before);
  dispatch(s, &message);
#if SLIPWAY_WITH_RELIABLE
  if (reliable) taken(s);
#endif
}

/* §4.2, §4.3 */
static void welcome(slipway_t *s, const uint8_t *body) {
  const uint8_t *p = body + WELCOME_FIXED;
  uint8_t size = slipway_varint_size(p, 4);
  if (s->state != GREETING || body[0] != 1 || memcmp(body + 2, s->nonce, 4) != 0) return;
  s->max_packet = slipway_varint_value(p, size);
  p += size;
  slipway_welcomed(s, body, *p, p[slipway_varint_size(p, 4)]);
}

/* §7 */
static void refuse(slipway_t *s, const uint8_t *p, slipway_size_t left) {
  uint8_t reason = p[0];
  uint8_t head = p[1] & (uint8_t)~HEAD_LENGTH;
  uint8_t id = 0;
  if (head == HEAD_HELLO) {
    if (s->state != GREETING) return;
    s->tries = MOST_DOUBLINGS;
    slipway_restart_timer(s);
  } else if (s->state < BEGINNING) {
    return;
  } else if (reason == REASON_NO_SESSION) {
    slipway_lose(s, reason);
    return;
  } else if (head >= HEAD_DECLARE) {
    if (left >= 4) id = slipway_refused(s, read16(p + 2));
  } else if (!IS_CONTROL(head) && !(head & (HEAD_QOS | HEAD_NAME)) && left > 2) {
    id = p[2];
  }
  slipway_tell(s, SLIPWAY_REFUSED, reason, id);
}

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
  slipway_acknowledged(s, read16(p), left > 2, held);
}

static void act_on(slipway_t *s, uint8_t head, const uint8_t *p, slipway_size_t left) {
  if (head == HEAD_WELCOME) {
    welcome(s, p);
  } else if (head == HEAD_REFUSE) {
    refuse(s, p, left);
  } else if (s->state < BEGINNING) {
    /* Meant for the session before. */
    COUNT(s, unexpected);
  } else if (!IS_CONTROL(head)) {
    emit(s, head, p, left);
  } else if (head == HEAD_ACK) {
    acknowledge(s, p, left);
  } else if (head == HEAD_BYE) {
    slipway_lose(s, *p);
  } else if (head == HEAD_PING) {
    /* A PONG that finds no room is not sent: the gateway asks again. */
    slipway_transmit_control(s, HEAD_PONG, *p);
#if SLIPWAY_WITH_RELIABLE
  } else if (head == HEAD_REJECT || head == HEAD_DECLARE) {
    if (!is_next(s, read16(p))) return;
    if (head == HEAD_REJECT) {
      slipway_tell(s, SLIPWAY_REFUSED, p[4], slipway_refused(s, read16(p + 2)));
    } else {
      /* HELLO's `ids` was 0. But it has a number, and the numbering must not stop there. */
      COUNT(s, unexpected);
    }
    taken(s);
#endif
  } else if (head != HEAD_PONG) {
    COUNT(s, unexpected);
  }
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
        uint8_t size = slipway_varint_size(p, left);
        length = slipway_varint_value(p, size);
        p += size;
        left = (slipway_size_t)(left - size);
        if (!size || length > left) goto malformed;
        head &= (uint8_t)~HEAD_LENGTH;
      }
      if (acting) {
        act_on(s, head, p, length);
      } else if (!slipway_fits(head, p, length)) {
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
