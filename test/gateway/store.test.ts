import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { RETURN_MS } from '../../src/gateway/presence.js';
import type { Link } from '../../src/links/link.js';
import { LevelBackend } from '../../src/store/level-backend.js';
import { decodePacket } from '../../src/wire/decode.js';
import { encodePacket } from '../../src/wire/encode.js';
import type { Message, Welcome } from '../../src/wire/messages.js';
import { NO_FAULTS } from '../support/faulty-wire.js';
import { connectTo, startGateway, until } from '../support/gateways.js';
import { Disk } from '../support/memory-backend.js';
import { hello, RawTcp } from '../support/raw-peers.js';
import { EngineDevice, type SimulatedLink, Simulation } from '../support/simulation.js';
import { SkippingClock } from '../support/skipping-clock.js';

/** A gateway with a disk, in virtual time, that can be killed; and a device that hears everything. */
function scene() {
  const limits = { sessions: 100 };
  const simulation = new Simulation(1, { hub: limits });
  const { clock } = simulation;
  const disk = new Disk();
  simulation.startGateway(disk);
  const links = new Set<SimulatedLink>();
  const connect = (device: EngineDevice) => {
    const link = simulation.connect('udp', device, NO_FAULTS);
    links.add(link);
    clock.until(() => device.session.state === 'ready', 60_000, 'it is connected');
    return link;
  };
  const watcher = new EngineDevice(simulation, 'watcher');
  watcher.subscribe('#', 2);
  connect(watcher);
  /** `back`: the devices that come back at once. */
  const restart = (...back: EngineDevice[]) => {
    for (const link of links) link.cut();
    links.clear();
    simulation.startGateway(disk);
    for (const device of [watcher, ...back]) connect(device);
  };
  const commit = () => clock.advance(1100);
  const heard = () => watcher.received.map(({ channel, text }) => `${channel} ${text}`);
  return { simulation, clock, disk, limits, connect, watcher, restart, commit, heard };
}

