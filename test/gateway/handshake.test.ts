import { beforeEach, describe, expect, test } from 'vitest';
import type { Message, Welcome } from '../../src/wire/messages.js';
import { brief, named } from '../session/engine-bench.js';
import { hello, Line } from '../support/line.js';
import { Simulation } from '../support/simulation.js';

const subscribe = (seq: number): Message => ({
  type: 'subscribe',
  seq,
  qos: 1,
  noLocal: false,
  noLastValue: false,
  id: 0,
  pattern: 'c',
});

test('an old last value does not come behind a newer message, however subscriptions overlap (PROTOCOL.md §6.5)', () => {
  const line = new Line(new Simulation(1), 'udp');
  const { nextIn } = line.begin(hello());
  const [own, all] = ['a', '#'].map(
    (pattern, i) => ({ ...subscribe(nextIn + 1 + i), pattern, qos: i }) as Message,
  );
  const emit = (seq: number, text: string) => ({ ...named(text, 1, seq, 'a'), retain: true });
  line.say(emit(nextIn, 'old'), { ...all, seq: nextIn + 1 } as Message);
  const answer = line.say({ ...own, seq: nextIn + 2 } as Message, emit(nextIn + 3, 'new'));
  const texts = answer.flatMap((message) =>
    'payload' in message ? [Buffer.from(message.payload).toString()] : [],
  );
  expect(texts).toEqual(['old', 'new']);
});

describe('what a new epoch keeps (PROTOCOL.md §4.3)', () => {
  let simulation: Simulation;
  let line: Line;
  let first: Welcome;

  beforeEach(() => {
    simulation = new Simulation(1);
    line = new Line(simulation, 'serial');
    first = line.welcome(hello());
    line.say({ type: 'begin', token: first.token }, subscribe(first.nextIn));
  });

  test('nothing held: nothing', () => {
    expect(first).toMatchObject({ resumed: false, continues: false, known: false });
    expect(simulation.router.sizes.subscriptions).toBe(1);
  });

  test('the same boot goes on, under the same token', () => {
    const again = line.welcome(hello({ token: first.token, received: first.nextOut }));
    expect(again).toMatchObject({
      resumed: true,
      continues: true,
      known: true,
      token: first.token,
      nextIn: first.nextIn + 1,
      received: first.nextIn + 1,
      nextOut: first.nextOut,
    });
  });

  test('and does so though its BEGIN got lost on the way', () => {
    const second = line.welcome(hello({ token: first.token, received: first.nextOut }));
    line.events.closed('pulled');
    const elsewhere = new Line(simulation, 'tcp');
    expect(elsewhere.welcome(hello({ token: second.token, received: second.nextOut }))).toMatchObject({
      continues: true,
      known: true,
    });
  });

  test('a new boot gets the session and new numbers, far away', () => {
    const reborn = line.welcome(hello({ nonce: 2 }));
    expect(reborn).toMatchObject({
      resumed: true,
      continues: false,
      known: false,
      nextIn: (first.nextIn + 1 + 40_503) & 0xffff,
      nextOut: (first.nextOut + 40_503) & 0xffff,
    });
    expect(reborn.token).not.toBe(first.token);
  });

  test('clean gets nothing, when it begins', () => {
    const clean = line.welcome(hello({ nonce: 2, clean: true }));
    expect(clean).toMatchObject({ resumed: false, continues: false, known: false });
    expect(simulation.router.sizes.subscriptions).toBe(1);
    line.say({ type: 'begin', token: clean.token });
    expect(simulation.router.sizes.subscriptions).toBe(0);
    // It could not know that its BEGIN arrived, and asks for the same again.
    expect(line.welcome(hello({ nonce: 2, clean: true, token: clean.token }))).toMatchObject({
      continues: true,
    });
  });

  test('a session that ended leaves its numbering: what had arrived is known', () => {
    line.say({ type: 'bye', reason: 'end_session' });
    expect(simulation.router.sizes.subscriptions).toBe(0);
    expect(line.welcome(hello({ token: first.token, received: first.nextOut }))).toMatchObject({
      resumed: false,
      continues: false,
      known: true,
      received: first.nextIn + 1,
      nextIn: (first.nextIn + 1 + 40_503) & 0xffff,
    });
  });

  test('and what was taken behind a refused message, too', () => {
    const seq = first.nextIn + 1;
    for (const [i, name] of ['$no', 'a', '$no', 'b', 'c'].entries())
      line.say({ type: 'emit', qos: 2, retain: false, seq: seq + i, name, payload: new Uint8Array() });
    line.say({ type: 'bye', reason: 'end_session' });
    const again = hello({ token: first.token, received: first.nextOut });
    expect(line.welcome(again)).toMatchObject({ known: true, received: seq, taken: Uint8Array.of(0b1101) });
  });

  test('as far as the peer has room for it', () => {
    const tcp = new Line(simulation, 'tcp');
    const { nextIn, token } = tcp.begin(hello({ identity: 'other' }));
    tcp.say({ ...named('refused', 1, nextIn), name: '$no' });
    for (let i = 1; i <= 200; i++) tcp.say(named('taken', 1, nextIn + i));
    tcp.say({ type: 'bye', reason: 'end_session' });
    const again = { identity: 'other', token, received: 0 };
    expect(tcp.welcome(hello({ ...again, maxPacket: 128 })).taken).toHaveLength(25);
    expect(new Line(simulation, 'tcp').welcome(hello({ ...again, maxPacket: 48 })).taken).toHaveLength(11);
  });

  test('a numbering that the peer gave up does not go on (§5.4)', () => {
    line.say({ type: 'bye', reason: 'malformed' });
    expect(line.welcome(hello({ token: first.token, received: first.nextOut }))).toMatchObject({
      resumed: true,
      continues: false,
      known: true,
    });
  });

  test('a late HELLO of an earlier boot changes nothing', () => {
    const reborn = line.begin(hello({ nonce: 2 }));
    line.say(hello({ nonce: 1, token: first.token }));
    line.say(named('x', 1, reborn.nextIn));
    expect(simulation.hub.sessions.get('uno')?.nonce).toBe(2);
    expect(simulation.hub.sessions.get('uno')?.engine.nextIn).toBe((reborn.nextIn + 1) & 0xffff);
  });

  test('a late packet of an earlier epoch is not taken for new', () => {
    line.begin(hello({ nonce: 2 }));
    const emitted = simulation.counters.get('router.emit');
    line.say({ type: 'begin', token: first.token }, named('x', 1, first.nextIn + 1));
    line.say(named('x', 1, first.nextIn + 1));
    expect(simulation.counters.get('router.emit')).toBe(emitted);
  });
});

