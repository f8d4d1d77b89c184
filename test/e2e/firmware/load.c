/* Emits "IDENTITY n", n counting up, at QoS -DQOS every -DEVERY_MS, on load/IDENTITY, until it is told to stop on load-stop. Then, when
 * all of it is acknowledged, it tells on counted/IDENTITY how many there were. */
#include <avr/pgmspace.h>
#include <stdlib.h>
#include <string.h>

#include "slipway.h"

#include "uno.h"

enum { OUT = 1, STOP, COUNTED };

static const char out[] PROGMEM = "load/" IDENTITY;
static const char stop[] PROGMEM = "load-stop";
static const char counted[] PROGMEM = "counted/" IDENTITY;

static bool stopped;

static void on_stop(slipway_t *slipway, const slipway_message_t *message) {
  (void)slipway;
  (void)message;
  stopped = true;
}

int main(void) {
  static uint8_t packet[64];
  static slipway_slot_t slots[4];
  static slipway_channel_t channels[] = {
      {out, NULL, 0}, {stop, on_stop, SLIPWAY_SUBSCRIBE_QOS1}, {counted, NULL, 0}};
  static slipway_t slipway = {
      .identity = IDENTITY,
      .room = uno_room,
      .write = uno_write,
      .channels = channels,
      .channel_count = 3,
      .buffer = packet,
      .buffer_size = sizeof packet,
      .slots = slots,
      .slot_count = 4,
  };
  uint32_t next = 0, last = 0;
  bool told = false;
  uno_begin();
  slipway_begin(&slipway, 1);
  for (;;) {
    char text[32] = IDENTITY " ";
    uno_poll(&slipway);
    if (!slipway_connected(&slipway)) continue;
    if (!stopped && uno_ms() - last >= EVERY_MS) {
      ultoa(next, text + strlen(text), 10);
      if (slipway_emit(&slipway, OUT, text, strlen(text), QOS) != SLIPWAY_OK) continue;
      next++;
      last = uno_ms();
    }
    if (stopped && !told && slipway_pending(&slipway) == 0) {
      ultoa(next, text, 10);
      told = slipway_emit(&slipway, COUNTED, text, strlen(text), SLIPWAY_QOS1) == SLIPWAY_OK;
    }
  }
}
