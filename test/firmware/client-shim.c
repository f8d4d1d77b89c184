/*
 * The C client as a WebAssembly module: one module instance is one board. Its callbacks are the module's imports, and what
 * crosses the border goes through `io`.
 */
#include <string.h>

#include "slipway.h"

#define IMPORT(name) __attribute__((import_module("board"), import_name(name)))
#define EXPORT __attribute__((visibility("default")))

enum { MOST_CHANNELS = 127, MOST_SLOTS = 32, NAMES = 16384, IO = 65536 };

IMPORT("room") int board_room(void);
IMPORT("write") void board_write(int byte);
IMPORT("end") void board_end(void);
IMPORT("message") void board_message(const char *name, int name_length, int id, const uint8_t *payload, int length, int flags,
                                     int claimed);
IMPORT("event") void board_event(int event, int reason, int id);

#if SHIM_EDGES
/* Called by the compiler's instrumentation at each edge of the control flow: the power lasts for so many more. */
IMPORT("power_out") void board_power_out(void);
static uint32_t edges_left = UINT32_MAX;
__attribute__((no_sanitize("coverage"))) void __sanitizer_cov_trace_pc(void) {
  if (edges_left != UINT32_MAX && !edges_left--) board_power_out();
}
EXPORT __attribute__((no_sanitize("coverage"))) void power_for(uint32_t edges) { edges_left = edges; }
#endif

static slipway_t client;
static slipway_channel_t channels[MOST_CHANNELS];
#if SLIPWAY_WITH_RELIABLE
static slipway_slot_t slots[MOST_SLOTS];
#endif
static uint8_t buffer[2048];
static char identity[256];
static char names[NAMES];
static size_t names_used;
static uint8_t io_bytes[IO];
/* What `receive` is given, apart: a handler may use io meanwhile. */
static uint8_t arrived[IO];

void *memcpy(void *to, const void *from, size_t count) {
  for (size_t i = 0; i < count; i++) ((uint8_t *)to)[i] = ((const uint8_t *)from)[i];
  return to;
}

void *memset(void *to, int byte, size_t count) {
  for (size_t i = 0; i < count; i++) ((uint8_t *)to)[i] = (uint8_t)byte;
  return to;
}

void *memmove(void *to, const void *from, size_t count) {
  if (to <= from) return memcpy(to, from, count);
  while (count--) ((uint8_t *)to)[count] = ((const uint8_t *)from)[count];
  return to;
}

int memcmp(const void *a, const void *b, size_t count) {
  for (size_t i = 0; i < count; i++) {
    int difference = ((const uint8_t *)a)[i] - ((const uint8_t *)b)[i];
    if (difference) return difference;
  }
  return 0;
}

size_t strlen(const char *text) {
  size_t length = 0;
  while (text[length]) length++;
  return length;
}

static uint16_t room(slipway_t *s) { (void)s; return (uint16_t)board_room(); }

#if SLIPWAY_WITH_DATAGRAM || SLIPWAY_WITH_STREAM
static void write(slipway_t *s, uint8_t byte) { (void)s; board_write(byte); }
static void end(slipway_t *s) { (void)s; board_end(); }
#else
/* A frame has an END on either side. */
static void write(slipway_t *s, uint8_t byte) {
  static int ends;
  (void)s;
  board_write(byte);
  if (byte == 0xC0 && ++ends % 2 == 0) board_end();
}
#endif

static void report(const slipway_message_t *m, int claimed) {
#if SLIPWAY_WITH_NAMES
  board_message(m->name, m->name_length, m->name ? -1 : m->id, m->payload, m->length, m->flags, claimed);
#else
  board_message(NULL, 0, m->id, m->payload, m->length, m->flags, claimed);
#endif
}

static void on_message(slipway_t *s, const slipway_message_t *m) { (void)s; report(m, 1); }
static void on_other(slipway_t *s, const slipway_message_t *m) { (void)s; report(m, 0); }

#if SLIPWAY_WITH_EVENTS
static void on_event(slipway_t *s, slipway_event_t event, uint8_t reason, uint8_t id) {
  (void)s;
  board_event((int)event, reason, id);
}
#endif

EXPORT uint8_t *io(void) { return io_bytes; }

#if SLIPWAY_WITH_KEY
/* The key is in io. To be called before `begin`. */
EXPORT void set_key(void) {
  static uint8_t key[SLIPWAY_KEY_BYTES];
  memcpy(key, io_bytes, sizeof key);
  client.key = key;
}
#endif

