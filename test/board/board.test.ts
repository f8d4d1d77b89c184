import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { ROOT } from '../firmware/build.js';
import { withSection } from '../generate/section.js';
import { describeWithTools } from '../support/tools.js';
import { type Call, CountingChip } from './counting-chip.js';
import { buildProgram } from './program.js';
import { boardTable, measureBoard, type Report } from './report.js';

const README = join(ROOT, 'README.md');
/** 60 µs of a chip at 16 MHz. */
const MOST_CYCLES_OF_AN_EMIT = 960;

describeWithTools(['avr-gcc', 'avr-nm', 'avr-objcopy', 'avr-size'], 'on the board', () => {
  it('counts the cycles and the stack that the datasheet says', () => {
    const chip = new CountingChip(buildProgram(['-Os'], [join(ROOT, 'test/board/counted.c')]));
    const calls: Call[] = [];
    chip.onCall = (call) => calls.push(call);
    chip.runUntil(() => calls.length > 0, 'a turn of its loop');
    expect(calls).toEqual([
      { name: 'begin', cycles: 11 },
      { name: 'receive', cycles: 14 },
      { name: 'poll', cycles: 14 },
    ]);
    expect(chip.interrupt).toEqual({ cycles: 17, stack: 3 });
    // The return address of main, that of uart_write, that of uart_room, and a register.
    expect(chip.stack).toBe(7);
  });

  describe('the C client', () => {
    let report: Report;
    beforeAll(() => {
      report = measureBoard();
    }, 300_000);

    // `npm run generate` writes it anew.
    it('costs what the README says', async () => {
      const readme = withSection(readFileSync(README, 'utf8'), 'board', boardTable(report));
      await expect(readme).toMatchFileSnapshot(README);
    });

    it(`sends an emit of 4 bytes in ${MOST_CYCLES_OF_AN_EMIT} cycles, whatever is compiled in`, () => {
      for (const { emit } of report.cycles) expect(emit[0]?.[0]).toBeLessThanOrEqual(MOST_CYCLES_OF_AN_EMIT);
    });

    it('makes no difference between QoS 1 and 2', () => {
      for (const { emit, receive } of report.cycles) {
        expect(emit[2]).toEqual(emit[1]);
        expect(receive[2]).toEqual(receive[1]);
      }
    });
  });
});
