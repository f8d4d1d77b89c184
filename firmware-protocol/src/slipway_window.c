/* The window: reliable messages until the gateway has acknowledged them (§5). */
#include "slipway_private.h"

#include <string.h>

static slipway_slot_t *slot_at(slipway_t *s, uint8_t place) {
#if SLIPWAY_WITH_RELIABLE
  place = (uint8_t)(s->first + place);
  if (place >= s->slot_count) place = (uint8_t)(place - s->slot_count);
  return &s->slots[place];
#else
  (void)place;
  return &s->slot;
#endif
}

#if SLIPWAY_WITH_RELIABLE
#define SLOT_COUNT(s) ((s)->slot_count)
#else
#define SLOT_COUNT(s) 1
#endif

slipway_slot_t *slipway_add_slot(slipway_t *s, uint8_t head, uint8_t id) {
  slipway_slot_t *slot = slot_at(s, s->count++);
  slot->head = head;
  slot->id = id;
#if SLIPWAY_WITH_RELIABLE
  slot->length = 0;
#endif
  return slot;
}

/* `count` messages at the window's front are acknowledged. */
SLIPWAY_APART void slipway_settle(slipway_t *s, uint8_t count) {
  while (count--) {
    const slipway_slot_t *slot = slot_at(s, 0);
    if ((slot->head == HEAD_DECLARE || slot->head == HEAD_SUBSCRIBE) && slipway_usable_id(s, slot->id)) {
      slipway_entry(s, slot->id)->flags |= CHANNEL_DECLARED;
    }
#if SLIPWAY_WITH_RELIABLE
    if (++s->first == s->slot_count) s->first = 0;
#endif
    s->oldest++;
    s->count--;
    s->sent--;
  }
}

#if SLIPWAY_WITH_RELIABLE
SLIPWAY_APART static void measure(slipway_t *s) {
  uint16_t sample = (uint16_t)(s->now - s->timed_at);
  s->flags &= (uint8_t)~TIMING;
  if (sample > 4000) sample = 4000;
  s->round_trip = (uint16_t)(s->round_trip - s->round_trip / 8 + sample / 8);
}
#endif

/* §5.3, §5.4. `gap`: later messages arrived, `held` of them, and `next` did not. */
void slipway_acknowledged(slipway_t *s, uint16_t next, bool gap, uint8_t held) {
  uint16_t count = (uint16_t)(next - s->oldest);
  if (count > s->sent) return;
  if (s->state == BEGINNING) {
    s->state = READY;
    s->tries = 0;
    slipway_tell(s, SLIPWAY_CONNECTED, REASON_NORMAL, 0);
  }
#if SLIPWAY_WITH_RELIABLE
  if (s->flags & TIMING && (uint8_t)(next - 1 - s->timed) < 128) measure(s);
#endif
  if (count) {
    slipway_settle(s, (uint8_t)count);
    s->tries = 0;
#if SLIPWAY_WITH_RELIABLE
    s->ignored = 0;
#endif
    s->flags &= (uint8_t)~HURRIED;
    slipway_restart_timer(s);
  }
#if SLIPWAY_WITH_RELIABLE
  if (gap && s->sent && !(s->flags & HURRIED) && !IS_STREAM(s)) {
    s->flags |= HURRIED;
    s->due = s->now;
    /* Datagrams may have overtaken each other: an eighth of a round trip decides. */
    if (IS_DATAGRAM(s) && held < 3) s->due = (uint16_t)(s->now + s->round_trip / 8 + 1);
  }
#else
  (void)gap;
  (void)held;
#endif
}

/* The gateway will not have the message numbered `seq` (§7): it is done, and its acknowledgement will come. Should it
 * have to be sent again, in a new epoch, an idle sweep goes in its stead. Returns the table entry concerned, or 0. */
SLIPWAY_APART uint8_t slipway_refused(slipway_t *s, uint16_t seq) {
  uint16_t place = (uint16_t)(seq - s->oldest);
  slipway_slot_t *slot;
  uint8_t id;
  if (place >= s->sent) return 0;
  slot = slot_at(s, (uint8_t)place);
  id = slot->id;
  slot->head = HEAD_UNSUBSCRIBE;
  slot->id = 0;
#if SLIPWAY_WITH_RELIABLE
  slot->length = 0;
#endif
  return id;
}

