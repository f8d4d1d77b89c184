/* What must work with the client whatever came before: the other side, as §4 and §5 want it. It keeps nothing out of order. */
#include "harness.h"

enum { MOST_IDS = 16 };

static struct {
  bool continues; /* it still knows the epoch that the client names, and goes on with it */
  bool went_on;
  bool open;
  uint32_t token;
  uint16_t next_in;
  uint16_t next_out;
  uint16_t acknowledged; /* what the client has of ours */
  bool takes_reliable;
  char declared[MOST_IDS][256];
  char subscribed[MOST_IDS][256];
  uint8_t options[MOST_IDS];
  unsigned subscriptions;
  unsigned emits; /* with the payload "fine" */
  char will[2][256]; /* its channel and payload */
} g;

void gateway_reset(bool continues) {
  memset(&g, 0, sizeof g);
  g.continues = continues;
}

bool gateway_settled(void) { return g.open && g.acknowledged == g.next_out; }

static void welcome(const slipway_t *s, const sent_message_t *hello, deliver_t deliver) {
  uint8_t p[64] = {0xB1, 1};
  size_t n = 3;
  bool goes_on = g.continues && hello->token != 0;
  g.token = goes_on ? hello->token : hello->token + 1 ? hello->token + 1 : 1;
  g.went_on = goes_on;
  g.open = false;
#if SLIPWAY_WITH_RELIABLE
  g.takes_reliable = true;
  if (goes_on) {
    p[2] = 7;
    g.next_in = s->oldest;
    g.next_out = hello->number;
  } else
#endif
  {
    g.next_in = (uint16_t)(s->oldest + 0x8000);
    g.next_out = (uint16_t)(hello->number + 0x8000);
    memset(g.declared, 0, sizeof g.declared);
    g.subscriptions = 0;
  }
  g.acknowledged = g.next_out;
  memcpy(p + n, hello->nonce, 4); n += 4;
  n += put16(p + n, (uint16_t)(g.token >> 16));
  n += put16(p + n, (uint16_t)g.token);
  n += put16(p + n, g.next_in);
  n += put16(p + n, g.next_out);
  n += put16(p + n, g.next_in);
  n += put16(p + n, SLIPWAY_KEEP_ALIVE_S);
  n += put_varint(p + n, 1024);
  n += put_varint(p + n, 32);
  n += put_varint(p + n, 1024);
  n += 6;
#if SLIPWAY_WITH_KEY
  if (hello->proof) {
    p[n++] = 3;
    p[n++] = 8;
    gateway_proof(s->key, hello->proof, g.token, p + n);
    n += 8;
  }
#endif
  deliver(p, n);
}

static void greet(const slipway_t *s, const sent_message_t *hello, deliver_t deliver) {
  static const uint8_t challenge[] = {0xB3, 22, 0xB0, 1, 2, 3, 4, 5, 6, 7, 8};
  if (hello->proof && hello->proof_size == 0) {
    deliver(challenge, sizeof challenge);
  } else {
    welcome(s, hello, deliver);
  }
}

static void acknowledge(bool gap, deliver_t deliver) {
  uint8_t p[4] = {0xB8};
  put16(p + 1, g.next_in);
  deliver(p, gap ? 4 : 3);
}

static void subscribe(const sent_message_t *m) {
  unsigned at = 0;
  while (at < g.subscriptions &&
         (strlen(g.subscribed[at]) != m->name_length || memcmp(g.subscribed[at], m->name, m->name_length) != 0))
    at++;
  if (m->head == 0xBB) {
    if (at == g.subscriptions) return;
    g.subscriptions--;
    memcpy(g.subscribed[at], g.subscribed[g.subscriptions], 256);
    g.options[at] = g.options[g.subscriptions];
    return;
  }
  REQUIRE(at < MOST_IDS, "a board subscribes to what its table holds");
  if (at == g.subscriptions) g.subscriptions++;
  memcpy(g.subscribed[at], m->name, m->name_length);
  g.subscribed[at][m->name_length] = 0;
  g.options[at] = m->options;
}

