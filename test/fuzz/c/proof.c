/* The gateway's proof of a key (§4.8). The sums are the library's, which vectors/proofs.json holds to the specification; what is put
 * together here is the other side's. */
#include "harness.h"

#define slipway_prove not_ours_prove
#define slipway_is_proved not_ours_is_proved
#include "slipway_key.c"

#if SLIPWAY_WITH_KEY
void gateway_proof(const uint8_t *key, const uint8_t *proof, uint32_t token, uint8_t *answer) {
  slipway_hash_t hash;
  begin(&hash, key, INNER_PAD);
  add(&hash, OF_GATEWAY);
  add_bytes(&hash, proof, 16);
  for (int shift = 24; shift >= 0; shift -= 8) add(&hash, (uint8_t)(token >> shift));
  close_proof(&hash, key);
  for (uint8_t i = 0; i < GATEWAY_PROOF_BYTES; i++) answer[i] = digest_byte(hash.state, i);
}
#endif