describe('what a gateway that was killed still knows', () => {
  test('the will of a peer that does not come back, once; not of one that does', () => {
    const { simulation, clock, connect, restart, commit, heard } = scene();
    const [lost, back] = ['lost', 'back'].map((name) => new EngineDevice(simulation, name)) as [
      EngineDevice,
      EngineDevice,
    ];
    for (const device of [lost, back]) {
      device.will('wills', device === lost ? 'lost' : 'back', 1);
      connect(device);
    }
    commit();
    restart(back);
    clock.advance(RETURN_MS - 10_000);
    expect(heard()).toEqual([]);
    clock.advance(20_000);
    expect(heard()).toEqual(['wills lost']);
    commit();
    restart(back);
    clock.advance(2 * RETURN_MS);
    expect(heard()).toEqual(['wills lost']);
  });

  test('a will that was due when it was killed', () => {
    const { simulation, clock, connect, restart, heard } = scene();
    const device = new EngineDevice(simulation, 'device');
    device.will('wills', 'lost', 2);
    const link = connect(device);
    clock.advance(500);
    link.cut();
    clock.advance(1500);
    expect(heard()).toEqual([]);
    restart();
    clock.advance(RETURN_MS + 10_000);
    expect(heard()).toEqual(['wills lost']);
  });

  test('who sleeps, and for how long', () => {
    const { simulation, clock, connect, restart, commit, watcher } = scene();
    const device = new EngineDevice(simulation, 'device', { keepAlive: 10 });
    device.subscribe('to/device', 1);
    const link = connect(device);
    device.sleep(600);
    clock.until(() => device.asleep, 60_000, 'it sleeps');
    commit();
    link.cut();
    restart();
    watcher.emit('to/device', 'while asleep', 1);
    clock.advance(300_000);
    expect(simulation.presence.filter((line) => line === 'device offline')).toEqual([]);
    restart();
    expect(simulation.hub.stateOf('device')).toBe('asleep');
    clock.advance(400_000);
    expect(simulation.presence.at(-1)).toBe('device offline');
    device.wake();
    connect(device);
    clock.until(() => device.received.length > 0, 10_000, 'what was held arrives');
    expect(device.received.map(({ text }) => text)).toEqual(['while asleep']);
  });

  test('last values, and who has missed which', () => {
    const { simulation, clock, connect, restart, commit, watcher } = scene();
    const device = new EngineDevice(simulation, 'device');
    device.subscribe('v/+', 1);
    const link = connect(device);
    watcher.emit('v/a', 'old', 1, true);
    watcher.emit('v/b', 'old', 1, true);
    clock.until(() => device.received.length === 2, 10_000, 'both arrive');
    commit();
    link.cut();
    watcher.emit('v/b', 'new', 0, true);
    commit();
    restart(device);
    clock.advance(2000);
    expect(device.received.slice(2).map(({ channel, text, retained }) => [channel, text, retained])).toEqual([
      ['v/b', 'new', true],
    ]);
    watcher.emit('v/a', '', 1, true);
    commit();
    restart();
    const late = new EngineDevice(simulation, 'late');
    late.subscribe('v/+', 1);
    connect(late);
    clock.advance(2000);
    expect(late.received.map(({ channel, text }) => `${channel} ${text}`)).toEqual(['v/b new']);
  });

  test('who has missed a last value, also when newer ones were not kept', () => {
    const { simulation, clock, connect, restart, commit, watcher } = scene();
    const device = new EngineDevice(simulation, 'device');
    device.subscribe('v', 1);
    const link = connect(device);
    for (let n = 0; n < 20; n++)
      simulation.router.emit('$slipway/stats', Buffer.from(`${n}`), { qos: 0, retain: true });
    device.emit('other', 'x', 1);
    clock.until(() => device.outcomes.length === 1, 10_000, 'it is heard');
    commit();
    link.cut();
    restart();
    watcher.emit('v', 'new', 0, true);
    clock.advance(1000);
    connect(device);
    clock.advance(2000);
    expect(device.received.map(({ text }) => text)).toEqual(['new']);
  });

  test('that a peer takes nothing reliable, and nothing large', () => {
    const { simulation, clock, connect, restart, commit, watcher } = scene();
    const simple = new EngineDevice(simulation, 'simple', { limits: { window: 0 } });
    const small = new EngineDevice(simulation, 'small', { limits: { maxPacket: 64 } });
    const links = [simple, small].map((device) => {
      device.subscribe(device === simple ? 'to/simple' : 'to/small', 1);
      return connect(device);
    });
    commit();
    for (const link of links) link.cut();
    restart();
    watcher.emit('to/simple', 'while it was away', 1);
    watcher.emit('to/small', 'x'.repeat(100), 1);
    clock.until(() => watcher.outcomes.length === 2, 10_000, 'both are answered');
    expect(watcher.outcomes[0]).toBe('while it was away ok');
    expect(watcher.outcomes[1]).toMatch(/ too_large_for_receiver$/);
    expect(simulation.hub.sessions.get('simple')?.engine.pending).toBe(0);
    connect(simple);
    watcher.emit('to/simple', 'now', 1);
    clock.advance(2000);
    expect(simple.received.map(({ text, qos }) => `${text} ${qos}`)).toEqual(['now 0']);
  });

  test('a sleep longer than the expiry of the session', () => {
    const { simulation, clock, connect, restart, commit } = scene();
    const device = new EngineDevice(simulation, 'device', { expiry: 10 });
    connect(device);
    device.sleep(600);
    clock.until(() => device.asleep, 60_000, 'it sleeps');
    commit();
    restart();
    clock.advance(590_000);
    expect(simulation.hub.stateOf('device')).toBe('asleep');
  });

  test('the will of a peer whose session ends with its link: everyone hears it', () => {
    const { simulation, clock, connect, restart, commit, heard } = scene();
    const device = new EngineDevice(simulation, 'a', { expiry: 0 });
    device.will('wills', 'lost', 1);
    connect(device);
    commit();
    restart();
    clock.advance(RETURN_MS);
    expect(heard()).toEqual(['wills lost']);
  });

  test('what it took from a peer whose session is over: the same is not taken again (QoS 2)', () => {
    const { simulation, clock, connect, restart, commit, heard } = scene();
    const device = new EngineDevice(simulation, 'device', { expiry: 0 });
    const link = connect(device);
    device.emit('alarm', 'fire', 2);
    const before = simulation.counters.get('router.emit');
    clock.until(() => simulation.counters.get('router.emit') > before, 10_000, 'the gateway has taken it');
    link.cut();
    expect(device.outcomes).toEqual([]);
    commit();
    restart(device);
    clock.advance(5000);
    expect(device.outcomes).toEqual(['fire ok']);
    expect(heard()).toEqual(['alarm fire']);
  });

  test('of sessions that are over no more than it may, though that be less than before', () => {
    const { simulation, connect, restart, commit, disk, limits } = scene();
    for (let n = 0; n < 5; n++) {
      const device = new EngineDevice(simulation, `device-${n}`, { expiry: 0 });
      connect(device).cut();
    }
    commit();
    expect(disk.read().numberings).toHaveLength(5);
    limits.sessions = 2;
    restart();
    commit();
    expect(disk.read().numberings).toHaveLength(2);
  });

  test('sessions expire when they were away for long enough while it ran', () => {
    const { simulation, clock, connect, restart, commit, disk } = scene();
    const device = new EngineDevice(simulation, 'device', { expiry: 100 });
    connect(device).cut();
    clock.advance(60_000);
    commit();
    restart();
    expect(simulation.hub.sessions.has('device')).toBe(true);
    clock.advance(50_000);
    expect(simulation.hub.sessions.has('device')).toBe(false);
    commit();
    expect(disk.read().sessions.map(({ identity }) => identity)).toEqual(['watcher']);
  });
});