/* The identity is in io. */
EXPORT void begin(int identity_length, int framing, int buffer_size, int slot_count, int channel_count, uint32_t nonce) {
  memcpy(identity, io_bytes, (size_t)identity_length);
  identity[identity_length] = 0;
  client.identity = identity;
  client.room = room;
  client.write = write;
#if SLIPWAY_WITH_DATAGRAM || SLIPWAY_WITH_STREAM
  client.end = end;
#endif
  client.on_other = on_other;
#if SLIPWAY_WITH_EVENTS
  client.on_event = on_event;
#endif
  client.buffer = buffer;
  client.buffer_size = (slipway_size_t)buffer_size;
  client.channels = channels;
  client.channel_count = (uint8_t)channel_count;
#if SLIPWAY_WITH_RELIABLE
  client.slots = slots;
  client.slot_count = (uint8_t)slot_count;
#else
  (void)slot_count;
#endif
#if SLIPWAY_SEVERAL_FRAMINGS
  client.framing = (uint8_t)framing;
#else
  (void)framing;
#endif
  slipway_begin(&client, nonce);
}

EXPORT int receive(int length) {
  memcpy(arrived, io_bytes, (size_t)length);
  return slipway_receive(&client, arrived, (size_t)length);
}

EXPORT void poll(uint32_t now) { slipway_poll(&client, now); }
EXPORT void link_up(int up) { slipway_link(&client, up != 0); }
EXPORT void leave(int forget) { slipway_leave(&client, forget != 0); }
EXPORT int connected(void) { return slipway_connected(&client); }
EXPORT int pending(void) { return slipway_pending(&client); }

#if SLIPWAY_WITH_RELIABLE
/* The message at that place of the window, as struct slipway_slot: head, id, length, payload. */
EXPORT const uint8_t *slot(int place) {
  int at = client.first + place;
  return (const uint8_t *)&slots[at < client.slot_count ? at : at - client.slot_count];
}
#endif

/* The flags of a table entry, the library's own among them. */
EXPORT int channel_flags(int id) { return channels[id - 1].flags; }

/* The name is in io. 0: no room. `handled`: whether the entry has a handler. */
EXPORT int channel(int name_length, int flags, int handled) {
  char *name = names + names_used;
  if (names_used + (size_t)name_length + 1 > NAMES) return 0;
  memcpy(name, io_bytes, (size_t)name_length);
  name[name_length] = 0;
  names_used += (size_t)name_length + 1;
  return slipway_channel(&client, name, handled ? on_message : NULL, (uint8_t)flags);
}

EXPORT int subscribe(int id, int flags) { return (int)slipway_subscribe(&client, (uint8_t)id, (uint8_t)flags); }

/* The payload is in io. */
EXPORT int emit(int id, int length, int flags) {
  return (int)slipway_emit(&client, (uint8_t)id, io_bytes, (size_t)length, (uint8_t)flags);
}

/* The name with a NUL behind it is in io, then the payload. */
EXPORT int emit_named(int name_length, int length, int flags) {
  return (int)slipway_emit_named(&client, (const char *)io_bytes, io_bytes + name_length + 1, (size_t)length, (uint8_t)flags);
}

/* As emit_named; the datagram is left in io. */
EXPORT int one_shot(int name_length, int length, int flags, int capacity) {
  static uint8_t datagram[2048];
  size_t size = slipway_one_shot(datagram, (size_t)capacity, (const char *)io_bytes, io_bytes + name_length + 1,
                                 (size_t)length, (uint8_t)flags);
  memcpy(io_bytes, datagram, size);
  return (int)size;
}

#if SLIPWAY_WITH_SLEEP
EXPORT int sleep(uint32_t seconds) { return (int)slipway_sleep(&client, seconds); }
EXPORT void wake(void) { slipway_wake(&client); }
EXPORT int asleep(void) { return slipway_asleep(&client); }
#endif

#if SLIPWAY_WITH_WILL
/* The payload is in io, and copied, as it must stay. */
EXPORT int will(int id, int length, int flags) {
  static uint8_t payload[2048];
  memcpy(payload, io_bytes, (size_t)length);
  return (int)slipway_will(&client, (uint8_t)id, payload, (size_t)length, (uint8_t)flags);
}
#endif

#if SLIPWAY_WITH_TIME
static slipway_clock_t told;
EXPORT void ask_time(void) { slipway_ask_time(&client); }
EXPORT int time(uint32_t now) { return slipway_time(&client, now, &told); }
/* Of the last `time` that was known, in the order of slipway_clock_t. */
EXPORT uint32_t time_part(int part) {
  const uint32_t parts[] = {told.seconds, told.age, told.ms, told.uncertainty};
  return parts[part];
}
#endif

#if SLIPWAY_WITH_COUNTERS
/* In the order of slipway_counters_t. */
EXPORT int counter(int index) { return ((const uint16_t *)(const void *)&client.counters)[index]; }
#endif
