/*
 * A device on UDP with one message of QoS 1 in flight: how long until it is acknowledged.
 *
 *   udp-rtt gateway PORT     a gateway
 *   udp-rtt echo    PORT     a program that sends each datagram back
 *
 * A line `MS` on standard input is answered by a line of JSON, times in microseconds. It ends with its input.
 */
#include "peer.h"
#include "samples.h"

enum { PAYLOAD = 16, PATIENCE_MS = 1000 };

static int wire;
static uint16_t next_number;

static ssize_t receive(uint8_t *bytes, size_t size) {
  struct pollfd wait = {wire, POLLIN, 0};
  if (poll(&wait, 1, PATIENCE_MS) <= 0) return -1;
  return recv(wire, bytes, size, 0);
}

static void transmit(const uint8_t *bytes, size_t length) {
  if (send(wire, bytes, length, 0) < 0) fail("cannot send");
}

/* By hand: the C client always says that it may have more than one in flight, and then is not answered at once (§5.3). */
static void handshake(void) {
  static const uint8_t hello[] = {0xB0, 1, 0, 1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 0, 60, 0, 0x80, 0x08, 4, /* in flight */ 1,
                                  0, 0, 3, 'r', 't', 't'};
  static const uint8_t declare[] = {1, 'b', 'e', 'n', 'c', 'h', '/', 'r', 't', 't'};
  uint8_t answer[1500], packet[64];
  size_t length = sizeof hello;
  memcpy(packet, hello, length);
  transmit(packet, length);
  if (receive(answer, sizeof answer) == 7 && answer[0] == 0xB3 && answer[1] == SLIPWAY_REASON_PROVE_ADDRESS) {
    packet[length++] = 1;
    packet[length++] = 4;
    memcpy(packet + length, answer + 3, 4);
    transmit(packet, length + 4);
    if (receive(answer, sizeof answer) < 0) answer[0] = 0;
  }
  if (answer[0] != 0xB1) fail("there was no WELCOME");
  next_number = (uint16_t)(answer[11] << 8 | answer[12]);
  packet[0] = 0xF2;
  packet[1] = 4;
  memcpy(packet + 2, answer + 7, 4);
  packet[6] = 0xB9;
  packet[7] = (uint8_t)(next_number >> 8);
  packet[8] = (uint8_t)next_number;
  memcpy(packet + 9, declare, sizeof declare);
  next_number++;
  transmit(packet, 9 + sizeof declare);
}

/* Whether the datagram says that all before `next_number` has arrived. */
static bool acknowledges(const uint8_t *bytes, ssize_t length) {
  return length >= 3 && bytes[0] == 0xB8 && (bytes[1] << 8 | bytes[2]) == next_number;
}

static void await_acknowledgement(void) {
  uint8_t answer[1500];
  ssize_t length;
  do {
    length = receive(answer, sizeof answer);
    if (length < 0) fail("there was no acknowledgement");
  } while (!acknowledges(answer, length));
}

static void exchange(bool gateway) {
  uint8_t packet[4 + PAYLOAD] = {0x90, (uint8_t)(next_number >> 8), (uint8_t)next_number, 1}, answer[1500];
  uint64_t began;
  memset(packet + 4, (uint8_t)next_number, PAYLOAD);
  next_number++;
  began = now_ns();
  transmit(packet, sizeof packet);
  if (gateway) {
    await_acknowledgement();
  } else if (receive(answer, sizeof answer) != (ssize_t)sizeof packet || memcmp(answer, packet, sizeof packet)) {
    fail("that was no echo");
  }
  add_sample(now_ns() - began);
}

int main(int argc, char **argv) {
  bool gateway;
  char line[64];
  if (argc != 3) {
    fprintf(stderr, "usage: udp-rtt gateway|echo PORT\n");
    return 2;
  }
  gateway = strcmp(argv[1], "gateway") == 0;
  wire = connected(SOCK_DGRAM, atoi(argv[2]));
  if (gateway) {
    handshake();
    await_acknowledgement();
  }
  printf("{\"ready\":true}\n");
  fflush(stdout);
  while (fgets(line, sizeof line, stdin)) {
    uint64_t began = now_ns(), until = began + strtoull(line, NULL, 10) * 1000000u;
    do exchange(gateway);
    while (now_ns() < until);
    print_samples((double)(now_ns() - began) / 1e9);
  }
  return 0;
}
