/*
 * The C client under libFuzzer: the input's bytes decide what the wire brings, what the program calls and how time goes.
 * Afterwards the link is sound and the gateway honest, and the client must come to a session in which all is as its
 * table says. Frames get their CRC here, so that what is in them is reached.
 */
#include "harness.h"

enum { CHANNELS = 7, INBOX = 64, STEP_MS = 20, PATIENCE_MS = 120000 };

static const char *const names[CHANNELS] = {
#if SLIPWAY_WITH_PATTERNS
    "a/b", "a/#", "+/c", "b", "$x", "#",
#else
    "a/b", "a/", "/c", "b", "$x", "c",
#endif
    "a name that is longer than what the smallest packet of a gateway holds, and is therefore never to be sent to one"};

static slipway_t *client;
static slipway_channel_t *table;
static uint8_t buffer_size, slot_count;
static choices_t *choices; /* NULL: the program and the wire are well-behaved */
static uint32_t now;
static uint16_t room_left, room_asked, ring;
static unsigned depth, fine;

static uint8_t wire[MOST_BYTES];
static size_t written;
static struct { size_t count; uint8_t packet[MOST_BYTES]; } inbox[INBOX];
static unsigned waiting;

/* ------------------------------------------------------------------------------------ what the client sends */

static void check_order(const sent_message_t *messages, size_t count) {
  bool hello = messages[0].head == 0xB0;
  bool begins = messages[0].head == 0xB2;
  REQUIRE(client->state != 0, "nothing is sent while the link is down");
#if SLIPWAY_WITH_SLEEP
  /* ACK, PING's PONG, REFUSE; or it leaves. */
  for (size_t i = 0; i < count && slipway_asleep(client); i++)
    REQUIRE(strchr("\xB8\xB6\xB3\xB4", messages[i].head) != NULL, "a sleeper only answers");
#endif
  REQUIRE(hello ? client->state == 1 && count == 1 : client->state >= 2, "HELLO goes alone, and before a session nothing else");
  REQUIRE(begins == (client->state == 2), "packets begin with BEGIN until it is answered");
  for (size_t i = 0; i < count; i++) {
    uint16_t place = (uint16_t)(messages[i].seq - client->oldest);
    if (!messages[i].reliable) continue;
    REQUIRE(place < client->count, "a number sent is one of the window's");
#if SLIPWAY_WITH_RELIABLE
    REQUIRE(place < client->window, "the gateway's window is kept");
#endif
  }
}

static void packet_sent(void) {
  uint8_t packet[MOST_BYTES];
  sent_message_t messages[MOST_MESSAGES];
  size_t count = unframe_packet(FRAMING_OF(client), wire, written, packet);
  size_t messages_count = read_sent(packet, count, messages);
  check_order(messages, messages_count);
#if !SLIPWAY_TRUSTING
  REQUIRE(messages[0].head == 0xB0 || count <= client->max_packet, "the gateway's max_packet is kept");
#endif
  REQUIRE(FRAMING_OF(client) != SLIPWAY_FRAMING_SERIAL || !(packet[0] & 0x40) || packet[1] < 0x80,
          "a packet on a serial line cannot be taken for text");
  REQUIRE(written <= room_asked || room_asked >= client->capacity, "%zu bytes were written where %u had room", written,
          room_asked);
  written = 0;
  if (choices) return;
  REQUIRE(waiting < INBOX, "few packets answer one");
  inbox[waiting].count = count;
  memcpy(inbox[waiting++].packet, packet, count);
}

static uint16_t room(slipway_t *s) {
  (void)s;
  return room_asked = room_left;
}
static void write_byte(slipway_t *s, uint8_t byte) {
  REQUIRE(s == client && written < sizeof wire, "a packet ends");
  wire[written++] = byte;
  if (room_left && room_left != UINT16_MAX) room_left--;
#if !(SLIPWAY_WITH_DATAGRAM || SLIPWAY_WITH_STREAM)
  if (byte == 0xC0 && written > 1) packet_sent();
#endif
}
#if SLIPWAY_WITH_DATAGRAM || SLIPWAY_WITH_STREAM
static void end(slipway_t *s) { (void)s; packet_sent(); }
#endif

/* ----------------------------------------------------------------------------------------------- the program */

