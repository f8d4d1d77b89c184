/*
 * What is compiled in. Override with -D (PlatformIO: build_flags) or edit here (Arduino IDE). All files of the
 * library and every file that includes slipway.h must see the same values.
 */
#ifndef SLIPWAY_OPTIONS_H
#define SLIPWAY_OPTIONS_H

/* Framings (PROTOCOL.md §2). With exactly one compiled in, `framing` disappears from the context. */
#ifndef SLIPWAY_WITH_SERIAL
#define SLIPWAY_WITH_SERIAL 1
#endif
#ifndef SLIPWAY_WITH_DATAGRAM
#define SLIPWAY_WITH_DATAGRAM 1
#endif
#ifndef SLIPWAY_WITH_STREAM
#define SLIPWAY_WITH_STREAM 1
#endif

/* QoS 1 and 2, both ways (§5). Without it the gateway sends everything at QoS 0. */
#ifndef SLIPWAY_WITH_RELIABLE
#define SLIPWAY_WITH_RELIABLE 1
#endif

/* Counts of what was dropped and why: 16 bytes of RAM. */
#ifndef SLIPWAY_WITH_COUNTERS
#define SLIPWAY_WITH_COUNTERS 1
#endif

/* Subscriptions with + and # (§6.2). Without it every subscription is to one channel, and the table must not be longer
 * than the gateway's `ids`: 1,024 unless configured. */
#ifndef SLIPWAY_WITH_PATTERNS
#define SLIPWAY_WITH_PATTERNS 1
#endif

/* Messages that come by name. Ids serve as soon as the board has declared them, so these are but what the gateway still had
 * for a board that has just started anew. Without it, for QoS 0 and no patterns only, such are dropped. */
#ifndef SLIPWAY_WITH_NAMES
#define SLIPWAY_WITH_NAMES 1
#endif

/* REFUSE for what only a later version of the protocol could send (§10). Without it such is counted and dropped. */
#ifndef SLIPWAY_WITH_UNSUPPORTED
#define SLIPWAY_WITH_UNSUPPORTED 1
#endif

/* `on_event`: connections, losses and refusals told to the program. Without it the gateway alone reports what it refuses. */
#ifndef SLIPWAY_WITH_EVENTS
#define SLIPWAY_WITH_EVENTS 1
#endif

/* slipway_sleep: the gateway keeps what comes for a board while that is silent (§4.7). */
#ifndef SLIPWAY_WITH_SLEEP
#define SLIPWAY_WITH_SLEEP 1
#endif

/* slipway_will: what the gateway emits when the board is lost (§4.7). */
#ifndef SLIPWAY_WITH_WILL
#define SLIPWAY_WITH_WILL 1
#endif

/* slipway_time: the time of day, from the gateway (§3.2, TIME). */
#ifndef SLIPWAY_WITH_TIME
#define SLIPWAY_WITH_TIME 1
#endif

/* `key`: the board proves who it is, and has the gateway prove it, too (§4.8). Costs 2 KB of flash on AVR, hence off there. */
#ifndef SLIPWAY_WITH_KEY
#ifdef __AVR__
#define SLIPWAY_WITH_KEY 0
#else
#define SLIPWAY_WITH_KEY 1
#endif
#endif

/* 1, for QoS 0 on a serial line and SLIPWAY_MAX_PACKET of 255 at most: the board takes for granted that the gateway takes
 * packets of that size, ids for the whole table and the board's keep-alive, as one at its defaults does; and what the
 * frame's CRC has vouched for is checked only as far as the board reads it. */
#ifndef SLIPWAY_TRUSTING
#define SLIPWAY_TRUSTING 0
#endif

/* The largest packet in bytes, either way, at most 16383: its length is read from two bytes (§1). Up to 255 all sizes are one
 * byte, which saves flash and RAM on AVR. */
#ifndef SLIPWAY_MAX_PACKET
#ifdef __AVR__
#define SLIPWAY_MAX_PACKET 255
#else
#define SLIPWAY_MAX_PACKET 1472
#endif
#endif

/* The largest payload, in bytes, of an emit of QoS 1 or 2: each slot of the window holds one. */
#ifndef SLIPWAY_SLOT_BYTES
#define SLIPWAY_SLOT_BYTES 32
#endif

/* How many messages of QoS 1 or 2 the gateway may send before it hears of the first (HELLO's `window`). */
#ifndef SLIPWAY_RECEIVE_WINDOW
#define SLIPWAY_RECEIVE_WINDOW 4
#endif

/* Bytes that a serial port holds unread (HELLO's `buffer`, §5.6), 0 to 65535: its ring, 64 bytes on most Arduinos, of which
 * one stays free. Raise it where the ring is larger: the gateway then sends more at once. 0: no limit. */
#ifndef SLIPWAY_RECEIVE_RING
#if defined(ARDUINO) || defined(__AVR__)
#define SLIPWAY_RECEIVE_RING 63
#else
#define SLIPWAY_RECEIVE_RING 0
#endif
#endif

/* The longest silence in seconds (HELLO's `keep_alive`, §4.5), 1 to 255; with QoS 0 on a serial line only 1 to 16. More
 * than 40 makes times 32 bits wide: 4 bytes of RAM. A long one is for a gateway with very many boards on UDP. */
#ifndef SLIPWAY_KEEP_ALIVE_S
#define SLIPWAY_KEEP_ALIVE_S 15
#endif

/* How long the gateway may keep the session of an absent peer, in seconds, 0 to 65535 (HELLO's `expiry`). */
#ifndef SLIPWAY_EXPIRY_S
#define SLIPWAY_EXPIRY_S 43200
#endif

/* Define SLIPWAY_NO_USER to leave the `user` pointer out of the context: 2 bytes of RAM on AVR. */

/* HELLO's flag *program*: 1 for a program that is no device and needs no entry under $slipway/devices/. */
#ifndef SLIPWAY_IS_PROGRAM
#define SLIPWAY_IS_PROGRAM 0
#endif

#if !SLIPWAY_WITH_SERIAL && !SLIPWAY_WITH_DATAGRAM && !SLIPWAY_WITH_STREAM
#error "slipway: compile in at least one of SLIPWAY_WITH_SERIAL, SLIPWAY_WITH_DATAGRAM, SLIPWAY_WITH_STREAM"
#endif
#if SLIPWAY_TRUSTING && (SLIPWAY_WITH_RELIABLE || SLIPWAY_WITH_DATAGRAM || SLIPWAY_WITH_STREAM || \
                         SLIPWAY_WITH_PATTERNS || SLIPWAY_MAX_PACKET > 255)
#error "slipway: SLIPWAY_TRUSTING needs QoS 0 only, a serial line only, no patterns and SLIPWAY_MAX_PACKET 255"
#endif
#if !SLIPWAY_WITH_NAMES && (SLIPWAY_WITH_RELIABLE || SLIPWAY_WITH_PATTERNS)
#error "slipway: SLIPWAY_WITH_NAMES=0 needs QoS 0 only and no patterns"
#endif
#if SLIPWAY_KEEP_ALIVE_S < 1 || SLIPWAY_KEEP_ALIVE_S > 255
#error "slipway: SLIPWAY_KEEP_ALIVE_S must be 1 to 255"
#endif
#if SLIPWAY_MAX_PACKET < 16 || SLIPWAY_MAX_PACKET > 16383
#error "slipway: SLIPWAY_MAX_PACKET must be 16 to 16383"
#endif
#if SLIPWAY_SLOT_BYTES < 1 || SLIPWAY_SLOT_BYTES > 255
#error "slipway: SLIPWAY_SLOT_BYTES must be 1 to 255"
#endif

#endif
