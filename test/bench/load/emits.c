/*
 * A publisher on TCP that emits by name on so many channels in turn, 16 bytes at QoS 0, and a subscriber to them all.
 *
 *   emits PORT CHANNELS
 *
 * A line `MS` on standard input is answered by a line of JSON. It ends with its input.
 */
#include "peer.h"

/* Messages are encoded beforehand, a turn through all channels at least; so many are in a packet. */
enum { PAYLOAD = 16, CYCLE = 1 << 17, PER_PACKET = 512, PACKETS = CYCLE / PER_PACKET };
/* Messages that may be on their way. Fewer bytes than the gateway lets wait for one link. */
enum { WINDOW = 32 * PER_PACKET, MOST_BYTES = CYCLE * 64, PATIENCE_MS = 10000 };

static peer_t publisher, subscriber;
static uint8_t *encoded;
static size_t ends[PACKETS + 1];
static uint64_t received;

static size_t varint(uint8_t *to, size_t value) {
  size_t size = 0;
  for (; value > 127; value >>= 7) to[size++] = (uint8_t)(value | 128);
  to[size++] = (uint8_t)value;
  return size;
}

/* One message with its length, for it may not be the last of its packet. */
static size_t encode(uint8_t *to, uint32_t number, uint32_t channels) {
  const uint32_t words[4] = {number, ~number, number, ~number};
  char name[32];
  size_t name_length = (size_t)snprintf(name, sizeof name, "many/%u/value", number % channels);
  size_t size = 0;
  to[size++] = 0xC4;
  size += varint(to + size, 1 + name_length + PAYLOAD);
  to[size++] = (uint8_t)name_length;
  memcpy(to + size, name, name_length);
  memcpy(to + size + name_length, words, PAYLOAD);
  return size + name_length + PAYLOAD;
}

static void encode_all(uint32_t channels) {
  static uint8_t packet[PER_PACKET * 64];
  encoded = malloc(MOST_BYTES);
  if (!encoded) fail("no memory");
  for (uint32_t number = 0, place = 0; place < PACKETS; place++) {
    size_t length = 0, at = ends[place];
    for (int i = 0; i < PER_PACKET; i++) length += encode(packet + length, number++, channels);
    at += varint(encoded + at, length);
    memcpy(encoded + at, packet, length);
    ends[place + 1] = at + length;
  }
}

static void on_message(slipway_t *client, const slipway_message_t *message) {
  uint32_t words[4];
  (void)client;
  memcpy(words, message->payload, message->length < PAYLOAD ? message->length : PAYLOAD);
  if (message->length != PAYLOAD || words[0] != received % CYCLE || words[1] != ~words[0] || words[2] != words[0] ||
      words[3] != ~words[0])
    fail("a message was lost, repeated or changed");
  received++;
}

/* Writes what the connection takes of the packets from `place` on that the window has room for; returns how many began. */
static uint64_t publish(uint64_t place, size_t *left) {
  while (*left || place * PER_PACKET - received < WINDOW) {
    size_t at = place % PACKETS;
    ssize_t count;
    if (!*left) {
      *left = ends[at + 1] - ends[at];
      place++;
    } else {
      at = (place - 1) % PACKETS;
    }
    count = write(publisher.fd, encoded + ends[at + 1] - *left, *left);
    if (count < 0 && errno != EAGAIN) fail("cannot send");
    if (count > 0) *left -= (size_t)count;
    if (*left) return place;
  }
  return place;
}

static void round_of(uint64_t ms) {
  static uint64_t place;
  uint64_t began = now_ns(), until = began + ms * 1000000u, first = received, last_at = began;
  size_t left = 0;
  for (;;) {
    bool publishing = now_ns() < until;
    struct pollfd waits[2] = {{subscriber.fd, POLLIN, 0}, {publisher.fd, POLLOUT, 0}};
    if (publishing || left) place = publish(place, &left);
    if (!publishing && !left && received == place * PER_PACKET) break;
    poll(waits, left ? 2 : 1, 100);
    if (peer_receive(&subscriber)) last_at = now_ns();
    else if (now_ns() - last_at > PATIENCE_MS * 1000000ull) fail("messages are lost");
  }
  printf("{\"received\":%llu,\"seconds\":%.6f}\n", (unsigned long long)(received - first), (double)(now_ns() - began) / 1e9);
  fflush(stdout);
}

int main(int argc, char **argv) {
  static char pattern[] = "many/#";
  struct pollfd input = {STDIN_FILENO, POLLIN, 0};
  char line[64];
  if (argc != 3) {
    fprintf(stderr, "usage: emits PORT CHANNELS\n");
    return 2;
  }
  encode_all((uint32_t)atoi(argv[2]));
  subscriber.channels[0] = (slipway_channel_t){pattern, on_message, SLIPWAY_SUBSCRIBE};
  peer_begin(&subscriber, connected(SOCK_STREAM, atoi(argv[1])), SLIPWAY_FRAMING_STREAM, "emits-subscriber");
  peers_settle(&subscriber, 1);
  peer_begin(&publisher, connected(SOCK_STREAM, atoi(argv[1])), SLIPWAY_FRAMING_STREAM, "emits-publisher");
  peers_settle(&publisher, 1);
  printf("{\"ready\":true}\n");
  fflush(stdout);
  for (;;) {
    poll(&input, 1, 50);
    if (input.revents) {
      if (!fgets(line, sizeof line, stdin)) return 0;
      round_of(strtoull(line, NULL, 10));
    }
    /* The sessions stay alive between rounds. */
    peers_settle(&subscriber, 1);
    peers_settle(&publisher, 1);
  }
}
