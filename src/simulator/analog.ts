const MEAN_VOLTS = 2.5;
const SWING_VOLTS = 1.5;
const PERIOD_MS = 60_000;
/** About two steps of a 10-bit converter at 5 V. A sketch may draw its random seed from them. */
const NOISE_VOLTS = 0.01;

/**
 * What an unconnected sensor bench shows: each input swings between 1 and 4 V once a minute, an eighth of a turn apart, with the
 * noise of a real converter.
 *
 * @param random uniform in [0, 1)
 * @returns volts at input `channel` (0 to 7) at `ms` since power-on
 */
export function slowWave(random: () => number = Math.random): (channel: number, ms: number) => number {
  return (channel, ms) => {
    const turn = ms / PERIOD_MS + channel / 8;
    return MEAN_VOLTS + SWING_VOLTS * Math.sin(2 * Math.PI * turn) + NOISE_VOLTS * (random() - 0.5);
  };
}
