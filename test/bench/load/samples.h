/* Times that were measured, and what they come to. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* What comes beyond that in one round is counted, and its time is not kept. */
enum { MOST_SAMPLES = 1 << 20 };

static uint32_t samples[MOST_SAMPLES];
static size_t sample_count;

static inline void add_sample(uint64_t ns) {
  if (sample_count < MOST_SAMPLES) samples[sample_count] = (uint32_t)ns;
  sample_count++;
}

static int by_size(const void *a, const void *b) {
  uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
  return x < y ? -1 : x > y;
}

/* Prints them as a line of JSON, in microseconds, and forgets them. */
static inline void print_samples(double seconds) {
  size_t kept = sample_count < MOST_SAMPLES ? sample_count : MOST_SAMPLES;
  qsort(samples, kept, sizeof *samples, by_size);
  printf("{\"count\":%zu,\"seconds\":%.6f,\"p50\":%.2f,\"p99\":%.2f}\n", sample_count, seconds,
         kept ? samples[kept / 2] / 1e3 : 0, kept ? samples[kept * 99 / 100] / 1e3 : 0);
  fflush(stdout);
  sample_count = 0;
}
