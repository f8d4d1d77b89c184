/*
 * How long a message takes from a device to a subscriber on TCP.
 *
 *   latency udp  gateway
 *   latency udp  relay       a program that copies what comes to TCP
 *   latency uart gateway     the device is at a pty, whose name is printed first
 *   latency uart relay
 *
 * The first line on standard input is `UDP_PORT TCP_PORT`, when the program that is measured is there. From then on a line
 * `MS` is answered by a line of JSON, times in microseconds: from before the last byte is written until the message is read.
 * It ends with its input.
 */
#include "peer.h"
#include "samples.h"

enum { PAYLOAD = 16, DATAGRAM = 2 + PAYLOAD, FRAME = 2 + 2 * (DATAGRAM + 2), PATIENCE_MS = 2000 };
/* Before anything is measured, without a pause: a program in Node is not what it will be until its code is compiled. */
enum { WARM_UP = 5000 };
/* Messages are as far apart as that, at random in between, so that they do not fall into step with anything. */
enum { LEAST_PAUSE_US = 200, MOST_PAUSE_US = 600 };

static peer_t device, subscriber;
static uint8_t expected[PAYLOAD];
static bool arrived;

/* Bytes that are no END and no ESC, and a number in them that tells this message from the last. */
static void next_payload(void) {
  static uint32_t number;
  number++;
  for (int i = 0; i < PAYLOAD; i++) expected[i] = (uint8_t)('a' + (number >> (i % 8 * 4) & 15));
  arrived = false;
}

static void on_message(slipway_t *client, const slipway_message_t *message) {
  (void)client;
  if (message->length != PAYLOAD || memcmp(message->payload, expected, PAYLOAD)) fail("another message came");
  arrived = true;
}

static uint16_t crc16(const uint8_t *bytes, size_t count) {
  uint16_t crc = 0xFFFF;
  while (count--) {
    crc ^= *bytes++;
    for (int bit = 0; bit < 8; bit++) crc = crc & 1 ? crc >> 1 ^ 0x8408 : crc >> 1;
  }
  return crc;
}

static size_t escape(uint8_t *to, uint8_t byte) {
  if (byte != 0xC0 && byte != 0xDB) {
    *to = byte;
    return 1;
  }
  to[0] = 0xDB;
  to[1] = byte == 0xC0 ? 0xDC : 0xDD;
  return 2;
}

/* The emit as it stands on the wire; returns its size. */
static size_t encode(bool uart, uint8_t *to) {
  uint8_t packet[DATAGRAM + 2] = {0x80, 1};
  uint16_t crc;
  size_t size = 0;
  memcpy(packet + 2, expected, PAYLOAD);
  if (!uart) {
    memcpy(to, packet, DATAGRAM);
    return DATAGRAM;
  }
  crc = crc16(packet, DATAGRAM);
  packet[DATAGRAM] = (uint8_t)crc;
  packet[DATAGRAM + 1] = (uint8_t)(crc >> 8);
  to[size++] = 0xC0;
  for (size_t i = 0; i < sizeof packet; i++) size += escape(to + size, packet[i]);
  to[size++] = 0xC0;
  return size;
}

/* A relay hands on what was sent, as it is, its length in front; a line's frame perhaps in pieces. */
static void receive_copy(const uint8_t *sent, size_t size) {
  static uint8_t copy[FRAME];
  static size_t length;
  uint8_t bytes[256];
  ssize_t count = read(subscriber.fd, bytes, sizeof bytes);
  for (ssize_t at = 0; at < count;) {
    size_t piece = bytes[at++];
    if (piece > (size_t)(count - at) || length + piece > size) fail("this is no copy");
    memcpy(copy + length, bytes + at, piece);
    length += piece;
    at += (ssize_t)piece;
  }
  if (length < size) return;
  if (memcmp(copy, sent, size)) fail("another message came");
  length = 0;
  arrived = true;
}

static void pass_one(bool uart, bool gateway) {
  uint8_t wire[FRAME];
  struct pollfd wait = {subscriber.fd, POLLIN, 0};
  uint64_t began;
  size_t size;
  next_payload();
  size = encode(uart, wire);
  began = now_ns();
  if (write(device.fd, wire, size) != (ssize_t)size) fail("cannot send");
  while (!arrived) {
    if (poll(&wait, 1, PATIENCE_MS) <= 0) fail("a message did not come");
    if (gateway) peer_receive(&subscriber);
    else receive_copy(wire, size);
  }
  add_sample(now_ns() - began);
}

static void round_of(uint64_t ms, bool uart, bool gateway) {
  uint64_t began = now_ns(), until = began + ms * 1000000u;
  do {
    pass_one(uart, gateway);
    usleep((useconds_t)(LEAST_PAUSE_US + random() % (MOST_PAUSE_US - LEAST_PAUSE_US)));
    if (!gateway) continue;
    /* What the gateway says to the device besides. */
    while (peer_receive(&device)) {}
    peer_poll(&device);
    peer_poll(&subscriber);
  } while (now_ns() < until);
  print_samples((double)(now_ns() - began) / 1e9);
}

static void start(bool uart, bool gateway, int udp, int tcp) {
  static char channel[] = "bench/latency";
  device.channels[0] = (slipway_channel_t){channel, NULL, 0};
  subscriber.channels[0] = (slipway_channel_t){channel, on_message, SLIPWAY_SUBSCRIBE};
  if (!uart) device.fd = connected(SOCK_DGRAM, udp);
  peer_begin(&device, device.fd, uart ? SLIPWAY_FRAMING_SERIAL : SLIPWAY_FRAMING_DATAGRAM, "latency-device");
  peer_begin(&subscriber, connected(SOCK_STREAM, tcp), SLIPWAY_FRAMING_STREAM, "latency-subscriber");
  if (!gateway) return;
  peers_settle(&subscriber, 1);
  peers_settle(&device, 1);
}

int main(int argc, char **argv) {
  bool uart, gateway;
  struct pollfd input = {STDIN_FILENO, POLLIN, 0};
  char line[64];
  int udp, tcp;
  if (argc != 3) {
    fprintf(stderr, "usage: latency udp|uart gateway|relay\n");
    return 2;
  }
  uart = strcmp(argv[1], "uart") == 0;
  gateway = strcmp(argv[2], "gateway") == 0;
  if (uart) device.fd = open_pty();
  if (!fgets(line, sizeof line, stdin) || sscanf(line, "%d %d", &udp, &tcp) != 2) return 0;
  start(uart, gateway, udp, tcp);
  for (int i = 0; i < WARM_UP; i++) pass_one(uart, gateway);
  sample_count = 0;
  printf("{\"ready\":true}\n");
  fflush(stdout);
  for (;;) {
    poll(&input, 1, 50);
    if (input.revents) {
      if (!fgets(line, sizeof line, stdin)) return 0;
      round_of(strtoull(line, NULL, 10), uart, gateway);
    }
    if (!gateway) continue;
    /* The sessions stay alive between rounds. */
    peers_settle(&subscriber, 1);
    peers_settle(&device, 1);
  }
}
