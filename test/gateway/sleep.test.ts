import { describe, expect, it } from 'vitest';
import { connectTo, startGateway, until } from '../support/gateways.js';
import { RawTcp, RawUdp } from '../support/raw-peers.js';
import { SkippingClock } from '../support/skipping-clock.js';

async function scene() {
  const clock = new SkippingClock();
  const running = await startGateway({}, { clock });
  // Its own clock is not the one that skips.
  const program = await connectTo(running.tcp, { keepAlive: 0 });
  const states: string[] = [];
  await program.subscribe('$slipway/devices/board/state', ({ text }) => void states.push(text));
  return { ...running, clock, program, states };
}

describe.each(['udp', 'tcp'] as const)('a device on %s that sleeps (PROTOCOL.md §4.7)', (kind) => {
  const open = (at: Awaited<ReturnType<typeof scene>>) =>
    kind === 'udp' ? RawUdp.open(at.udp) : RawTcp.open(at.tcp);

  it('is acknowledged, left alone, and given what was held when it speaks', async () => {
    const at = await scene();
    const board = await open(at);
    const { nextIn } = await board.introduce('board', { keepAlive: 10 });
    const subscribe = { type: 'subscribe', qos: 2, noLocal: false, noLastValue: false, id: 0 } as const;
    board.send({ ...subscribe, seq: nextIn, pattern: 'to/board' });
    board.send({ type: 'sleep', seq: (nextIn + 1) & 0xffff, seconds: 60 });
    await until(() => expect(board.all('ack').at(-1)?.next).toBe((nextIn + 2) & 0xffff));
    await until(() => expect(at.states).toEqual(['online', 'asleep']));
    const before = board.received.length;
    for (const n of [1, 2, 3]) await at.program.emit('to/board', `reliable ${n}`);
    for (const n of [1, 2, 3]) await at.program.emit('to/board', `unreliable ${n}`, { qos: 0 });
    // Past every resend timer and the keep-alive, but not past the sleep.
    for (let n = 0; n < 5; n++) {
      at.clock.skip(9000);
      await at.program.time();
    }
    expect(board.received.length).toBe(before);
    board.send({ type: 'ping', token: 7 });
    await until(() => expect(board.all('emit')).toHaveLength(4));
    expect(board.received.slice(before).map(({ type }) => type)).toEqual([
      'pong',
      'emit',
      'emit',
      'emit',
      'emit',
    ]);
    expect(board.all('emit').map(({ payload }) => Buffer.from(payload).toString())).toEqual([
      'reliable 1',
      'reliable 2',
      'reliable 3',
      'unreliable 3',
    ]);
    await until(() => expect(at.states).toEqual(['online', 'asleep', 'online']));
  });

  it('is offline, and told so, when its time and one and a half keep-alives are over', async () => {
    const at = await scene();
    const board = await open(at);
    const { nextIn } = await board.introduce('board', { keepAlive: 10 });
    board.send({ type: 'sleep', seq: nextIn, seconds: 60 });
    await until(() => expect(at.states).toEqual(['online', 'asleep']));
    at.clock.skip(74_000);
    await at.program.time();
    expect(at.states).toEqual(['online', 'asleep']);
    at.clock.skip(1500);
    await until(() => expect(at.states).toEqual(['online', 'asleep', 'offline']));
    await until(() => expect(board.all('bye').map(({ reason }) => reason)).toEqual(['timeout']));
  });
});

it('a device on TCP whose connection is lost while it sleeps is asleep until its time is over', async () => {
  const at = await scene();
  const board = await RawTcp.open(at.tcp);
  const { nextIn } = await board.introduce('board', { keepAlive: 10, expiry: 0 });
  const will = { type: 'will', qos: 1, retain: false, name: 'gone', payload: Buffer.from('board') } as const;
  const gone: string[] = [];
  await at.program.subscribe('gone', ({ text }) => void gone.push(text));
  board.send({ ...will, seq: nextIn });
  board.send({ type: 'sleep', seq: (nextIn + 1) & 0xffff, seconds: 60 });
  await until(() => expect(at.states).toEqual(['online', 'asleep']));
  board.socket.destroy();
  await until(() => expect(at.gateway.statistics().sessions).toEqual({ open: 1, held: 1 }));
  at.clock.skip(70_000);
  await at.program.time();
  expect([at.states, gone]).toEqual([['online', 'asleep'], []]);
  at.clock.skip(5000);
  await until(() => expect([at.states, gone]).toEqual([['online', 'asleep', 'offline'], ['board']]));
  expect(at.gateway.statistics().sessions).toEqual({ open: 1, held: 0 });
});

describe('a program that sleeps', () => {
  it('gets what was held when it says something, or wakes', async () => {
    const { tcp, gateway } = await startGateway();
    const [sleeper, other] = [await connectTo(tcp), await connectTo(tcp)];
    const got: string[] = [];
    await sleeper.subscribe('n', ({ text }) => void got.push(text));
    const deliver = async (text: string): Promise<void> => {
      await sleeper.sleep(3600);
      await other.emit('n', text);
      for (let n = 0; n < 3; n++) await other.time();
    };
    await deliver('1');
    expect(got).toEqual([]);
    await sleeper.wake();
    await until(() => expect(got).toEqual(['1']));
    await deliver('2');
    expect(got).toEqual(['1']);
    await sleeper.emit('elsewhere', 'x');
    await until(() => expect(got).toEqual(['1', '2']));
    await deliver('3');
    await sleeper.time();
    await until(() => expect(got).toEqual(['1', '2', '3']));
    expect(gateway.statistics().router.lastValues).toBe(1); // $slipway/stats: programs have no state.
  });

  it('is told what is wrong with a sleep', async () => {
    const client = await connectTo((await startGateway()).tcp);
    for (const seconds of [0, -1, 1.5, 2 ** 28])
      await expect(client.sleep(seconds)).rejects.toMatchObject({ code: 'invalid_option' });
    await client.close();
    await expect(client.sleep(1)).rejects.toMatchObject({ code: 'end_session' });
  });
});
