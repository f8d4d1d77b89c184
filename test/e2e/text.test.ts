import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parseIntelHex } from '../../src/simulator/intel-hex.js';
import type { Emit } from '../../src/wire/messages.js';
import { AVR_TOOLS, compile } from '../simulator/compile.js';
import { Random } from '../support/random.js';
import { describeWithTools } from '../support/tools.js';
import {
  folder,
  Program,
  plug,
  power,
  seedOf,
  sensorUno,
  startGateway,
  until,
  untilSubscriptions,
} from './bench.js';
import { BenchUno } from './bench-uno.js';
import { HandBoard, HELLO } from './hand-board.js';

const PORT_LOG = '$slipway/ports/bench/log';
const DEVICE_LOG = '$slipway/devices/by-hand/log';

/** What may be under way on a pty at once. */
const CHUNK_BYTES = 2048;

/** Prints five lines, then answers each line that it is sent with that line in brackets. */
const LINE_BOARD = `
static void print(const char *text) { while (*text) put(*text++); }
int main(void) {
  char line[32];
  uint8_t length = 0;
  uart();
  for (uint8_t count = 0; count < 5; count++) {
    print("count ");
    put('0' + count);
    print("\\r\\n");
  }
  for (;;) {
    char byte = get();
    if (byte != '\\n') {
      if (length < sizeof line) line[length++] = byte;
      continue;
    }
    put('[');
    for (uint8_t i = 0; i < length; i++) put(line[i]);
    print("]\\r\\n");
    length = 0;
  }
}
`;

describeWithTools([...AVR_TOOLS, 'socat'], 'a board without Slipway', () => {
  test('its lines are messages and messages are lines to it', async () => {
    const path = join(await folder(), 'tty');
    const uno = new BenchUno(parseIntelHex(await compile(LINE_BOARD)));
    await plug(uno, path);
    const running = await startGateway([
      { name: 'bench', path, lines: { emit: 'bench/said', listen: 'bench/say' } },
    ]);
    const program = await (await Program.connect(running)).subscribe('bench/said', PORT_LOG);
    await until(() => expect(running.log.join()).toMatch(/port bench is open/));
    power(uno);
    await program.untilLast('bench/said', 'count 4');
    for (const text of ['led on', 'größer', '']) {
      await program.client.emit('bench/say', text);
      await program.untilLast('bench/said', `[${text}]`);
    }
    const lines = [0, 1, 2, 3, 4].map((count) => `count ${count}`).concat('[led on]', '[größer]', '[]');
    expect(program.texts('bench/said')).toEqual(lines);
    expect(program.on('bench/said').map(({ qos }) => qos)).toEqual(lines.map(() => 1));
    await until(() => expect(program.texts(PORT_LOG)).toEqual(lines));
    expect(Buffer.concat(uno.written).toString()).toBe('led on\ngrößer\n\n');
    expect(uno.counters.snapshot()).toEqual({});
  });
});

const emit = (text: string): Emit => ({
  type: 'emit',
  qos: 0,
  retain: false,
  name: 'bench/reading',
  payload: Buffer.from(text),
});

describeWithTools(['socat'], 'text on the line of a board with Slipway', () => {
  test('before, between and after frames is told in its place: by the port, then by the device', async () => {
    const path = join(await folder(), 'tty');
    const board = await HandBoard.plug(path);
    const running = await startGateway([{ name: 'bench', path }]);
    const program = await (await Program.connect(running)).subscribe(
      'bench/#',
      '$slipway/devices/#',
      '$slipway/ports/#',
    );
    await until(() => expect(running.log.join()).toMatch(/port bench is open/));

    board.pty.print(
      Buffer.concat([Buffer.from('booting\r\n'), board.frame(HELLO), Buffer.from('greeted\r\n')]),
    );
    const { token } = await board.first('welcome');
    await program.untilLast(PORT_LOG, 'greeted');
    expect(program.texts(PORT_LOG)).toEqual(['booting', 'greeted']);

    board.pty.print(
      Buffer.concat([
        Buffer.from('without an end'),
        board.frame({ type: 'begin', token }),
        Buffer.from('between\n'),
        board.frame(emit('1')),
        board.frame(emit('2')),
        Buffer.from('größer\r\nand '),
        board.frame(emit('3')),
        Buffer.from('after'),
      ]),
    );
    await program.untilLast(DEVICE_LOG, 'after');
    expect(program.texts('bench/reading')).toEqual(['1', '2', '3']);
    expect(program.texts(PORT_LOG)).toEqual(['booting', 'greeted', 'without an end']);
    expect(program.texts(DEVICE_LOG)).toEqual(['between', 'größer', 'and ', 'after']);
    expect(Object.keys(running.gateway.statistics().counters).filter((name) => /drop/.test(name))).toEqual(
      [],
    );
  });

  test('a megabyte of noise, and the board still gets through', async () => {
    const random = new Random(seedOf());
    const path = join(await folder(), 'tty');
    const uno = await sensorUno();
    await plug(uno, path);
    const running = await startGateway([{ name: 'bench', path }]);
    const program = await (await Program.connect(running)).subscribe('$slipway/devices/#', 'greenhouse/#');
    await until(() => expect(running.log.join()).toMatch(/port bench is open/));

    const noise = random.bytes(1_000_000);
    for (let at = 0; at < noise.length; at += CHUNK_BYTES) {
      uno.disturb(noise.subarray(at, at + CHUNK_BYTES));
      const due = Math.min(at + CHUNK_BYTES, noise.length);
      await until(() => expect(running.count('serial.rx.bytes')).toBe(due), 1);
    }
    const spoiled = running.count('serial.drop.crc') + running.count('serial.drop.noise');
    expect(spoiled).toBeGreaterThan(100);

    power(uno);
    await program.untilLast('$slipway/devices/virtual-uno/state', 'online');
    await untilSubscriptions(running, 3);
    await program.client.emit('greenhouse/led', 'on');
    await until(() => expect(uno.led).toEqual([true]));
    await until(() => expect(program.on('greenhouse/temperature').length).toBeGreaterThan(0));
  });
});
