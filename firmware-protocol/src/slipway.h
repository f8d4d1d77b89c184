/*
 * Slipway: subscribe to channels and emit on them from a microcontroller, over serial, UDP or TCP.
 * The protocol is in PROTOCOL.md beside this folder; § below means its sections. In an Arduino sketch include
 * <SlipwayArduino.h> instead: it wraps all this for any Stream or UDP object.
 *
 * A TOUR
 *
 * The library owns nothing: no heap, no buffers, no state of its own, and it never waits. You provide
 *
 *   - a context, a packet buffer, and a table of the channels that you use. A channel's place in the table, from 1,
 *     is its id, so ids can be constants of your program:
 *
 *         enum { TEMPERATURE = 1, LED };
 *         static slipway_channel_t channels[] = {
 *           { "greenhouse/temperature", NULL, 0 },
 *           { "greenhouse/led", on_led, SLIPWAY_SUBSCRIBE },
 *         };
 *         static uint8_t packet[64];
 *
 *   - two functions that reach the wire: how many bytes can be written now without waiting, and write one byte:
 *
 *         static slipway_t gateway = {
 *           .identity = "greenhouse-3", .room = uart_room, .write = uart_write,
 *           .buffer = packet, .buffer_size = sizeof packet, .channels = channels, .channel_count = 2,
 *         };
 *
 *   - once, `slipway_begin(&gateway, nonce)`; then, in your main loop, for ever:
 *
 *         slipway_receive(&gateway, bytes, count);    what the wire brought, in any pieces
 *         slipway_poll(&gateway, milliseconds());
 *         slipway_emit(&gateway, TEMPERATURE, "21.5", 4, 0);
 *
 * `slipway_poll` connects, declares and subscribes what the table says, resends, keeps the line alive, and begins
 * again when the gateway or the line went away. Messages reach the handlers from within `slipway_receive`; a handler
 * may emit. `slipway_emit` says at once whether the message was taken. An emit of QoS 0 leaves immediately or
 * not at all; one of QoS 1 or 2 is copied into a slot of the window and resent until the gateway has it, also when
 * the gateway is away just now.
 *
 * A board whose name nobody is to borrow has a key, which the gateway knows too; it is proved, and never sent (SLIPWAY_WITH_KEY):
 *
 *         static const uint8_t key[SLIPWAY_KEY_BYTES] PROGMEM = {…};      as `slipway key add greenhouse-3` prints it
 *         gateway.key = key;                                              before slipway_begin
 *
 * No call may be made from an interrupt, nor `slipway_receive` or `slipway_poll` from a handler. Everything that a
 * context needs is in it: have as many as you like. What is compiled in is chosen in slipway_options.h.
 *
 * On AVR the names in the channel table are in flash (PROGMEM, or PSTR() inside a function), unless
 * SLIPWAY_NAME_IN_RAM says otherwise. Elsewhere the flag means nothing.
 */
#ifndef SLIPWAY_H
#define SLIPWAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "slipway_options.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A size within one packet, in bytes. */
#if SLIPWAY_MAX_PACKET > 255
typedef uint16_t slipway_size_t;
#else
typedef uint8_t slipway_size_t;
#endif

/* A time: milliseconds modulo 65.536 s, or modulo 49 days where the keep-alive is long; in the smallest build 64 ms
 * modulo 16 s, which are enough for it. */
#define SLIPWAY_COARSE_TIME \
  (!SLIPWAY_WITH_RELIABLE && !SLIPWAY_WITH_DATAGRAM && !SLIPWAY_WITH_STREAM && !SLIPWAY_WITH_TIME)
#if SLIPWAY_COARSE_TIME
typedef uint8_t slipway_time_t;
#if SLIPWAY_KEEP_ALIVE_S > 16
#error "slipway: with QoS 0 on a serial line only, SLIPWAY_KEEP_ALIVE_S must be 1 to 16"
#endif
#elif SLIPWAY_KEEP_ALIVE_S > 40
typedef uint32_t slipway_time_t;
#else
typedef uint16_t slipway_time_t;
#endif

