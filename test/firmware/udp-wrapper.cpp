// SlipwayUdp on a network that comes and goes; see udp-wrapper.test.ts for what it prints.
#include <SlipwayArduino.h>
#include <WiFi.h>
#include <WiFiUdp.h>

unsigned long now = 1;
WiFiClass WiFi;
static WiFiUDP udp;
static SlipwayUdpWith<const char *> slipway(udp, "gateway.local", 7770, "esp");

static void onLed(slipway_t *, const slipway_message_t *message) {
  printf("led %.*s\n", (int)message->length, (const char *)message->payload);
}

static void pollFor(unsigned long ms) {
  for (unsigned long end = now + ms; now < end; now++) slipway.poll();
}

int main() {
  slipway.subscribe(F("led"), onLed);
  slipway.begin(0x04030201);
  udp.up = false;
  pollFor(100);
  printf("tries %d\n", udp.tries);
  udp.up = true;
  pollFor(300);
  udp.arrive("b1010001020304" "89abcdef" "1000" "2000" "0000" "000f" "8008" "20" "40" "019b76daa800", 7770);
  pollFor(1);
  udp.arrive("b81002", 7770);
  pollFor(100);
  udp.arrive("80016f6e", 4711);
  pollFor(1);
  udp.arrive("80016f6666", 7770);
  pollFor(1);
  printf("connected %d, emitted %d\n", slipway.connected(), slipway.emit(F("led"), "x"));
  return 0;
}
