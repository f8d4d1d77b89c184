import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { frameSize } from '../../src/links/serial/slip.js';
import { VirtualPorts } from '../../src/simulator/port-binding.js';
import { describeWithTools } from '../support/tools.js';
import { folder, Program, plug, power, startGateway, until, untilSubscriptions } from './bench.js';
import { BenchUno } from './bench-uno.js';
import { boardClock } from './board-clock.js';
import { AVR_TOOLS, build } from './firmware/build.js';

const PATH = '/dev/virtual-uno';
const MESSAGES = 200;
/** 115 200 baud, ten bits a byte. */
const LINE_BYTES_PER_S = 11_520;

describeWithTools(AVR_TOOLS, 'the pace towards a board', () => {
  test(`a burst of ${MESSAGES} messages reaches a board that is busy, each once and in order`, async () => {
    const uno = new BenchUno(await build('slow-counter.c'));
    const ports = new VirtualPorts(uno.counters);
    ports.plug(PATH, uno);
    onTestFinished(() => ports.unplug(PATH));
    const running = await startGateway([{ name: 'bench', path: PATH }], {
      clock: boardClock(uno),
      openPort: (port) => ports.serialPort(port),
      listPorts: () => ports.list(),
    });
    const program = await (await Program.connect(running)).subscribe('burst/counted');
    await untilSubscriptions(running, 2);
    const began = uno.ms;
    await Promise.all(
      Array.from({ length: MESSAGES }, (_, index) =>
        program.client.emit('burst/in', String(index).padEnd(20, '.')),
      ),
    );
    // Messages, bytes that the UART lost, spoiled frames, messages out of order.
    await program.untilLast('burst/counted', `${MESSAGES} 0 0 0`);
    console.log(`a burst of ${MESSAGES} messages of 20 bytes took ${Math.round(uno.ms - began)} ms`);
    expect(uno.counters.snapshot()).toEqual({});
  });
});

describeWithTools([...AVR_TOOLS, 'socat'], 'the pace of a board', () => {
  test('a board that emits as fast as it can loses nothing', async () => {
    const path = join(await folder(), 'tty');
    const uno = new BenchUno(await build('flood.c', 'SLOTS=4'));
    await plug(uno, path);
    const running = await startGateway([{ name: 'bench', path }]);
    const program = await (await Program.connect(running)).subscribe('flood/out');
    power(uno);
    await until(() => expect(program.received.length).toBeGreaterThan(50));
    const from = { messages: program.received.length, ms: uno.ms };
    await until(() => expect(uno.ms - from.ms).toBeGreaterThan(2000));
    const rate = (program.received.length - from.messages) / ((uno.ms - from.ms) / 1000);
    const size = frameSize(Buffer.from('90000001'.concat('30'.repeat(8)), 'hex'));
    const share = Math.round((100 * rate * size) / LINE_BYTES_PER_S);
    console.log(`${Math.round(rate)} messages/s of 8 bytes at QoS 1: ${share} % of what the line can carry`);

    const texts = program.texts('flood/out');
    expect(texts).toEqual(texts.map((_, index) => index.toString(16).padStart(8, '0')));
    expect(uno.counters.snapshot()).toEqual({});
    expect(running.count('serial.drop.crc')).toBe(0);
  });
});
