/*
 * Devices on UDP that emit at QoS 0, one message a datagram, and a subscriber on TCP that checks what comes.
 *
 *   udp-in gateway  UDP_PORT TCP_PORT DEVICES     a gateway stands between them
 *   udp-in relay    UDP_PORT TCP_PORT DEVICES     a program that copies each datagram to TCP, its length in front
 *   udp-in receiver UDP_PORT 0        DEVICES     a program that takes the datagrams, and counts them itself
 *
 * A line `RATE MS` on standard input, RATE in datagrams a second or 0 for all that it can, is answered by a line of JSON. It
 * ends with its input.
 */
#include "peer.h"

enum { PAYLOAD = 16, HEAD = 2, DATAGRAM = HEAD + PAYLOAD, RECORD = 1 + DATAGRAM, BATCH = 32, MOST_DEVICES = 1000 };
/* With nothing more for so long, all that is to come has come. */
#define QUIET_MS 100

static peer_t *devices, subscriber;
static int device_count;
static uint32_t sequence[MOST_DEVICES], heard[MOST_DEVICES];
static uint64_t sent, received, wrong, last_at;

/* An emit on the channel with id 1: device, number, and the two again, inverted, so that a spoiled one is seen. */
static void encode(uint8_t *datagram, uint32_t device, uint32_t number) {
  const uint32_t words[4] = {device, number, ~device, ~number};
  datagram[0] = 0x80;
  datagram[1] = 1;
  memcpy(datagram + HEAD, words, PAYLOAD);
}

static void check(const uint8_t *payload, size_t length) {
  uint32_t words[4];
  received++;
  if (length != PAYLOAD) {
    wrong++;
    return;
  }
  memcpy(words, payload, PAYLOAD);
  if (words[0] >= (uint32_t)device_count || words[2] != ~words[0] || words[3] != ~words[1] ||
      words[1] <= heard[words[0]]) {
    wrong++;
    return;
  }
  heard[words[0]] = words[1];
}

static void on_message(slipway_t *client, const slipway_message_t *message) {
  (void)client;
  check(message->payload, message->length);
}

/* What a relay sends is records of one size. */
static bool receive_records(void) {
  static uint8_t bytes[65536];
  static size_t kept;
  size_t at = 0;
  ssize_t count = read(subscriber.fd, bytes + kept, sizeof bytes - kept);
  if (count <= 0) return false;
  for (kept += (size_t)count; kept - at >= RECORD; at += RECORD) {
    if (bytes[at] != DATAGRAM || bytes[at + 1] != 0x80 || bytes[at + 2] != 1) wrong++;
    check(bytes + at + 1 + HEAD, PAYLOAD);
  }
  kept -= at;
  memmove(bytes, bytes + at, kept);
  return true;
}

static bool receive(bool gateway) {
  bool any = gateway ? peer_receive(&subscriber) : subscriber.fd > 0 && receive_records();
  if (any) last_at = now_ns();
  return any;
}

/* Sends so many, each in turn from another device. */
static void send_batch(int count) {
  static uint8_t datagrams[BATCH][DATAGRAM];
  static int next;
  struct mmsghdr messages[BATCH];
  struct iovec parts[BATCH];
  int device = next++ % device_count, done;
  memset(messages, 0, sizeof messages);
  for (int i = 0; i < count; i++) {
    encode(datagrams[i], (uint32_t)device, ++sequence[device]);
    parts[i] = (struct iovec){datagrams[i], DATAGRAM};
    messages[i].msg_hdr.msg_iov = &parts[i];
    messages[i].msg_hdr.msg_iovlen = 1;
  }
  done = sendmmsg(devices[device].fd, messages, (unsigned)count, 0);
  if (done < 0 && errno != ECONNREFUSED && errno != EAGAIN) fail("cannot send");
  if (done > 0) sent += (uint64_t)done;
}

static void round_of(double rate, uint64_t ms, bool gateway) {
  uint64_t began = now_ns(), until = began + ms * 1000000u, now;
  uint64_t due = 0, offered = 0;
  sent = received = wrong = 0;
  last_at = began;
  while ((now = now_ns()) < until) {
    due = rate > 0 ? (uint64_t)((double)(now - began) * rate / 1e9) : offered + BATCH;
    if (due > offered) {
      int count = due - offered < BATCH ? (int)(due - offered) : BATCH;
      offered += (uint64_t)count;
      send_batch(count);
    } else {
      usleep(100);
    }
    receive(gateway);
  }
  while (now_ns() - (last_at > until ? last_at : until) < QUIET_MS * 1000000u)
    if (!receive(gateway)) usleep(1000);
  if (last_at < until) last_at = until;
  printf("{\"sent\":%llu,\"received\":%llu,\"wrong\":%llu,\"seconds\":%.6f}\n", (unsigned long long)sent,
         (unsigned long long)received, (unsigned long long)wrong, (double)(last_at - began) / 1e9);
  fflush(stdout);
}

static void connect_all(int udp, int tcp, bool gateway) {
  static char names[MOST_DEVICES][24];
  static char channel[] = "bench/udp-in";
  for (int i = 0; i < device_count; i++) {
    snprintf(names[i], sizeof names[i], "udp-in-%d", i);
    devices[i].channels[0] = (slipway_channel_t){channel, NULL, 0};
    peer_begin(&devices[i], connected(SOCK_DGRAM, udp), SLIPWAY_FRAMING_DATAGRAM, names[i]);
  }
  if (tcp == 0) return;
  subscriber.channels[0] = (slipway_channel_t){channel, on_message, SLIPWAY_SUBSCRIBE};
  peer_begin(&subscriber, connected(SOCK_STREAM, tcp), SLIPWAY_FRAMING_STREAM, "udp-in-subscriber");
  if (!gateway) return;
  peers_settle(&subscriber, 1);
  peers_settle(devices, device_count);
}

int main(int argc, char **argv) {
  bool gateway;
  struct pollfd input = {STDIN_FILENO, POLLIN, 0};
  char line[64];
  if (argc != 5 || (device_count = atoi(argv[4])) < 1 || device_count > MOST_DEVICES) {
    fprintf(stderr, "usage: udp-in gateway|relay|receiver UDP_PORT TCP_PORT DEVICES\n");
    return 2;
  }
  gateway = strcmp(argv[1], "gateway") == 0;
  devices = calloc((size_t)device_count, sizeof *devices);
  if (!devices) fail("no memory");
  connect_all(atoi(argv[2]), atoi(argv[3]), gateway);
  printf("{\"ready\":true}\n");
  fflush(stdout);
  for (;;) {
    poll(&input, 1, 50);
    if (input.revents) {
      double rate;
      unsigned long ms;
      if (!fgets(line, sizeof line, stdin)) return 0;
      if (sscanf(line, "%lf %lu", &rate, &ms) == 2) round_of(rate, ms, gateway);
    }
    if (!gateway) continue;
    /* The sessions stay alive between rounds. */
    peers_settle(&subscriber, 1);
    peers_settle(devices, device_count);
  }
}
