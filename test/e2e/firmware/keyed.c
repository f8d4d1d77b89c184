/* Proves its key, and then counts ten times a second, at QoS 1. Bytes of the key: KEY, KEY + 1, … */
#include <avr/pgmspace.h>
#include <stdlib.h>
#include <string.h>

#include "slipway.h"

#include "uno.h"

#define FOUR(at) (at), (at) + 1, (at) + 2, (at) + 3
#define SIXTEEN(at) FOUR(at), FOUR((at) + 4), FOUR((at) + 8), FOUR((at) + 12)
static const uint8_t key[SLIPWAY_KEY_BYTES] PROGMEM = {SIXTEEN(KEY), SIXTEEN(KEY + 16)};
static const char count[] PROGMEM = "keyed/count";

int main(void) {
  static uint8_t packet[64];
  static slipway_slot_t slots[2];
  static slipway_channel_t channels[] = {{count, NULL, 0}};
  static slipway_t slipway = {
      .identity = "keyed",
      .key = key,
      .room = uno_room,
      .write = uno_write,
      .channels = channels,
      .channel_count = 1,
      .buffer = packet,
      .buffer_size = sizeof packet,
      .slots = slots,
      .slot_count = 2,
  };
  uint32_t told = 0;
  uint16_t counted = 0;
  uno_begin();
  slipway_begin(&slipway, 1);
  for (;;) {
    char text[8];
    uno_poll(&slipway);
    if (uno_ms() - told < 100 || !slipway_connected(&slipway)) continue;
    utoa(counted, text, 10);
    if (slipway_emit(&slipway, 1, text, strlen(text), SLIPWAY_QOS1) == SLIPWAY_OK) counted++;
    told = uno_ms();
  }
}
