/* Names and patterns (§6). */
#include "slipway_private.h"

SLIPWAY_APART slipway_channel_t *slipway_entry(const slipway_t *s, uint8_t id) { return &s->channels[id - 1]; }

/* The id that the gateway is told for an entry: none for patterns, nor beyond what the gateway takes (§3.2, §6.3). */
#if SLIPWAY_WITH_PATTERNS
uint8_t slipway_usable_id(const slipway_t *s, uint8_t id) {
  const slipway_channel_t *channel = slipway_entry(s, id);
  const char *name = channel->name;
  char c;
  while ((c = slipway_name_at(name++, channel->flags)) != 0) {
    if (c == '+' || c == '#') return 0;
  }
  return id > s->ids ? 0 : id;
}
#endif

#if SLIPWAY_WITH_NAMES
/* Whether a channel's name fits a table entry, by MQTT's rules (§6.2). The name ends after `length` bytes, or at a NUL. */
bool slipway_matches(const slipway_channel_t *pattern, const char *name, uint8_t length, uint8_t flags) {
  const char *p = pattern->name;
  for (;;) {
    char wanted = slipway_name_at(p++, pattern->flags);
    char c = length ? slipway_name_at(name, flags) : 0;
#if SLIPWAY_WITH_PATTERNS
    if (wanted == '+' || wanted == '#') {
      if (c == '$' && p - 1 == pattern->name) return false;
      if (wanted == '#') return true;
      while (c && c != '/') {
        name++;
        c = --length ? slipway_name_at(name, flags) : 0;
      }
      continue;
    }
    /* `a/#` also stands for `a`. */
    if (!c && wanted == '/' && slipway_name_at(p, pattern->flags) == '#') return true;
#endif
    if (wanted != c) return false;
    if (!c) return true;
    name++;
    length--;
  }
}
#endif
