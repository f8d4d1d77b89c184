/* The will (§4.7): a wish like those of the channel table, made anew in every numbering. */
#include "slipway_private.h"

#if SLIPWAY_WITH_WILL

slipway_result_t slipway_will(slipway_t *s, uint8_t id, const void *payload, size_t length, uint8_t flags) {
  if (!id) length = 0;
  if (id > s->channel_count || (id && !slipway_entry(s, id)->name) || (flags & HEAD_QOS) == HEAD_QOS) {
    return SLIPWAY_INVALID;
  }
  if (length > SLIPWAY_MAX_PACKET) return SLIPWAY_TOO_LARGE;
  s->will = payload;
  s->will_length = (slipway_size_t)length;
  s->will_id = id;
  s->will_flags = (uint8_t)((flags & (HEAD_QOS | HEAD_RETAIN)) | WILL_LEFT);
  return SLIPWAY_OK;
}

#else
/* ISO C wants something in every file. */
typedef int slipway_no_will;
#endif
