import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { SkippingClock } from '../support/skipping-clock.js';
import { describeWithTools } from '../support/tools.js';
import { heard } from '../support/uart.js';
import { folder, Program, plug, power, sensorUno, startGateway, until } from './bench.js';
import type { BenchUno } from './bench-uno.js';
import { HandBoard, HELLO } from './hand-board.js';

const SKETCH_BAUD = 115_200;
const RATES: readonly number[] = [9600, 57_600, SKETCH_BAUD];
const STATE = '$slipway/devices/virtual-uno/state';

/** Has the line to `uno` garble as a UART does when the port at `path` does not run at the sketch's rate, but at another of `RATES`. */
function mishear(uno: BenchUno, path: string): void {
  uno.cable = (bytes) => {
    const { stdout } = spawnSync('stty', ['-F', path, 'speed'], { encoding: 'utf8' });
    // At another one it is not open, or the cable is pulled: nobody hears.
    return RATES.includes(Number(stdout)) ? heard(bytes, SKETCH_BAUD, Number(stdout)) : new Uint8Array();
  };
}

describeWithTools(['socat', 'stty'], 'a board at another rate', () => {
  test('is found by trying the rates of the list, and at once when it comes back', async () => {
    const path = join(await folder(), 'tty');
    const uno = await sensorUno();
    const pty = await plug(uno, path);
    mishear(uno, path);
    const running = await startGateway([{ name: 'bench', path, baud: RATES }]);
    await until(() => expect(running.log.join()).toMatch(/port bench is open/));
    power(uno);
    const program = await (await Program.connect(running)).subscribe(
      '$slipway/devices/#',
      '$slipway/ports/#',
    );
    await program.untilLast(STATE, 'online');
    const news = () => running.log.filter((line) => line.startsWith('port bench'));
    expect(news()).toEqual(['port bench is open', 'port bench: the board speaks at 115200 baud']);
    expect(running.count('serial.rate_changes')).toBe(2);
    // What was heard at the wrong rates is nobody's text.
    expect(program.texts('$slipway/ports/bench/log').filter((line) => line.includes('\uFFFD'))).toEqual([]);

    await pty.close();
    await program.untilLast(STATE, 'offline');
    await plug(uno, path);
    await program.untilLast(STATE, 'online');
    expect(running.count('serial.rate_changes')).toBe(2);
    expect(news().slice(2)).toEqual([expect.stringContaining('was lost'), 'port bench is open']);
  });
});

describeWithTools(['socat'], 'two boards', () => {
  test('that are swapped keep their sessions, and the log says where each went', async () => {
    const place = await folder();
    const [a, b] = [join(place, 'tty-a'), join(place, 'tty-b')];
    const boards = [await sensorUno(), await sensorUno('another-uno')] as const;
    const ptys = [await plug(boards[0], a), await plug(boards[1], b)];
    for (const board of boards) power(board);
    const running = await startGateway([
      { name: 'left', path: a },
      { name: 'right', path: b },
    ]);
    const program = await (await Program.connect(running)).subscribe('$slipway/devices/#');
    const states = () =>
      ['virtual-uno', 'another-uno'].map((id) => program.texts(`$slipway/devices/${id}/state`).at(-1));
    await until(() => expect(states()).toEqual(['online', 'online']));
    await until(() => expect(running.gateway.statistics().router.subscriptions).toBe(3));

    await Promise.all(ptys.map((pty) => pty.close()));
    await until(() => expect(states()).toEqual(['offline', 'offline']));
    await program.client.emit('greenhouse/led', 'on');
    await plug(boards[0], b);
    await plug(boards[1], a);
    await until(() => expect(states()).toEqual(['online', 'online']));
    for (const board of boards) await until(() => expect(board.led.at(-1)).toBe(true));
    expect(running.log.filter((line) => /moved/.test(line)).toSorted()).toEqual([
      'another-uno is online on serial:left, resumed, moved here from serial:right',
      'virtual-uno is online on serial:right, resumed, moved here from serial:left',
    ]);
    expect(boards.map(({ boots }) => boots)).toEqual([1, 1]);
  });
});

describeWithTools(['socat'], 'a board that is stuck', () => {
  async function stuck(clock: SkippingClock) {
    const path = join(await folder(), 'tty');
    const board = await HandBoard.plug(path);
    const running = await startGateway([{ name: 'bench', path }], { clock });
    await until(() => expect(running.log.join()).toMatch(/port bench is open/));
    return { board, running };
  }

  test('in its bootloader is told of once, with the mend, and once when it runs', async () => {
    const clock = new SkippingClock();
    const { board, running } = await stuck(clock);
    board.pty.print('rst:0x1 (POWERON_RESET),boot:0x3 (DOWNLOAD(USB/UART0))\r\nwaiting for download\r\n');
    await until(() => expect(running.count('serial.text.lines')).toBe(2));
    for (let i = 0; i < 30; i++) clock.skip(10_000);
    await until(() => expect(running.log.join('\n')).toContain('bootloader'));
    board.pty.print(board.frame(HELLO));
    await board.first('welcome');
    for (let i = 0; i < 3; i++) clock.skip(10_000);
    expect(running.log.filter((line) => line.startsWith('port bench'))).toEqual([
      'port bench is open',
      'port bench: the board is in its bootloader and waits for a program: press its reset button (on an ESP board without holding BOOT), or upload the sketch again',
      'port bench: the board is understood now, at 115200 baud',
    ]);
  });

  test('and says nothing is told of once', async () => {
    const clock = new SkippingClock();
    const { board, running } = await stuck(clock);
    for (let i = 0; i < 30; i++) clock.skip(10_000);
    await until(() => expect(running.log.join('\n')).toContain('says nothing'));
    for (let i = 0; i < 30; i++) clock.skip(10_000);
    board.pty.print(board.frame(HELLO));
    await board.first('welcome');
    expect(running.log.filter((line) => line.startsWith('port bench'))).toEqual([
      'port bench is open',
      'port bench: the board says nothing: press its reset button; if that does not help, upload a sketch that uses Slipway or prints',
      'port bench: the board is understood now, at 115200 baud',
    ]);
  });
});
