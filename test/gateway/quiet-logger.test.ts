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

test('lets ten seconds’ worth through at once, then so many a second', () => {
  const { clock, lines, logger } = quiet('info');
  for (let n = 0; n < 1000; n++) logger.info({}, `line ${n}`);
  expect(lines).toHaveLength(200);
  clock.advance(1000);
  for (let n = 0; n < 1000; n++) logger.warn({}, `later ${n}`);
  expect(lines.slice(200, 202)).toEqual(['800 lines about peers were left out', 'later 0']);
  expect(lines).toHaveLength(200 + 1 + 20);
});
