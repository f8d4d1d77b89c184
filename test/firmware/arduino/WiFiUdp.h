/* A socket whose network is a test's: what is sent is printed, what comes is queued by it. */
#ifndef WIFI_UDP_H
#define WIFI_UDP_H

#include "Udp.h"

class WiFiUDP : public UDP {
public:
  using UDP::write;
  uint8_t begin(uint16_t) override { return 1; }
  int beginPacket(IPAddress, uint16_t) override { return beginAny(); }
  int beginPacket(const char *, uint16_t) override { return beginAny(); }
  size_t write(uint8_t byte) override {
    out[outLength++] = byte;
    return 1;
  }
  int endPacket() override {
    for (size_t i = 0; i < outLength; i++) printf("%02x", out[i]);
    printf("\n");
    return 1;
  }
  int parsePacket() override {
    int size = (int)inLength;
    inLength = 0;
    return size;
  }
  int available() override { return 0; }
  int read() override { return -1; }
  int read(unsigned char *bytes, size_t most) override {
    memcpy(bytes, in, most < sizeof in ? most : sizeof in);
    return (int)most;
  }
  uint16_t remotePort() override { return from; }

  void arrive(const char *hex, uint16_t port) {
    unsigned byte;
    for (inLength = 0; sscanf(hex + 2 * inLength, "%2x", &byte) == 1; inLength++) in[inLength] = (uint8_t)byte;
    from = port;
  }

  bool up = true;
  int tries = 0;

private:
  int beginAny() {
    tries++;
    outLength = 0;
    return up;
  }

  uint8_t out[2048], in[2048];
  size_t outLength = 0, inLength = 0;
  uint16_t from = 0;
};

#endif
