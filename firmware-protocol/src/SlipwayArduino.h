/*
 * Slipway for Arduino sketches: the C client of slipway.h on any Stream (a serial port) or any UDP object.
 *
 *   #include <SlipwayArduino.h>
 *
 *   SlipwaySerial slipway(Serial, "greenhouse-3");
 *
 *   void onLed(slipway_t *, const slipway_message_t *message) {
 *     digitalWrite(LED_BUILTIN, slipwayIs(message, "on"));
 *   }
 *
 *   void setup() {
 *     Serial.begin(115200);
 *     slipway.begin();
 *     slipway.subscribe(F("greenhouse/3/led"), onLed);
 *   }
 *
 *   void loop() {
 *     slipway.poll();
 *     if (…) slipway.emit(F("greenhouse/3/temperature"), 21.5);
 *   }
 *
 * Connecting, subscribing again after an absence, resending: all of it happens in poll(). You may go on using
 * Serial.print: lines of text and Slipway's frames share the line.
 */
#ifndef SLIPWAY_ARDUINO_H
#define SLIPWAY_ARDUINO_H

#include <Arduino.h>
#include <Udp.h>

#include "slipway.h"

#ifdef __AVR__
/* Left alone by a reset: with it, even a board without any noise has another nonce at each reset. */
static uint32_t slipwayNoise __attribute__((section(".noinit"), unused));
#endif

/* 32 bits for slipway_begin, unlikely to repeat. ESP: the hardware's generator. AVR: what the RAM held at power-on
 * and the previous nonce, the lowest bits of all analog pins, and the clock; elsewhere the latter two. If your board
 * starts in the same state each time, pass begin() a number of your own (from a counter in EEPROM, say). */
inline uint32_t slipwayNonce() {
#if defined(ESP32)
  return esp_random();
#elif defined(ESP8266)
  return RANDOM_REG32;
#else
  uint32_t hash = micros();
#ifdef __AVR__
  hash ^= slipwayNoise;
  for (const uint8_t *at = (const uint8_t *)RAMSTART; at <= (const uint8_t *)RAMEND; at++) hash = hash * 33 + *at;
#endif
#ifdef NUM_ANALOG_INPUTS
  for (uint8_t i = 0; i < 4 * NUM_ANALOG_INPUTS; i++) {
    hash = hash * 33 + (uint16_t)analogRead(A0 + i % NUM_ANALOG_INPUTS) + (uint16_t)micros();
  }
#endif
#ifdef __AVR__
  slipwayNoise = hash;
#endif
  return hash;
#endif
}

/* Whether a message's payload is just this text. */
inline bool slipwayIs(const slipway_message_t *message, const char *text) {
  return strlen(text) == message->length && memcmp(text, message->payload, message->length) == 0;
}

/* A message's payload as a whole number in decimal; what follows the digits is ignored, no digits are 0. */
inline long slipwayToInt(const slipway_message_t *message) {
  long value = 0;
  slipway_size_t i = message->length && message->payload[0] == '-' ? 1 : 0;
  for (; i < message->length && message->payload[i] >= '0' && message->payload[i] <= '9'; i++) {
    value = value * 10 + (message->payload[i] - '0');
  }
  return message->length && message->payload[0] == '-' ? -value : value;
}

/* A number on its way to becoming a payload. */
class SlipwayText : public Print {
public:
  using Print::write;
  size_t write(uint8_t byte) override {
    if (length == sizeof bytes) return 0;
    bytes[length++] = byte;
    return 1;
  }
  uint8_t bytes[24];
  uint8_t length = 0;
};

/* What SlipwaySerial and SlipwayUdp have in common. */
class SlipwayBoard {
public:
  /* Subscribes to a channel or pattern. `flags`: SLIPWAY_SUBSCRIBE (QoS 0), SLIPWAY_SUBSCRIBE_QOS1 or _QOS2, plus
   * SLIPWAY_NO_LOCAL, SLIPWAY_NO_LAST_VALUE. False: the channel table is full. */
  bool subscribe(const __FlashStringHelper *channel, slipway_handler_t handler, uint8_t flags = SLIPWAY_SUBSCRIBE) {
    const char *name = (const char *)channel;
    uint8_t id = find(name);
    if (!id) return slipway_channel(&context, name, handler, flags) != 0;
    context.channels[id - 1].handler = handler;
    return slipway_subscribe(&context, id, flags) == SLIPWAY_OK;
  }

  /* The same for a name in RAM, which must stay where it is. */
  bool subscribe(const char *channel, slipway_handler_t handler, uint8_t flags = SLIPWAY_SUBSCRIBE) {
    return slipway_channel(&context, channel, handler, flags | SLIPWAY_NAME_IN_RAM) != 0;
  }

  /* Emits bytes. `flags`: SLIPWAY_QOS1, SLIPWAY_QOS2, SLIPWAY_RETAIN. A channel seen for the first time is put into the table and
   * declared, so that from then on it costs one byte; when the table is full its name is sent each time (QoS 0 only). */
  slipway_result_t emit(const __FlashStringHelper *channel, const uint8_t *payload, size_t length, uint8_t flags = 0) {
    const char *name = (const char *)channel;
    uint8_t id = entry(name);
    if (!id) return slipway_emit_named(&context, name, payload, length, flags);
    return slipway_emit(&context, id, payload, length, flags);
  }

