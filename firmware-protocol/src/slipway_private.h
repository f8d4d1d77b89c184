/* What the files of the library share and nobody else needs. § are sections of PROTOCOL.md. */
#ifndef SLIPWAY_PRIVATE_H
#define SLIPWAY_PRIVATE_H

#include "slipway.h"

#ifdef __AVR__
#include <avr/pgmspace.h>
#define SLIPWAY_FLASH PROGMEM
#define SLIPWAY_FLASH_BYTE(at) pgm_read_byte(at)
#define SLIPWAY_FLASH_WORD(at) pgm_read_dword(at)
#else
#define SLIPWAY_FLASH
#define SLIPWAY_FLASH_BYTE(at) (*(at))
#define SLIPWAY_FLASH_WORD(at) (*(at))
#endif

/* For functions that are smaller together when gcc keeps them apart. Found by trying, with avr-gcc 5.4. Where a program has
 * one context, -flto gives them its address for good, and they are called without it. */
#if defined(__GNUC__) && !defined(__clang__)
#define SLIPWAY_APART __attribute__((noinline))
#else
#define SLIPWAY_APART
#endif
/* The same for the builds that are larger than the smallest. */
#if SLIPWAY_TRUSTING
#define SLIPWAY_APART_IF_LARGE
#else
#define SLIPWAY_APART_IF_LARGE SLIPWAY_APART
#endif

/* Heads (§3). Emits are 0x80 plus their flags. */
enum {
  HEAD_LENGTH = 0x40,
  HEAD_QOS = 0x30,
  HEAD_CONTROL = 0x30,
  HEAD_RETAIN = 0x08,
  HEAD_NAME = 0x04,
  HEAD_GATEWAY_ID = 0x02,
  HEAD_FRAGMENT = 0x01,

  HEAD_NONE = 0x00,
  HEAD_EMIT = 0x80,
  HEAD_HELLO = 0xB0,
  HEAD_WELCOME,
  HEAD_BEGIN,
  HEAD_REFUSE,
  HEAD_BYE,
  HEAD_PING,
  HEAD_PONG,
  HEAD_TIME,
  HEAD_ACK,
  HEAD_DECLARE,
  HEAD_SUBSCRIBE,
  HEAD_UNSUBSCRIBE,
  HEAD_REJECT,
  HEAD_WILL,
  HEAD_SLEEP,
  HEAD_EXTENDED
};

/* Of a head without its L. */
#define IS_CONTROL(head) ((head) >= HEAD_HELLO)

/* HELLO's and WELCOME's flags. */
enum { HELLO_CLEAN = 1, HELLO_PROGRAM = 2 };
enum { WELCOME_RESUMED = 1, WELCOME_CONTINUES = 2, WELCOME_KNOWN = 4 };
enum { OPTION_COOKIE = 1, OPTION_TAKEN, OPTION_PROOF };

/* SLIP (§2.1). */
enum { END = 0xC0, ESC = 0xDB, ESC_END = 0xDC, ESC_ESC = 0xDD };

/* slipway.state, the peer's states of §4.2. Those from BEGINNING on may send. */
enum { IDLE, GREETING, BEGINNING, READY };

/* slipway.flags */
enum {
  ESCAPED = 0x01,  /* serial: the last byte was ESC */
  SKIPPING = 0x02, /* serial: this frame is spoiled */
  SWEEP = 0x04,    /* the empty UNSUBSCRIBE is still to be sent (§3.2) */
  ACK_GAP = 0x10,
  TIMING = 0x20,  /* a round trip is being measured */
  HURRIED = 0x40, /* the oldest message was resent before its time */
  HEARD = 0x80    /* something valid came since the oldest message was last resent */
};

/* slipway.cookie_state: HELLO carries a cookie; and it went at once because of one, since the session was lost. */
enum { COOKIE_HELD = 1, COOKIE_TOLD = 2 };

