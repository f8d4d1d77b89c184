/* Arduino's interface, as far as the library uses it. */
#ifndef UDP_H
#define UDP_H

#include "Arduino.h"

class UDP : public Stream {
public:
  virtual uint8_t begin(uint16_t port) = 0;
  virtual int beginPacket(IPAddress host, uint16_t port) = 0;
  virtual int beginPacket(const char *host, uint16_t port) = 0;
  virtual int endPacket() = 0;
  virtual int parsePacket() = 0;
  using Stream::read;
  virtual int read(unsigned char *bytes, size_t most) = 0;
  virtual uint16_t remotePort() = 0;
};

#endif
