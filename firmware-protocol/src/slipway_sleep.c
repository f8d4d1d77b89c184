/* Sleep (§4.7). SLEEP is a reliable message that goes when the window is empty, and stays alone there: what follows it would wake
 * the session that it is to put to sleep, unless it is an answer, as ACK and PONG are. */
#include "slipway_private.h"

#if SLIPWAY_WITH_SLEEP

/* Something is to be said: a sleeper is awake, and one that is falling asleep says this first. */
SLIPWAY_APART void slipway_stir(slipway_t *s) {
  if (s->sleep == ASLEEP) {
    s->sleep = AWAKE;
    s->tries = 0;
    slipway_restart_timer(s);
  } else if (s->sleep == DROWSY) {
    s->sleep = SLEEP_WANTED;
  }
}

slipway_result_t slipway_sleep(slipway_t *s, uint32_t seconds) {
  if (seconds >> 28) return SLIPWAY_INVALID;
  if (s->sleep == AWAKE ? seconds != 0 : seconds != s->sleep_seconds) {
    slipway_stir(s);
    s->sleep_seconds = seconds;
    s->sleep = SLEEP_WANTED;
  }
  return SLIPWAY_OK;
}

/* SLEEP of 0 s, which is resent as any. */
void slipway_wake(slipway_t *s) { slipway_sleep(s, 0); }

bool slipway_asleep(const slipway_t *s) { return s->sleep == ASLEEP; }

#else
/* ISO C wants something in every file. */
typedef int slipway_no_sleep;
#endif
