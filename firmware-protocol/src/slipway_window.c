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
#define IS_ACKNOWLEDGED(s) (!(s)->ack_count)
#else
#define SLOT_COUNT(s) 1
#define IS_ACKNOWLEDGED(s) true
#endif

slipway_slot_t *slipway_add_slot(slipway_t *s, uint8_t head, uint8_t id) {
  slipway_slot_t *slot;
  slipway_stir(s);
#if SLIPWAY_WITH_RELIABLE
  slot = slot_at(s, s->count++);
#else
  slot = &s->slot;
  s->count = 1;
#endif
  slot->head = head;
  slot->id = id;
  return slot;
}

/* `count` messages at the window's front are acknowledged. */
void slipway_settle(slipway_t *s, uint8_t count) {
#if SLIPWAY_WITH_RELIABLE
  while (count--) {
#else
  if (count) {
#endif
    const slipway_slot_t *slot = slot_at(s, 0);
    if (IS_CONTROL(slot->head) && slot->head < HEAD_UNSUBSCRIBE && slipway_usable_id(s, slot->id)) {
      slipway_entry(s, slot->id)->flags |= CHANNEL_DECLARED;
    }
    s->oldest++;
#if SLIPWAY_WITH_RELIABLE
    if (++s->first == s->slot_count) s->first = 0;
    s->count--;
    s->sent--;
#else
    s->count = 0;
    s->sent = 0;
#endif
  }
}

#if SLIPWAY_WITH_RELIABLE
static void measure(slipway_t *s) {
  uint16_t sample = (uint16_t)(s->now - s->timed_at);
  s->flags &= (uint8_t)~TIMING;
  if (sample > 4000) sample = 4000;
  s->round_trip = (uint16_t)(s->round_trip - s->round_trip / 8 + sample / 8);
}
#endif

#if SLIPWAY_WITH_SLEEP
static void fall_asleep(slipway_t *s) {
  s->sleep = AWAKE;
  if (!s->sleep_seconds) return;
  s->sleep = ASLEEP;
#if SLIPWAY_WITH_RELIABLE
  /* Else what came last would come again. */
  if (s->ack_count) slipway_transmit(s, HEAD_NONE, 0, NULL);
#endif
#if SLIPWAY_WITH_TIME
  /* How long it will be, nobody can tell. */
  s->clock_flags = 0;
#endif
  slipway_tell(s, SLIPWAY_ASLEEP, SLIPWAY_REASON_NORMAL, 0);
}
#endif

/* §5.3, §5.4. `gap`: later messages arrived, `held` of them, and `next` did not. */
void slipway_acknowledged(slipway_t *s, uint16_t next, bool gap, uint8_t held) {
  uint16_t count = (uint16_t)(next - s->oldest);
  if (count > s->sent) return;
#if SLIPWAY_WITH_STREAM
  /* No BEGIN has left yet that it could answer (§4.2); elsewhere what that would bring is sent again anyway. */
  if (IS_STREAM(s) && s->state == BEGINNING && !(s->sent | s->tries)) return;
#endif
#if SLIPWAY_WITH_RELIABLE
  if (s->flags & TIMING && (uint8_t)(next - 1 - s->timed) < 128) measure(s);
#endif
  if (count || s->state == BEGINNING) {
    bool first = s->state == BEGINNING;
    s->state = READY;
    s->tries = 0;
    slipway_settle(s, (uint8_t)count);
#if SLIPWAY_WITH_RELIABLE
    s->ignored = 0;
    s->silent = 0;
    s->flags &= (uint8_t)~HURRIED;
#endif
    slipway_restart_timer(s);
    if (first) slipway_tell(s, SLIPWAY_CONNECTED, SLIPWAY_REASON_NORMAL, 0);
#if SLIPWAY_WITH_SLEEP
    /* SLEEP was alone in the window. */
    if (s->sleep == DROWSY && !s->count) fall_asleep(s);
#endif
  }
#if SLIPWAY_WITH_RELIABLE
  if (gap && s->sent && !(s->flags & HURRIED) && !IS_STREAM(s)) {
    s->flags |= HURRIED;
    s->due = s->now;
    /* Datagrams may have overtaken each other: an eighth of a round trip decides. */
    if (IS_DATAGRAM(s) && held < 3) s->due = (slipway_time_t)(s->now + s->round_trip / 8 + 1);
  }
#else
  (void)gap;
  (void)held;
#endif
}

/* The gateway will not have the message numbered `seq` (§7): it is done, and its acknowledgement will come. Should it
 * have to be sent again, in a new epoch, an idle sweep goes in its stead. Returns the table entry concerned, or 0. */
SLIPWAY_APART_IF_LARGE uint8_t slipway_refused(slipway_t *s, uint16_t seq) {
  uint16_t place = (uint16_t)(seq - s->oldest);
  slipway_slot_t *slot;
  uint8_t id;
#if SLIPWAY_WITH_RELIABLE
  if (place >= s->count) return 0;
#else
  if (place) return 0;
#endif
  slot = slot_at(s, (uint8_t)place);
  id = slot->id;
#if SLIPWAY_WITH_WILL
  if (slot->head == HEAD_WILL) id = SLIPWAY_ID_WILL;
#endif
#if SLIPWAY_WITH_SLEEP
  if (slot->head == HEAD_SLEEP) {
    id = SLIPWAY_ID_SLEEP;
    s->sleep = AWAKE;
  }
#endif
  slot->head = HEAD_UNSUBSCRIBE;
  slot->id = 0;
  return id;
}

/* Sends the message at that place of the window. */
SLIPWAY_APART slipway_result_t slipway_send_slot(slipway_t *s, uint8_t place) {
  const slipway_slot_t *slot = slot_at(s, place);
#if SLIPWAY_WITH_RELIABLE
  s->sequence = (uint16_t)(s->oldest + place);
  s->payload = slot->payload;
  s->payload_length = slot->length;
#endif
#if SLIPWAY_WITH_WILL
  if (slot->head == HEAD_WILL) {
    s->payload = s->will;
    s->payload_length = s->will_length;
    return slipway_transmit_entry(s, HEAD_WILL, s->will_id);
  }
#endif
  return slipway_transmit_entry(s, slot->head, slot->id);
}

/* What the table wants of the gateway and has not been put into the window in this epoch: the entry's id, WILL_WISH, SWEEP_WISH,
 * NO_WISH. */
uint8_t slipway_next_wish(const slipway_t *s) {
  const slipway_channel_t *channel = s->channels;
  uint8_t id;
  for (id = 1; id <= s->channel_count; id++, channel++) {
    if (channel->name && !(channel->flags & CHANNEL_TAKEN_UP)) return id;
  }
#if SLIPWAY_WITH_WILL
  if ((s->will_flags & (WILL_LEFT | WILL_TAKEN_UP)) == WILL_LEFT) return WILL_WISH;
#endif
#if SLIPWAY_WITH_RELIABLE
  if (s->flags & SWEEP) return SWEEP_WISH;
#endif
  return NO_WISH;
}

/* §3.2. Puts a wish into the window, if there is one and room for it. */
static bool take_up_wish(slipway_t *s) {
  uint8_t head = HEAD_UNSUBSCRIBE;
  uint8_t id;
  if (s->count >= SLOT_COUNT(s)) return false;
  id = slipway_next_wish(s);
#if SLIPWAY_WITH_SLEEP
  if (id == NO_WISH && s->sleep == SLEEP_WANTED && !s->count && s->state == READY) {
    slipway_add_slot(s, HEAD_SLEEP, 0);
    s->sleep = DROWSY;
    return true;
  }
#endif
  if (id == NO_WISH) return false;
#if SLIPWAY_WITH_WILL
  if (id == WILL_WISH) {
    s->will_flags |= WILL_TAKEN_UP;
    head = HEAD_WILL;
  } else
#endif
#if SLIPWAY_WITH_RELIABLE
  if (id == SWEEP_WISH) {
    s->flags &= (uint8_t)~SWEEP;
  } else
#endif
  {
    slipway_channel_t *channel = slipway_entry(s, id);
    channel->flags |= CHANNEL_TAKEN_UP;
    if (channel->flags & SLIPWAY_SUBSCRIBE) {
      head = HEAD_SUBSCRIBE;
    } else if (!(channel->flags & (CHANNEL_DECLARED | CHANNEL_DROPPED)) &&
               (!SLIPWAY_WITH_PATTERNS || slipway_usable_id(s, id))) {
      head = HEAD_DECLARE;
    }
  }
  slipway_add_slot(s, head, id);
  return true;
}

/* Sends a message that has not been sent in this epoch, if there is one and the gateway's window has room for it. False when it
 * is no use trying again now. */
static bool send_next(slipway_t *s) {
  slipway_result_t result;
  if (s->sent >= s->count) return false;
#if SLIPWAY_WITH_RELIABLE
  if (s->sent >= s->window) return false;
#endif
  result = slipway_send_slot(s, s->sent);
#if !SLIPWAY_TRUSTING
  /* Not even alone in a packet: it must not keep the others back for ever. */
  if (result == SLIPWAY_TOO_LARGE && s->state == READY && IS_ACKNOWLEDGED(s)) {
    slipway_tell(s, SLIPWAY_REFUSED, SLIPWAY_REASON_TOO_LARGE, slipway_refused(s, SEQUENCE(s)));
    return s->state == READY;
  }
#endif
  if (result != SLIPWAY_OK) return false;
#if SLIPWAY_WITH_RELIABLE
  if (!(s->flags & TIMING)) {
    s->flags |= TIMING;
    s->timed = (uint8_t)(s->oldest + s->sent);
    s->timed_at = (uint16_t)s->now;
  }
#endif
#if SLIPWAY_WITH_RELIABLE
  if (s->sent++) return true;
#else
  s->sent = 1;
#endif
  s->tries = 0;
  slipway_restart_timer(s);
  return true;
}

/* As many as the window takes; where it is one, one. */
void slipway_take_up_wishes(slipway_t *s) {
#if SLIPWAY_WITH_RELIABLE
  while (take_up_wish(s)) {
  }
#else
  take_up_wish(s);
#endif
}

/* As many as wait; where the window is one, one. */
SLIPWAY_APART_IF_LARGE void slipway_flush(slipway_t *s) {
#if SLIPWAY_WITH_RELIABLE
  while (send_next(s)) {
  }
#else
  send_next(s);
#endif
}