/* Bytes of a key (§4.8). */
#define SLIPWAY_KEY_BYTES 32u

typedef struct slipway slipway_t;

/* What a call made of your message. (Kept in a byte: an enum would be two on AVR.) */
typedef uint8_t slipway_result_t;
enum {
  SLIPWAY_OK = 0,
  /* No room on the wire just now. Try again after the next poll, or let it go. */
  SLIPWAY_BUSY,
  /* QoS 0 and no gateway: nothing was sent. */
  SLIPWAY_NOT_CONNECTED,
  /* More than the gateway takes in a packet, or than a slot holds (SLIPWAY_SLOT_BYTES). */
  SLIPWAY_TOO_LARGE,
  /* The window (QoS 1 and 2) or the channel table has no place left. */
  SLIPWAY_FULL,
  /* No such channel in the table, or a quality that is not compiled in. */
  SLIPWAY_INVALID
};

/* Flags of an emit; add them up. No quality flag means QoS 0. */
#define SLIPWAY_RETAIN 0x08u
#define SLIPWAY_QOS1 0x10u
#define SLIPWAY_QOS2 0x20u

/* Flags of an entry of the channel table. SLIPWAY_SUBSCRIBE alone subscribes at QoS 0. */
#define SLIPWAY_SUBSCRIBE 0x10u
#define SLIPWAY_SUBSCRIBE_QOS1 0x11u
#define SLIPWAY_SUBSCRIBE_QOS2 0x12u
#define SLIPWAY_NO_LOCAL 0x04u      /* not what this board itself emits */
#define SLIPWAY_NO_LAST_VALUE 0x08u /* not the value kept from before */
#define SLIPWAY_NAME_IN_RAM 0x80u   /* AVR: the name is not in flash */

/* A message that arrived. Everything in it is valid only until the handler returns. */
typedef struct slipway_message {
  const uint8_t *payload;
  slipway_size_t length;
#if SLIPWAY_WITH_NAMES
  uint8_t name_length;
  /* The channel's name, not NUL-terminated, in RAM; NULL when the message came under the id of a table entry. */
  const char *name;
#endif
  /* The table entry that it came under, from 1; 0 when it came by name, or is a broadcast. */
  uint8_t id;
  /* SLIPWAY_QOS1, SLIPWAY_QOS2 as it was sent; SLIPWAY_RETAIN: a last value from before you subscribed. */
  uint8_t flags;
} slipway_message_t;

typedef void (*slipway_handler_t)(slipway_t *slipway, const slipway_message_t *message);

/* One channel, or one pattern with + and # (§6.2). Its place in the table, from 1, is its id. */
typedef struct slipway_channel {
  const char *name;          /* NUL-terminated, 1 to 255 bytes; NULL: a free entry */
  slipway_handler_t handler; /* what arrives; NULL: nobody cares */
  uint8_t flags;             /* the lower bits as above; bits 5 and 6 are the library's */
} slipway_channel_t;

/* Why something was refused or ended (§7, which says when each is said). A newer gateway may know more. */
typedef uint8_t slipway_reason_t;
enum {
  SLIPWAY_REASON_NORMAL = 0,
  SLIPWAY_REASON_END_SESSION,
  SLIPWAY_REASON_SHUTDOWN,
  SLIPWAY_REASON_NO_SESSION,
  SLIPWAY_REASON_VERSION,
  SLIPWAY_REASON_IDENTITY_IN_USE,
  SLIPWAY_REASON_IDENTITY_INVALID,
  SLIPWAY_REASON_NOT_ALLOWED,
  SLIPWAY_REASON_TOO_LARGE,
  SLIPWAY_REASON_TOO_LARGE_FOR_RECEIVER,
  SLIPWAY_REASON_NO_SUCH_ID,
  SLIPWAY_REASON_BAD_CHANNEL,
  SLIPWAY_REASON_LIMIT_REACHED,
  SLIPWAY_REASON_QUEUE_FULL,
  SLIPWAY_REASON_MALFORMED,
  SLIPWAY_REASON_UNSUPPORTED,
  SLIPWAY_REASON_TIMEOUT,
  SLIPWAY_REASON_TAKEN_OVER,
  SLIPWAY_REASON_TOO_SLOW,
  SLIPWAY_REASON_PROVE_ADDRESS,
  SLIPWAY_REASON_NOT_STORED,
  SLIPWAY_REASON_BAD_CREDENTIALS,
  SLIPWAY_REASON_PROVE_IDENTITY,
  SLIPWAY_REASON_TOO_MANY_ATTEMPTS
};

