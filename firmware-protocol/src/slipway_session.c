/* The peer's side of a session: introduction, timers, keep-alive (§4). */
#include "slipway_private.h"

#include <string.h>

/* Modulo 65.536 s: right as long as poll is called more often than every 32 s. */
static bool passed(const slipway_t *s, uint16_t deadline) { return (int16_t)(s->now - deadline) >= 0; }

/* Three quarters of the promise: an answer, or a second question, must still come in time (§4.5). */
SLIPWAY_APART static void restart_keep_alive(slipway_t *s) {
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

SLIPWAY_APART void slipway_link(slipway_t *s, bool up) {
  s->state = up ? GREETING : IDLE;
  s->flags &= (uint8_t)~(ESCAPED | SKIPPING);
  s->length = 0;
#if SLIPWAY_WITH_STREAM
  s->wanted = 0;
#endif
  s->tries = 0;
  s->due = s->now;
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
  s->state = GREETING;
  s->tries = 0;
  s->due = s->now;
  slipway_tell(s, SLIPWAY_LOST, reason, 0);
}

/* §4.3. `body` is WELCOME from its version on. */
SLIPWAY_APART void slipway_welcomed(slipway_t *s, const uint8_t *body, uint8_t window, uint8_t ids) {
  uint8_t i;
  bool continues = false;
#if SLIPWAY_WITH_RELIABLE
  uint16_t arrived = (uint16_t)((uint16_t)(body[14] << 8 | body[15]) - s->oldest);
  continues = (body[1] & WELCOME_CONTINUES) != 0;
  /* A late repetition of what was acted on already. */
  if (!continues && memcmp(s->token, body + 6, 4) == 0) return;
  s->window = window;
  s->ignored = 0;
  if (body[1] & WELCOME_KNOWN && arrived <= s->sent) slipway_settle(s, (uint8_t)arrived);
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

static void greet(slipway_t *s) {
  if (!passed(s, s->due) || slipway_transmit_control(s, HEAD_HELLO, 0) != SLIPWAY_OK) return;
  slipway_restart_timer(s);
  if (s->tries < MOST_DOUBLINGS) s->tries++;
}

/* §4.5 */
SLIPWAY_APART static void stay_alive(slipway_t *s) {
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
  slipway_take_up_wishes(s);
  slipway_flush(s);
  if (passed(s, s->due) && (s->state == BEGINNING || (s->sent && !IS_STREAM(s)))) slipway_resend(s);
  if (s->state == READY) stay_alive(s);
#if SLIPWAY_WITH_RELIABLE
  if (s->state >= BEGINNING && s->ack_count && (s->flags & ACK_NOW || (uint8_t)(s->now - s->ack_since) >= 15)) {
    slipway_transmit_control(s, HEAD_NONE, 0);
  }
#endif
}
