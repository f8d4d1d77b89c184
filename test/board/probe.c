/*
 * The C client on an ATmega328P, with a UART driver as Arduino's: rings of 64 bytes, a byte an interrupt. It marks each call of
 * the library by what it writes to GPIOR0, and takes orders at the top of its loop: cycles are counted from outside.
 */
#include <avr/interrupt.h>
#include <avr/io.h>
#include <avr/pgmspace.h>

#include "slipway.h"

#define SEPARATE __attribute__((noinline, used))
/* What follows is counted as that call; 0 ends it. */
#define MARK(call) __asm__ volatile("out %0, %1" ::"I"(_SFR_IO_ADDR(GPIOR0)), "r"((uint8_t)(call)) : "memory")

enum { NOTHING, BEGIN, RECEIVE, POLL, EMIT, OTHER };
enum { RING = 64, CHANNELS = 8, PAYLOAD = 32 };

/* --- The UART --- */

static volatile uint8_t out[RING], out_head, out_tail, in[RING], in_head, in_tail;

ISR(USART_UDRE_vect) {
  UDR0 = out[out_tail];
  out_tail = (out_tail + 1) % RING;
  if (out_tail == out_head) UCSR0B &= (uint8_t)~_BV(UDRIE0);
}

ISR(USART_RX_vect) {
  uint8_t byte = UDR0;
  uint8_t next = (in_head + 1) % RING;
  if (next == in_tail) return;
  in[in_head] = byte;
  in_head = next;
}

SEPARATE static uint16_t uart_room(slipway_t *slipway) {
  (void)slipway;
  return (uint8_t)(out_tail - out_head - 1) % RING;
}

SEPARATE static void uart_write(slipway_t *slipway, uint8_t byte) {
  uint8_t next = (out_head + 1) % RING;
  (void)slipway;
  while (next == out_tail) {
  }
  out[out_head] = byte;
  out_head = next;
  UCSR0B |= _BV(UDRIE0);
}

/* --- The program --- */

/* What the world outside sets at the top of the loop. */
static volatile uint32_t now;
static volatile struct {
  uint8_t what, id, flags, length;
  uint16_t seconds;
  uint8_t payload[PAYLOAD];
} order;
enum { ORDER_NONE, ORDER_EMIT, ORDER_EMIT_NAMED, ORDER_SUBSCRIBE, ORDER_LEAVE, ORDER_LINK, ORDER_SLEEP, ORDER_WILL, ORDER_TIME };

static volatile uint8_t handled, result, connected;

static void on_message(slipway_t *slipway, const slipway_message_t *message) {
  (void)slipway;
  handled = message->length;
}

static const char temperature[] PROGMEM = "greenhouse/temperature";
static const char humidity[] PROGMEM = "greenhouse/humidity";
static const char led[] PROGMEM = "greenhouse/led";
static const char target[] PROGMEM = "greenhouse/target";
#if SLIPWAY_WITH_PATTERNS
static const char alarms[] PROGMEM = "alarms/#";
#else
static const char alarms[] PROGMEM = "alarms/all";
#endif
#if SLIPWAY_WITH_RELIABLE
#define SUBSCRIBE_MOST SLIPWAY_SUBSCRIBE_QOS2
static slipway_slot_t slots[4];
#else
#define SUBSCRIBE_MOST SLIPWAY_SUBSCRIBE
#endif

static slipway_channel_t channels[CHANNELS] = {
    {temperature, NULL, 0},
    {humidity, NULL, 0},
    {led, on_message, SUBSCRIBE_MOST},
    {target, on_message, SUBSCRIBE_MOST},
    {alarms, on_message, SUBSCRIBE_MOST},
};
static uint8_t packet[64];

static slipway_t gateway = {
    .identity = "greenhouse-uno",
    .room = uart_room,
    .write = uart_write,
    .on_other = on_message,
    .buffer = packet,
    .buffer_size = sizeof packet,
    .channels = channels,
    .channel_count = CHANNELS,
#if SLIPWAY_WITH_RELIABLE
    .slots = slots,
    .slot_count = 4,
#endif
};

static void emit(void) {
  uint8_t id = order.id, flags = order.flags, length = order.length;
  MARK(EMIT);
  result = slipway_emit(&gateway, id, (const uint8_t *)order.payload, length, flags);
  MARK(NOTHING);
}

static void obey(void) {
  MARK(OTHER);
  switch (order.what) {
    case ORDER_EMIT_NAMED:
      slipway_emit_named(&gateway, humidity, (const uint8_t *)order.payload, order.length, order.flags);
      break;
    case ORDER_SUBSCRIBE:
      slipway_subscribe(&gateway, order.id, order.flags);
      break;
    case ORDER_LEAVE:
      slipway_leave(&gateway, order.flags);
      break;
    case ORDER_LINK:
      slipway_link(&gateway, order.flags);
      break;
#if SLIPWAY_WITH_SLEEP
    case ORDER_SLEEP:
      slipway_sleep(&gateway, order.seconds);
      break;
#endif
#if SLIPWAY_WITH_WILL
    case ORDER_WILL:
      slipway_will(&gateway, order.id, packet, order.length, order.flags);
      break;
#endif
#if SLIPWAY_WITH_TIME
    case ORDER_TIME:
      slipway_ask_time(&gateway);
      break;
#endif
  }
  MARK(NOTHING);
}

int main(void) {
  UBRR0 = 16; /* 115,200 baud, as Arduino's core sets it */
  UCSR0A = _BV(U2X0);
  UCSR0B = _BV(RXEN0) | _BV(TXEN0) | _BV(RXCIE0);
  sei();
  MARK(BEGIN);
  slipway_begin(&gateway, 0x01020304);
  MARK(NOTHING);
  for (;;) {
    uint32_t time;
    GPIOR1 = 1;
    while (in_tail != in_head) {
      uint8_t byte = in[in_tail];
      in_tail = (in_tail + 1) % RING;
      MARK(RECEIVE);
      slipway_receive(&gateway, &byte, 1);
      MARK(NOTHING);
    }
    time = now;
    MARK(POLL);
    slipway_poll(&gateway, time);
    MARK(NOTHING);
    connected = slipway_connected(&gateway);
    if (order.what == ORDER_EMIT) {
      emit();
    } else if (order.what) {
      obey();
    }
    order.what = ORDER_NONE;
  }
}
