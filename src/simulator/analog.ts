const MEAN_VOLTS = 0.72;
const SWING_VOLTS = 0.05;
const PERIOD_MS = 60_000;
/** About two steps of a 10-bit converter at 5 V. A sketch may draw its random seed from them. */
const NOISE_VOLTS = 0.01;

/**
 * What a temperature sensor of the TMP36 kind (0.5 V at 0 °C, 10 mV per degree) gives in a room that goes from 17 to 27 °C and back once a
 * minute, with the noise of a real converter. The inputs are an eighth of a turn apart.
 *
 * @param random uniform in [0, 1)
 * @returns volts at input `channel` (0 to 7) at `ms` since power-on
 */
export function roomTemperature(random: () => number = Math.random): (channel: number, ms: number) => number {
  return (channel, ms) => {
    const turn = ms / PERIOD_MS + channel / 8;
    return MEAN_VOLTS + SWING_VOLTS * Math.sin(2 * Math.PI * turn) + NOISE_VOLTS * (random() - 0.5);
  };
}
