/*
 * A small program on a POSIX system that speaks to a gateway over UDP or TCP with the C client.
 *
 *   cc -std=c99 -I../../src slipway-posix.c ../../src/slipway_*.c -o slipway-posix
 *   ./slipway-posix udp|tcp HOST PORT IDENTITY [PATTERN]...
 *
 * It subscribes to the patterns at QoS 2 and prints what arrives, a line `CHANNEL TEXT` each. Lines `CHANNEL TEXT` on its
 * standard input are emitted at QoS 1. What happens to the session, and what is wrong, is told on standard error. It ends with its input
 * once everything that was read is acknowledged, or with SIGINT; with patterns it goes on listening.
 * If the identity has a key, that is in the environment: SLIPWAY_KEY, 64 hexadecimal digits as `slipway key add` prints them.
 */
#define _POSIX_C_SOURCE 200809L

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "slipway.h"

enum { CHANNELS = 64, SLOTS = 16, LINE = 1024, BACKLOG = 8192, RECONNECT_MS = 500, PATIENCE_MS = 3000 };

typedef struct program {
  slipway_t client;
  slipway_channel_t channels[CHANNELS];
  slipway_slot_t slots[SLOTS];
  uint8_t buffer[SLIPWAY_MAX_PACKET];
  const char *const *words; /* of the command line */
  const struct addrinfo *addresses;
  const struct addrinfo *gateway; /* the one of them that is tried, or in use */
  int socket;
  bool connecting;
  uint32_t retry_at;
  uint32_t silent_since; /* how long there has been no session */
  char complaint[256];   /* what was said last of what is wrong: it is said once */
  /* What the client has written and the kernel has not taken. */
  uint8_t out[BACKLOG];
  size_t out_length;
  char line[LINE];
  size_t line_length;
  bool input_ended;
  bool listening;
} program_t;

static uint32_t now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint32_t)((uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000);
}

/* --- What is wrong --- */

/* §7, in words. */
static const char *reason_in_words(slipway_reason_t reason) {
  static const char *const words[] = {
      [SLIPWAY_REASON_NORMAL] = "the gateway said goodbye",
      [SLIPWAY_REASON_END_SESSION] = "the gateway has ended the session",
      [SLIPWAY_REASON_SHUTDOWN] = "the gateway is stopping",
      [SLIPWAY_REASON_NO_SESSION] = "the gateway knows no session (was it restarted?)",
      [SLIPWAY_REASON_VERSION] = "the gateway does not speak this version of the protocol",
      [SLIPWAY_REASON_IDENTITY_IN_USE] = "another device is connected under this identity: give each its own",
      [SLIPWAY_REASON_IDENTITY_INVALID] =
          "the identity is not valid: 1 to 64 bytes without space, / + #, and not beginning with $",
      [SLIPWAY_REASON_NOT_ALLOWED] = "the gateway's configuration does not allow it",
      [SLIPWAY_REASON_TOO_LARGE] = "larger than the gateway takes",
      [SLIPWAY_REASON_TOO_LARGE_FOR_RECEIVER] = "larger than one of the receivers takes; the others have it",
      [SLIPWAY_REASON_NO_SUCH_ID] = "an id that the gateway does not know",
      [SLIPWAY_REASON_BAD_CHANNEL] = "not a valid channel or pattern",
      [SLIPWAY_REASON_LIMIT_REACHED] = "a limit of the gateway is reached (sessions, subscriptions, ids, channels, last values)",
      [SLIPWAY_REASON_QUEUE_FULL] = "a receiver has no room left: try again later",
      [SLIPWAY_REASON_MALFORMED] = "the other side could not be understood",
      [SLIPWAY_REASON_UNSUPPORTED] = "the gateway does not support it",
      [SLIPWAY_REASON_TIMEOUT] = "the gateway has fallen silent",
      [SLIPWAY_REASON_TAKEN_OVER] = "the session went on over another link",
      [SLIPWAY_REASON_TOO_SLOW] = "this program did not read what it was sent",
      [SLIPWAY_REASON_PROVE_ADDRESS] = "the gateway wants this address proved",
      [SLIPWAY_REASON_NOT_STORED] = "the gateway cannot write its store: is its disk full?",
      [SLIPWAY_REASON_BAD_CREDENTIALS] = "this name has a key that only one of the two has, or not the same (SLIPWAY_KEY)",
      [SLIPWAY_REASON_TOO_MANY_ATTEMPTS] = "too many attempts with wrong credentials: it is to wait",
  };
  return reason < sizeof words / sizeof *words ? words[reason] : NULL;
}

