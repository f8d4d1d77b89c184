// Everything in the Arduino wrapper, used once: it must compile without a warning.
#include <SlipwayArduino.h>

class NoUdp : public UDP {
public:
  uint8_t begin(uint16_t) override { return 1; }
  void stop() override {}
  int beginPacket(IPAddress, uint16_t) override { return 1; }
  int beginPacket(const char *, uint16_t) override { return 1; }
  int endPacket() override { return 1; }
  size_t write(uint8_t) override { return 1; }
  size_t write(const uint8_t *, size_t size) override { return size; }
  int parsePacket() override { return 0; }
  int available() override { return 0; }
  int read() override { return -1; }
  int read(unsigned char *, size_t) override { return 0; }
  int read(char *, size_t) override { return 0; }
  int peek() override { return -1; }
  void flush() override {}
  IPAddress remoteIP() override { return IPAddress(); }
  uint16_t remotePort() override { return 0; }
};

static NoUdp udp;
static SlipwaySerial one(Serial, "one");
static SlipwayUdp two(udp, IPAddress(192, 0, 2, 1), 7770, "two");
static SlipwayUdpWith<const char *, 2, 128, 2> three(udp, "gateway.local", 7770, "three");

static void onMessage(slipway_t *, const slipway_message_t *message) {
  if (slipwayIs(message, "on")) one.broadcast("hello");
  one.emit(F("count"), slipwayToInt(message));
}

#if SLIPWAY_WITH_KEY
static const uint8_t key[SLIPWAY_KEY_BYTES] PROGMEM = {1, 2, 3};
#endif

static void onEvent(slipway_t *, slipway_event_t, uint8_t, uint8_t) {}

void setup() {
  one.onOther(onMessage);
  one.onEvent(onEvent);
#if SLIPWAY_WITH_KEY
  one.key(key);
#endif
  one.begin();
  two.begin(42);
  three.begin();
  one.subscribe(F("a/b"), onMessage);
  one.subscribe("a/+", onMessage, SLIPWAY_SUBSCRIBE_QOS2 | SLIPWAY_NO_LOCAL);
}

void loop() {
  const uint8_t bytes[] = {1, 2};
  one.poll();
  two.poll();
  three.poll();
  one.emit(F("text"), "text", SLIPWAY_RETAIN);
  one.emit(F("int"), 1);
  one.emit(F("float"), 1.5f, SLIPWAY_QOS1);
  one.emit(F("bytes"), bytes, sizeof bytes);
  one.emit("in/ram", "text");
  if (one.connected()) two.broadcast("hello");
  if (one.pending() == 0) one.sleep(300);
  if (one.asleep()) one.wake();
  one.will(F("state"), "gone", SLIPWAY_QOS1 | SLIPWAY_RETAIN);
  one.noWill();
  one.askTime();
  slipway_clock_t clock;
  if (one.time(clock)) one.emit(F("time"), clock.seconds);
}
