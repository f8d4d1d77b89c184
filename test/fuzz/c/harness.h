/* What the files of the C client's fuzzer share. Section signs mean PROTOCOL.md. */
#ifndef HARNESS_H
#define HARNESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "slipway.h"

#if SLIPWAY_SEVERAL_FRAMINGS
#define FRAMING_OF(s) ((s)->framing)
#else
#define FRAMING_OF(s) SLIPWAY_FRAMING_SERIAL
#endif

/* More than any packet here has, framed: 1,472 bytes and their CRC, all escaped. */
enum { MOST_BYTES = 4096 };

/* A promise that does not hold ends the run; the fuzzer then keeps the input. */
#define REQUIRE(holds, ...)                         \
  do {                                              \
    if (!(holds)) {                                 \
      fprintf(stderr, "broken promise: " __VA_ARGS__); \
      fprintf(stderr, "\n");                        \
      abort();                                      \
    }                                               \
  } while (0)

/* The input, read as decisions. Once it is used up every decision is 0. */
typedef struct choices {
  const uint8_t *at;
  size_t left;
} choices_t;

static inline uint8_t choose(choices_t *c) {
  if (c->left == 0) return 0;
  c->left--;
  return *c->at++;
}
static inline uint8_t choose_below(choices_t *c, uint8_t bound) { return (uint8_t)(choose(c) % bound); }
static inline uint16_t choose16(choices_t *c) {
  uint8_t high = choose(c);
  return (uint16_t)(high << 8 | choose(c));
}

static inline size_t put16(uint8_t *at, uint16_t value) {
  at[0] = (uint8_t)(value >> 8);
  at[1] = (uint8_t)value;
  return 2;
}
static inline size_t put_varint(uint8_t *at, uint32_t value) {
  size_t n = 0;
  for (; value > 127; value >>= 7) at[n++] = (uint8_t)(value | 0x80);
  at[n++] = (uint8_t)value;
  return n;
}

/* framing.c: written from §2, not from the library. */
size_t frame_packet(uint8_t framing, const uint8_t *packet, size_t count, uint8_t *framed);
size_t unframe_packet(uint8_t framing, const uint8_t *framed, size_t count, uint8_t *packet);

/* sent.c: a message as a peer may send it, read from §3. */
typedef struct sent_message {
  uint8_t head; /* without L */
  bool reliable;
  uint16_t seq;
  uint8_t options; /* SUBSCRIBE; BYE's reason, PING's, PONG's and TIME's token */
  uint32_t id;
  uint32_t token;  /* HELLO, BEGIN */
  uint16_t number; /* HELLO's received, ACK's next */
  const uint8_t *nonce;
  const uint8_t *proof; /* HELLO's, if the peer has a key */
  uint8_t proof_size;
  const uint8_t *name;
  size_t name_length;
  const uint8_t *payload;
  size_t payload_length;
} sent_message_t;
enum { MOST_MESSAGES = 8 };
/* The messages of a packet; anything that a peer may not send is a broken promise. */
size_t read_sent(const uint8_t *packet, size_t count, sent_message_t messages[MOST_MESSAGES]);

/* gateway.c: a gateway that keeps to the protocol, on a link that loses nothing. */
typedef void (*deliver_t)(const uint8_t *packet, size_t count);
void gateway_reset(bool continues);
void gateway_take(const slipway_t *s, const uint8_t *packet, size_t count, deliver_t deliver);
/* Emits "fine" on the peer's id (QoS 1, or 0 where the peer takes no more). */
void gateway_emit(uint8_t id, deliver_t deliver);
bool gateway_settled(void);
bool gateway_has_will(const char *channel, const char *payload);
void gateway_check_table(const slipway_t *s, unsigned emits_expected);

/* proof.c: what a gateway that has the key answers to the peer's proof, 8 bytes. */
void gateway_proof(const uint8_t *key, const uint8_t *proof, uint32_t token, uint8_t *answer);

/* hostile.c: what a gateway might send just now, if it were broken or worse. */
size_t hostile_packet(choices_t *c, const slipway_t *s, uint8_t *packet);

#endif
