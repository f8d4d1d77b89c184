/* Emits eight hexadecimal digits, counting up, at QoS 1, as fast as the client takes them. -DSLOTS is the window. */
#include <avr/pgmspace.h>

#include "slipway.h"

#include "uno.h"

static const char out[] PROGMEM = "flood/out";

int main(void) {
  static uint8_t packet[64];
  static slipway_slot_t slots[SLOTS];
  static slipway_channel_t channels[] = {{out, NULL, 0}};
  static slipway_t slipway = {
      .identity = "flood",
      .room = uno_room,
      .write = uno_write,
      .channels = channels,
      .channel_count = 1,
      .buffer = packet,
      .buffer_size = sizeof packet,
      .slots = slots,
      .slot_count = SLOTS,
  };
  char digits[8];
  uint32_t next = 0;
  uno_begin();
  slipway_begin(&slipway, 1);
  for (;;) {
    uno_poll(&slipway);
    if (!slipway_connected(&slipway)) continue;
    for (uint8_t i = 0; i < 8; i++) digits[i] = "0123456789abcdef"[next >> (28 - 4 * i) & 15];
    if (slipway_emit(&slipway, 1, digits, 8, SLIPWAY_QOS1) == SLIPWAY_OK) next++;
  }
}
