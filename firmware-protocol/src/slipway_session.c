/* The peer's side of a session: introduction, timers, keep-alive (§4). */
#include "slipway_private.h"

#include <string.h>

/* Modulo: right as long as poll comes no later than this after it. No wait is longer than what is left of the period. */
static bool passed(const slipway_t *s, slipway_time_t deadline) {
  return (slipway_time_t)(s->now - deadline) < (SLIPWAY_COARSE_TIME ? 64 : (slipway_time_t)-1 / 2 + 1);
}

/* Nothing is asked of the gateway that would be asked again. */
#define IS_IDLE(s) ((s)->state == READY && (!(s)->sent || IS_STREAM(s)))

/* A state does what it does first at once: no deadline can say so, as the clock is not known before the first poll. */
#define IS_NEW(s) (!SLIPWAY_COARSE_TIME && (s)->state < READY && !((s)->tries | (s)->sent))

#if SLIPWAY_WITH_EVENTS
void slipway_tell(slipway_t *s, slipway_event_t event, uint8_t reason, uint8_t id) {
  if (s->on_event) s->on_event(s, event, reason, id);
}
#endif

/* The next time that `due` comes: the first wait, doubled for each try up to a limit (§9); with nothing unanswered after
 * three quarters of the promised silence, so that a second question still comes in time (§4.5). */
SLIPWAY_APART void slipway_restart_timer(slipway_t *s) {
  uint8_t doublings = s->tries;
  slipway_time_t last_to_double = IS_SERIAL(s) ? TIME(500) : TIME(4000);
  slipway_time_t wait = TIME(FIRST_RESEND_MS + 6);
  if (s->state == GREETING) {
    last_to_double = TIME(5000);
#if SLIPWAY_WITH_DATAGRAM || SLIPWAY_WITH_STREAM
    /* Up to a quarter more, so that boards that lost one gateway do not come back as one. */
    wait = (slipway_time_t)(FIRST_RESEND_MS / 2 + ((s->nonce[0] + (uint8_t)s->now) & 31));
#else
    wait = TIME(FIRST_RESEND_MS / 2 + 3);
#endif
  } else if (IS_IDLE(s)) {
    wait = TIME(1000);
    if (!doublings) wait = (slipway_time_t)(KEEP_ALIVE(s) * TIME(768));
    doublings = 0;
  } else {
#if SLIPWAY_WITH_RELIABLE
    wait = (slipway_time_t)(2 * s->round_trip + 30);
#endif
  }
  for (; doublings && wait <= last_to_double; doublings--) wait = (slipway_time_t)(wait << 1);
  s->due = (slipway_time_t)(s->now + wait);
}

/* A valid packet came. */
void slipway_heard(slipway_t *s) {
#if SLIPWAY_WITH_RELIABLE
  s->flags |= HEARD;
#endif
  if (s->tries && IS_IDLE(s)) {
    s->tries = 0;
    slipway_restart_timer(s);
  }
}

/* At the next poll that state does what it does first. What was sent before is to be sent again. */
SLIPWAY_APART void slipway_enter(slipway_t *s, uint8_t state) {
  slipway_stir(s);
#if SLIPWAY_WITH_TIME
  s->clock_flags &= (uint8_t)~CLOCK_ASKED;
#endif
  s->state = state;
  s->tries = 0;
  s->sent = 0;
#if SLIPWAY_COARSE_TIME
  s->due = s->now;
#endif
  s->pong = SLIPWAY_OK;
#if SLIPWAY_WITH_DATAGRAM
  s->cookie_state &= COOKIE_HELD;
#endif
#if SLIPWAY_WITH_KEY
  s->proof_size = 0;
#endif
}

void slipway_link(slipway_t *s, bool up) {
  s->flags &= (uint8_t)~(ESCAPED | SKIPPING);
  s->length = 0;
#if SLIPWAY_WITH_STREAM
  s->wanted = 0;
#endif
  slipway_enter(s, up ? GREETING : IDLE);
}

SLIPWAY_APART void slipway_begin(slipway_t *s, uint32_t nonce) {
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
  slipway_enter(s, GREETING);
  slipway_tell(s, SLIPWAY_LOST, reason, 0);
}