describe('links and sessions (§4.2)', () => {
  let simulation: Simulation;
  beforeEach(() => {
    simulation = new Simulation(1);
  });

  test('a repeated HELLO gets the same WELCOME, and the time', () => {
    const line = new Line(simulation, 'tcp');
    const { time, ...first } = line.welcome(hello());
    simulation.clock.advance(20_000);
    expect(line.welcome(hello())).toEqual({ ...first, time: time + 20_000 });
  });

  test('a HELLO of a peer that reads nothing is not answered, until it does', () => {
    const silent = new Line(simulation, 'tcp');
    silent.backlog = 100_000;
    expect(silent.say(hello({ identity: 'silent' }))).toEqual([]);
    expect(simulation.counters.get('session.drop.welcome')).toBe(1);
    silent.backlog = 0;
    silent.welcome(hello({ identity: 'silent' }));
  });

  test('each BEGIN is answered with an ACK at once', () => {
    const line = new Line(simulation, 'tcp');
    const { token, nextIn } = line.begin(hello());
    for (let i = 0; i < 3; i++)
      expect(line.say({ type: 'begin', token }).map(brief)).toEqual([`ack ${nextIn}`]);
  });

  test('where no epoch stands everything is refused, ten times a second at most', () => {
    const line = new Line(simulation, 'tcp');
    let refusals = 0;
    for (let i = 0; i < 50; i++) refusals += line.say(named('x', 0)).length;
    expect(refusals).toBe(10);
    simulation.clock.advance(1000);
    expect(line.say({ type: 'begin', token: 5 }).map(brief)).toEqual(['refuse no_session']);
  });

  test('an offer is forgotten after 30 s, and what stood before stands', () => {
    const line = new Line(simulation, 'serial');
    line.begin(hello());
    const { token } = line.welcome(hello({ nonce: 2 }));
    simulation.clock.advance(30_001);
    line.say({ type: 'begin', token });
    expect(simulation.hub.sessions.get('uno')?.nonce).toBe(1);
  });

  test('a link whose offer came to nothing is closed in the end', () => {
    const [late, standing] = [new Line(simulation, 'tcp'), new Line(simulation, 'serial')];
    simulation.clock.advance(25_000);
    const offered = late.welcome(hello());
    standing.begin(hello());
    simulation.clock.advance(10_000);
    expect(late.say({ type: 'begin', token: offered.token }).map(brief)).toEqual(['refuse no_session']);
    expect(late.closed).toBe(false);
    simulation.clock.advance(30_000);
    expect(late.closed).toBe(true);
  });

  test('a hub that has stopped leaves nothing to wait for, whoever says HELLO', () => {
    const line = new Line(simulation, 'serial');
    line.begin(hello());
    simulation.stop();
    expect(line.received.at(-1)).toEqual({ type: 'bye', reason: 'shutdown' });
    expect(line.say(hello({ nonce: 2 }))).toEqual([]);
  });

  test('another board on the same line takes it over, without a word to it and without closing it', () => {
    const line = new Line(simulation, 'tcp');
    line.begin(hello());
    const { token } = line.welcome(hello({ identity: 'due', nonce: 2 }));
    const answers = line.say({ type: 'begin', token });
    expect(answers.map(({ type }) => type)).toEqual(['ack']);
    expect(line.closed).toBe(false);
    expect(simulation.presence).toEqual(['uno online', 'uno offline', 'due online']);
    expect(simulation.hub.sessions.get('uno')?.open).toBe(false);
  });

  test('the same boot on another link takes over, and the old link hears of it', () => {
    const [old, next] = [new Line(simulation, 'tcp'), new Line(simulation, 'serial')];
    const { token, nextOut } = old.begin(hello());
    next.begin(hello({ token, received: nextOut }));
    expect(old.received.at(-1)).toEqual({ type: 'bye', reason: 'taken_over' });
    expect(old.closed).toBe(true);
    // A BEGIN that was under way on the old link cannot take it back.
    expect(old.say({ type: 'begin', token }).map(brief)).toEqual(['refuse no_session']);
  });

  test('an offer is good only while what it was made of still stands', () => {
    const [old, next] = [new Line(simulation, 'serial'), new Line(simulation, 'serial')];
    const offered = old.welcome(hello());
    next.begin(hello());
    expect(old.say({ type: 'begin', token: offered.token }).map(brief)).toEqual(['refuse no_session']);
    expect(next.received.map(({ type }) => type)).not.toContain('bye');
    // Also while the epoch is the same, and only went on elsewhere.
    const { token, nextOut } = next.welcome(hello({ nonce: 1 }));
    next.say({ type: 'begin', token });
    old.welcome(hello({ token, received: nextOut }));
    next.begin(hello({ token, received: nextOut }));
    expect(old.say({ type: 'begin', token }).map(brief)).toEqual(['refuse no_session']);
  });

  test('over UDP a HELLO of an earlier epoch of the same boot is late, and not answered', () => {
    const line = new Line(simulation, 'udp');
    line.begin(hello());
    const first = line.welcome(hello({ nonce: 7 }));
    line.say({ type: 'begin', token: first.token });
    line.say({ type: 'bye', reason: 'malformed' });
    const second = line.welcome(hello({ nonce: 7, token: first.token, received: first.nextOut }));
    expect(second.continues).toBe(false);
    line.say({ type: 'begin', token: second.token });
    // The boot's first HELLO, and the one before last, come at last.
    expect(line.say(hello({ nonce: 7 }))).toEqual([]);
    expect(line.say(hello({ nonce: 7, token: first.token, received: first.nextOut }))).toEqual([]);
    expect(simulation.counters.get('session.drop.stale_hello')).toBe(2);
    // What it holds is known still.
    expect(line.welcome(hello({ nonce: 7, token: second.token, received: second.nextOut })).continues).toBe(
      true,
    );
  });

  test('a BEGIN fits only the offer that its peer was sent, also when both came of one HELLO', () => {
    const line = new Line(simulation, 'udp');
    const held = hello({ nonce: 7, token: 0x1234_5678, received: 1 });
    const first = line.welcome(held);
    // Late HELLOs of the same boot make two other offers.
    line.welcome(hello({ nonce: 7 }));
    const last = line.welcome(held);
    expect(line.say({ type: 'begin', token: first.token }).map(brief)).toEqual(['refuse no_session']);
    line.say({ type: 'begin', token: last.token });
    expect(simulation.hub.sessions.get('uno')?.token).toBe(last.token);
    // Both are later than what the peer held, which can be told from them.
    for (const { token } of [first, last]) {
      expect((token - held.token) >>> 0).toBeGreaterThan(0);
      expect((token - held.token) >>> 0).toBeLessThanOrEqual(2 ** 24);
    }
  });

  test('numbers stay far from those of a dozen boots', () => {
    const line = new Line(simulation, 'udp');
    const starts: Welcome[] = [];
    for (let nonce = 1; nonce <= 13; nonce++) starts.push(line.begin(hello({ nonce })));
    for (const key of ['nextIn', 'nextOut'] as const) {
      const numbers = starts.map((welcome) => welcome[key]);
      for (const [i, a] of numbers.entries())
        for (const b of numbers.slice(i + 1)) {
          expect(Math.min((a - b) & 0xffff, (b - a) & 0xffff)).toBeGreaterThan(2000);
        }
    }
  });

  test('a session that was not promised to last ends with its link', () => {
    const line = new Line(simulation, 'serial');
    line.begin(hello({ expiry: 0 }));
    line.events.closed('pulled');
    expect(simulation.hub.sessions.size).toBe(0);
  });
});
