#ifndef WIFI_H
#define WIFI_H

struct WiFiClass {
  void begin(const char *, const char *) {}
};
extern WiFiClass WiFi;

#endif
