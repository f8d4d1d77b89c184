/* A board that is mostly busy with something else, and counts what it is sent meanwhile. When nothing came it emits,
 * kept: how many messages came, bytes that its UART lost, spoiled frames, and messages that were not the next in order. */
#include <avr/pgmspace.h>
#include <stdlib.h>
#include <string.h>
#include <util/delay.h>

#include "slipway.h"

#include "uno.h"

/* Longer than the UART's ring lasts: 63 bytes take 5.5 ms. */
#define BUSY_MS 8

static const char in[] PROGMEM = "burst/in";
static const char out[] PROGMEM = "burst/counted";

static uint16_t counted, disordered;
static bool news = true;

static void count(slipway_t *slipway, const slipway_message_t *message) {
  char digits[6] = "";
  (void)slipway;
  memcpy(digits, message->payload, message->length < 5 ? message->length : 5);
  if (message->length != 20 || (uint16_t)atoi(digits) != counted) disordered++;
  counted++;
  news = true;
}

static void append(char *text, uint16_t value) {
  if (*text) strcat(text, " ");
  utoa(value, text + strlen(text), 10);
}

int main(void) {
  static uint8_t packet[64];
  static slipway_slot_t slots[4];
  static slipway_channel_t channels[] = {{in, count, SLIPWAY_SUBSCRIBE_QOS1}, {out, NULL, 0}};
  static slipway_t slipway = {
      .identity = "slow-counter",
      .room = uno_room,
      .write = uno_write,
      .channels = channels,
      .channel_count = 2,
      .buffer = packet,
      .buffer_size = sizeof packet,
      .slots = slots,
      .slot_count = 4,
  };
  uno_begin();
  slipway_begin(&slipway, 1);
  for (;;) {
    uint16_t before = counted;
    uno_poll(&slipway);
    _delay_ms(BUSY_MS);
    if (!news || counted != before) continue;
    char text[32] = "";
    append(text, counted);
    append(text, uno_overflows());
    append(text, slipway.counters.crc);
    append(text, disordered);
    news = slipway_emit(&slipway, 2, text, strlen(text), SLIPWAY_QOS1 | SLIPWAY_RETAIN) != SLIPWAY_OK;
  }
}