static void keep_will(const sent_message_t *m) {
  memset(g.will, 0, sizeof g.will);
  memcpy(g.will[0], m->name, m->name_length);
  memcpy(g.will[1], m->payload, m->payload_length < 255 ? m->payload_length : 255);
}

bool gateway_has_will(const char *channel, const char *payload) {
  return strcmp(g.will[0], channel) == 0 && strcmp(g.will[1], payload) == 0;
}

static void act(const sent_message_t *m) {
  if (m->id > 0 && (m->head == 0xB9 || m->head == 0xBA)) {
    REQUIRE(m->id < MOST_IDS, "an id is a place in the table");
    memcpy(g.declared[m->id], m->name, m->name_length);
    g.declared[m->id][m->name_length] = 0;
  }
  /* The sweep (an empty name) drops what is older than this boot: there is nothing such. */
  if (m->head == 0xBA || (m->head == 0xBB && m->name_length > 0)) subscribe(m);
  if (m->head == 0xBD) keep_will(m);
  if (m->head < 0xB0 && m->payload_length == 4 && memcmp(m->payload, "fine", 4) == 0) g.emits++;
}

static void take_message(const sent_message_t *m, deliver_t deliver) {
  if (m->reliable) {
    bool next = m->seq == g.next_in;
    bool gap = !next && (uint16_t)(m->seq - g.next_in) < 0x8000;
    if (next) {
      g.next_in++;
      act(m);
    }
    acknowledge(gap, deliver);
  } else if (m->head < 0xB0) {
    act(m);
  } else if (m->head == 0xB5) {
    const uint8_t pong[] = {0xB6, m->options};
    deliver(pong, sizeof pong);
  } else if (m->head == 0xB7) {
    const uint8_t time[8] = {0xB7, m->options};
    deliver(time, sizeof time);
  } else if (m->head == 0xB8) {
    g.acknowledged = m->number;
  } else if (m->head == 0xB4) {
    g.open = false;
  }
}

void gateway_take(const slipway_t *s, const uint8_t *packet, size_t count, deliver_t deliver) {
  sent_message_t messages[MOST_MESSAGES];
  size_t n = read_sent(packet, count, messages);
  if (messages[0].head == 0xB0) {
    greet(s, messages, deliver);
    return;
  }
  if (messages[0].head == 0xB2 && messages[0].token == g.token) {
    g.open = true;
    acknowledge(false, deliver);
  } else if (!g.open) {
    const uint8_t refuse[] = {0xB3, 3, messages[0].head};
    deliver(refuse, sizeof refuse);
  }
  for (size_t i = 0; i < n && g.open; i++) take_message(&messages[i], deliver);
}

void gateway_emit(uint8_t id, deliver_t deliver) {
  uint8_t p[8] = {g.takes_reliable ? 0x90 : 0x80};
  size_t n = 1;
  if (g.takes_reliable) n += put16(p + n, g.next_out++);
  p[n++] = id;
  memcpy(p + n, "fine", 4);
  deliver(p, n + 4);
}

/* What the board's table says is what the gateway knows. */
void gateway_check_table(const slipway_t *s, unsigned emits_expected) {
  unsigned wanted = 0;
  REQUIRE(g.emits == emits_expected, "%u emits arrived, not %u", g.emits, emits_expected);
  /* Of an epoch that went on it knows more than was said to it here. */
  if (g.went_on) return;
  for (unsigned i = 0; i < s->channel_count; i++) {
    const slipway_channel_t *channel = &s->channels[i];
    if (!channel->name || !(channel->flags & SLIPWAY_SUBSCRIBE)) continue;
    unsigned at = 0;
    while (at < g.subscriptions && strcmp(g.subscribed[at], channel->name) != 0) at++;
    REQUIRE(at < g.subscriptions, "\"%.20s\" is subscribed to", channel->name);
    REQUIRE(g.options[at] == (channel->flags & 15), "\"%.20s\" has its options", channel->name);
    bool pattern = strpbrk(channel->name, "+#") != NULL;
    REQUIRE(pattern || strcmp(g.declared[i + 1], channel->name) == 0, "\"%.20s\" has its id", channel->name);
    wanted++;
  }
  REQUIRE(wanted == g.subscriptions, "%u subscriptions stand, the table has %u", g.subscriptions, wanted);
}
