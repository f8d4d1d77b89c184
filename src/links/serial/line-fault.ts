import type { Diagnosis } from './diagnosis.js';
import type { LineFault } from './line-monitor.js';

/** What is wrong on a line that is open, and what to do about it. `rates`, in bits a second, are those that were tried. */
export function diagnoseLine(fault: LineFault, rates: readonly number[]): Diagnosis {
  const tried = `${rates.join(', ')} baud`;
  switch (fault) {
    case 'silent':
      return {
        problem: 'the board says nothing',
        mend: 'press its reset button; if that does not help, upload a sketch that uses Slipway or prints',
      };
    case 'noise':
      return rates.length === 1
        ? {
            problem: `what comes at ${tried} is neither packets nor text`,
            mend: 'set "baud" to the rate that the sketch gives to Serial.begin(), or to several to be tried, as in baud: [115200, 57600, 9600]',
          }
        : {
            problem: `what comes is neither packets nor text at any of ${tried}`,
            mend: 'add the rate that the sketch gives to Serial.begin() to "baud"',
          };
    case 'bootloader':
      return {
        problem: 'the board is in its bootloader and waits for a program',
        mend: 'press its reset button (on an ESP board without holding BOOT), or upload the sketch again',
      };
  }
}