/* slipway_channel.flags of the library. */
enum {
  CHANNEL_OPTIONS = 0x0F,
  CHANNEL_DROPPED = 0x01,  /* without SUBSCRIBE: it had it */
  CHANNEL_TAKEN_UP = 0x20, /* what is wanted has been put into the window in this epoch */
  CHANNEL_DECLARED = 0x40  /* the gateway knows the id */
};

/* slipway.sleep: asked for; told the gateway, all alone in the window; confirmed. */
enum { AWAKE, SLEEP_WANTED, DROWSY, ASLEEP };
#if SLIPWAY_WITH_SLEEP
#define SLEEP_STATE(s) ((s)->sleep)
void slipway_stir(slipway_t *s);
#else
#define SLEEP_STATE(s) AWAKE
#define slipway_stir(s) ((void)0)
#endif

/* slipway.will_flags, besides those of an emit. */
enum { WILL_LEFT = 0x01, WILL_TAKEN_UP = 0x02 };

/* slipway.clock_flags: the time is known; wanted; asked for by a TIME that may still be answered; an answer came, of which
 * the next poll makes a time. */
enum { CLOCK_KNOWN = 1, CLOCK_WANTED = 2, CLOCK_ASKED = 4, CLOCK_TOLD = 8 };

#if SLIPWAY_COARSE_TIME
#define TIME(ms) ((slipway_time_t)((ms) >> 6))
#else
#define TIME(ms) ((slipway_time_t)(ms))
#endif

enum { ASK_TIME_AGAIN_MS = 4000, MOST_HELLOS_TIMED = 5 };
enum { FIRST_RESEND_MS = 250, MOST_RESENDS = 10, MOST_SILENT = 8, MOST_BEGINS = 5, MOST_PINGS = 3, SLOWEST = 6 };

#if !SLIPWAY_TRUSTING
#define KEEP_ALIVE(s) ((s)->keep_alive)
#else
#define KEEP_ALIVE(s) SLIPWAY_KEEP_ALIVE_S
#endif

#if SLIPWAY_SEVERAL_FRAMINGS
#define FRAMING(s) ((s)->framing)
#elif SLIPWAY_WITH_SERIAL
#define FRAMING(s) SLIPWAY_FRAMING_SERIAL
#elif SLIPWAY_WITH_DATAGRAM
#define FRAMING(s) SLIPWAY_FRAMING_DATAGRAM
#else
#define FRAMING(s) SLIPWAY_FRAMING_STREAM
#endif
#define IS_SERIAL(s) (SLIPWAY_WITH_SERIAL && FRAMING(s) == SLIPWAY_FRAMING_SERIAL)
#define IS_DATAGRAM(s) (SLIPWAY_WITH_DATAGRAM && FRAMING(s) == SLIPWAY_FRAMING_DATAGRAM)
#define IS_STREAM(s) (SLIPWAY_WITH_STREAM && FRAMING(s) == SLIPWAY_FRAMING_STREAM)

#if SLIPWAY_WITH_COUNTERS
#define COUNT(s, what) ((void)(s)->counters.what++)
#else
#define COUNT(s, what) ((void)0)
#endif

/* One byte of a name, wherever `flags` say that names are on this machine. */
static inline char slipway_name_at(const char *at, uint8_t flags) {
#ifdef __AVR__
  return flags & SLIPWAY_NAME_IN_RAM ? *at : (char)pgm_read_byte(at);
#else
  (void)flags;
  return *at;
#endif
}

/* A size of the gateway's or the link's, as far as it matters here. */
static inline slipway_size_t slipway_clamp(uint16_t size) {
#if SLIPWAY_MAX_PACKET > 255
  return size;
#else
  return (slipway_size_t)((uint8_t)(size >> 8) ? 255 : size);
#endif
}

/* slipway_names.c */
slipway_channel_t *slipway_entry(const slipway_t *s, uint8_t id);
#if SLIPWAY_WITH_PATTERNS
uint8_t slipway_usable_id(const slipway_t *s, uint8_t id);
#else
#define slipway_usable_id(s, id) (id)
#endif
bool slipway_matches(const slipway_channel_t *pattern, const char *name, uint8_t length, uint8_t flags);

