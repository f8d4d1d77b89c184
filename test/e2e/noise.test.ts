import { randomInt } from 'node:crypto';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { NOISES } from '../support/noises.js';
import { Random } from '../support/random.js';
import { describeWithTools } from '../support/tools.js';
import { folder, Program, startGateway, until } from './bench.js';
import { HandBoard, HELLO } from './hand-board.js';

const SEED = Number(process.env.SEED ?? randomInt(2 ** 32));
const ROUNDS = 20;
const NOISE_BYTES = 4096;

describeWithTools(['socat'], `noise on a real port (SEED=${SEED})`, () => {
  test.each(Object.entries(NOISES))('%s: what the board says in between arrives', async (_kind, noise) => {
    const path = join(await folder(), 'tty');
    const board = await HandBoard.plug(path);
    const running = await startGateway([{ name: 'bench', path }]);
    const program = await (await Program.connect(running)).subscribe('x');
    await until(() => expect(running.log.join()).toMatch(/port bench is open/));
    board.pty.print(board.frame(HELLO));
    const { token } = await board.first('welcome');
    board.pty.print(board.frame({ type: 'begin', token }));
    await board.first('ack');

    const random = new Random(SEED);
    const before = running.count('serial.rx.bytes');
    for (let n = 0; n < ROUNDS; n++) {
      board.pty.print(noise(random, NOISE_BYTES));
      const payload = Buffer.from(`${n}`);
      board.pty.print(board.frame({ type: 'emit', qos: 0, retain: false, name: 'x', payload }));
      // A pty drops what finds its buffer full, which a line at its own pace never does.
      await until(() =>
        expect(running.count('serial.rx.bytes') - before).toBeGreaterThanOrEqual((n + 1) * NOISE_BYTES),
      );
    }
    await until(() => expect(program.texts('x')).toEqual(Array.from({ length: ROUNDS }, (_, n) => `${n}`)));
  });
});
