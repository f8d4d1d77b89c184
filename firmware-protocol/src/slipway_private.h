/* What the files of the library share and nobody else needs. § are sections of PROTOCOL.md. */
#ifndef SLIPWAY_PRIVATE_H
#define SLIPWAY_PRIVATE_H

#include "slipway.h"

#ifdef __AVR__
#include <avr/pgmspace.h>
#define SLIPWAY_FLASH PROGMEM
#define SLIPWAY_FLASH_BYTE(at) pgm_read_byte(at)
#else
#define SLIPWAY_FLASH
#define SLIPWAY_FLASH_BYTE(at) (*(at))
#endif

/* For functions that gcc would copy into their only caller, which then runs out of registers: apart they are
 * smaller together. Found by trying, with avr-gcc 5.4. */
#if defined(__GNUC__) && !defined(__clang__)
#define SLIPWAY_APART __attribute__((noinline, noclone))
#else
#define SLIPWAY_APART
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

/* Reasons (§7) that the library itself gives or acts on. */
enum { REASON_NORMAL = 0, REASON_NO_SESSION = 3, REASON_TOO_LARGE = 8, REASON_MALFORMED = 14, REASON_TIMEOUT = 16 };

/* WELCOME's flags. */
enum { WELCOME_RESUMED = 1, WELCOME_CONTINUES = 2, WELCOME_KNOWN = 4 };

/* SLIP (§2.1). */
enum { END = 0xC0, ESC = 0xDB, ESC_END = 0xDC, ESC_ESC = 0xDD };

/* slipway.state, the peer's states of §4.2. Those from BEGINNING on may send. */
enum { IDLE, GREETING, BEGINNING, READY };

/* slipway.flags */
enum {
  ESCAPED = 0x01,  /* serial: the last byte was ESC */
  SKIPPING = 0x02, /* serial: this frame is spoiled */
  SWEEP = 0x04,    /* the empty UNSUBSCRIBE is still to be sent (§3.2) */
  ACK_NOW = 0x08,
  ACK_GAP = 0x10,
  TIMING = 0x20,  /* a round trip is being measured */
  HURRIED = 0x40, /* the oldest message was resent before its time */
  HEARD = 0x80    /* something valid came since the oldest message was last resent */
};

/* slipway_channel.flags of the library. */
enum {
  CHANNEL_OPTIONS = 0x0F,
  CHANNEL_TAKEN_UP = 0x20, /* what is wanted has been put into the window in this epoch */
  CHANNEL_DECLARED = 0x40  /* the gateway knows the id */
};

enum { FIRST_RESEND_MS = 250, MOST_RESENDS = 10, MOST_BEGINS = 5, MOST_PINGS = 3, MOST_DOUBLINGS = 5 };

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
  return (slipway_size_t)(size > 255 ? 255 : size);
#endif
}

/* slipway_names.c */
slipway_channel_t *slipway_entry(const slipway_t *s, uint8_t id);
uint8_t slipway_usable_id(const slipway_t *s, uint8_t id);
bool slipway_matches(const slipway_channel_t *pattern, const char *name, uint8_t length, uint8_t flags);

/* slipway_send.c */
uint16_t slipway_crc(uint16_t crc, uint8_t byte);
slipway_result_t slipway_transmit(slipway_t *s, uint8_t head, uint8_t id, uint16_t seq, const void *payload,
                                  slipway_size_t length, const char *name, uint8_t name_flags);
slipway_result_t slipway_transmit_control(slipway_t *s, uint8_t head, uint8_t value);

/* slipway_check.c */
enum { WELCOME_FIXED = 18 }; /* bytes of WELCOME from its version to its keep_alive */
uint8_t slipway_varint_size(const uint8_t *p, slipway_size_t left);
slipway_size_t slipway_varint_value(const uint8_t *p, uint8_t size);
bool slipway_fits(uint8_t head, const uint8_t *p, slipway_size_t left);

/* slipway_receive.c */
void slipway_packet(slipway_t *s, const uint8_t *bytes, slipway_size_t count);

/* slipway_window.c */
enum { NO_WISH = 0xFF };
slipway_slot_t *slipway_add_slot(slipway_t *s, uint8_t head, uint8_t id);
void slipway_settle(slipway_t *s, uint8_t count);
void slipway_acknowledged(slipway_t *s, uint16_t next, bool gap, uint8_t held);
uint8_t slipway_refused(slipway_t *s, uint16_t seq);
uint8_t slipway_next_wish(const slipway_t *s);
void slipway_take_up_wishes(slipway_t *s);
void slipway_flush(slipway_t *s);
void slipway_resend(slipway_t *s);

/* slipway_session.c */
void slipway_heard(slipway_t *s);
void slipway_lose(slipway_t *s, uint8_t reason);
void slipway_welcomed(slipway_t *s, const uint8_t *body, uint8_t window, uint8_t ids);
void slipway_restart_timer(slipway_t *s);
void slipway_tell(slipway_t *s, slipway_event_t event, uint8_t reason, uint8_t id);

#endif
