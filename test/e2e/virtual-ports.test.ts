import { expect, onTestFinished, test } from 'vitest';
import type { GatewayOptions } from '../../src/gateway/gateway.js';
import { VirtualPorts } from '../../src/simulator/port-binding.js';
import { Program, type RunningGateway, sensorUno, startGateway, until, untilSubscriptions } from './bench.js';
import type { BenchUno } from './bench-uno.js';

const PATH = '/dev/virtual-uno';
const STATE = '$slipway/devices/virtual-uno/state';

/** The sensor on a port that exists in this process only, as in the demo. */
async function virtualBench() {
  const uno = await sensorUno();
  const ports = new VirtualPorts(uno.counters);
  ports.plug(PATH, uno);
  onTestFinished(() => ports.unplug(PATH));
  const options: Partial<GatewayOptions> = {
    openPort: (port) => ports.serialPort(port),
    listPorts: () => ports.list(),
  };
  return { uno, ports, options };
}

async function watch(running: RunningGateway): Promise<Program> {
  const program = await Program.connect(running);
  await program.subscribe(STATE, 'greenhouse/#');
  await program.untilLast(STATE, 'online');
  await untilSubscriptions(running, 3);
  return program;
}

async function switchLed(program: Program, uno: BenchUno, on: boolean): Promise<void> {
  await program.client.emit('greenhouse/led', on ? 'on' : 'off');
  await until(() => expect(uno.led.at(-1)).toBe(on));
  await program.untilLast('greenhouse/led/state', on ? 'on' : 'off');
}

test('a board on a virtual port is a board like any other, unplugged and plugged in again', async () => {
  const { uno, ports, options } = await virtualBench();
  const running = await startGateway(
    [{ name: 'bench', usb: { serial_number: 'virtual-uno', vendor_id: '2341' } }],
    options,
  );
  const program = await watch(running);
  await until(() => expect(program.on('greenhouse/temperature').length).toBeGreaterThanOrEqual(2));
  await switchLed(program, uno, true);

  ports.unplug(PATH);
  await program.untilLast(STATE, 'offline');
  const before = program.received.length;
  ports.plug(PATH, uno);
  await program.untilLast(STATE, 'online');
  // A board that was without power starts anew, with its LED off, and says so.
  const since = () => program.received.slice(before).map(({ channel, text }) => `${channel} ${text}`);
  await until(() => expect(since()).toContain('greenhouse/led/state off'));
  await switchLed(program, uno, false);
  await switchLed(program, uno, true);
  expect(running.log).toContain('virtual-uno is online on serial:bench, resumed');
  expect(uno.counters.snapshot()).toEqual({});
});

/** Switches the LED on, restarts the gateway, and switches again. Returns how often the board started because of that. */
async function bootsOfRestart(dtr: 'never' | 'always'): Promise<number> {
  const { uno, options } = await virtualBench();
  const serial = [{ name: 'bench', path: PATH, dtr }];
  const first = await startGateway(serial, options);
  await switchLed(await watch(first), uno, true);
  const before = uno.boots;
  await first.gateway.stop();

  const second = await watch(await startGateway(serial, options));
  // The light tells whether the sketch ran on: it starts with the LED off.
  expect(uno.led.at(-1)).toBe(dtr === 'never');
  await switchLed(second, uno, false);
  await switchLed(second, uno, true);
  return uno.boots - before;
}

test('with dtr: never the board runs on when the gateway starts again', async () => {
  expect(await bootsOfRestart('never')).toBe(0);
});

test('with dtr: always a gateway that starts again resets the board', async () => {
  // Opening raises DTR where closing had lowered it, and then it is pulsed in any case.
  expect(await bootsOfRestart('always')).toBeGreaterThanOrEqual(1);
});
