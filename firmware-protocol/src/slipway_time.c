/* The time of day (§3.2, TIME). The gateway stamped its answer at some moment between the question and the poll that finds the
 * answer: half of that is the correction, and as much the uncertainty. */
#include "slipway_private.h"

#if SLIPWAY_WITH_TIME

static void advance(slipway_clock_t *clock, uint16_t elapsed) {
  for (; elapsed >= 1000; elapsed = (uint16_t)(elapsed - 1000)) clock->seconds++;
  clock->ms = (uint16_t)(clock->ms + elapsed);
  if (clock->ms >= 1000) {
    clock->ms = (uint16_t)(clock->ms - 1000);
    clock->seconds++;
  }
}

/* An answer that came since the last poll becomes a time, as of `now`. */
SLIPWAY_APART static void settle(slipway_clock_t *clock, uint16_t round_trip) {
  clock->uncertainty = (uint16_t)(round_trip / 2 + 1);
  advance(clock, round_trip / 2);
  clock->age = clock->seconds;
}

/* `time`: 48 bits of ms, of which long division makes seconds. */
void slipway_time_told(slipway_t *s, const uint8_t *time) {
  uint32_t seconds = 0;
  uint16_t ms = 0;
  uint8_t byte = 0;
  uint8_t bits;
  for (bits = 0; bits < 8 * TIME_BYTES; bits++) {
    if (bits % 8 == 0) byte = *time++;
    ms = (uint16_t)(ms << 1 | byte >> 7);
    byte = (uint8_t)(byte << 1);
    seconds <<= 1;
    if (ms >= 1000) {
      ms = (uint16_t)(ms - 1000);
      seconds |= 1;
    }
  }
  s->clock.seconds = seconds;
  s->clock.ms = ms;
  s->clock_flags = CLOCK_KNOWN | CLOCK_TOLD;
}

/* A poll, `elapsed` ms after the last: `now` is that of this one. */
void slipway_time_passed(slipway_t *s, uint16_t elapsed) {
  if (s->clock_flags & CLOCK_TOLD) {
    s->clock_flags &= (uint8_t)~CLOCK_TOLD;
    settle(&s->clock, (uint16_t)(s->now - s->clock_asked));
    slipway_tell(s, SLIPWAY_TIME, SLIPWAY_REASON_NORMAL, 0);
  } else {
    advance(&s->clock, elapsed);
  }
}

/* Sends the question if it is time for that. */
void slipway_question_time(slipway_t *s) {
  if (!(s->clock_flags & CLOCK_WANTED)) return;
  if (s->clock_flags & CLOCK_ASKED && (uint16_t)(s->now - s->clock_asked) < ASK_TIME_AGAIN_MS) return;
  if (slipway_transmit(s, HEAD_TIME, ++s->clock_token, NULL) != SLIPWAY_OK) return;
  s->clock_asked = (uint16_t)s->now;
  s->clock_flags |= CLOCK_ASKED;
}

void slipway_ask_time(slipway_t *s) {
  slipway_stir(s);
  s->clock_flags |= CLOCK_WANTED;
}

bool slipway_time(const slipway_t *s, uint32_t now_ms, slipway_clock_t *clock) {
  if (!(s->clock_flags & CLOCK_KNOWN)) return false;
  *clock = s->clock;
  if (s->clock_flags & CLOCK_TOLD) {
    settle(clock, (uint16_t)((uint16_t)now_ms - s->clock_asked));
  } else {
    advance(clock, (uint16_t)((uint16_t)now_ms - s->now));
  }
  clock->age = clock->seconds - clock->age;
  return true;
}

#else
/* ISO C wants something in every file. */
typedef int slipway_no_time;
#endif