static void act(choices_t *c);
static void on_message(slipway_t *s, const slipway_message_t *m) {
  unsigned sum = 0;
  for (size_t i = 0; i < m->length; i++) sum += m->payload[i];
#if SLIPWAY_WITH_NAMES
  for (size_t i = 0; m->name && i < m->name_length; i++) sum += (uint8_t)m->name[i];
#endif
  REQUIRE(s == client && sum < UINT32_MAX, "a message is the client's");
  if (m->length == 4 && memcmp(m->payload, "fine", 4) == 0) fine++;
  if (choices && depth == 0 && choose_below(choices, 4) == 0) act(choices);
}
#if SLIPWAY_WITH_EVENTS
static void on_event(slipway_t *s, slipway_event_t event, uint8_t reason, uint8_t id) {
  REQUIRE(s == client && event <= SLIPWAY_TIME && (reason || event != SLIPWAY_LOST || choices), "an event has its reason");
  REQUIRE(id <= client->channel_count || (event == SLIPWAY_REFUSED && id >= SLIPWAY_ID_SLEEP),
          "an event is of an entry of the table, of sleep or of the will");
  if (choices && depth == 0 && choose_below(choices, 8) == 0) act(choices);
}
#endif

static uint8_t any_flags(choices_t *c) {
  uint8_t flags = choose(c);
  return flags & 0x10 ? (uint8_t)(0x10 | (flags & 0x0C) | (flags & 3) % 3) : 0;
}

static void emit(choices_t *c, bool named) {
  size_t length = choose(c) & 1 ? choose_below(c, 80) : choose16(c) % 2000;
  uint8_t id = choose_below(c, CHANNELS + 2), flags = choose(c) & 0x38;
  uint8_t *payload = malloc(length + 1);
  memset(payload, choose(c), length + 1);
  if (named) slipway_emit_named(client, names[id % CHANNELS], payload, length, flags & 0x08);
  else slipway_emit(client, id, payload, length, flags);
  free(payload);
}

static void one_shot(choices_t *c) {
  size_t capacity = choose(c), length = choose_below(c, 80);
  uint8_t *datagram = malloc(capacity + 1), payload[80] = {0};
  const char *name = names[choose_below(c, CHANNELS)];
  uint8_t *exact = realloc(datagram, capacity ? capacity : 1);
  size_t size = slipway_one_shot(exact, capacity, name, payload, length, choose(c));
  sent_message_t messages[MOST_MESSAGES];
  REQUIRE(size <= capacity, "a one-shot fits its datagram");
  REQUIRE(size == 0 || (read_sent(exact, size, messages) == 1 && messages[0].name_length == strlen(name)),
          "a one-shot is one emit");
  free(exact);
}

#if SLIPWAY_WITH_SLEEP && SLIPWAY_WITH_WILL && SLIPWAY_WITH_TIME
static const char last_words[] = "of a board that was lost, which are longer than what a slot of the window holds";

/* Sleep, will, time. */
static void rest(choices_t *c) {
  slipway_clock_t clock;
  switch (choose_below(c, 4)) {
    case 0: slipway_sleep(client, choose(c) & 1 ? choose(c) : (uint32_t)choose16(c) << (choose(c) & 15)); break;
    case 1: slipway_will(client, choose_below(c, CHANNELS + 2), last_words, choose_below(c, sizeof last_words), choose(c)); break;
    case 2: slipway_ask_time(client); break;
    default: if (slipway_time(client, now + choose(c), &clock)) REQUIRE(clock.ms < 1000, "a second has 1000 ms");
  }
}
#else
static void rest(choices_t *c) { (void)c; }
#endif

/* What a program may do at any time, also within a handler. */
static void act(choices_t *c) {
  depth++;
  switch (choose_below(c, 10)) {
    case 0: case 1: case 2: case 3: emit(c, false); break;
    case 4: emit(c, true); break;
    case 5: slipway_subscribe(client, choose_below(c, CHANNELS + 2), any_flags(c)); break;
    case 6: {
      uint8_t next = 0;
      while (next < CHANNELS && table[next].name) next++;
      if (next < CHANNELS) slipway_channel(client, names[next], choose(c) & 1 ? on_message : NULL, any_flags(c));
      break;
    }
    case 7: slipway_leave(client, choose(c) & 1); break;
    case 8: slipway_link(client, !(choose(c) & 1)); break;
    default: if (choose_below(c, 3) == 0) one_shot(c); else rest(c);
  }
  depth--;
}

