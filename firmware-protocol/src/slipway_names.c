/* Names and patterns (§6). */
#include "slipway_private.h"

uint8_t slipway_name_length(const char *name, uint8_t in_ram) {
  uint8_t length = 0;
  while (slipway_name_at(name + length, in_ram) && length < 255) length++;
  return length;
}

/* The id that the gateway is told for an entry: none for patterns, nor beyond what the gateway takes (§3.2, §6.3). */
uint8_t slipway_usable_id(const slipway_t *s, uint8_t id) {
  const slipway_channel_t *channel = &s->channels[id - 1];
  const char *name = channel->name;
  char c;
  if (id > s->ids) return 0;
  while ((c = slipway_name_at(name++, channel->flags & SLIPWAY_NAME_IN_RAM)) != 0) {
    if (c == '+' || c == '#') return 0;
  }
  return id;
}

/* Whether a channel's name fits a table entry, by MQTT's rules (§6.2). */
bool slipway_matches(const slipway_channel_t *pattern, const char *name, uint8_t length, uint8_t in_ram) {
  const char *p = pattern->name;
  uint8_t p_in_ram = pattern->flags & SLIPWAY_NAME_IN_RAM;
  uint8_t at = 0;
  for (;;) {
    char wanted = slipway_name_at(p, p_in_ram);
    char c = at < length ? slipway_name_at(name + at, in_ram) : 0;
    if (wanted == '+' || wanted == '#') {
      if (at == 0 && c == '$') return false;
      if (wanted == '#') return true;
      while (c != '/' && at < length) {
        at++;
        c = at < length ? slipway_name_at(name + at, in_ram) : 0;
      }
    } else if (at == length) {
      /* `a/#` also stands for `a`. */
      return wanted == 0 || (wanted == '/' && slipway_name_at(p + 1, p_in_ram) == '#');
    } else if (wanted == 0 || wanted != c) {
      return false;
    } else {
      at++;
    }
    p++;
  }
}
