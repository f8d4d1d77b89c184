import { join } from 'node:path';
import { expect, test } from 'vitest';
import { END } from '../../src/links/serial/slip.js';
import { describeWithTools } from '../support/tools.js';
import {
  folder,
  Program,
  plug,
  power,
  type RunningGateway,
  sensorUno,
  startGateway,
  until,
  untilSubscriptions,
} from './bench.js';
import type { BenchUno } from './bench-uno.js';

const STATE = '$slipway/devices/virtual-uno/state';
const LED = 'greenhouse/led';
const LED_STATE = 'greenhouse/led/state';
const TEMPERATURE = 'greenhouse/temperature';

interface Bench {
  readonly uno: BenchUno;
  readonly path: string;
  readonly running: RunningGateway;
  readonly program: Program;
}

/** The sensor on a pty, a gateway that has the port, and a program that hears everything. */
async function sensorBench(): Promise<Bench> {
  const path = join(await folder(), 'tty-a');
  const uno = await sensorUno();
  await plug(uno, path);
  power(uno);
  const running = await startGateway([{ name: 'bench', path }]);
  const program = await Program.connect(running, { identity: 'watcher' });
  await program.subscribe('#', '$slipway/devices/#', '$slipway/ports/#');
  await program.untilLast(STATE, 'online');
  await untilSubscriptions(running, 4);
  await program.untilLast(LED_STATE, 'off');
  return { uno, path, running, program };
}

/** Switches the LED and waits until the light and its state say so. */
async function switchLed({ uno, program }: Pick<Bench, 'uno' | 'program'>, on: boolean): Promise<void> {
  await program.client.emit(LED, on ? 'on' : 'off');
  await until(() => expect(uno.led.at(-1)).toBe(on));
  await program.untilLast(LED_STATE, on ? 'on' : 'off');
}

describeWithTools(['socat'], 'the sensor sketch on a pty', () => {
  test('its readings arrive, its LED obeys and its presence is told', async () => {
    const { uno, running, program } = await sensorBench();
    await until(() => expect(program.on(TEMPERATURE).length).toBeGreaterThanOrEqual(3));
    for (const { text, qos } of program.on(TEMPERATURE)) {
      expect(text).toMatch(/^\d\d\.\d\d$/);
      expect(qos).toBe(0);
    }
    await switchLed({ uno, program }, true);
    expect(program.on(LED_STATE).at(-1)?.qos).toBe(1);

    const late = await Program.connect(running);
    await late.subscribe(LED_STATE, STATE);
    await until(() => expect(late.received).toHaveLength(2));
    expect(late.received).toMatchObject([
      { channel: LED_STATE, text: 'on', retained: true },
      { channel: STATE, text: 'online', retained: true },
    ]);

    await switchLed({ uno, program }, false);
    expect(uno.led).toEqual([true, false]);
    expect(late.on(LED_STATE).at(-1)).toMatchObject({ text: 'off', retained: false });
    expect(uno.counters.snapshot()).toEqual({});
  });

  test('a gateway that starts again finds the board as it was', async () => {
    const { uno, path, running, program } = await sensorBench();
    await switchLed({ uno, program }, true);
    await running.gateway.stop();
    await until(() => expect(program.client.connected).toBe(false));

    const again = await startGateway([{ name: 'bench', path }], { port: running.port });
    await until(() => expect(program.client.connected).toBe(true));
    await until(() => expect(again.log.join('\n')).toMatch(/virtual-uno is online on serial:bench$/m));
    await untilSubscriptions(again, 4);
    await switchLed({ uno, program }, false);
    await switchLed({ uno, program }, true);
    expect(uno.led).toEqual([true, false, true]);
    expect(uno.boots).toBe(1);
  });

  test('the reset button costs seconds, and no subscription', async () => {
    const { uno, running, program } = await sensorBench();
    await switchLed({ uno, program }, true);
    const before = program.on(LED_STATE).length;
    uno.reset();
    // The sketch starts with its LED off, and says so; it may then be sent again what it has not acknowledged.
    await until(() => expect(program.texts(LED_STATE).slice(before)).toContain('off'));
    expect(running.log.at(-1)).toBe('virtual-uno is online on serial:bench, resumed');
    await switchLed({ uno, program }, false);
    await switchLed({ uno, program }, true);
    expect(uno.boots).toBe(2);
  });
});

describeWithTools(['socat'], 'a cable', () => {
  test('pulled in the middle of a packet and put back elsewhere: the session goes on', async () => {
    const place = await folder();
    const uno = await sensorUno();
    const pty = await plug(uno, join(place, 'tty-a'));
    const running = await startGateway([{ name: 'bench', path: join(place, 'tty-*') }]);
    // So the gateway gets every byte that the board sends.
    await until(() => expect(running.log).toContain('port bench is open'));
    power(uno);
    const program = await Program.connect(running, { identity: 'watcher' });
    await program.subscribe('#', '$slipway/devices/#');
    await program.untilLast(STATE, 'online');
    await untilSubscriptions(running, 3);
    await program.untilLast(LED_STATE, 'off');

    await cutInPacket(uno, running);
    await pty.close();
    const ledBefore = uno.led.length;
    // No more than the sketch's window holds: it lets go of a state that finds no place there.
    const emitted = ['on', 'off', 'on'];
    await Promise.all(emitted.map((text) => program.client.emit(LED, text)));
    await program.untilLast(STATE, 'offline');
    expect(running.count('serial.drop.cut_off')).toBe(1);

    uno.cable = (bytes) => bytes;
    await plug(uno, join(place, 'tty-b'));
    await program.untilLast(STATE, 'online');
    expect(running.log.at(-1)).toBe('virtual-uno is online on serial:bench, resumed');
    await until(() => expect(uno.led.slice(ledBefore)).toEqual([true, false, true]));
    await until(() => expect(program.texts(LED_STATE).slice(-3)).toEqual(emitted));
    expect(uno.boots).toBe(1);
    expect(uno.counters.snapshot()).toEqual({});
  });
});

/**
 * Lets half of the board's next packet through and nothing after it; resolves when the gateway, which has got everything
 * since the board was switched on, has got that.
 */
async function cutInPacket(uno: BenchUno, running: RunningGateway): Promise<void> {
  let passed: number | undefined;
  uno.cable = (bytes) => {
    if (passed !== undefined) return bytes.subarray(0, 0);
    // An END, and then a head: a packet begins here. The lines of this sketch hold no such byte.
    const begin = bytes.findIndex(
      (byte, at) => byte === END && (bytes[at + 1] ?? 0) >= 0x80 && bytes[at + 1] !== END,
    );
    if (begin < 0) return bytes;
    const part = bytes.subarray(0, begin + 4);
    passed = Buffer.concat(uno.sent).length - bytes.length + part.length;
    return part;
  };
  await until(() => expect(running.count('serial.rx.bytes')).toBe(passed));
}
