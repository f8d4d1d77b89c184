/* The peer's side of a session: introduction, the window, resending, keep-alive (§4, §5). */
#include "slipway_private.h"

#include <string.h>

/* Modulo 65.536 s: right as long as poll is called more often than every 32 s. */
static bool passed(const slipway_t *s, uint16_t deadline) { return (int16_t)(s->now - deadline) >= 0; }

/* Three quarters of the promise: an answer, or a second question, must still come in time (§4.5). */
static void restart_keep_alive(slipway_t *s) {
  s->pings = 0;
  s->alive = (uint16_t)(s->now + s->keep_alive * 768u);
}

/* A valid packet came. */
void slipway_heard(slipway_t *s) {
  s->flags |= HEARD;
  if (s->pings) restart_keep_alive(s);
}

void slipway_tell(slipway_t *s, slipway_event_t event, uint8_t reason, uint8_t id) {
  if (s->on_event) s->on_event(s, event, reason, id);
}

/* The next time that `due` comes: the first wait, doubled for each try up to a limit (§9). */
void slipway_restart_timer(slipway_t *s) {
  /* Up to a quarter more, so that boards that lost one gateway do not come back as one. */
  uint16_t wait = (uint16_t)(FIRST_RESEND_MS + ((s->nonce[0] + s->now) & 63));
  uint16_t last_to_double = 5104;
  uint8_t doublings = s->tries;
  if (s->state >= BEGINNING) {
    last_to_double = IS_SERIAL(s) ? 500 : 4000;
#if SLIPWAY_WITH_RELIABLE
    wait = (uint16_t)(2 * s->round_trip + 30);
#endif
  }
  while (doublings-- && wait <= last_to_double) wait <<= 1;
  s->due = (uint16_t)(s->now + wait);
}

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

static slipway_slot_t *add_slot(slipway_t *s, uint8_t head, uint8_t id) {
  slipway_slot_t *slot = slot_at(s, s->count++);
  slot->head = head;
  slot->id = id;
#if SLIPWAY_WITH_RELIABLE
  slot->length = 0;
#endif
  return slot;
}

/* --- Beginning and ending --- */

void slipway_link(slipway_t *s, bool up) {
  s->state = up ? GREETING : IDLE;
  s->flags &= (uint8_t)~(ESCAPED | SKIPPING);
  s->length = 0;
#if SLIPWAY_WITH_STREAM
  s->wanted = 0;
#endif
  s->tries = 0;
  s->due = s->now;
}

void slipway_begin(slipway_t *s, uint32_t nonce) {
  memcpy(s->nonce, &nonce, 4);
#if SLIPWAY_WITH_RELIABLE
  s->round_trip = (FIRST_RESEND_MS - 30) / 2;
#endif
  slipway_link(s, true);
}

bool slipway_connected(const slipway_t *s) { return s->state == READY; }

uint8_t slipway_pending(const slipway_t *s) { return s->count; }

/* §4.2: HELLO at once, with the epoch, which the gateway may know still. */
void slipway_lose(slipway_t *s, uint8_t reason) {
  s->state = GREETING;
  s->tries = 0;
  s->due = s->now;
  slipway_tell(s, SLIPWAY_LOST, reason, 0);
}