/* ----------------------------------------------------------------------------------------------------- wire */

/* Bytes in pieces, each in a block of its own size. */
static void give(choices_t *c, const uint8_t *bytes, size_t count) {
  size_t at = 0;
  do {
    size_t step = count - at;
    if (c && FRAMING_OF(client) != SLIPWAY_FRAMING_DATAGRAM && step > 1 && choose(c) & 1) step = 1 + choose(c) % step;
    uint8_t *piece = malloc(step ? step : 1);
    memcpy(piece, bytes + at, step);
    bool follows = slipway_receive(client, piece, step);
    free(piece);
    at += step;
    if (follows) continue;
    REQUIRE(c && FRAMING_OF(client) == SLIPWAY_FRAMING_STREAM, "a sound link stays in step");
    slipway_link(client, false);
    slipway_link(client, true);
    return;
  } while (at < count);
}

static void deliver(const uint8_t *packet, size_t count) {
  uint8_t framed[MOST_BYTES];
  give(choices, framed, frame_packet(FRAMING_OF(client), packet, count, framed));
}

static void noise(choices_t *c) {
  uint8_t bytes[96];
  size_t count = choose_below(c, sizeof bytes);
  for (size_t i = 0; i < count; i++) bytes[i] = choose(c);
  if (choose(c) & 1) give(c, bytes, count);
  else if (count > 0) deliver(bytes, count);
}

static void step(choices_t *c) {
  static const uint16_t waits[] = {0, 1, 3, 10, 16, 40, 130, 260, 1000, 4000, 9000, 33000};
  uint8_t packet[MOST_BYTES];
  switch (choose_below(c, 8)) {
    case 0: case 1: {
      size_t count = hostile_packet(c, client, packet);
      if (count) deliver(packet, count);
      break;
    }
    case 2: noise(c); break;
    case 3: case 4: act(c); break;
    case 5: ring = choose(c) & 1 ? (uint16_t)(choose(c) * 2) : 2000; break;
    default: now += waits[choose_below(c, sizeof waits / sizeof *waits)]; break;
  }
  room_left = ring;
  slipway_poll(client, now);
}

/* -------------------------------------------------------------------------------------------- the promises */

static void check_context(void) {
  REQUIRE(client->channels == table && client->buffer_size == buffer_size && client->channel_count == CHANNELS,
          "what is the program's stays as it is");
  REQUIRE(client->sent <= client->count && client->state <= 3, "no more is sent than waits");
#if SLIPWAY_WITH_RELIABLE
  REQUIRE(client->count <= slot_count && client->slot_count == slot_count && client->first < slot_count,
          "the window's bounds hold");
  REQUIRE(client->state < 2 || client->sent <= client->window, "the gateway's window is kept");
  for (uint8_t i = 0; i < slot_count; i++)
    REQUIRE(client->slots[i].length <= SLIPWAY_SLOT_BYTES, "a slot holds what it can hold");
#endif
  REQUIRE(client->length <= buffer_size, "the buffer's bounds hold");
}

/* Lets time pass on a sound link to an honest gateway until all is settled. */
static void settle(const char *what) {
  for (uint32_t waited = 0; waited < PATIENCE_MS; waited += STEP_MS) {
    now += STEP_MS;
    slipway_poll(client, now);
    for (unsigned i = 0; i < waiting; i++) gateway_take(client, inbox[i].packet, inbox[i].count, deliver);
    waiting = 0;
    check_context();
    if (slipway_connected(client) && slipway_pending(client) == 0 && gateway_settled()) {
      /* One more poll: perhaps the table has wishes left, or an acknowledgement is due. */
      slipway_poll(client, now);
      if (waiting == 0 && slipway_pending(client) == 0) return;
    }
  }
  REQUIRE(false, "%s within %d ms of an honest gateway: state %u, pending %u", what, PATIENCE_MS, client->state,
          slipway_pending(client));
}

