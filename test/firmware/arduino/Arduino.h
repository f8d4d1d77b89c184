/* As much of Arduino as sketches for a board on Wi-Fi need, on this machine. Time stands still unless a test moves it. */
#ifndef ARDUINO_H
#define ARDUINO_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define HIGH 1
#define LOW 0
#define OUTPUT 1
#define A0 14

class __FlashStringHelper;
#define F(text) (reinterpret_cast<const __FlashStringHelper *>(text))
#define pgm_read_byte(at) (*(const uint8_t *)(at))

extern unsigned long now;
inline unsigned long millis() { return now; }
inline unsigned long micros() { return now * 1000; }
inline int analogRead(int) { return 512; }
inline void pinMode(int, int) {}
inline void digitalWrite(int, int) {}

class Print {
public:
  virtual ~Print() {}
  virtual size_t write(uint8_t byte) = 0;
  virtual int availableForWrite() { return 0; }
  size_t print(double value) {
    char text[24];
    int length = snprintf(text, sizeof text, "%.2f", value);
    for (int i = 0; i < length; i++) write((uint8_t)text[i]);
    return (size_t)length;
  }
};

class Stream : public Print {
public:
  virtual int available() = 0;
  virtual int read() = 0;
};

class IPAddress {
public:
  IPAddress(uint8_t a, uint8_t b, uint8_t c, uint8_t d) : bytes{a, b, c, d} {}
  uint8_t bytes[4];
};

#endif
