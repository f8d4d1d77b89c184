/* Packets in: framing, then every message checked, then every message acted on. */
#include "slipway_private.h"

#include <string.h>

/* --- Checking: whether a message is well-formed, before any of the packet is acted on (§2) --- */

/* The bytes that the varint at `p` takes of `left`; 0 if it is malformed (§1). */
static uint8_t varint_size(const uint8_t *p, slipway_size_t left) {
  uint8_t size = 0;
  do {
    if (size == left || size == 4) return 0;
  } while (p[size++] & 0x80u);
  return size > 1 && p[size - 1] == 0 ? 0 : size;
}

/* Its value. A malformed one, or one of more than two bytes, is the greatest size: more than anything here can hold. */
static slipway_size_t varint_value(const uint8_t *p, uint8_t size) {
  if (size == 1) return *p;
  if (size != 2) return (slipway_size_t)-1;
  return slipway_clamp((uint16_t)((*p & 0x7Fu) | (unsigned)p[1] << 7));
}

/* What a control message of the gateway's has after its head: so many bytes, or at least so many with OR_MORE.
 * 0: it does not come from a gateway (§3.2). */
enum { OR_MORE = 0x80, WELCOME_FIXED = 18, TIME_BYTES = 6 };
static const uint8_t body_sizes[16] SLIPWAY_FLASH = {
    0, (WELCOME_FIXED + 3 + TIME_BYTES) | OR_MORE, 0, 2 | OR_MORE, 1, 1, 1, 1 + TIME_BYTES,
    2 | OR_MORE, 4 | OR_MORE, 0, 0, 5, 0, 0, 1 | OR_MORE};

static bool welcome_fits(const uint8_t *p, slipway_size_t left) {
  uint8_t varints = 3;
  if (p[1] > 7 || !(p[6] | p[7] | p[8] | p[9])) return false;
  p += WELCOME_FIXED;
  left = (slipway_size_t)(left - WELCOME_FIXED);
  do {
    uint8_t size = varint_size(p, left);
    if (!size) return false;
    p += size;
    left = (slipway_size_t)(left - size);
  } while (--varints);
  if (left < TIME_BYTES) return false;
  p += TIME_BYTES;
  left = (slipway_size_t)(left - TIME_BYTES);
  while (left) {
    /* Options: type, length, value. */
    if (left < 2 || p[1] > left - 2) return false;
    left = (slipway_size_t)(left - 2 - p[1]);
    p += 2 + p[1];
  }
  return true;
}

static bool control_fits(uint8_t head, const uint8_t *p, slipway_size_t left) {
  uint8_t wanted = SLIPWAY_FLASH_BYTE(&body_sizes[head & 0x0F]);
  uint8_t least = wanted & (uint8_t)~OR_MORE;
  if (!wanted || left < least || (left > least && !(wanted & OR_MORE))) return false;
  if (head == HEAD_WELCOME) return welcome_fits(p, left);
#if SLIPWAY_WITH_RELIABLE
  if (head == HEAD_DECLARE) {
    uint8_t size = varint_size(p + 2, (slipway_size_t)(left - 2));
    return size && p[2] && left > 2u + size && left <= 2u + size + 255u;
  }
#endif
  return head != HEAD_ACK || left <= 34;
}

static bool emit_fits(uint8_t head, const uint8_t *p, slipway_size_t left) {
  if (head & HEAD_FRAGMENT) return false;
  if (head & HEAD_QOS) {
    if (left < 2) return false;
    p += 2;
    left = (slipway_size_t)(left - 2);
  }
  if (!(head & HEAD_NAME)) return varint_size(p, left) != 0;
  return !(head & HEAD_GATEWAY_ID) && left && p[0] && p[0] < left;
}

static bool fits(uint8_t head, const uint8_t *p, slipway_size_t left) {
  if (!(head & 0x80u)) return false;
  return IS_CONTROL(head) ? control_fits(head, p, left) : emit_fits(head, p, left);
}

/* --- Acting --- */

static uint16_t read16(const uint8_t *p) { return (uint16_t)(p[0] << 8 | p[1]); }

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
static void taken(slipway_t *s) {
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
    before = varint_size(p, left);
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
  uint8_t size = varint_size(p, 4);
  if (s->state != GREETING || body[0] != 1 || memcmp(body + 2, s->nonce, 4) != 0) return;
  s->max_packet = varint_value(p, size);
  p += size;
  slipway_welcomed(s, body, *p, p[varint_size(p, 4)]);
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
#if SLIPWAY_WITH_RELIABLE
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

static void packet(slipway_t *s, const uint8_t *bytes, slipway_size_t count) {
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
        uint8_t size = varint_size(p, left);
        length = varint_value(p, size);
        p += size;
        left = (slipway_size_t)(left - size);
        if (!size || length > left) goto malformed;
        head &= (uint8_t)~HEAD_LENGTH;
      }
      if (acting) {
        act_on(s, head, p, length);
      } else if (!fits(head, p, length)) {
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

/* --- Framing --- */

#if SLIPWAY_WITH_SERIAL
/* §2.1 */
static void serial_byte(slipway_t *s, uint8_t byte) {
  if (byte == END) {
    slipway_size_t count = s->length;
    uint16_t crc = 0xFFFF;
    slipway_size_t i;
    bool spoiled = (s->flags & (SKIPPING | ESCAPED)) != 0;
    s->length = 0;
    s->flags &= (uint8_t)~(SKIPPING | ESCAPED);
    if (!spoiled && count == 0) return;
    for (i = 0; i < count; i++) crc = slipway_crc(crc, s->buffer[i]);
    if (spoiled || count < 3 || crc) {
      COUNT(s, crc);
    } else {
      packet(s, s->buffer, (slipway_size_t)(count - 2));
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
    uint8_t size;
    if (byte & 0x80u && s->length < 4) return true;
    size = varint_size(s->buffer, s->length);
    s->wanted = varint_value(s->buffer, size);
    s->length = 0;
    if (size != 0 && s->wanted != 0 && s->wanted <= s->buffer_size) return true;
    COUNT(s, oversize);
    s->flags |= SKIPPING;
    return false;
  }
  if (s->length == s->wanted) {
    s->length = 0;
    packet(s, s->buffer, (slipway_size_t)s->wanted);
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
      packet(s, bytes, (slipway_size_t)count);
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
