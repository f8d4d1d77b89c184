// A sensor on a battery (ATmega328P, say a Pro Mini with a radio modem on its UART): every five minutes it wakes, emits a
// reading, takes what was kept for it meanwhile, and powers down again.
//
//   shed/temperature   emitted: degrees Celsius
//   shed/offset        obeyed, also when it was sent while the sensor slept: degrees to add
//   shed/sensor        its will: "lost" when it does not come back
//
// Wiring: a TMP36 (or any 10 mV per degree sensor) on A0.

#include <SlipwayArduino.h>
#include <avr/sleep.h>
#include <avr/wdt.h>

// The name of this board to the gateway: no two boards may share one.
#ifndef IDENTITY
#define IDENTITY "shed-sensor"
#endif

SlipwaySerial slipway(Serial, IDENTITY);

const uint16_t SLEEP_S = 300;
// The watchdog that wakes it is a tenth too slow at worst: the gateway is told more.
const uint16_t ABSENCE_S = SLEEP_S + SLEEP_S / 8;
// How long it listens for what was kept, and when it goes back to sleep without having found the gateway.
const unsigned long LISTEN_MS = 500;
const unsigned long GIVE_UP_MS = 10000;

float offset;

void onOffset(slipway_t *, const slipway_message_t *message) {
  offset = slipwayToInt(message);
}

ISR(WDT_vect) {}

// RAM stays, millis() stands still.
void powerDown() {
  Serial.flush();
  set_sleep_mode(SLEEP_MODE_PWR_DOWN);
  for (uint16_t left = SLEEP_S / 8; left; left--) {
    noInterrupts();
    wdt_reset();
    MCUSR &= ~(1 << WDRF);
    WDTCSR = (1 << WDCE) | (1 << WDE);
    WDTCSR = (1 << WDIE) | (1 << WDP3) | (1 << WDP0);  // an interrupt, and no reset, after 8 s
    sleep_enable();
    interrupts();
    sleep_cpu();
    sleep_disable();
  }
  wdt_disable();
}

void setup() {
  Serial.begin(115200);
  slipway.begin();
  slipway.subscribe(F("shed/offset"), onOffset, SLIPWAY_SUBSCRIBE_QOS1);
  slipway.will(F("shed/sensor"), "lost", SLIPWAY_QOS1 | SLIPWAY_RETAIN);
}

void loop() {
  static unsigned long awakeSince;
  static bool told;
  slipway.poll();
  unsigned long awake = millis() - awakeSince;
  if (!told && slipway.connected()) {
    // 10 bits over 5 V, 10 mV per degree, 0.5 V at 0 degrees.
    float celsius = analogRead(A0) * (500.0f / 1024.0f) - 50.0f + offset;
    told = slipway.emit(F("shed/temperature"), celsius, SLIPWAY_QOS1) == SLIPWAY_OK;
  }
  if (told && awake > LISTEN_MS) slipway.sleep(ABSENCE_S);
  if (!slipway.asleep() && awake < GIVE_UP_MS) return;
  powerDown();
  slipway.wake();
  awakeSince = millis();
  told = false;
}