  /* Emits text. */
  slipway_result_t emit(const __FlashStringHelper *channel, const char *text, uint8_t flags = 0) {
    return emit(channel, (const uint8_t *)text, strlen(text), flags);
  }

  /* Emits whatever print() can print, as text of at most 24 bytes. */
  template <typename Value> slipway_result_t emit(const __FlashStringHelper *channel, Value value, uint8_t flags = 0) {
    SlipwayText text;
    text.print(value);
    return emit(channel, text.bytes, text.length, flags);
  }

  /* Emits text on a channel whose name is in RAM and is sent each time. */
  slipway_result_t emit(const char *channel, const char *text, uint8_t flags = 0) {
    return slipway_emit_named(&context, channel, text, strlen(text), flags | SLIPWAY_NAME_IN_RAM);
  }

  /* Emits text to everyone connected. */
  slipway_result_t broadcast(const char *text, uint8_t flags = 0) {
    return slipway_emit(&context, 0, text, strlen(text), flags);
  }

  /* Broadcasts, and messages that no subscription of this sketch fits. */
  void onOther(slipway_handler_t handler) { context.on_other = handler; }

  /* The key of this board's name, which proves that the board is no other (slipway_t.key): `slipway key add NAME` prints the line that
   * makes one. To be called before begin(). */
#if SLIPWAY_WITH_KEY
  void key(const uint8_t *key) { context.key = key; }
#else
  template <typename Key> void key(Key) {
    static_assert(sizeof(Key) == 0, "slipway: a key needs #define SLIPWAY_WITH_KEY 1 in slipway_options.h");
  }
#endif

#if SLIPWAY_WITH_EVENTS
  /* Connections, losses and refusals: see slipway_event_t. */
  void onEvent(void (*handler)(slipway_t *, slipway_event_t, uint8_t reason, uint8_t id)) { context.on_event = handler; }
#endif

  bool connected() const { return slipway_connected(&context); }

  /* How many messages the gateway has not acknowledged yet. 0: a good moment to leave. */
  uint8_t pending() const { return slipway_pending(&context); }

#if SLIPWAY_WITH_SLEEP
  /* Asks for that many seconds of sleep; go on calling poll() until asleep(), then nothing more is sent and the board may power
   * down. The gateway keeps what comes meanwhile, and sends it when the board is back: see slipway_sleep. Do not wait for
   * ever: there may be no gateway just now. */
  slipway_result_t sleep(uint32_t seconds) { return slipway_sleep(&context, seconds); }

  /* Back for what was kept. An emit wakes it too. */
  void wake() { slipway_wake(&context); }

  bool asleep() const { return slipway_asleep(&context); }
#endif

#if SLIPWAY_WITH_WILL
  /* What the gateway emits on that channel when it loses this board (slipway_will). The text must stay as it is. FULL: the channel
   * table has no place left. */
  slipway_result_t will(const __FlashStringHelper *channel, const char *text, uint8_t flags = 0) {
    uint8_t id = entry((const char *)channel);
    return id ? slipway_will(&context, id, text, strlen(text), flags) : (slipway_result_t)SLIPWAY_FULL;
  }

  /* Takes it back. */
  slipway_result_t noWill() { return slipway_will(&context, 0, NULL, 0, 0); }
#endif

#if SLIPWAY_WITH_TIME
  /* Asks the gateway for the time. When the board connects it is told without asking. */
  void askTime() { slipway_ask_time(&context); }

  /* The time of day just now; false while it is not known. How old and how exact: see slipway_clock_t. */
  bool time(slipway_clock_t &clock) const { return slipway_time(&context, millis(), &clock); }
#endif

  /* The client itself, for everything in slipway.h. */
  slipway_t context;

protected:
  SlipwayBoard() : context() {}

  uint8_t find(const char *name) const {
    for (uint8_t id = 1; id <= context.channel_count; id++) {
      const slipway_channel_t &channel = context.channels[id - 1];
      if (channel.name && !(channel.flags & SLIPWAY_NAME_IN_RAM) && same(channel.name, name)) return id;
    }
    return 0;
  }

  /* Its id in the channel table, into which it is put if it is not there; 0: no room. */
  uint8_t entry(const char *name) {
    uint8_t id = find(name);
    return id ? id : slipway_channel(&context, name, NULL, 0);
  }

  static bool same(const char *a, const char *b) {
    while (a != b) {
      char c = (char)pgm_read_byte(a++);
      if (c != (char)pgm_read_byte(b++)) return false;
      if (!c) break;
    }
    return true;
  }
};

