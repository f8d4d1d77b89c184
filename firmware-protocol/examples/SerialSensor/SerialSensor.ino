// A sensor on a serial port: emits a reading twice a second and lets its LED be switched from afar.
//
//   greenhouse/temperature   emitted: degrees Celsius
//   greenhouse/led           obeyed: on, off
//   greenhouse/led/state     emitted and kept: what the LED does
//
// Wiring: a TMP36 (or any 10 mV per degree sensor) on A0; with nothing connected the reading is noise.

#include <SlipwayArduino.h>

// The name of this board to the gateway: no two boards may share one.
#ifndef IDENTITY
#define IDENTITY "greenhouse-uno"
#endif

SlipwaySerial slipway(Serial, IDENTITY);

bool ledOn;
bool ledTold;

// The window may be full just now: loop() tries again.
void tellLed() {
  ledTold = slipway.emit(F("greenhouse/led/state"), ledOn ? "on" : "off", SLIPWAY_QOS1 | SLIPWAY_RETAIN) == SLIPWAY_OK;
}

void showLed(bool on) {
  ledOn = on;
  digitalWrite(LED_BUILTIN, on ? HIGH : LOW);
  tellLed();
}

void onLed(slipway_t *, const slipway_message_t *message) {
  if (slipwayIs(message, "on")) showLed(true);
  if (slipwayIs(message, "off")) showLed(false);
}

void setup() {
  pinMode(LED_BUILTIN, OUTPUT);
  Serial.begin(115200);
  Serial.println(F("greenhouse sensor started"));
  slipway.begin();
  slipway.subscribe(F("greenhouse/led"), onLed, SLIPWAY_SUBSCRIBE_QOS1);
  showLed(false);
}

void loop() {
  static unsigned long last;
  slipway.poll();
  if (!ledTold) tellLed();
  if (millis() - last < 500) return;
  last = millis();
  // 10 bits over 5 V, 10 mV per degree, 0.5 V at 0 degrees.
  float celsius = analogRead(A0) * (500.0f / 1024.0f) - 50.0f;
  slipway.emit(F("greenhouse/temperature"), celsius);
}
