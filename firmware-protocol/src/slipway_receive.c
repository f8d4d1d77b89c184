/* Packets in: framing, then every message checked, then every message acted on. */
#include "slipway_private.h"

#include <string.h>

/* The rest of a message. Reading past its end reads zeros and marks it bad: nothing is ever read outside a packet. */
typedef struct reader {
  const uint8_t *at;
  const uint8_t *end;
  bool bad;
} reader_t;

static slipway_size_t left(const reader_t *r) { return (slipway_size_t)(r->end - r->at); }

static const uint8_t *take(reader_t *r, uint16_t count) {
  const uint8_t *taken = r->at;
  if (count > left(r)) {
    r->bad = true;
    return NULL;
  }
  r->at += count;
  return taken;
}

static uint8_t get(reader_t *r) {
  const uint8_t *taken = take(r, 1);
  return taken ? *taken : 0;
}

static uint16_t get16(reader_t *r) {
  uint8_t high = get(r);
  return (uint16_t)(high << 8 | get(r));
}

/* §1. What does not fit 16 bits comes out as 65535: no size or id that matters here is larger. */
static uint16_t get_varint(reader_t *r) {
  const uint8_t *first = r->at;
  const uint8_t *last;
  uint16_t value = 0;
  uint8_t byte;
  do {
    byte = get(r);
  } while (byte & 0x80u);
  last = r->at;
  if (last - first > 4 || (byte == 0 && last - first > 1)) r->bad = true;
  while (last != first) {
    value = value > 0x1FF ? 0xFFFF : (uint16_t)((uint16_t)(value << 7) | (*--last & 0x7Fu));
    if (value == 0xFFFF) break;
  }
  return value;
}

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

static bool hand_over(slipway_t *s, const slipway_channel_t *channel, const slipway_message_t *message) {
  if (!channel->name || !channel->handler) return false;
  channel->handler(s, message);
  return true;
}

/* To the entry whose id it carries, else to the first entry whose name or pattern it fits, else to `on_other`. */
static void dispatch(slipway_t *s, slipway_message_t *message) {
  const char *name = message->name;
  uint8_t length = message->name_length;
  uint8_t in_ram = SLIPWAY_NAME_IN_RAM;
  uint8_t i;
  if (message->id && message->id <= s->channel_count) {
    const slipway_channel_t *channel = &s->channels[message->id - 1];
    if (hand_over(s, channel, message)) return;
    name = channel->name;
    in_ram = channel->flags & SLIPWAY_NAME_IN_RAM;
    if (name) length = slipway_name_length(name, in_ram);
  }
  for (i = 0; name && i < s->channel_count; i++) {
    const slipway_channel_t *channel = &s->channels[i];
    if (channel->name && slipway_matches(channel, name, length, in_ram) && hand_over(s, channel, message)) return;
  }
  if (s->on_other) {
    s->on_other(s, message);
  } else {
    COUNT(s, unclaimed);
  }
}

/* §3.1 */
static bool emit(slipway_t *s, uint8_t head, reader_t *r, bool act) {
  slipway_message_t message;
  uint16_t seq = 0;
  uint16_t id = 0;
  message.name = NULL;
  message.name_length = 0;
  message.flags = head & (HEAD_QOS | HEAD_RETAIN);
  if (head & HEAD_QOS) seq = get16(r);
  if (head & HEAD_NAME) {
    message.name_length = get(r);
    message.name = (const char *)take(r, message.name_length);
    if (!message.name_length || head & HEAD_GATEWAY_ID) r->bad = true;
  } else {
    id = get_varint(r);
  }
  if (r->bad || !act) return !r->bad;
  message.payload = r->at;
  message.length = left(r);
  message.id = (uint8_t)id;
  /* Ids of the gateway's are not in use here: HELLO's `ids` is 0. Its id 0 is the broadcast all the same. */
  if (s->state < BEGINNING || head & HEAD_FRAGMENT || id > (head & HEAD_GATEWAY_ID ? 0 : 127)) {
    COUNT(s, unexpected);
    return true;
  }
#if SLIPWAY_WITH_RELIABLE
  if (head & HEAD_QOS) {
    if (!is_next(s, seq)) return true;
    dispatch(s, &message);
    taken(s);
    return true;
  }
#else
  (void)seq;
#endif
  dispatch(s, &message);
  return true;
}

/* §4.2, §4.3 */
static bool welcome(slipway_t *s, reader_t *r, bool act) {
  const uint8_t *body = take(r, 18);
  uint16_t max_packet = get_varint(r);
  uint16_t window = get_varint(r);
  uint16_t ids = get_varint(r);
  take(r, 6);
  while (!r->bad && left(r)) {
    get(r);
    take(r, get(r));
  }
  if (r->bad || !act) return !r->bad;
  if (s->state == GREETING && body[0] == 1 && memcmp(body + 2, s->nonce, 4) == 0) {
    s->max_packet = slipway_clamp(max_packet);
    slipway_welcomed(s, body, (uint8_t)(window > 127 ? 127 : window), (uint8_t)(ids > 127 ? 127 : ids));
  }
  return true;
}

