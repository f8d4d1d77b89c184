/* An Uno's UART and clock as the Arduino core has them: 115 200 baud, rings of 64 bytes, of which one stays free. As there,
 * they may be made larger by -D: a power of two up to 128. */
#include <avr/interrupt.h>
#include <avr/io.h>
#include <stdbool.h>
#include <stdint.h>

#ifndef RING
#define RING 64
#endif

static volatile uint8_t received[RING], sending[RING];
static volatile uint8_t received_from, received_to, sending_from, sending_to;
/* Bytes that came while the ring was full. The core drops them without a word. */
static volatile uint16_t overflows;
static volatile uint32_t clock_ms;

ISR(USART_RX_vect) {
  uint8_t byte = UDR0;
  uint8_t next = (received_to + 1) % RING;
  if (next == received_from) {
    overflows++;
  } else {
    received[received_to] = byte;
    received_to = next;
  }
}

ISR(USART_UDRE_vect) {
  UDR0 = sending[sending_from];
  sending_from = (sending_from + 1) % RING;
  if (sending_from == sending_to) UCSR0B &= ~(1 << UDRIE0);
}

ISR(TIMER0_COMPA_vect) { clock_ms++; }

static inline void uno_begin(void) {
  UCSR0A = 1 << U2X0;
  UBRR0 = 16;
  UCSR0B = 1 << RXEN0 | 1 << TXEN0 | 1 << RXCIE0;
  TCCR0A = 1 << WGM01; /* 16 MHz / 64 / 250 */
  TCCR0B = 1 << CS01 | 1 << CS00;
  OCR0A = 249;
  TIMSK0 = 1 << OCIE0A;
  sei();
}

static inline uint32_t uno_ms(void) {
  cli();
  uint32_t now = clock_ms;
  sei();
  return now;
}

static inline uint16_t uno_overflows(void) {
  cli();
  uint16_t count = overflows;
  sei();
  return count;
}

static inline bool uno_read(uint8_t *byte) {
  if (received_from == received_to) return false;
  *byte = received[received_from];
  received_from = (received_from + 1) % RING;
  return true;
}

static inline uint16_t uno_room(slipway_t *slipway) {
  (void)slipway;
  return (uint8_t)(sending_from - sending_to - 1) % RING;
}

static inline void uno_write(slipway_t *slipway, uint8_t byte) {
  (void)slipway;
  uint8_t next = (sending_to + 1) % RING;
  while (next == sending_from) {}
  sending[sending_to] = byte;
  sending_to = next;
  UCSR0B |= 1 << UDRIE0;
}

/* What a sketch's poll() does. */
static inline void uno_poll(slipway_t *slipway) {
  uint8_t byte;
  for (uint8_t i = 0; i < RING && uno_read(&byte); i++) slipway_receive(slipway, &byte, 1);
  slipway_poll(slipway, uno_ms());
}