/* What happened, for `on_event` (with SLIPWAY_WITH_EVENTS). */
typedef uint8_t slipway_event_t;
enum {
  /* A session stands. `reason` is 0. */
  SLIPWAY_CONNECTED,
  /* It is gone, and the library is introducing itself again. `reason`: TIMEOUT when the gateway fell silent. */
  SLIPWAY_LOST,
  /* The gateway refused something. `id` is the table entry concerned, 0 if none: with `reason` VERSION, IDENTITY_IN_USE,
   * IDENTITY_INVALID or BAD_CREDENTIALS (the key: also when it was the gateway that did not prove to have it) and no session it
   * is this board itself. */
  SLIPWAY_REFUSED,
  /* The gateway knows that this board sleeps: it may stop polling and power down (slipway_sleep). */
  SLIPWAY_ASLEEP,
  /* The time is known, or known anew (slipway_time). */
  SLIPWAY_TIME
};
/* `id` of SLIPWAY_REFUSED when it is no table entry that was refused. */
#define SLIPWAY_ID_SLEEP 254u
#define SLIPWAY_ID_WILL 255u

/* One place of the window: a reliable message until the gateway acknowledged it. Treat it as opaque. */
typedef struct slipway_slot {
  uint8_t head;
  uint8_t id;
#if SLIPWAY_WITH_RELIABLE
  uint8_t length;
  uint8_t payload[SLIPWAY_SLOT_BYTES];
#endif
} slipway_slot_t;

#if SLIPWAY_WITH_TIME
/* A time of day: (uint64_t)seconds * 1000 + ms is its milliseconds since 1970-01-01 UTC, until the year 2106. */
typedef struct slipway_clock {
  uint32_t seconds;     /* since 1970-01-01 UTC */
  uint32_t age;         /* s since the gateway told the time, kept by this board's own clock ever since */
  uint16_t ms;          /* 0 to 999 */
  uint16_t uncertainty; /* ms by which it may have been wrong, either way, when the gateway told it */
} slipway_clock_t;
#endif

#if SLIPWAY_WITH_COUNTERS
/* They wrap at 65536. */
typedef struct slipway_counters {
  uint16_t crc;        /* serial frames spoiled on the way, or noise */
  uint16_t malformed;  /* packets that break the protocol: dropped whole */
  uint16_t oversize;   /* packets larger than the buffer */
  uint16_t unexpected; /* well-formed messages that have no place here */
  uint16_t duplicates; /* reliable messages that had come before */
  uint16_t gaps;       /* reliable messages that came too early: one before them was lost */
  uint16_t resends;    /* reliable messages sent again */
  uint16_t unclaimed;  /* messages that no handler took */
} slipway_counters_t;
#endif

/* How packets lie on the wire (§2). */
#define SLIPWAY_FRAMING_SERIAL 0u
#define SLIPWAY_FRAMING_DATAGRAM 1u
#define SLIPWAY_FRAMING_STREAM 2u
#define SLIPWAY_SEVERAL_FRAMINGS (SLIPWAY_WITH_SERIAL + SLIPWAY_WITH_DATAGRAM + SLIPWAY_WITH_STREAM > 1)

struct slipway {
  /* --- yours: set before slipway_begin; zero what you do not use --- */