/* §7 */
static bool refuse(slipway_t *s, reader_t *r, bool act) {
  uint8_t reason = get(r);
  uint8_t head = get(r) & (uint8_t)~HEAD_LENGTH;
  uint8_t id = 0;
  if (r->bad || !act) return !r->bad;
  if (head == HEAD_HELLO) {
    if (s->state != GREETING) return true;
    s->tries = MOST_DOUBLINGS;
    slipway_restart_timer(s);
  } else if (s->state < BEGINNING) {
    return true;
  } else if (reason == REASON_NO_SESSION) {
    slipway_lose(s, reason);
    return true;
  } else if (head >= HEAD_DECLARE) {
    id = slipway_refused(s, get16(r));
  } else if (head < HEAD_HELLO && !(head & (HEAD_QOS | HEAD_NAME))) {
    id = (uint8_t)get_varint(r);
  }
  slipway_tell(s, SLIPWAY_REFUSED, reason, id);
  return true;
}

/* §5.3 */
static bool acknowledge(slipway_t *s, reader_t *r, bool act) {
  uint16_t next = get16(r);
  slipway_size_t bytes = left(r);
  uint8_t held = 0;
  if (r->bad || bytes > 32) return false;
  if (!act || s->state < BEGINNING) return true;
#if SLIPWAY_WITH_RELIABLE
  while (left(r)) {
    uint8_t bits = get(r);
    while (bits) {
      held++;
      bits &= (uint8_t)(bits - 1);
    }
  }
#endif
  slipway_acknowledged(s, next, bytes != 0, held);
  return true;
}

/* One message, `r` being what follows its head and length. False if it is malformed. */
static bool message(slipway_t *s, uint8_t head, reader_t *r, bool act) {
  uint8_t value;
  if ((head & HEAD_CONTROL) != HEAD_CONTROL) return emit(s, head, r, act);
  switch (head) {
    case HEAD_WELCOME:
      return welcome(s, r, act);
    case HEAD_REFUSE:
      return refuse(s, r, act);
    case HEAD_ACK:
      return acknowledge(s, r, act);
    case HEAD_BYE:
    case HEAD_PING:
    case HEAD_PONG:
      value = get(r);
      if (r->bad || left(r)) return false;
      if (!act || s->state < BEGINNING) return true;
      if (head == HEAD_BYE) slipway_lose(s, value);
      /* A PONG that finds no room is not sent: the gateway asks again. */
      if (head == HEAD_PING) slipway_transmit_short(s, HEAD_PONG, value);
      return true;
#if SLIPWAY_WITH_RELIABLE
    case HEAD_REJECT: {
      uint16_t seq = get16(r);
      uint16_t of = get16(r);
      value = get(r);
      if (r->bad || left(r)) return false;
      if (act && s->state >= BEGINNING && is_next(s, seq)) {
        slipway_tell(s, SLIPWAY_REFUSED, value, slipway_refused(s, of));
        taken(s);
      }
      return true;
    }
    case HEAD_DECLARE: {
      /* Not expected, HELLO's `ids` being 0, but it has a number, and the numbering must not stop there. */
      uint16_t seq = get16(r);
      get_varint(r);
      if (r->bad || !left(r)) return false;
      if (act && s->state >= BEGINNING && is_next(s, seq)) {
        COUNT(s, unexpected);
        taken(s);
      }
      return true;
    }
#endif
    default:
      if (act) COUNT(s, unexpected);
      return true;
  }
}

/* A packet is taken whole or not at all (§2): the first pass only looks. */
static void packet(slipway_t *s, const uint8_t *bytes, slipway_size_t count) {
  const uint8_t *end = bytes + count;
  uint8_t act;
  for (act = 0; act < 2; act++) {
    reader_t r;
    bool ok = count != 0;
    r.at = bytes;
    r.end = end;
    r.bad = false;
    while (ok && r.at != end) {
      uint8_t head = get(&r);
      if (head & HEAD_LENGTH) {
        uint16_t length = get_varint(&r);
        if (length > left(&r)) r.bad = true; else r.end = r.at + length;
      }
      const uint8_t *next = r.end;
      ok = (head & 0x80u) && !r.bad && message(s, head & (uint8_t)~HEAD_LENGTH, &r, act);
      r.at = next;
      r.end = end;
    }
    if (!ok) {
      COUNT(s, malformed);
      return;
    }
  }
  slipway_heard(s);
}

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
    reader_t r;
    if (byte & 0x80u && s->length < 4) return true;
    r.at = s->buffer;
    r.end = s->buffer + s->length;
    r.bad = false;
    s->wanted = get_varint(&r);
    s->length = 0;
    if (!r.bad && s->wanted != 0 && s->wanted <= s->buffer_size) return true;
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
