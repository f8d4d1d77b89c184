import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { connectTo, until } from '../support/gateways.js';
import { slipway, storeConfig } from '../support/programs.js';
import { describeWithTools } from '../support/tools.js';

/** How large the daemon's files may become, as if its disk were full then. */
function limitFiles(pid: number, bytes: number | 'unlimited'): void {
  execFileSync('prlimit', ['--pid', String(pid), `--fsize=${bytes}:unlimited`]);
}

describeWithTools(['prlimit'], 'a daemon whose disk is full', () => {
  test('acknowledges nothing reliable, says so once, serves the rest, and goes on when there is room', async () => {
    const { config, port } = await storeConfig('stats: { interval: 0 }\n');
    const daemon = slipway(['run', '-c', config]);
    await daemon.prints(/listening/);
    const address = { host: '127.0.0.1', port };
    const received: string[] = [];
    const subscriber = await connectTo(address, { identity: 'subscriber', keepAlive: 0 });
    await subscriber.subscribe('reliable', ({ text }) => void received.push(text));
    const emitter = await connectTo(address, { identity: 'emitter', keepAlive: 0 });
    await emitter.emit('reliable', '0');

    const unreliable: string[] = [];
    const bystander = await connectTo(address, { keepAlive: 0 });
    await bystander.subscribe('unreliable', ({ text }) => void unreliable.push(text));
    // Until the ids of the channel are agreed on, which is reliable.
    await bystander.emit('unreliable', 'first', { qos: 1 });
    await until(() => expect(unreliable).toEqual(['first']));

    limitFiles(daemon.child.pid ?? 0, 1);
    const acknowledged: number[] = [];
    const emits = [1, 2, 3].map((n) =>
      emitter.emit('reliable', `${n}`, { qos: 2 }).then(() => acknowledged.push(n)),
    );
    await daemon.prints(/the store cannot be written: .*File too large/);
    for (let n = 0; n < 20; n++) {
      await bystander.emit('unreliable', `${n}`, { qos: 0 });
      await until(() => expect(unreliable).toHaveLength(n + 2));
    }
    expect(acknowledged).toEqual([]);
    expect(received).toEqual(['0']);

    // Who comes now is told.
    await expect(connectTo(address)).rejects.toMatchObject({
      code: 'not_stored',
      message: expect.stringMatching(
        /the gateway cannot write its store \(is its disk full\?\): try again later$/,
      ),
    });

    const doctor = slipway(['doctor', '-c', config]);
    expect((await doctor.ended).code).toBe(1);
    expect(doctor.lines.slice(1, 3)).toEqual([
      `PROBLEM  gateway         runs, at 127.0.0.1 port ${port}, but cannot write its store`,
      '                         → make room on the disk of store.path',
    ]);

    limitFiles(daemon.child.pid ?? 0, 'unlimited');
    await Promise.all(emits);
    await until(() => expect(received).toEqual(['0', '1', '2', '3']));
    await daemon.prints(/can be written again/);
    expect(daemon.lines.filter((line) => line.includes('the store can'))).toEqual([
      expect.stringMatching(/"level":50.*cannot be written/),
      expect.stringMatching(/"level":30.*can be written again/),
    ]);
  });
});
