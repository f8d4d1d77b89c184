/*
 * Peers for load generators: the C client makes the session, over UDP, TCP or the master side of a pty. Then the generator
 * may send packets of its own beside it, encoded beforehand.
 */
#define _GNU_SOURCE

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "slipway.h"

enum { PEER_CHANNELS = 2, PEER_SLOTS = 4, PEER_PACKET = SLIPWAY_MAX_PACKET, SETTLE_MS = 10000 };

typedef struct peer {
  slipway_t client;
  slipway_channel_t channels[PEER_CHANNELS];
  slipway_slot_t slots[PEER_SLOTS];
  uint8_t buffer[PEER_PACKET];
  uint8_t out[2 * PEER_PACKET + 8];
  size_t out_length;
  int fd;
} peer_t;

static inline uint64_t now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Since the first call, as a board's clock since it was switched on. */
static inline uint32_t now_ms(void) {
  static uint64_t began;
  if (!began) began = now_ns();
  return (uint32_t)((now_ns() - began) / 1000000u);
}

static inline void fail(const char *what) {
  fprintf(stderr, "%s: %s\n", what, errno ? strerror(errno) : "failed");
  exit(1);
}

static inline struct sockaddr_in loopback(int port) {
  struct sockaddr_in address;
  memset(&address, 0, sizeof address);
  address.sin_family = AF_INET;
  address.sin_port = htons((uint16_t)port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

/* A socket of type SOCK_DGRAM or SOCK_STREAM that is connected to that port on this machine. */
static inline int connected(int type, int port) {
  struct sockaddr_in address = loopback(port);
  int one = 1, size = 4194304, fd = socket(AF_INET, type, 0);
  if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) < 0) fail("cannot connect");
  if (type == SOCK_STREAM) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
  return fd;
}

/* The master side of a new pty; prints the name of the other side as a line. */
static inline int open_pty(void) {
  struct termios raw;
  int master = posix_openpt(O_RDWR | O_NOCTTY);
  if (master < 0 || grantpt(master) < 0 || unlockpt(master) < 0) fail("cannot make a pty");
  /* Held open: it does not hang up when the gateway closes it. */
  if (open(ptsname(master), O_RDWR | O_NOCTTY) < 0) fail("cannot open the pty");
  tcgetattr(master, &raw);
  cfmakeraw(&raw);
  tcsetattr(master, TCSANOW, &raw);
  printf("{\"pty\":\"%s\"}\n", ptsname(master));
  fflush(stdout);
  return master;
}

static uint16_t peer_room(slipway_t *client) {
  const peer_t *peer = (const peer_t *)client;
  return (uint16_t)(sizeof peer->out - peer->out_length);
}

static void peer_write(slipway_t *client, uint8_t byte) {
  peer_t *peer = (peer_t *)client;
  if (peer->out_length < sizeof peer->out) peer->out[peer->out_length++] = byte;
}

static void peer_end(slipway_t *client) {
  peer_t *peer = (peer_t *)client;
  if (peer->out_length && write(peer->fd, peer->out, peer->out_length) < 0 && errno != EAGAIN) fail("cannot send");
  peer->out_length = 0;
}

/* Lets the client do what is due. A serial line has no ends of packets: what it wrote leaves here. */
static inline void peer_poll(peer_t *peer) {
  slipway_poll(&peer->client, now_ms());
  peer_end(&peer->client);
}

/* Hands on what has come; returns false when there was nothing. */
static inline bool peer_receive(peer_t *peer) {
  uint8_t bytes[65536];
  ssize_t count = read(peer->fd, bytes, sizeof bytes);
  if (count < 0 && (errno == EAGAIN || errno == EINTR || errno == EIO)) return false;
  if (count <= 0) fail("the link is gone");
  if (!slipway_receive(&peer->client, bytes, (size_t)count)) fail("the stream is out of step");
  return true;
}

/* Prepares a peer over `fd`; it says HELLO when it is polled. */
static inline void peer_begin(peer_t *peer, int fd, uint8_t framing, const char *identity) {
  fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
  peer->fd = fd;
  peer->client.identity = identity;
  peer->client.room = peer_room;
  peer->client.write = peer_write;
  peer->client.end = peer_end;
  peer->client.channels = peer->channels;
  peer->client.channel_count = PEER_CHANNELS;
  peer->client.slots = peer->slots;
  peer->client.slot_count = PEER_SLOTS;
  peer->client.buffer = peer->buffer;
  peer->client.buffer_size = sizeof peer->buffer;
  peer->client.framing = framing;
  slipway_begin(&peer->client, (uint32_t)now_ns());
}

/* Waits until the sessions stand and everything of their tables is acknowledged. */
static inline void peers_settle(peer_t *peers, int count) {
  uint32_t began = now_ms();
  for (;;) {
    int settled = 0;
    for (int i = 0; i < count; i++) {
      while (peer_receive(&peers[i])) {}
      peer_poll(&peers[i]);
      if (slipway_connected(&peers[i].client) && !slipway_pending(&peers[i].client)) settled++;
    }
    if (settled == count) return;
    if (now_ms() - began > SETTLE_MS) {
      errno = 0;
      fail("the gateway did not answer");
    }
    usleep(500);
  }
}