/* §4.3. `body` is WELCOME from its version on. */
void slipway_welcomed(slipway_t *s, const uint8_t *body, slipway_size_t max_packet, uint8_t window,
                      uint8_t ids) {
  bool continues = false;
#if SLIPWAY_WITH_RELIABLE
  uint16_t arrived = (uint16_t)((uint16_t)(body[14] << 8 | body[15]) - s->oldest);
  continues = (body[1] & WELCOME_CONTINUES) != 0;
  /* An epoch that continues keeps its token, a new one has another: else it is late, and was acted on already. */
  if (continues != slipway_are_same(s->token, body + 6)) return;
  s->window = window;
  s->ignored = 0;
  s->silent = 0;
  if (body[1] & WELCOME_KNOWN && arrived <= s->count) slipway_settle(s, (uint8_t)arrived);
#else
  (void)window;
#endif
  memcpy(s->token, body + 6, 4);
#if SLIPWAY_WITH_PATTERNS
  s->ids = ids;
#else
  (void)ids;
#endif
#if SLIPWAY_TRUSTING
  (void)max_packet;
#else
  /* The greatest count stands for all that are greater: such a packet is too large for anyone. */
  if ((slipway_size_t)(max_packet + 1) == 0) max_packet--;
  s->max_packet = max_packet;
  s->keep_alive = SLIPWAY_KEEP_ALIVE_S;
  if (body[16] == 0 && (uint8_t)(body[17] - 1) < SLIPWAY_KEEP_ALIVE_S - 1) s->keep_alive = body[17];
#endif
  if (!continues) {
    slipway_channel_t *channel = s->channels;
    uint8_t left = s->channel_count;
    s->oldest = slipway_read16(body + 10);
#if SLIPWAY_WITH_RELIABLE
    s->expected = slipway_read16(body + 12);
    s->ack_count = 0;
    s->flags |= SWEEP;
#else
    s->count = 0;
#endif
    for (; left; left--, channel++) channel->flags &= (uint8_t)~(CHANNEL_TAKEN_UP | CHANNEL_DECLARED);
#if SLIPWAY_WITH_WILL
    s->will_flags &= (uint8_t)~WILL_TAKEN_UP;
#endif
  }
#if SLIPWAY_WITH_RELIABLE
  s->flags &= (uint8_t)~(TIMING | HURRIED);
#endif
  slipway_enter(s, BEGINNING);
}

#if SLIPWAY_WITH_RELIABLE
/* Whether BEGIN or the oldest message may be sent again; if not the session is lost. */
static bool may_resend(slipway_t *s) {
  uint8_t most = MOST_BEGINS;
  if (s->state == READY) {
    most = MOST_SILENT;
    if (s->flags & HEARD) {
      s->silent = 0;
      if (s->ignored++ == MOST_RESENDS) {
        /* The two disagree (§5.4): the gateway answers the next HELLO with a new numbering. */
        slipway_transmit(s, HEAD_BYE, SLIPWAY_REASON_MALFORMED, NULL);
        slipway_lose(s, SLIPWAY_REASON_MALFORMED);
        return false;
      }
    }
  }
  s->flags &= (uint8_t)~(HEARD | TIMING);
  if (s->silent++ < most) return true;
  slipway_lose(s, SLIPWAY_REASON_TIMEOUT);
  return false;
}
#endif

/* The timer has run out: HELLO, BEGIN, the oldest message or PING goes (§4.2, §4.5, §5.4). */
SLIPWAY_APART static void overdue(slipway_t *s) {
  uint8_t head = HEAD_NONE;
  uint8_t limit = 255;
  slipway_result_t result;
  if (s->state == GREETING) {
    head = HEAD_HELLO;
#if SLIPWAY_WITH_TIME
    if (!s->tries) s->clock_asked = (uint16_t)s->now;
#endif
  } else if (IS_IDLE(s)) {
    head = HEAD_PING;
    limit = MOST_PINGS;
  } else {
#if SLIPWAY_WITH_RELIABLE
    if (!may_resend(s)) return;
#else
    limit = s->state == BEGINNING ? MOST_BEGINS : MOST_RESENDS;
#endif
  }
  if (s->tries >= limit) {
    slipway_lose(s, SLIPWAY_REASON_TIMEOUT);
    return;
  }
  if (head == HEAD_NONE && s->sent) {
    COUNT(s, resends);
    result = slipway_send_slot(s, 0);
  } else {
    result = slipway_transmit(s, head, s->tries, NULL);
  }
  if (result != SLIPWAY_OK) return;
  if (s->tries < 100) s->tries++;
  slipway_restart_timer(s);
}

void slipway_poll(slipway_t *s, uint32_t now_ms) {
#if SLIPWAY_WITH_TIME
  uint16_t elapsed = (uint16_t)((uint16_t)now_ms - s->now);
#endif
  s->now = (slipway_time_t)(SLIPWAY_COARSE_TIME ? (uint16_t)now_ms >> 6 : now_ms);
#if SLIPWAY_WITH_TIME
  slipway_time_passed(s, elapsed);
#endif
  if (s->state == IDLE) return;
  if (s->state != GREETING) {
    slipway_take_up_wishes(s);
    slipway_flush(s);
#if !SLIPWAY_TRUSTING
    /* A program that was told of a message too large may have left. */
    if (s->state < BEGINNING) return;
#endif
#if SLIPWAY_WITH_TIME
    if (SLEEP_STATE(s) < DROWSY) slipway_question_time(s);
#endif
    if (s->pong != SLIPWAY_OK) s->pong = slipway_transmit(s, HEAD_PONG, s->pong_token, NULL);
  }
  if (SLEEP_STATE(s) == ASLEEP) return;
  if (IS_NEW(s) || passed(s, s->due)) overdue(s);
#if SLIPWAY_WITH_RELIABLE
  if (s->state >= BEGINNING && (s->ack_count > 1 || (s->ack_count && (uint8_t)(s->now - s->ack_since) >= 15))) {
    slipway_transmit(s, HEAD_NONE, 0, NULL);
  }
#endif
}
