/* Counts eight hexadecimal digits that count up, at QoS 1, and tells ten times a second: how many came, milliseconds of its
 * clock, bytes that its UART lost, spoiled frames, and messages that were not the next in order. */
#include <avr/pgmspace.h>
#include <stdlib.h>
#include <string.h>

#include "slipway.h"

#include "uno.h"

enum { REPORT_MS = 100 };

static const char in[] PROGMEM = "counter/in";
static const char out[] PROGMEM = "counter/counted";

static uint32_t counted;
static uint16_t disordered;

static void count(slipway_t *slipway, const slipway_message_t *message) {
  (void)slipway;
  if (message->length != 8) disordered++;
  for (uint8_t i = 0; i < 8 && i < message->length; i++) {
    if (message->payload[i] != "0123456789abcdef"[counted >> (28 - 4 * i) & 15]) {
      disordered++;
      break;
    }
  }
  counted++;
}

static void append(char *text, uint32_t value) {
  if (*text) strcat(text, " ");
  ultoa(value, text + strlen(text), 10);
}

int main(void) {
  static uint8_t packet[64];
  static slipway_slot_t slots[4];
  static slipway_channel_t channels[] = {{in, count, SLIPWAY_SUBSCRIBE_QOS1}, {out, NULL, 0}};
  static slipway_t slipway = {
      .identity = "fast-counter",
      .room = uno_room,
      .write = uno_write,
      .channels = channels,
      .channel_count = 2,
      .buffer = packet,
      .buffer_size = sizeof packet,
      .slots = slots,
      .slot_count = 4,
  };
  uint32_t told = 0;
  uno_begin();
  slipway_begin(&slipway, 1);
  for (;;) {
    uint32_t now;
    char text[48] = "";
    uno_poll(&slipway);
    now = uno_ms();
    if (now - told < REPORT_MS || !slipway_connected(&slipway)) continue;
    append(text, counted);
    append(text, now);
    append(text, uno_overflows());
    append(text, slipway.counters.crc);
    append(text, disordered);
    if (slipway_emit(&slipway, 2, text, strlen(text), 0) == SLIPWAY_OK) told = now;
  }
}