/* `count` messages at the window's front are acknowledged. */
static void settle(slipway_t *s, uint8_t count) {
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

/* §4.3. `body` is WELCOME from its version on. */
void slipway_welcomed(slipway_t *s, const uint8_t *body, uint8_t window, uint8_t ids) {
  uint8_t i;
  bool continues = false;
#if SLIPWAY_WITH_RELIABLE
  uint16_t arrived = (uint16_t)((uint16_t)(body[14] << 8 | body[15]) - s->oldest);
  continues = (body[1] & WELCOME_CONTINUES) != 0;
  /* A late repetition of what was acted on already. */
  if (!continues && memcmp(s->token, body + 6, 4) == 0) return;
  s->window = window;
  s->ignored = 0;
  if (body[1] & WELCOME_KNOWN && arrived <= s->sent) settle(s, (uint8_t)arrived);
#else
  (void)window;
#endif
  memcpy(s->token, body + 6, 4);
  s->ids = ids;
  s->keep_alive = SLIPWAY_KEEP_ALIVE_S;
  if (body[16] == 0 && body[17] != 0 && body[17] < SLIPWAY_KEEP_ALIVE_S) s->keep_alive = body[17];
  if (!continues) {
    s->oldest = (uint16_t)(body[10] << 8 | body[11]);
#if SLIPWAY_WITH_RELIABLE
    s->expected = (uint16_t)(body[12] << 8 | body[13]);
    s->ack_count = 0;
#else
    s->count = 0;
#endif
    s->flags |= SWEEP;
    for (i = s->channel_count; i; i--) {
      slipway_entry(s, i)->flags &= (uint8_t)~(CHANNEL_TAKEN_UP | CHANNEL_DECLARED);
    }
  }
  s->sent = 0;
  s->state = BEGINNING;
  s->flags &= (uint8_t)~(TIMING | HURRIED);
  s->tries = 0;
  s->due = s->now;
  restart_keep_alive(s);
}

/* --- The window --- */

#if SLIPWAY_WITH_RELIABLE
static void measure(slipway_t *s) {
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
    settle(s, (uint8_t)count);
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
uint8_t slipway_refused(slipway_t *s, uint16_t seq) {
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
 * sweep, NOTHING. */
enum { NOTHING = 0xFF };

static uint8_t next_wish(const slipway_t *s) {
  uint8_t id;
  for (id = 1; id <= s->channel_count; id++) {
    const slipway_channel_t *channel = slipway_entry(s, id);
    if (channel->name && !(channel->flags & CHANNEL_TAKEN_UP)) return id;
  }
  return s->flags & SWEEP ? 0 : NOTHING;
}

/* §3.2. One at a time where the window is one. */
static void take_up_wishes(slipway_t *s) {
  uint8_t id;
  while (s->count < SLOT_COUNT(s) && (id = next_wish(s)) != NOTHING) {
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
    add_slot(s, head, id);
  }
}

/* Sends what has not been sent in this epoch, as far as the gateway's window goes. */
static void flush(slipway_t *s) {
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
static void resend(slipway_t *s) {
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

static void greet(slipway_t *s) {
  if (!passed(s, s->due) || slipway_transmit_control(s, HEAD_HELLO, 0) != SLIPWAY_OK) return;
  slipway_restart_timer(s);
  if (s->tries < MOST_DOUBLINGS) s->tries++;
}

/* §4.5 */
static void stay_alive(slipway_t *s) {
  if (!passed(s, s->alive)) return;
  if (s->pings == MOST_PINGS) {
    slipway_lose(s, REASON_TIMEOUT);
  } else if (slipway_transmit_control(s, HEAD_PING, s->pings) == SLIPWAY_OK) {
    s->pings++;
    s->alive = (uint16_t)(s->now + 1000);
  }
}

void slipway_poll(slipway_t *s, uint32_t now_ms) {
  s->now = (uint16_t)now_ms;
  if (s->state == GREETING) greet(s);
  if (s->state < BEGINNING) return;
  take_up_wishes(s);
  flush(s);
  if (passed(s, s->due) && (s->state == BEGINNING || (s->sent && !IS_STREAM(s)))) resend(s);
  if (s->state == READY) stay_alive(s);
#if SLIPWAY_WITH_RELIABLE
  if (s->state >= BEGINNING && s->ack_count && (s->flags & ACK_NOW || (uint8_t)(s->now - s->ack_since) >= 15)) {
    slipway_transmit_control(s, HEAD_NONE, 0);
  }
#endif
}

/* --- What the program asks for --- */

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

/* QoS 0: now or not at all. */
static slipway_result_t emit_now(slipway_t *s, uint8_t id, const char *name, const void *payload, size_t length,
                                 uint8_t flags) {
  if (flags & HEAD_QOS) return SLIPWAY_INVALID;
  if (length > SLIPWAY_MAX_PACKET) return SLIPWAY_TOO_LARGE;
  if (s->state < BEGINNING) return SLIPWAY_NOT_CONNECTED;
  return slipway_transmit(s, (uint8_t)(HEAD_EMIT | (flags & HEAD_RETAIN)), id, 0, payload, (slipway_size_t)length,
                          name, flags & SLIPWAY_NAME_IN_RAM);
}

slipway_result_t slipway_emit(slipway_t *s, uint8_t id, const void *payload, size_t length, uint8_t flags) {
  if (id > s->channel_count || (id && !slipway_entry(s, id)->name)) return SLIPWAY_INVALID;
#if SLIPWAY_WITH_RELIABLE
  if (flags & HEAD_QOS) {
    slipway_slot_t *slot;
    /* While the table has wishes the last place is theirs: a busy program must not keep itself from being heard. */
    uint8_t places = (uint8_t)(s->slot_count - (next_wish(s) != NOTHING));
    if ((flags & HEAD_QOS) == HEAD_QOS) return SLIPWAY_INVALID;
    if (length > SLIPWAY_SLOT_BYTES) return SLIPWAY_TOO_LARGE;
    if (s->count >= places) return SLIPWAY_FULL;
    slot = add_slot(s, (uint8_t)(HEAD_EMIT | (flags & (HEAD_QOS | HEAD_RETAIN))), id);
    slot->length = (uint8_t)length;
    if (length) memcpy(slot->payload, payload, length);
    if (s->state >= BEGINNING) flush(s);
    return SLIPWAY_OK;
  }
#endif
  return emit_now(s, id, NULL, payload, length, flags);
}

slipway_result_t slipway_emit_named(slipway_t *s, const char *name, const void *payload, size_t length, uint8_t flags) {
  return emit_now(s, 0, name, payload, length, flags);
}

slipway_result_t slipway_subscribe(slipway_t *s, uint8_t id, uint8_t flags) {
  slipway_channel_t *channel;
  if (id == 0 || id > s->channel_count || !slipway_entry(s, id)->name) return SLIPWAY_INVALID;
  channel = slipway_entry(s, id);
  channel->flags = (uint8_t)((flags & (SLIPWAY_SUBSCRIBE | CHANNEL_OPTIONS)) |
                             (channel->flags & (SLIPWAY_NAME_IN_RAM | CHANNEL_DECLARED)));
  return SLIPWAY_OK;
}

void slipway_leave(slipway_t *s, bool forget) {
  if (s->state >= BEGINNING) slipway_transmit_control(s, HEAD_BYE, forget);
  slipway_link(s, false);
}
