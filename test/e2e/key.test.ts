import { expect, onTestFinished, test } from 'vitest';
import { VirtualPorts } from '../../src/simulator/port-binding.js';
import { describeWithTools } from '../support/tools.js';
import { usersFile } from '../support/users-file.js';
import { Program, startGateway, until } from './bench.js';
import { BenchUno } from './bench-uno.js';
import { boardClock } from './board-clock.js';
import { AVR_TOOLS, build } from './firmware/build.js';

const PATH = '/dev/virtual-uno';

/** A gateway that knows the key 0x20, 0x21, …, with an Uno on its port whose key begins otherwise, or does not. */
async function start(firstOfKey: string) {
  const uno = new BenchUno(await build('keyed.c', 'SLIPWAY_WITH_KEY=1', `KEY=${firstOfKey}`));
  const ports = new VirtualPorts(uno.counters);
  ports.plug(PATH, uno);
  onTestFinished(() => ports.unplug(PATH));
  const key = Uint8Array.from({ length: 32 }, (_, i) => 0x20 + i);
  const access = {
    users: { file: await usersFile({}, { keyed: key }) },
    rules: [
      { who: 'device:keyed', emit: 'keyed/#' },
      { who: 'loopback', subscribe: '#' },
    ],
  };
  const running = await startGateway([{ name: 'bench', path: PATH }], {
    access,
    clock: boardClock(uno),
    openPort: (port) => ports.serialPort(port),
    listPorts: () => ports.list(),
  });
  return { uno, running };
}

describeWithTools(AVR_TOOLS, 'an Uno with a key (PROTOCOL.md §4.8)', () => {
  test('proves it, again after a reset, and loses no byte meanwhile', async () => {
    const { uno, running } = await start('0x20');
    const program = await (await Program.connect(running)).subscribe('keyed/count');
    await program.untilLast('keyed/count', '2');
    uno.reset();
    await until(() => expect(program.texts('keyed/count').slice(3)).toContain('1'));
    expect(uno.counters.snapshot()).toEqual({});
    expect(running.count('session.refused.prove_identity')).toBeGreaterThanOrEqual(2);
    expect(running.count('session.refused.bad_credentials')).toBe(0);
  });

  test('is not let in with another', async () => {
    const { running } = await start('0x21');
    await until(() => expect(running.count('session.refused.bad_credentials')).toBeGreaterThan(0));
    expect(running.gateway.statistics().sessions.open).toBe(0);
    expect(running.log.join('\n')).toContain('bad credentials for device "keyed"');
  });
});