/* The number of the reliable message on its way out, and whether an emit is one. */
#if SLIPWAY_WITH_RELIABLE
#define IS_RELIABLE(head) (((head) & HEAD_QOS) != 0)
#define SEQUENCE(s) ((s)->sequence)
#else
#define IS_RELIABLE(head) false
#define SEQUENCE(s) ((s)->oldest)
#endif

/* slipway_send.c */
uint16_t slipway_crc(uint16_t crc, uint8_t byte);
slipway_result_t slipway_transmit(slipway_t *s, uint8_t head, uint8_t id, const slipway_channel_t *channel);
slipway_result_t slipway_transmit_entry(slipway_t *s, uint8_t head, uint8_t id);

/* slipway_numbers.c. Nonces and tokens have four bytes. `size`: the bytes of a varint, 0 if it is malformed. One of more than two has the greatest value, more
 * than anything here can hold. */
uint16_t slipway_read16(const uint8_t *p);
bool slipway_are_same(const uint8_t *a, const uint8_t *b);
typedef struct slipway_varint {
  uint8_t size;
  slipway_size_t value;
} slipway_varint_t;
slipway_varint_t slipway_read_varint(const uint8_t *p, slipway_size_t left);

/* slipway_deliver.c */
#if SLIPWAY_WITH_RELIABLE
bool slipway_is_next(slipway_t *s, uint16_t seq);
void slipway_taken(slipway_t *s);
#endif
bool slipway_emit_arrived(slipway_t *s, uint8_t head, const uint8_t *p, slipway_size_t left, bool acting);

/* slipway_receive.c */
enum { WELCOME_FIXED = 18, TIME_BYTES = 6 }; /* bytes of WELCOME from its version to its keep_alive, and of a time */
enum { MIN_MAX_PACKET = 48 };                /* the least that WELCOME may say (§3.2) */
void slipway_packet(slipway_t *s, const uint8_t *bytes, slipway_size_t count);

/* slipway_key.c. `option`: what may be the gateway's proof, with its type and length. */
enum { CHALLENGE_BYTES = 8, GATEWAY_PROOF_BYTES = 8 };
#if SLIPWAY_WITH_KEY
void slipway_prove(slipway_t *s, const uint8_t *challenge);
bool slipway_is_proved(const slipway_t *s, const uint8_t *token, const uint8_t *option);
#endif

/* slipway_window.c */
enum { SWEEP_WISH = 0, WILL_WISH = 0xFE, NO_WISH = 0xFF };
slipway_slot_t *slipway_add_slot(slipway_t *s, uint8_t head, uint8_t id);
slipway_result_t slipway_send_slot(slipway_t *s, uint8_t place);
void slipway_settle(slipway_t *s, uint8_t count);
void slipway_acknowledged(slipway_t *s, uint16_t next, bool gap, uint8_t held);
uint8_t slipway_refused(slipway_t *s, uint16_t seq);
uint8_t slipway_next_wish(const slipway_t *s);
void slipway_take_up_wishes(slipway_t *s);
void slipway_flush(slipway_t *s);

/* slipway_time.c */
#if SLIPWAY_WITH_TIME
void slipway_time_told(slipway_t *s, const uint8_t *time);
void slipway_time_passed(slipway_t *s, uint16_t elapsed);
void slipway_question_time(slipway_t *s);
#endif

/* slipway_session.c */
void slipway_heard(slipway_t *s);
void slipway_enter(slipway_t *s, uint8_t state);
void slipway_lose(slipway_t *s, uint8_t reason);
void slipway_welcomed(slipway_t *s, const uint8_t *body, slipway_size_t max_packet, uint8_t window,
                      uint8_t ids);
void slipway_restart_timer(slipway_t *s);
#if SLIPWAY_WITH_EVENTS
void slipway_tell(slipway_t *s, slipway_event_t event, uint8_t reason, uint8_t id);
#else
#define slipway_tell(s, event, reason, id) ((void)(reason), (void)(id))
#endif

#endif
