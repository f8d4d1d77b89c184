/*
 * Many boards on UDP in one process, for test/bench/udp-sessions.mjs: the C client, each with its own address in 127/8,
 * two subscriptions and a keep-alive.
 *
 *   udp-peers PORT COUNT RAMP_S
 *
 * The boards are switched on one after the other over RAMP_S seconds. Each second it prints a line of JSON; `back` counts
 * the boards that came to have a session since the last line `mark` on standard input. It ends with its input.
 */
#define _GNU_SOURCE

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "slipway.h"

enum { CHANNELS = 2, SLOTS = 4, BATCH = 256, PACKET = 1472, SWEEP_MS = 100, SOCKET_BUFFER = 4194304 };
/* 127.1.0.0: where the boards' addresses begin. */
#define FIRST_ADDRESS 0x7F010000u

typedef struct board {
  slipway_t client;
  slipway_channel_t channels[CHANNELS];
  slipway_slot_t slots[SLOTS];
  char identity[20];
  char command[24];
  uint32_t starts_at;
  bool started;
  bool back;
} board_t;

static board_t *boards;
static uint32_t count;
static int wire;
static struct sockaddr_in gateway;
static uint8_t out[PACKET];
static size_t out_length;
static struct {
  uint32_t back, lost, refused;
  uint64_t sent, received, hellos, begins, pings, unsent;
} seen;

static uint32_t now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint32_t)((uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000);
}

/* --- The wire: one socket, every board's address by IP_PKTINFO --- */

typedef union control {
  char bytes[CMSG_SPACE(sizeof(struct in_pktinfo))];
  struct cmsghdr align;
} control_t;

static uint16_t room(slipway_t *client) {
  (void)client;
  return PACKET;
}

static void put(slipway_t *client, uint8_t byte) {
  (void)client;
  if (out_length < PACKET) out[out_length++] = byte;
}

static void end(slipway_t *client) {
  const board_t *board = (const board_t *)client;
  struct iovec part = {out, out_length};
  control_t control;
  struct msghdr message = {&gateway, sizeof gateway, &part, 1, control.bytes, sizeof control.bytes, 0};
  struct cmsghdr *header = CMSG_FIRSTHDR(&message);
  struct in_pktinfo info;
  memset(&info, 0, sizeof info);
  info.ipi_spec_dst.s_addr = htonl(FIRST_ADDRESS + (uint32_t)(board - boards));
  header->cmsg_level = IPPROTO_IP;
  header->cmsg_type = IP_PKTINFO;
  header->cmsg_len = CMSG_LEN(sizeof info);
  memcpy(CMSG_DATA(header), &info, sizeof info);
  switch (out[0] & 0xBFu) {
    case 0xB0: seen.hellos++; break;
    case 0xB2: seen.begins++; break;
    case 0xB5: seen.pings++; break;
    default: break;
  }
  seen.sent++;
  /* Nobody there to take it: lost, like any datagram. */
  if (sendmsg(wire, &message, 0) < 0) seen.unsent++;
  out_length = 0;
}

static void receive_all(uint32_t now) {
  static uint8_t bytes[BATCH][PACKET];
  static control_t controls[BATCH];
  struct mmsghdr messages[BATCH];
  struct iovec parts[BATCH];
  int got;
  do {
    memset(messages, 0, sizeof messages);
    for (int i = 0; i < BATCH; i++) {
      parts[i] = (struct iovec){bytes[i], PACKET};
      messages[i].msg_hdr.msg_iov = &parts[i];
      messages[i].msg_hdr.msg_iovlen = 1;
      messages[i].msg_hdr.msg_control = controls[i].bytes;
      messages[i].msg_hdr.msg_controllen = sizeof controls[i].bytes;
    }
    got = recvmmsg(wire, messages, BATCH, MSG_DONTWAIT, NULL);
    for (int i = 0; i < got; i++) {
      struct in_pktinfo info;
      const struct cmsghdr *header = CMSG_FIRSTHDR(&messages[i].msg_hdr);
      uint32_t index;
      if (!header || header->cmsg_type != IP_PKTINFO) continue;
      memcpy(&info, CMSG_DATA(header), sizeof info);
      index = ntohl(info.ipi_addr.s_addr) - FIRST_ADDRESS;
      if (index >= count) continue;
      seen.received++;
      slipway_receive(&boards[index].client, bytes[i], messages[i].msg_len);
      slipway_poll(&boards[index].client, now);
    }
  } while (got == BATCH);
}

/* --- The boards --- */

static void on_event(slipway_t *client, slipway_event_t event, uint8_t reason, uint8_t id) {
  board_t *board = (board_t *)client;
  (void)reason;
  (void)id;
  if (event == SLIPWAY_LOST) seen.lost++;
  if (event == SLIPWAY_REFUSED) seen.refused++;
  if (event != SLIPWAY_CONNECTED || board->back) return;
  board->back = true;
  seen.back++;
}

