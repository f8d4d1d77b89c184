/* What the program asks for: channels, emits, leaving. */
#include "slipway_private.h"

#include <string.h>

uint8_t slipway_channel(slipway_t *s, const char *name, slipway_handler_t handler, uint8_t flags) {
  uint8_t id;
  for (id = 1; id <= s->channel_count; id++) {
    slipway_channel_t *channel = slipway_entry(s, id);
    if (channel->name) continue;
    channel->name = name;
    channel->handler = handler;
    channel->flags = flags & (uint8_t)~(CHANNEL_TAKEN_UP | CHANNEL_DECLARED);
    return id;
  }
  return 0;
}

/* QoS 0: now or not at all. By the name of `channel`, if there is one. */
static slipway_result_t emit_now(slipway_t *s, uint8_t id, const slipway_channel_t *channel, const void *payload,
                                 size_t length, uint8_t flags) {
  uint8_t head;
  if (flags & HEAD_QOS) return SLIPWAY_INVALID;
  if (length > SLIPWAY_MAX_PACKET) return SLIPWAY_TOO_LARGE;
  if (s->state < BEGINNING) return SLIPWAY_NOT_CONNECTED;
  slipway_stir(s);
  s->payload = payload;
  s->payload_length = (slipway_size_t)length;
  head = (uint8_t)(HEAD_EMIT | (flags & HEAD_RETAIN));
  if (channel) head |= HEAD_NAME;
  return slipway_transmit(s, head, id, channel);
}

slipway_result_t slipway_emit(slipway_t *s, uint8_t id, const void *payload, size_t length, uint8_t flags) {
  const slipway_channel_t *channel = NULL;
  if (id > s->channel_count) return SLIPWAY_INVALID;
  if (id) {
    channel = slipway_entry(s, id);
    if (!channel->name) return SLIPWAY_INVALID;
    /* It has the id once the gateway knows that, until then the name (§6.3). */
    if (channel->flags & CHANNEL_DECLARED) channel = NULL;
  }
#if SLIPWAY_WITH_RELIABLE
  if (flags & HEAD_QOS) {
    slipway_slot_t *slot;
    uint8_t left = (uint8_t)(s->slot_count - s->count);
    if ((flags & HEAD_QOS) == HEAD_QOS) return SLIPWAY_INVALID;
    if (length > SLIPWAY_SLOT_BYTES) return SLIPWAY_TOO_LARGE;
    /* While the table has wishes the last place is theirs: a busy program must not keep itself from being heard. */
    if (left < 2 && (!left || slipway_next_wish(s) != NO_WISH)) return SLIPWAY_FULL;
    slot = slipway_add_slot(s, (uint8_t)(HEAD_EMIT | (flags & (HEAD_QOS | HEAD_RETAIN))), id);
    slot->length = (uint8_t)length;
    if (length) memcpy(slot->payload, payload, length);
    if (s->state >= BEGINNING) slipway_flush(s);
    return SLIPWAY_OK;
  }
#endif
  return emit_now(s, id, channel, payload, length, flags);
}

slipway_result_t slipway_emit_named(slipway_t *s, const char *name, const void *payload, size_t length, uint8_t flags) {
  slipway_channel_t channel;
  channel.name = name;
  channel.flags = flags;
  return emit_now(s, 0, &channel, payload, length, flags);
}

slipway_result_t slipway_subscribe(slipway_t *s, uint8_t id, uint8_t flags) {
  slipway_channel_t *channel;
  if (id == 0 || id > s->channel_count || !slipway_entry(s, id)->name) return SLIPWAY_INVALID;
  channel = slipway_entry(s, id);
  /* Its SUBSCRIBE may be in the window still: should that go now, it brings nothing of one's own and no last value. */
  if (!(flags & SLIPWAY_SUBSCRIBE)) flags = CHANNEL_DROPPED | SLIPWAY_NO_LOCAL | SLIPWAY_NO_LAST_VALUE;
  channel->flags = (uint8_t)((flags & (SLIPWAY_SUBSCRIBE | CHANNEL_OPTIONS)) |
                             (channel->flags & (SLIPWAY_NAME_IN_RAM | CHANNEL_DECLARED)));
  return SLIPWAY_OK;
}

void slipway_leave(slipway_t *s, bool forget) {
  if (s->state >= BEGINNING) slipway_transmit(s, HEAD_BYE, forget, NULL);
  slipway_link(s, false);
}