static slipway_result_t send_slot(slipway_t *s, uint8_t place) {
  const slipway_slot_t *slot = slot_at(s, place);
  uint16_t seq = (uint16_t)(s->oldest + place);
#if SLIPWAY_WITH_RELIABLE
  return slipway_transmit(s, slot->head, slot->id, seq, slot->payload, slot->length, NULL, 0);
#else
  return slipway_transmit(s, slot->head, slot->id, seq, NULL, 0, NULL, 0);
#endif
}

/* What the table wants of the gateway and has not been put into the window in this epoch: the entry's id, 0 for the
 * sweep, NO_WISH. */
uint8_t slipway_next_wish(const slipway_t *s) {
  uint8_t id;
  for (id = 1; id <= s->channel_count; id++) {
    const slipway_channel_t *channel = slipway_entry(s, id);
    if (channel->name && !(channel->flags & CHANNEL_TAKEN_UP)) return id;
  }
  return s->flags & SWEEP ? 0 : NO_WISH;
}

/* §3.2. One at a time where the window is one. */
void slipway_take_up_wishes(slipway_t *s) {
  uint8_t id;
  while (s->count < SLOT_COUNT(s) && (id = slipway_next_wish(s)) != NO_WISH) {
    uint8_t head = HEAD_UNSUBSCRIBE;
    if (id == 0) {
      s->flags &= (uint8_t)~SWEEP;
    } else {
      slipway_channel_t *channel = slipway_entry(s, id);
      channel->flags |= CHANNEL_TAKEN_UP;
      if (channel->flags & SLIPWAY_SUBSCRIBE) {
        head = HEAD_SUBSCRIBE;
      } else if (!(channel->flags & CHANNEL_DECLARED) && slipway_usable_id(s, id)) {
        head = HEAD_DECLARE;
      }
    }
    slipway_add_slot(s, head, id);
  }
}

/* Sends what has not been sent in this epoch, as far as the gateway's window goes. */
void slipway_flush(slipway_t *s) {
#if SLIPWAY_WITH_RELIABLE
  uint8_t limit = s->count < s->window ? s->count : s->window;
#else
  uint8_t limit = s->count;
#endif
  while (s->sent < limit) {
    slipway_result_t result = send_slot(s, s->sent);
    if (result != SLIPWAY_OK) return;
#if SLIPWAY_WITH_RELIABLE
    if (!(s->flags & TIMING)) {
      s->flags |= TIMING;
      s->timed = (uint8_t)(s->oldest + s->sent);
      s->timed_at = s->now;
    }
#endif
    if (s->sent++ == 0) slipway_restart_timer(s);
  }
}

/* The timer has run out: the oldest message, or BEGIN, goes again (§4.2, §5.4). */
void slipway_resend(slipway_t *s) {
#if SLIPWAY_WITH_RELIABLE
  /* Only what the gateway ignored while it said other things counts: silence is for the keep-alive to judge. */
  if (s->flags & HEARD && s->state == READY && s->ignored++ == MOST_RESENDS) {
    /* The two disagree. End the epoch, do not ask for its numbering again. */
    slipway_transmit_control(s, HEAD_BYE, REASON_MALFORMED);
    memset(s->token, 0, 4);
    slipway_lose(s, REASON_MALFORMED);
    return;
  }
  s->flags &= (uint8_t)~(HEARD | TIMING);
  if (s->state == BEGINNING && s->tries >= MOST_BEGINS) {
#else
  if (s->tries >= (s->state == READY ? MOST_RESENDS : MOST_BEGINS)) {
#endif
    slipway_lose(s, REASON_TIMEOUT);
    return;
  }
  if ((s->sent ? send_slot(s, 0) : slipway_transmit_control(s, HEAD_NONE, 0)) != SLIPWAY_OK) return;
  if (s->sent) COUNT(s, resends);
  if (s->tries < 100) s->tries++;
  slipway_restart_timer(s);
}