static void ignore(slipway_t *client, const slipway_message_t *message) {
  (void)client;
  (void)message;
}

static void make(board_t *board, uint32_t index, uint32_t starts_at) {
  snprintf(board->identity, sizeof board->identity, "board-%06u", index);
  snprintf(board->command, sizeof board->command, "boards/%06u/set", index);
  board->channels[0] = (slipway_channel_t){board->command, ignore, SLIPWAY_SUBSCRIBE_QOS1};
  board->channels[1] = (slipway_channel_t){"boards/all", ignore, SLIPWAY_SUBSCRIBE};
  board->client.identity = board->identity;
  board->client.room = room;
  board->client.write = put;
  board->client.end = end;
  board->client.on_event = on_event;
  board->client.channels = board->channels;
  board->client.channel_count = CHANNELS;
  board->client.slots = board->slots;
  board->client.slot_count = SLOTS;
  board->client.buffer_size = PACKET;
  board->starts_at = starts_at;
}

static void poll_board(board_t *board, uint32_t now) {
  if (!board->started) {
    if ((int32_t)(now - board->starts_at) < 0) return;
    board->started = true;
    slipway_begin(&board->client, (uint32_t)random() ^ (uint32_t)random() << 16);
  }
  slipway_poll(&board->client, now);
}

/* Polls each board once in SWEEP_MS, a stretch of them at a time. */
static void sweep(uint32_t now) {
  static uint32_t last, at;
  uint64_t due = (uint64_t)count * (now - last) / SWEEP_MS;
  if (due == 0) return;
  if (due > count) due = count;
  last = now;
  for (; due; due--) {
    poll_board(&boards[at], now);
    if (++at == count) at = 0;
  }
}

static void report(uint32_t now) {
  uint32_t connected = 0, settled = 0;
  uint64_t resends = 0;
  for (uint32_t i = 0; i < count; i++) {
    const slipway_t *client = &boards[i].client;
    if (!boards[i].started) continue;
    resends += client->counters.resends;
    if (!slipway_connected(client)) continue;
    connected++;
    if (!slipway_pending(client)) settled++;
  }
  printf("{\"ms\":%u,\"connected\":%u,\"settled\":%u,\"back\":%u,\"lost\":%u,\"refused\":%u,\"sent\":%llu,"
         "\"received\":%llu,\"hellos\":%llu,\"begins\":%llu,\"pings\":%llu,\"resends\":%llu,\"unsent\":%llu}\n",
         now, connected, settled, seen.back, seen.lost, seen.refused, (unsigned long long)seen.sent,
         (unsigned long long)seen.received, (unsigned long long)seen.hellos, (unsigned long long)seen.begins,
         (unsigned long long)seen.pings, (unsigned long long)resends, (unsigned long long)seen.unsent);
  fflush(stdout);
}

static void mark(void) {
  for (uint32_t i = 0; i < count; i++) boards[i].back = false;
  seen.back = 0;
}

static int open_wire(void) {
  int one = 1, size = SOCKET_BUFFER;
  struct sockaddr_in any;
  memset(&any, 0, sizeof any);
  any.sin_family = AF_INET;
  wire = socket(AF_INET, SOCK_DGRAM, 0);
  if (wire < 0 || bind(wire, (struct sockaddr *)&any, sizeof any) < 0) return -1;
  setsockopt(wire, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
  setsockopt(wire, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
  return setsockopt(wire, IPPROTO_IP, IP_PKTINFO, &one, sizeof one);
}

int main(int argc, char **argv) {
  uint32_t ramp_ms, reported, started = now_ms();
  struct pollfd waits[2];
  if (argc != 4) {
    fprintf(stderr, "usage: udp-peers PORT COUNT RAMP_S\n");
    return 2;
  }
  gateway.sin_family = AF_INET;
  gateway.sin_port = htons((uint16_t)atoi(argv[1]));
  gateway.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  count = (uint32_t)atoi(argv[2]);
  ramp_ms = (uint32_t)atoi(argv[3]) * 1000;
  boards = calloc(count, sizeof *boards);
  if (!boards || open_wire() < 0) {
    perror("udp-peers");
    return 1;
  }
  srandom(started);
  for (uint32_t i = 0; i < count; i++) make(&boards[i], i, started + (uint32_t)((uint64_t)ramp_ms * i / count));
  waits[0] = (struct pollfd){wire, POLLIN, 0};
  waits[1] = (struct pollfd){STDIN_FILENO, POLLIN, 0};
  for (reported = started;;) {
    uint32_t now;
    poll(waits, 2, 5);
    now = now_ms();
    receive_all(now);
    sweep(now);
    if (now - reported >= 1000) {
      reported = now;
      report(now);
    }
    if (waits[1].revents) {
      char command[64];
      ssize_t length = read(STDIN_FILENO, command, sizeof command);
      if (length <= 0) break;
      if (memmem(command, (size_t)length, "mark", 4)) mark();
    }
  }
  return 0;
}
