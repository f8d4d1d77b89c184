// A sensor on Wi-Fi (ESP8266 or ESP32): emits a reading twice a second over UDP and lets its LED be switched from afar.
//
//   cellar/temperature   emitted: degrees Celsius
//   cellar/led           obeyed: on, off
//   cellar/led/state     emitted and kept: what the LED does
//
// Set the four constants below; the gateway needs a `udp` listener on that port.

#ifdef ESP8266
#include <ESP8266WiFi.h>
#else
#include <WiFi.h>
#endif
#include <SlipwayArduino.h>
#include <WiFiUdp.h>

#ifndef LED_BUILTIN
#define LED_BUILTIN 2
#endif

const char *const network = "your network";
const char *const password = "its password";
const IPAddress gateway(192, 0, 2, 1);
const uint16_t port = 7770;

WiFiUDP udp;
SlipwayUdp slipway(udp, gateway, port, "cellar-esp");

bool ledOn;
bool ledTold;

// The window may be full just now: loop() tries again.
void tellLed() {
  ledTold = slipway.emit(F("cellar/led/state"), ledOn ? "on" : "off", SLIPWAY_QOS1 | SLIPWAY_RETAIN) == SLIPWAY_OK;
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
  WiFi.begin(network, password);
  udp.begin(port);
  slipway.begin();
  slipway.subscribe(F("cellar/led"), onLed, SLIPWAY_SUBSCRIBE_QOS1);
  showLed(false);
}

void loop() {
  static unsigned long last;
  slipway.poll();
  if (!ledTold) tellLed();
  if (millis() - last < 500) return;
  last = millis();
  slipway.emit(F("cellar/temperature"), analogRead(A0) * 0.1f);
}