describe('a disk that stands still', () => {
  test('holds back little for each peer, however much that says meanwhile', () => {
    const { simulation, clock, disk, commit, watcher, heard } = scene();
    const sent: Message[][] = [];
    const link: Link = {
      kind: 'udp',
      name: 'udp:babbler',
      reliable: false,
      ordered: false,
      maxPacket: 1472,
      wireSize: ({ length }) => length,
      send: (packet) => void sent.push(decodePacket(packet, 'gateway')),
      backlog: () => 0,
      close: async () => undefined,
    };
    const babbler = simulation.hub.attach(link);
    const say = (...messages: Message[]) => babbler.packet(encodePacket(messages));
    const greet = hello('babbler', { keepAlive: 600 });
    say(greet);
    clock.until(() => sent.length > 0, 10_000, 'it is welcome');
    const { token, nextIn } = sent.flat()[0] as Welcome;
    say({ type: 'begin', token });
    commit();

    disk.stuck = true;
    sent.length = 0;
    say({ type: 'emit', seq: nextIn, qos: 1, retain: false, name: 'a', payload: Buffer.from('kept') });
    for (let n = 0; n < 1000; n++) {
      say({ type: 'ping', token: n & 0xff });
      say({ ...greet, token });
      clock.advance(5);
    }
    expect([sent, heard()]).toEqual([[], []]);
    disk.stuck = false;
    clock.advance(1000);
    const types = sent.flat().map(({ type }) => type);
    expect(types.filter((type) => type === 'welcome').length).toBeLessThanOrEqual(2);
    expect(types.filter((type) => type === 'pong').length).toBeLessThanOrEqual(65);
    expect(sent.flat()).toContainEqual({
      type: 'ack',
      next: (nextIn + 1) & 0xffff,
      bitmap: new Uint8Array(),
    });
    expect(watcher.received.map(({ text }) => text)).toEqual(['kept']);
  });
});