  /* 1 to 64 bytes (§4.1), NUL-terminated, in RAM. It names this board to the gateway; no two may share one. */
  const char *identity;
  /* Bytes that can be written now without waiting. A function that cannot know returns 0 always; then writes may wait. */
  uint16_t (*room)(slipway_t *slipway);
  /* Writes one byte. */
  void (*write)(slipway_t *slipway, uint8_t byte);
#if SLIPWAY_WITH_DATAGRAM || SLIPWAY_WITH_STREAM
  /* A packet is complete: send the datagram, flush the connection. May be NULL. */
  void (*end)(slipway_t *slipway);
#endif
  /* Broadcasts (`id` 0 and no name), and messages that no entry of the table takes, as those of a shared subscription
   * ("$share/group/pattern", §6.2). May be NULL. */
  slipway_handler_t on_other;
#if SLIPWAY_WITH_EVENTS
  /* May be NULL. */
  void (*on_event)(slipway_t *slipway, slipway_event_t event, slipway_reason_t reason, uint8_t id);
#endif
#ifndef SLIPWAY_NO_USER
  /* For you: the library does not touch it. */
  void *user;
#endif
  /* Where packets are put together as they arrive; its size is announced to the gateway. Not needed for datagrams,
   * but `buffer_size` is: the largest datagram that you can take. At least 50 bytes (48 without a serial line): a
   * WELCOME must fit (§3.2). */
  uint8_t *buffer;
#if SLIPWAY_WITH_KEY
  /* The key of this identity, SLIPWAY_KEY_BYTES that the gateway has, too (`slipway key add`); on AVR in flash (PROGMEM). No session begins
   * with a gateway that does not have it. Proving it takes time: on AVR at 16 MHz 24 ms, twice a connection, within
   * slipway_receive, and 240 bytes of stack. NULL: none. */
  const uint8_t *key;
#endif
  slipway_channel_t *channels;
#if SLIPWAY_WITH_RELIABLE
  slipway_slot_t *slots;
  uint8_t slot_count; /* the window: 2 to 127 */
#endif
  slipway_size_t buffer_size;
  uint8_t channel_count; /* entries in the table: at most 127 */
#if SLIPWAY_SEVERAL_FRAMINGS
  uint8_t framing;
#endif

  /* --- the library's own: read the counters, leave the rest alone --- */

#if SLIPWAY_WITH_COUNTERS
  slipway_counters_t counters;
#endif
  uint8_t nonce[4];
  uint8_t token[4];
#if SLIPWAY_WITH_DATAGRAM
  uint8_t cookie[4];
  uint8_t cookie_state;
#endif
#if SLIPWAY_WITH_KEY
  uint8_t proof[16];
  uint8_t proof_size; /* 0 while the gateway has not asked for it */
#endif
  uint16_t oldest; /* the sequence number of the first message in the window */
  slipway_time_t now;
  slipway_time_t due; /* when to greet, begin or resend, and if none of these when to ask whether the gateway is there */
#if SLIPWAY_WITH_RELIABLE
  uint16_t expected; /* the next sequence number from the gateway */
  uint16_t sequence; /* of the message on its way out */
  uint16_t round_trip;
  uint16_t timed_at;
  uint8_t timed;
  uint8_t window;
  uint8_t first;
  uint8_t ignored; /* resends of the oldest message that the gateway, though it spoke, did not answer */
  uint8_t silent;  /* resends since it last spoke */
  uint8_t ack_since;
  uint8_t ack_count; /* two: say so at once */
#else
  slipway_slot_t slot;
#endif
#if SLIPWAY_WITH_STREAM
  uint16_t wanted; /* the length of the packet that is arriving; 0: not known yet */
#endif
  slipway_size_t length; /* bytes of the packet in the buffer so far */