/* Says what is wrong with the connection, unless that was said last. */
static void complain(program_t *p, const char *what, const char *hint) {
  char complaint[sizeof p->complaint];
  snprintf(complaint, sizeof complaint, "%s%s", what, hint);
  if (strcmp(complaint, p->complaint) == 0) return;
  strcpy(p->complaint, complaint);
  fprintf(stderr, "slipway-posix: %s %s %s: %s; trying again\n", p->words[1], p->words[2], p->words[3], complaint);
}

/* --- The link --- */

/* A name may have several addresses, of which the gateway listens on one. */
static void next_address(program_t *p) {
  p->gateway = p->gateway->ai_next ? p->gateway->ai_next : p->addresses;
}

static void disconnect(program_t *p) {
  if (p->socket >= 0) close(p->socket);
  p->socket = -1;
  p->out_length = 0;
  p->retry_at = now_ms() + RECONNECT_MS;
  slipway_link(&p->client, false);
}

static void fail(program_t *p, int error) {
  complain(p, strerror(error), error == ECONNREFUSED ? " (is the gateway running, with a listener there?)" : "");
  if (!slipway_connected(&p->client)) next_address(p);
  p->connecting = false;
  disconnect(p);
}

static void up(program_t *p) {
  p->connecting = false;
  slipway_link(&p->client, true);
}

