import { pino } from 'pino';
import { expect, test } from 'vitest';
import { QuietLogger } from '../../src/gateway/quiet-logger.js';
import { VirtualClock } from '../support/virtual-clock.js';

function quiet(level: string) {
  const clock = new VirtualClock();
  const lines: string[] = [];
  const logger = pino({ level }, { write: (line: string) => void lines.push(JSON.parse(line).msg) });
  return { clock, lines, logger: new QuietLogger(logger, clock) };
}

test('counts what is left out, and says so when there is room again', () => {
  const { clock, lines, logger } = quiet('info');
  for (let n = 0; n < 1000; n++) logger.info({}, 'somebody came');
  const written = lines.length;
  expect(written).toBeLessThan(1000);
  clock.advance(60_000);
  logger.info({}, 'somebody came');
  expect(lines.slice(written)).toEqual([
    `${1000 - written} lines about peers were left out`,
    'somebody came',
  ]);
});

test('neither counts nor mentions lines that nobody wants', () => {
  const { clock, lines, logger } = quiet('warn');
  for (let n = 0; n < 1000; n++) {
    logger.info({}, 'somebody came');
    clock.advance(10);
  }
  logger.warn({}, 'trouble');
  expect(lines).toEqual(['trouble']);
});
