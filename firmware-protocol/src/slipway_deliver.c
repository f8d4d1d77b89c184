/* Emits of the gateway, to the handlers of the program (§3.1, §5.2, §6). */
#include "slipway_private.h"

#if SLIPWAY_WITH_RELIABLE
/* Whether a reliable message is the one that is next (§5.2). If not, the gateway is told at once what is. */
bool slipway_is_next(slipway_t *s, uint16_t seq) {
  uint16_t ahead = (uint16_t)(seq - s->expected);
  if (ahead == 0) return true;
  if (ahead >= 0x8000) {
    COUNT(s, duplicates);
  } else {
    COUNT(s, gaps);
    if (ahead >= SLIPWAY_RECEIVE_WINDOW) return false;
    s->flags |= ACK_GAP;
  }
  s->ack_count = 2;
  return false;
}

/* Its handler has returned: now it may be acknowledged (§5.1, §5.3). */
SLIPWAY_APART void slipway_taken(slipway_t *s) {
  s->expected++;
  s->flags &= (uint8_t)~ACK_GAP;
  if (s->ack_count++ == 0) s->ack_since = (uint8_t)s->now;
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
#if SLIPWAY_WITH_NAMES
  {
#if SLIPWAY_WITH_PATTERNS
    /* An entry without a handler may have a pattern that has one. */
    const char *name = own ? own->name : message->name;
    uint8_t length = own ? 255 : message->name_length;
    uint8_t flags = own ? own->flags : SLIPWAY_NAME_IN_RAM;
#else
    const char *name = message->name;
    uint8_t length = message->name_length;
    uint8_t flags = SLIPWAY_NAME_IN_RAM;
#endif
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

/* §3.1. Called twice, as all that slipway_receive.c does with a message. */
bool slipway_emit_arrived(slipway_t *s, uint8_t head, const uint8_t *p, slipway_size_t left, bool acting) {
  slipway_message_t message;
  slipway_size_t before;
#if SLIPWAY_WITH_RELIABLE
  uint16_t seq = 0;
  if (head & HEAD_QOS) {
    if (left < 2) return false;
    seq = slipway_read16(p);
    p += 2;
    left = (slipway_size_t)(left - 2);
  }
#else
  /* HELLO's `window` was 0. */
  if (head & HEAD_QOS) return false;
#endif
  if (head & HEAD_FRAGMENT) return false;
#if SLIPWAY_WITH_NAMES
  message.name = NULL;
  message.id = 0;
  if (head & HEAD_NAME) {
    if (head & HEAD_GATEWAY_ID || !left) return false;
    before = *p;
    if (!before || before >= left) return false;
    message.name = (const char *)p + 1;
    message.name_length = (uint8_t)before++;
  } else {
    before = slipway_read_varint(p, left).size;
    if (!before) return false;
    /* An id of the gateway's, which HELLO's `ids` forbids, or beyond any table, fits no entry. */
    message.id = *p;
    if (message.id && head & HEAD_GATEWAY_ID) message.id = 255;
  }
#else
  if (head & HEAD_NAME) return true;
  /* An id of two bytes is none of the table's. */
  message.id = *p;
  before = 1;
  if (!left || message.id & 0x80u) return false;
#endif
  if (!acting) return true;
#if SLIPWAY_WITH_RELIABLE
  if (head & HEAD_QOS && !slipway_is_next(s, seq)) return true;
#endif
  message.flags = head & (HEAD_QOS | HEAD_RETAIN);
  message.payload = p + before;
  message.length = (slipway_size_t)(left - before);
  dispatch(s, &message);
#if SLIPWAY_WITH_RELIABLE
  if (head & HEAD_QOS) slipway_taken(s);
#endif
  return true;
}