static void open_link(program_t *p) {
  const struct addrinfo *a = p->gateway;
  int one = 1;
  p->socket = socket(a->ai_family, a->ai_socktype, a->ai_protocol);
  if (p->socket < 0) {
    fail(p, errno);
    return;
  }
  fcntl(p->socket, F_SETFL, fcntl(p->socket, F_GETFL) | O_NONBLOCK);
  if (a->ai_socktype == SOCK_STREAM) setsockopt(p->socket, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  p->connecting = true;
  if (connect(p->socket, a->ai_addr, a->ai_addrlen) == 0) {
    up(p);
  } else if (errno != EINPROGRESS) {
    fail(p, errno);
  }
}

static bool is_passing(int error) { return error == EAGAIN || error == EWOULDBLOCK || error == EINTR; }

static void send_out(program_t *p) {
  while (p->out_length) {
    ssize_t sent = send(p->socket, p->out, p->out_length, MSG_NOSIGNAL);
    if (p->gateway->ai_socktype == SOCK_DGRAM) {
      /* A datagram that the kernel does not take, or that nobody listens for, is lost like any other. */
      p->out_length = 0;
      if (sent < 0 && !is_passing(errno) && !slipway_connected(&p->client)) fail(p, errno);
    } else if (sent > 0) {
      p->out_length -= (size_t)sent;
      memmove(p->out, p->out + sent, p->out_length);
    } else {
      if (!is_passing(errno)) fail(p, errno);
      return;
    }
  }
}

static void receive(program_t *p) {
  uint8_t bytes[2048];
  ssize_t count = recv(p->socket, bytes, sizeof bytes, 0);
  bool stream = p->gateway->ai_socktype == SOCK_STREAM;
  if (count > 0) {
    if (!slipway_receive(&p->client, bytes, (size_t)count)) disconnect(p);
  } else if (stream && count == 0) {
    complain(p, "the gateway closed the connection", "");
    disconnect(p);
  } else if (count < 0 && !is_passing(errno) && (stream || !slipway_connected(&p->client))) {
    fail(p, errno);
  }
}

/* A gateway that does not answer at all. */
static void watch(program_t *p) {
  if (slipway_connected(&p->client)) {
    p->silent_since = now_ms();
  } else if (p->socket >= 0 && now_ms() - p->silent_since >= PATIENCE_MS && !*p->complaint) {
    complain(p, "no answer", p->gateway->ai_socktype == SOCK_DGRAM
                                 ? " (is the gateway running, with a udp listener there, and no firewall between?)"
                                 : " (is it a Slipway gateway?)");
  }
}

static uint16_t room(slipway_t *client) {
  const program_t *p = client->user;
  return p->socket < 0 ? 0 : (uint16_t)(BACKLOG - p->out_length);
}

static void put(slipway_t *client, uint8_t byte) {
  program_t *p = client->user;
  if (p->out_length < BACKLOG) p->out[p->out_length++] = byte;
}

static void end(slipway_t *client) {
  program_t *p = client->user;
  if (p->socket >= 0) send_out(p);
}

/* --- Messages --- */

static void on_message(slipway_t *client, const slipway_message_t *message) {
  const program_t *p = client->user;
  const char *name = "$slipway/broadcast";
  int length;
  if (message->name) {
    name = message->name;
  } else if (message->id && message->id <= CHANNELS && p->channels[message->id - 1].name) {
    name = p->channels[message->id - 1].name;
  }
  length = message->name ? message->name_length : (int)strlen(name);
  printf("%.*s %.*s\n", length, name, (int)message->length, (const char *)message->payload);
  fflush(stdout);
}

static void on_event(slipway_t *client, slipway_event_t event, slipway_reason_t reason, uint8_t id) {
  program_t *p = client->user;
  const char *words = reason_in_words(reason);
  char unknown[32];
  if (!words) {
    snprintf(unknown, sizeof unknown, "reason %u", reason);
    words = unknown;
  }
  if (event == SLIPWAY_CONNECTED) {
    *p->complaint = 0;
    fprintf(stderr, "connected\n");
  } else if (event == SLIPWAY_LOST) {
    fprintf(stderr, "lost: %s\n", words);
  } else if (event == SLIPWAY_REFUSED && id && id <= CHANNELS && p->channels[id - 1].name) {
    fprintf(stderr, "refused: %s: %s\n", p->channels[id - 1].name, words);
  } else if (event == SLIPWAY_REFUSED && slipway_connected(client)) {
    fprintf(stderr, "refused: %s\n", words);
  } else if (event == SLIPWAY_REFUSED) {
    complain(p, words, "");
  }
}

static uint8_t channel_for(program_t *p, const char *name) {
  uint8_t id;
  char *copy;
  for (id = 1; id <= CHANNELS && p->channels[id - 1].name; id++) {
    if (strcmp(p->channels[id - 1].name, name) == 0) return id;
  }
  copy = strdup(name);
  if (!copy) return 0;
  id = slipway_channel(&p->client, copy, NULL, 0);
  if (!id) free(copy);
  return id;
}

/* Emits the line if the window has room for it. False: later. */
static bool emit_line(program_t *p, char *line) {
  char *text = strchr(line, ' ');
  slipway_result_t result;
  uint8_t id;
  if (text) {
    *text++ = 0;
  } else {
    text = line + strlen(line);
  }
  id = *line ? channel_for(p, line) : 0;
  if (!id) {
    fprintf(stderr, "not emitted, a line is CHANNEL TEXT and there is room for %d channels: %s\n", CHANNELS, line);
    return true;
  }
  result = slipway_emit(&p->client, id, text, strlen(text), SLIPWAY_QOS1);
  if (result == SLIPWAY_FULL) return false;
  if (result != SLIPWAY_OK) fprintf(stderr, "not emitted, longer than %d bytes: %s\n", SLIPWAY_SLOT_BYTES, text);
  return true;
}

static void read_input(program_t *p) {
  ssize_t count = read(STDIN_FILENO, p->line + p->line_length, LINE - 1 - p->line_length);
  if (count > 0) {
    p->line_length += (size_t)count;
  } else {
    p->input_ended = true;
    /* The last line may lack its end. */
    if (p->line_length) p->line[p->line_length++] = '\n';
  }
}

/* As many whole lines as the window takes; a line longer than the buffer is cut there. */
static void emit_lines(program_t *p) {
  char *newline;
  while ((newline = memchr(p->line, '\n', p->line_length)) || p->line_length == LINE - 1) {
    char line[LINE];
    size_t length = newline ? (size_t)(newline - p->line) : p->line_length;
    memcpy(line, p->line, length);
    line[length] = 0;
    if (length && !emit_line(p, line)) return;
    if (newline) length++;
    p->line_length -= length;
    memmove(p->line, p->line + length, p->line_length);
  }
}

static bool done(const program_t *p) {
  return p->input_ended && !p->listening && p->line_length == 0 && slipway_connected(&p->client) &&
         slipway_pending(&p->client) == 0;
}

/* Two hexadecimal digits a byte. */
static bool read_key(const char *digits, uint8_t *key) {
  size_t i;
  if (strlen(digits) != 2 * SLIPWAY_KEY_BYTES || strspn(digits, "0123456789abcdefABCDEF") != 2 * SLIPWAY_KEY_BYTES) return false;
  for (i = 0; i < SLIPWAY_KEY_BYTES; i++) {
    const char pair[3] = {digits[2 * i], digits[2 * i + 1], 0};
    key[i] = (uint8_t)strtoul(pair, NULL, 16);
  }
  return true;
}

static uint32_t nonce(void) {
  uint32_t value = now_ms() ^ (uint32_t)getpid() << 16;
  int fd = open("/dev/urandom", O_RDONLY);
  if (fd >= 0) {
    if (read(fd, &value, sizeof value) != (ssize_t)sizeof value) value ^= (uint32_t)time(NULL);
    close(fd);
  }
  return value;
}

int main(int count, char **words) {
  static program_t p;
  struct addrinfo hints = {0};
  struct addrinfo *found = NULL;
  static uint8_t key[SLIPWAY_KEY_BYTES];
  const char *digits = getenv("SLIPWAY_KEY");
  bool tcp;
  int i;
  if (count < 5 || (strcmp(words[1], "udp") != 0 && strcmp(words[1], "tcp") != 0)) {
    fprintf(stderr, "usage: slipway-posix udp|tcp HOST PORT IDENTITY [PATTERN]...\n");
    return 2;
  }
  tcp = strcmp(words[1], "tcp") == 0;
  hints.ai_socktype = tcp ? SOCK_STREAM : SOCK_DGRAM;
  if ((i = getaddrinfo(words[2], words[3], &hints, &found)) != 0) {
    fprintf(stderr, "slipway-posix: %s %s: %s\n", words[2], words[3], gai_strerror(i));
    return 1;
  }
  p.words = (const char *const *)words;
  p.addresses = found;
  p.gateway = found;
  p.socket = -1;
  p.silent_since = now_ms();
  p.client.identity = words[4];
  if (digits && *digits) {
    if (!read_key(digits, key)) {
      fprintf(stderr, "slipway-posix: SLIPWAY_KEY is not %u hexadecimal digits\n", 2 * SLIPWAY_KEY_BYTES);
      return 2;
    }
    p.client.key = key;
  }
  p.client.room = room;
  p.client.write = put;
  p.client.end = end;
  p.client.on_other = on_message;
  p.client.on_event = on_event;
  p.client.user = &p;
  p.client.buffer = p.buffer;
  p.client.buffer_size = sizeof p.buffer;
  p.client.channels = p.channels;
  p.client.channel_count = CHANNELS;
  p.client.slots = p.slots;
  p.client.slot_count = SLOTS;
  p.client.framing = tcp ? SLIPWAY_FRAMING_STREAM : SLIPWAY_FRAMING_DATAGRAM;
  for (i = 5; i < count; i++) {
    if (!slipway_channel(&p.client, words[i], on_message, SLIPWAY_SUBSCRIBE_QOS2)) {
      fprintf(stderr, "slipway-posix: more than %d patterns\n", CHANNELS);
      return 2;
    }
    p.listening = true;
  }
  slipway_begin(&p.client, nonce());
  slipway_link(&p.client, false);

  while (!done(&p)) {
    struct pollfd wanted[2] = {{-1, POLLIN, 0}, {-1, POLLIN, 0}};
    if (p.socket < 0 && (int32_t)(now_ms() - p.retry_at) >= 0) open_link(&p);
    wanted[0].fd = p.socket;
    if (p.connecting || p.out_length) wanted[0].events |= POLLOUT;
    if (!p.input_ended && p.line_length < LINE - 1) wanted[1].fd = STDIN_FILENO;
    if (poll(wanted, 2, 10) < 0 && errno != EINTR) return 1;
    if (p.socket >= 0 && wanted[0].revents) {
      if (p.connecting) {
        int error = 0;
        socklen_t size = sizeof error;
        getsockopt(p.socket, SOL_SOCKET, SO_ERROR, &error, &size);
        if (error) {
          fail(&p, error);
        } else {
          up(&p);
        }
      } else {
        receive(&p);
      }
    }
    if (wanted[1].revents) read_input(&p);
    emit_lines(&p);
    slipway_poll(&p.client, now_ms());
    if (p.socket >= 0 && !p.connecting) send_out(&p);
    watch(&p);
  }
  slipway_leave(&p.client, false);
  freeaddrinfo(found);
  return 0;
}