  /* The packet on its way out. */
  const void *payload;
  slipway_size_t payload_length;
#if !SLIPWAY_TRUSTING
  slipway_size_t packet; /* its bytes before framing, as far as they can be counted here */
#endif
  slipway_size_t wire;   /* and as they stand on the wire */
#if SLIPWAY_WITH_SERIAL
  uint16_t crc;
#endif

#if !SLIPWAY_TRUSTING
  slipway_size_t max_packet; /* the gateway's */
  uint8_t keep_alive;        /* the same, s */
#endif
  slipway_size_t capacity;   /* the most that `room` ever said */
#if SLIPWAY_WITH_PATTERNS
  uint8_t ids; /* the gateway's */
#endif
  uint8_t count; /* messages in the window */
  uint8_t sent;  /* of these, the ones sent in this epoch */
  uint8_t state;
  uint8_t flags;
  uint8_t tries;
#if SLIPWAY_WITH_SLEEP
  uint8_t sleep;
  uint32_t sleep_seconds;
#endif
#if SLIPWAY_WITH_WILL
  const void *will;
  slipway_size_t will_length;
  uint8_t will_id;
  uint8_t will_flags;
#endif
#if SLIPWAY_WITH_TIME
  slipway_clock_t clock; /* as of `now`; its `age` is the second at which it was told */
  uint16_t clock_asked;  /* when */
  uint8_t clock_token;
  uint8_t clock_flags;
#endif
  slipway_result_t pong; /* BUSY while a PING is to be answered */
  uint8_t pong_token;
  bool writing; /* the packet on its way out, not only measuring it */
};

/* Starts, or starts anew after the fields above were set. Nothing is sent before the first poll. `nonce` tells this boot
 * from every other (§4.1): 32 bits unlikely to repeat, from noise, a counter in EEPROM, a random number generator.
 * With QoS 0 on a serial line only (SLIPWAY_COARSE_TIME), where the clock has run for more than 4 s by now, set `now` to it,
 * in 64 ms: else the first HELLO may take 12 s. SlipwayArduino.h does that. */
void slipway_begin(slipway_t *slipway, uint32_t nonce);

/* Takes bytes that arrived: any pieces of a serial line or TCP connection, or one whole datagram. Handlers and
 * `on_event` are called from here. False only for TCP: the stream is out of step, close it (§2.3), then see slipway_link. */
bool slipway_receive(slipway_t *slipway, const uint8_t *bytes, size_t count);

/* Does what is due; call it often, at least every 10 ms for full speed and every 4 s at all. `now_ms` is any clock
 * of milliseconds that wraps at 2^16 or later, such as millis(); with a keep-alive of more than 40 s at 2^32. */
void slipway_poll(slipway_t *slipway, uint32_t now_ms);

/* For links that know when they are down, as TCP does. While it is down nothing is sent; when it is up again the
 * library introduces itself again, and goes on where it was if the gateway remembers (§4.3). After slipway_begin it is up. */
void slipway_link(slipway_t *slipway, bool up);

/* Whether a session stands. */
bool slipway_connected(const slipway_t *slipway);

/* How many messages, the library's own included, the gateway has not acknowledged yet. 0: a good moment to leave. */
uint8_t slipway_pending(const slipway_t *slipway);

/* Puts a channel or pattern into the first free entry of the table, at any time. `name` is not copied. `flags`: those of
 * slipway_channel_t. Returns its id, or 0 if the table is full. */
uint8_t slipway_channel(slipway_t *slipway, const char *name, slipway_handler_t handler, uint8_t flags);

/* Changes an entry's wish: `flags` as in slipway_channel_t; without SLIPWAY_SUBSCRIBE it is unsubscribed. */
slipway_result_t slipway_subscribe(slipway_t *slipway, uint8_t id, uint8_t flags);

/* Emits `length` bytes on the channel with that id (0: broadcast, §6.4). `flags`: SLIPWAY_QOS1, SLIPWAY_QOS2,
 * SLIPWAY_RETAIN. The payload is copied or sent before this returns.
 * QoS 0: OK, BUSY, NOT_CONNECTED, TOO_LARGE. QoS 1, 2: OK (accepted, will be resent), FULL, TOO_LARGE. INVALID: no such id,
 * or a quality that is not compiled in. */
slipway_result_t slipway_emit(slipway_t *slipway, uint8_t id, const void *payload, size_t length, uint8_t flags);