static void recover(bool continues) {
  choices = NULL;
  written = 0;
  ring = room_left = UINT16_MAX;
  gateway_reset(continues);
  /* What was under way on a connection makes the next record another one; a serial line and datagrams mend themselves. */
  if (FRAMING_OF(client) == SLIPWAY_FRAMING_STREAM) slipway_link(client, false);
  if (client->state == 0) slipway_link(client, true);
#if SLIPWAY_WITH_SLEEP
  slipway_wake(client);
#endif
  settle("a session stands");
#if SLIPWAY_WITH_WILL
  slipway_will(client, 1, "gone", 4, SLIPWAY_QOS1);
  settle("a will is left");
  REQUIRE(gateway_has_will(names[0], "gone"), "the will is the last one");
#endif
  table[0].handler = on_message;
  slipway_subscribe(client, 1, SLIPWAY_SUBSCRIBE);
  settle("a subscription is made");
  fine = 0;
  uint8_t qos = SLIPWAY_WITH_RELIABLE ? SLIPWAY_QOS1 : 0;
  REQUIRE(slipway_emit(client, 1, "fine", 4, qos) == SLIPWAY_OK, "an emit is taken");
  gateway_emit(1, deliver);
  settle("emits are acknowledged");
  REQUIRE(fine == 1, "an emit of the gateway arrives once, not %u times", fine);
  gateway_check_table(client, 1);
#if SLIPWAY_WITH_SLEEP
  slipway_sleep(client, 60);
  settle("SLEEP is acknowledged");
  REQUIRE(slipway_asleep(client), "it sleeps");
  slipway_wake(client);
  settle("SLEEP of 0 s is acknowledged");
  REQUIRE(!slipway_asleep(client), "it is awake");
#endif
}

/* slipway_private.h */
enum { GREETING = 1, BEGINNING };
#if SLIPWAY_WITH_KEY
static const uint8_t key[SLIPWAY_KEY_BYTES] = {1, 2, 3};
#endif

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  choices_t input = {data, size};
  uint8_t setup = choose(&input);
  uint8_t *buffer;
  choices = &input;
  depth = waiting = 0;
  written = 0;
  ring = room_left = 2000;
  now = choose16(&input);
  client = calloc(1, sizeof *client);
  table = calloc(CHANNELS, sizeof *table);
  buffer_size = (uint8_t)(50 + choose_below(&input, 206));
  slot_count = (uint8_t)(2 + choose_below(&input, 7));
  buffer = malloc(buffer_size);
  client->identity = "fuzz";
#if SLIPWAY_WITH_KEY
  if (setup & 64) client->key = key;
#endif
  client->room = room;
  client->write = write_byte;
#if SLIPWAY_WITH_DATAGRAM || SLIPWAY_WITH_STREAM
  client->end = end;
#endif
#if SLIPWAY_SEVERAL_FRAMINGS
  client->framing = setup % 3;
#endif
  client->on_other = setup & 4 ? on_message : NULL;
#if SLIPWAY_WITH_EVENTS
  client->on_event = on_event;
#endif
  client->buffer = buffer;
  client->buffer_size = buffer_size;
  client->channels = table;
  client->channel_count = CHANNELS;
#if SLIPWAY_WITH_RELIABLE
  client->slots = malloc(slot_count * sizeof *client->slots);
  memset(client->slots, 0, slot_count * sizeof *client->slots);
  client->slot_count = slot_count;
#endif
  slipway_channel(client, names[0], on_message, any_flags(&input));
  slipway_channel(client, names[1], setup & 8 ? on_message : NULL, any_flags(&input));
  slipway_begin(client, 0x01020304);
  /* As after most handshakes: without it half of the inputs never see a session. */
  if (setup & 16) {
    slipway_poll(client, now);
    recover(false);
    choices = &input;
    ring = 2000;
    waiting = 0;
  }
  while (input.left) {
    uint8_t state = client->state;
    step(&input);
    check_context();
#if SLIPWAY_WITH_KEY
    REQUIRE(!client->key || state > GREETING || client->state < BEGINNING, "nothing begins with a gateway that has no key");
#endif
  }
  recover(setup & 32);
#if SLIPWAY_WITH_RELIABLE
  free(client->slots);
#endif
  free(buffer);
  free(table);
  free(client);
  return 0;
}
