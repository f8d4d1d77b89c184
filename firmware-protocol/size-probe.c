/* The smallest program that uses all of what size-report.mjs measures. It is weighed, not run. */
#include <avr/io.h>
#include <avr/pgmspace.h>

#include "slipway.h"

static uint16_t room(slipway_t *slipway) {
  (void)slipway;
  return UCSR0A;
}

static void write(slipway_t *slipway, uint8_t byte) {
  (void)slipway;
  UDR0 = byte;
}

static void on_led(slipway_t *slipway, const slipway_message_t *message) {
  (void)slipway;
  PORTB = message->length;
}

enum { TEMPERATURE = 1, LED };

static const char temperature[] PROGMEM = "t";
static const char led[] PROGMEM = "l";
static slipway_channel_t channels[] = {{temperature, NULL, 0}, {led, on_led, SLIPWAY_SUBSCRIBE}};
static uint8_t packet[64];
#if SLIPWAY_WITH_RELIABLE
static slipway_slot_t slots[4];
#endif
/* In flash only so that it is not counted as the library's RAM: this program is weighed, not run. */
static const char identity[] PROGMEM = "i";

#if SLIPWAY_WITH_KEY
static const uint8_t key[SLIPWAY_KEY_BYTES] PROGMEM = {1};
#endif

static slipway_t gateway = {
    .identity = identity,
    .room = room,
    .write = write,
    .buffer = packet,
    .buffer_size = sizeof packet,
#if SLIPWAY_WITH_KEY
    .key = key,
#endif
    .channels = channels,
    .channel_count = 2,
#if SLIPWAY_WITH_RELIABLE
    .slots = slots,
    .slot_count = 4,
#endif
};

int main(void) {
#if SLIPWAY_WITH_TIME
  slipway_clock_t clock;
#endif
  slipway_begin(&gateway, TCNT1);
  for (;;) {
    uint8_t byte = UDR0;
    slipway_receive(&gateway, &byte, 1);
    slipway_poll(&gateway, TCNT1);
    slipway_emit(&gateway, TEMPERATURE, &byte, 1, PORTD);
#if SLIPWAY_WITH_SLEEP
    slipway_sleep(&gateway, TCNT1);
    PORTC = slipway_asleep(&gateway);
#endif
#if SLIPWAY_WITH_WILL
    slipway_will(&gateway, TEMPERATURE, packet, 1, PORTD);
#endif
#if SLIPWAY_WITH_TIME
    slipway_ask_time(&gateway);
    if (slipway_time(&gateway, TCNT1, &clock)) OCR1A = clock.ms;
#endif
  }
}
