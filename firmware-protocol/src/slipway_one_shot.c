/* A datagram without a session (§5.5). */
#include "slipway_private.h"

#include <string.h>

size_t slipway_one_shot(uint8_t *datagram, size_t capacity, const char *name, const void *payload, size_t length,
                        uint8_t flags) {
  size_t name_length = strlen(name);
  if (name_length < 1 || name_length > 255 || capacity < 2 + name_length || length > capacity - 2 - name_length) return 0;
  datagram[0] = (uint8_t)(HEAD_EMIT | HEAD_NAME | (flags & HEAD_RETAIN));
  datagram[1] = (uint8_t)name_length;
  memcpy(datagram + 2, name, name_length);
  if (length) memcpy(datagram + 2 + name_length, payload, length);
  return 2 + name_length + length;
}
