import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { RETURN_MS } from '../../src/gateway/presence.js';
import { connectTo, type RunningGateway, startGateway, until } from '../support/gateways.js';
import { RawTcp, RawUdp } from '../support/raw-peers.js';
import { SkippingClock } from '../support/skipping-clock.js';

it('presence and wills after a restart: who comes back was never away, who does not is offline', async () => {
  const path = await mkdtemp(join(tmpdir(), 'slipway-restart-'));
  onTestFinished(() => rm(path, { recursive: true, force: true }));
  const clock = new SkippingClock();
  const start = (): Promise<RunningGateway> => startGateway({ store: { path } }, { clock });
  const first = await start();
  const will = { type: 'will', qos: 1, retain: false, payload: Buffer.from('gone') } as const;
  const boards = { stays: await RawUdp.open(first.udp), goes: await RawTcp.open(first.tcp) };
  for (const [name, board] of Object.entries(boards)) {
    const { nextIn } = await board.introduce(name, { expiry: 3600 });
    board.send({ ...will, seq: nextIn, name: `wills/${name}` });
    await until(() => expect(board.all('ack').at(-1)?.next).toBe((nextIn + 1) & 0xffff));
  }
  const sleeper = await RawUdp.open(first.udp);
  const { nextIn } = await sleeper.introduce('sleeps', { expiry: 3600 });
  sleeper.send({ type: 'sleep', seq: nextIn, seconds: 3600 });
  await until(() => expect(sleeper.all('ack').at(-1)?.next).toBe((nextIn + 1) & 0xffff));
  await first.gateway.stop();

  const second = await start();
  const program = await connectTo(second.tcp, { keepAlive: 0 });
  const heard: string[] = [];
  const note = ({ channel, text }: { channel: string; text: string }) =>
    void heard.push(`${channel} ${text}`);
  await program.subscribe('$slipway/devices/+/state', note);
  await program.subscribe('wills/#', note);
  await until(() => expect(heard).toHaveLength(3));
  const state = (identity: string, text: string) => `$slipway/devices/${identity}/state ${text}`;
  expect(new Set(heard)).toEqual(
    new Set([state('stays', 'online'), state('goes', 'online'), state('sleeps', 'asleep')]),
  );
  heard.length = 0;
  await (await RawUdp.open(second.udp)).introduce('stays', { expiry: 3600, nonce: 2 });
  await until(() => expect(heard).toEqual([state('stays', 'online')]));
  clock.skip(RETURN_MS);
  await until(() => expect(heard).toHaveLength(3));
  await program.emit('wills/mark', 'last');
  await until(() => expect(heard.at(-1)).toBe('wills/mark last'));
  expect(new Set(heard.slice(1, -1))).toEqual(new Set([state('goes', 'offline'), 'wills/goes gone']));
  expect(heard).toHaveLength(4);
});