describe('a gateway with a store on a real disk', () => {
  const stored = async () => {
    const path = await mkdtemp(join(tmpdir(), 'slipway-'));
    onTestFinished(() => rm(path, { recursive: true, force: true }));
    return { store: { path: join(path, 'store') } };
  };

  test('stops and starts: programs find what was held for them, and the last values', async () => {
    const config = await stored();
    const first = await startGateway(config);
    const away = await connectTo(first.tcp, { identity: 'away', expiry: 3600 });
    await away.subscribe('news/#');
    await away.close();
    const reporter = await connectTo(first.tcp);
    for (const n of [1, 2, 3]) await reporter.emit('news/today', `${n}`, { qos: 2, retain: n === 2 });
    await reporter.close();
    await first.gateway.stop();

    const second = await startGateway(config);
    expect(second.log.map(({ msg }) => msg)).toContainEqual(
      expect.stringMatching(/^the store holds 1 sessions, 3 messages for them, \d last values$/),
    );
    const received: string[] = [];
    const back = await connectTo(second.tcp, { identity: 'away', expiry: 3600 });
    await back.subscribe(
      'news/#',
      ({ text, retained }) => void received.push(retained ? `kept ${text}` : text),
    );
    await until(() => expect(received).toContain('kept 2'));
    expect(received.filter((text) => !text.startsWith('kept'))).toEqual(['1', '2', '3']);
  });

  test('stops in time, and lets go of the store, though the disk does not answer', async () => {
    const config = await stored();
    const { gateway } = await startGateway(config);
    const write = vi.spyOn(LevelBackend.prototype, 'write').mockImplementation(() => undefined);
    onTestFinished(() => write.mockRestore());
    gateway.emit('a', 'never written', { retain: true });
    await gateway.stop();
    const again = await vi.waitFor(() => LevelBackend.open(config.store.path), { timeout: 10_000 });
    await again.close();
  });

  test('an ended session leaves nothing behind', async () => {
    const config = await stored();
    const first = await startGateway(config);
    const program = await connectTo(first.tcp);
    await program.subscribe('a/#');
    await program.emit('a/b', 'x');
    await program.close();
    await until(() => expect(first.gateway.statistics().sessions).toEqual({ open: 0, held: 0 }));
    await first.gateway.stop();
    const second = await startGateway(config);
    expect(second.log.map(({ msg }) => msg)).toContain(
      'the store holds 0 sessions, 0 messages for them, 0 last values',
    );
  });
});

describe('what waits for peers is bounded', () => {
  test('in all: what goes beyond is refused, and nobody gets it', async () => {
    const { tcp } = await startGateway({ limits: { all_queues: { messages: 5 } } });
    for (const identity of ['one', 'two']) {
      const away = await connectTo(tcp, { identity, expiry: 3600 });
      await away.subscribe(`to/${identity}`);
      await away.close();
    }
    const program = await connectTo(tcp);
    // What the gateway has to tell besides, its ids, counts as well.
    let held = 0;
    const fill = async () => {
      for (; held < 10; held++) await program.emit(held % 2 ? 'to/one' : 'to/two', 'x');
    };
    await expect(fill()).rejects.toMatchObject({ code: 'queue_full' });
    expect(held).toBeGreaterThanOrEqual(3);
    for (const to of ['one', 'two'])
      await expect(program.emit(`to/${to}`, 'x')).rejects.toMatchObject({ code: 'queue_full' });
    await program.emit('to/nobody', 'x');
    // What is delivered makes room.
    const back = await connectTo(tcp, { identity: 'one', expiry: 3600 });
    const received: string[] = [];
    await back.subscribe('to/one', ({ text }) => void received.push(text));
    await until(() => expect(received.length).toBe(Math.floor(held / 2)));
    await vi.waitFor(() => program.emit('to/two', 'x'), { timeout: 30_000 });
  });

  test('in age: what waited too long is dropped, counted and logged', async () => {
    const clock = new SkippingClock();
    const { tcp, count, log } = await startGateway(
      { sessions: { expiry: '30d' }, limits: { queue: { age: '2d' } } },
      { clock },
    );
    const board = await RawTcp.open(tcp);
    const { nextIn } = await board.introduce('board', { expiry: 30 * 86_400 });
    board.send({
      type: 'subscribe',
      seq: nextIn,
      qos: 1,
      noLocal: false,
      noLastValue: false,
      id: 0,
      pattern: 'a',
    });
    await until(() => expect(board.all('ack').at(-1)?.next).toBe((nextIn + 1) & 0xffff));
    board.socket.destroy();
    const program = await connectTo(tcp, { keepAlive: 0 });
    await until(() =>
      expect(log.map(({ msg }) => msg)).toContainEqual(expect.stringMatching(/board is offline/)),
    );
    await program.emit('a', 'too old');
    clock.skip(86_400_000);
    await program.emit('a', 'young');
    clock.skip(86_400_000);
    await until(() => expect(count('session.drop.too_old')).toBe(1));
    expect(log.map(({ msg }) => msg)).toContain(
      '1 messages for board have waited too long (limits.queue.age)',
    );
    const again = await RawTcp.open(tcp);
    await again.introduce('board', { expiry: 30 * 86_400 });
    await until(() =>
      expect(again.all('emit').map(({ payload }) => Buffer.from(payload).toString())).toEqual(['young']),
    );
  });
});