/* Emits on a channel that need not be in the table, at QoS 0. The name (1 to 255 bytes) is in flash on AVR, unless
 * `flags` has SLIPWAY_NAME_IN_RAM; SLIPWAY_RETAIN as above. */
slipway_result_t slipway_emit_named(slipway_t *slipway, const char *name, const void *payload, size_t length,
                                    uint8_t flags);

/* Leaves: tells the gateway (§3.2, BYE) and sends nothing more until slipway_link(…, true). `forget`: it need not keep
 * the session either. */
void slipway_leave(slipway_t *slipway, bool forget);

#if SLIPWAY_WITH_SLEEP
/* Asks for `seconds` of sleep, 1 to 268,435,455 (§4.7): for so long the gateway expects no word of this board and sends it
 * nothing, but keeps what is reliable, and of the rest the last value of each channel. The gateway is told as soon as
 * everything before it is acknowledged (slipway_pending is 0). Once it has confirmed that, slipway_asleep is true and
 * SLIPWAY_ASLEEP is told: nothing more is sent, and the board may power down, with or without its RAM. If it kept its
 * RAM, let it slipway_poll first when it is back; if not, it begins as ever, with another nonce, and its session stands.
 * An emit, a new subscription, slipway_ask_time and slipway_wake wake it; while it is not yet asleep they only come first.
 * Without a gateway it waits for one, so do not wait for ever. Calling it again with the same `seconds` changes nothing.
 * A gateway that knows no sleep refuses: SLIPWAY_REFUSED with SLIPWAY_ID_SLEEP, and the board is awake.
 * Returns OK; INVALID: too many seconds. */
slipway_result_t slipway_sleep(slipway_t *slipway, uint32_t seconds);

/* Ends the sleep, or the wish for it: the gateway is told at the next poll, as often as it takes, and sends what it kept. */
void slipway_wake(slipway_t *slipway);

/* Whether the gateway has confirmed that this board sleeps. */
bool slipway_asleep(const slipway_t *slipway);
#endif

#if SLIPWAY_WITH_WILL
/* Leaves a will (§4.7): `length` bytes that the gateway emits on the channel with that id when it loses this board, unless that
 * is back within 5 s. Not when the board leaves by slipway_leave. `flags`: SLIPWAY_QOS1, SLIPWAY_QOS2, SLIPWAY_RETAIN. Call it
 * at any time, before the connection too; the library sees to it that every gateway has it. Another will replaces it; id 0
 * takes it back, whatever the rest says. The payload is not copied: it must stay as it is, until the next will.
 * A refusal is told as SLIPWAY_REFUSED with SLIPWAY_ID_WILL.
 * Returns OK; INVALID: no such id, or both qualities; TOO_LARGE: longer than a packet. */
slipway_result_t slipway_will(slipway_t *slipway, uint8_t id, const void *payload, size_t length, uint8_t flags);
#endif

#if SLIPWAY_WITH_TIME
/* Asks the gateway for the time (§3.2), at the next poll that can, and again every 4 s until it is told. The answer is corrected by
 * half the way there and back, and SLIPWAY_TIME is told. A board that knows no time learns it when it connects, too, unasked. */
void slipway_ask_time(slipway_t *slipway);

/* The time of day at `now_ms` of the clock that slipway_poll is given, at most 65 s after the last poll. False: not known, or no
 * longer, because the board slept; `clock` is then left as it is. It is as exact as the board's own clock since: a ceramic
 * resonator loses up to 5 ms each second, a crystal 5 ms in a hundred; ask again when `age` is too much for you. */
bool slipway_time(const slipway_t *slipway, uint32_t now_ms, slipway_clock_t *clock);
#endif

/* Encodes one datagram that emits `payload` on `name` without any session (§5.5), for a sensor that wakes, sends and
 * sleeps. Needs no context. The name is in RAM. Returns its size in bytes; 0 if `capacity` is too small or the
 * name is not 1 to 255 bytes. */
size_t slipway_one_shot(uint8_t *datagram, size_t capacity, const char *name, const void *payload, size_t length,
                        uint8_t flags);

#ifdef __cplusplus
}
#endif

#endif
