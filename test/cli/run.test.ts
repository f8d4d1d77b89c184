import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Address } from '../../src/gateway/gateway.js';
import { connectTo, until } from '../support/gateways.js';
import { type Program, slipway } from '../support/programs.js';
import { RawTcp } from '../support/raw-peers.js';
import { UdpDevice } from '../support/udp-device.js';

/** A folder with this config in it. */
async function folderWith(config: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'slipway-run-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  await writeFile(join(folder, 'slipway.yaml'), config);
  return folder;
}

const ANYWHERE = 'version: 1\nlisten:\n  tcp: { port: 0 }\n  udp: { port: 0 }\n';

/** Starts `slipway run` and waits until it listens. */
async function run(config = ANYWHERE): Promise<{ program: Program; tcp: Address; udp: Address }> {
  const program = slipway(['run', join(await folderWith(config), 'slipway.yaml')]);
  await program.prints(/"udp":.*\n/);
  const [, tcp, udp] = program.lines.map((line) => JSON.parse(line));
  return { program, tcp: tcp.tcp, udp: udp.udp };
}

describe('slipway run', () => {
  it('serves, with the config of its folder, and logs lines of JSON where nobody reads', async () => {
    const folder = await folderWith(ANYWHERE);
    const program = slipway(['run'], folder);
    await program.prints(/"udp":.*\n/);
    const lines = program.lines.map((line) => JSON.parse(line));
    expect(lines.map(({ msg }) => msg)).toEqual([
      expect.stringMatching(/^slipway \d+\.\d+\.\d+, config: \.\/slipway\.yaml$/),
      expect.stringMatching(/^listening on TCP 127\.0\.0\.1 port \d+$/),
      expect.stringMatching(/^listening on UDP 127\.0\.0\.1 port \d+$/),
    ]);
    const got: string[] = [];
    const client = await connectTo(lines[1].tcp, { identity: 'me' });
    await client.subscribe('x', ({ text }) => void got.push(text));
    await client.emit('x', 'served');
    await until(() => expect(got).toEqual(['served']));
    await program.prints(/me is online on tcp:127\.0\.0\.1:\d+/);
  });

  it.each(['SIGTERM', 'SIGINT'] as const)(
    'tells its peers and ends on %s, also when one is stuck',
    async (signal) => {
      const { program, tcp, udp } = await run();
      const client = await connectTo(tcp);
      const lost: string[] = [];
      client.on('disconnected', ({ reason }) => void lost.push(reason));
      const device = new UdpDevice('uno');
      await device.connect(udp);
      const peer = await RawTcp.open(tcp);
      await peer.introduce('peer');
      const stuck = await RawTcp.open(tcp);
      const { nextIn: seq } = await stuck.introduce('stuck', { maxPacket: 100_000 });
      const options = { qos: 1, noLocal: false, noLastValue: false, id: 0 } as const;
      stuck.send({ type: 'subscribe', seq, ...options, pattern: 'x' });
      await until(() => expect(stuck.all('ack').at(-1)?.next).toBe((seq + 1) & 0xffff));
      stuck.stopReading();
      // More than the system's buffers and the window take: some waits in the gateway.
      for (let n = 0; n < 150; n++) await client.emit('x', Buffer.alloc(90_000));

      program.child.kill(signal);
      expect(await program.ended).toEqual({ code: 0, signal: null });
      expect(lost).toEqual(['shutdown']);
      await until(() => expect(peer.all('bye')).toEqual([{ type: 'bye', reason: 'shutdown' }]));
      await until(() => expect(device.session.state).toBe('greeting'));
      const ending = program.lines.map((line) => JSON.parse(line).msg).slice(-1);
      expect(ending).toEqual(['stopped']);
      expect(program.stderr).toBe('');
    },
  );

  it('says in one line that its port is taken', async () => {
    const server = createServer().listen({ host: '127.0.0.1', port: 0 });
    await once(server, 'listening');
    onTestFinished(() => void server.close());
    const { port } = server.address() as AddressInfo;
    const folder = await folderWith(`version: 1\nlisten:\n  tcp: { port: ${port} }\n  udp: { port: 0 }\n`);
    const program = slipway(['run'], folder);
    expect(await program.ended).toEqual({ code: 1, signal: null });
    expect(program.stderr).toBe(
      `slipway: cannot listen on tcp:127.0.0.1:${port}: the port is taken: stop the program that listens there, or give listen.tcp another port\n`,
    );
  });

  it.each(['run', 'check'])('reports every problem of the config with its place, as %s', async (command) => {
    const folder = await folderWith('version: 1\nlisten:\n  tpc: { port: 1 }\nlimits: { sessions: none }\n');
    const file = join(folder, 'slipway.yaml');
    const program = slipway([command, '-c', file]);
    expect(await program.ended).toEqual({ code: 2, signal: null });
    expect(program.stderr.split('\n')).toEqual([
      `${file}:3:3: listen.tpc: unknown key (did you mean "tcp"?)`,
      expect.stringContaining(`${file}:4:21: limits.sessions: `),
      '',
    ]);
    expect(program.stdout).toBe('');
  });

  it('says that there is no such config', async () => {
    const program = slipway(['run', '-c', 'is/not/there.yaml']);
    expect(await program.ended).toEqual({ code: 2, signal: null });
    expect(program.stderr).toBe('is/not/there.yaml: there is no such file\n');
  });
});