/* The memory that a board brings: entries in the channel table, bytes of a packet, slots of the window. */
template <uint8_t CHANNELS, uint16_t PACKET, uint8_t SLOTS> class SlipwayMemory : public SlipwayBoard {
protected:
  explicit SlipwayMemory(const char *identity) : table(), buffer() {
    context.identity = identity;
    context.channels = table;
    context.channel_count = CHANNELS;
    context.buffer = buffer;
    context.buffer_size = PACKET;
#if SLIPWAY_WITH_RELIABLE
    context.slots = slots;
    context.slot_count = SLOTS;
#endif
  }

  slipway_channel_t table[CHANNELS];
  uint8_t buffer[PACKET];
#if SLIPWAY_WITH_RELIABLE
  slipway_slot_t slots[SLOTS];
#endif
};

#if SLIPWAY_WITH_SERIAL
/* A gateway at the other end of a serial line. Begin the port yourself, at the speed that the gateway uses. */
template <uint8_t CHANNELS = 8, uint16_t PACKET = 64, uint8_t SLOTS = 4>
class SlipwaySerialWith : public SlipwayMemory<CHANNELS, PACKET, SLOTS> {
public:
  SlipwaySerialWith(Stream &stream, const char *identity)
      : SlipwayMemory<CHANNELS, PACKET, SLOTS>(identity), stream(stream) {
    this->context.user = this;
    this->context.room = room;
    this->context.write = write;
#if SLIPWAY_SEVERAL_FRAMINGS
    this->context.framing = SLIPWAY_FRAMING_SERIAL;
#endif
  }

  /* Starts. Without a nonce of your own slipwayNonce() makes one. */
  void begin() { begin(slipwayNonce()); }
  void begin(uint32_t nonce) {
#if SLIPWAY_COARSE_TIME
    this->context.now = (slipway_time_t)(millis() >> 6);
#endif
    slipway_begin(&this->context, nonce);
  }

  /* Call it as often as you can: a UART's ring of 64 bytes is full after 5 ms at 115200 baud. */
  void poll() {
    /* No more than a ring's worth at once, so that a busy line cannot keep the sketch here. */
    for (uint8_t i = 0; i < 64 && stream.available() > 0; i++) {
      uint8_t byte = (uint8_t)stream.read();
      slipway_receive(&this->context, &byte, 1);
    }
    slipway_poll(&this->context, millis());
  }

private:
  static Stream &of(slipway_t *context) { return static_cast<SlipwaySerialWith *>(context->user)->stream; }
  static uint16_t room(slipway_t *context) {
    int room = of(context).availableForWrite();
    return room > 0 ? (uint16_t)room : 0;
  }
  static void write(slipway_t *context, uint8_t byte) { of(context).write(byte); }

  Stream &stream;
};

typedef SlipwaySerialWith<> SlipwaySerial;
#endif

#if SLIPWAY_WITH_DATAGRAM
/* A gateway behind UDP. Join the network and begin the UDP object yourself. `host` is an IPAddress or a name. */
template <typename Host, uint8_t CHANNELS = 8, uint16_t PACKET = 255, uint8_t SLOTS = 4>
class SlipwayUdpWith : public SlipwayMemory<CHANNELS, PACKET, SLOTS> {
public:
  SlipwayUdpWith(UDP &udp, Host host, uint16_t port, const char *identity)
      : SlipwayMemory<CHANNELS, PACKET, SLOTS>(identity), udp(udp), host(host), port(port), datagram(NONE) {
    this->context.user = this;
    this->context.room = room;
    this->context.write = write;
    this->context.end = end;
#if SLIPWAY_SEVERAL_FRAMINGS
    this->context.framing = SLIPWAY_FRAMING_DATAGRAM;
#endif
  }

  /* Starts. Without a nonce of your own slipwayNonce() makes one. */
  void begin() { begin(slipwayNonce()); }
  void begin(uint32_t nonce) { slipway_begin(&this->context, nonce); }

  void poll() {
    for (uint8_t i = 0; i < 8; i++) {
      int size = udp.parsePacket();
      if (size <= 0) break;
      if (udp.remotePort() != port) continue;
      /* One that does not fit is announced at its true size, to be counted; its bytes are not looked at. */
      if (size <= (int)PACKET) udp.read(this->buffer, PACKET);
      slipway_receive(&this->context, this->buffer, (size_t)size);
    }
    slipway_poll(&this->context, millis());
  }

private:
  static SlipwayUdpWith &of(slipway_t *context) { return *static_cast<SlipwayUdpWith *>(context->user); }
  static uint16_t room(slipway_t *) { return 0xFFFF; }
  static void write(slipway_t *context, uint8_t byte) {
    SlipwayUdpWith &self = of(context);
    /* Once a datagram: without a network, or a name server, each try may take seconds. */
    if (self.datagram == NONE) self.datagram = self.udp.beginPacket(self.host, self.port) ? BEGUN : GIVEN_UP;
    if (self.datagram == BEGUN) self.udp.write(byte);
  }
  static void end(slipway_t *context) {
    SlipwayUdpWith &self = of(context);
    if (self.datagram == BEGUN) self.udp.endPacket();
    self.datagram = NONE;
  }

  UDP &udp;
  Host host;
  uint16_t port;
  enum : uint8_t { NONE, BEGUN, GIVEN_UP } datagram;
};

typedef SlipwayUdpWith<IPAddress> SlipwayUdp;
#endif

#endif
