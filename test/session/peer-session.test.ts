import { beforeEach, describe, expect, test } from 'vitest';
import { Counters } from '../../src/counters.js';
import type { Channel } from '../../src/session/outgoing.js';
import { type PeerIntroduction, PeerSession } from '../../src/session/peer-session.js';
import { decodePacket } from '../../src/wire/decode.js';
import { encodePacket } from '../../src/wire/encode.js';
import type { Hello, Message, Welcome } from '../../src/wire/messages.js';
import { gatewayProof, peerProof } from '../../src/wire/proof.js';
import { ack, brief, SERIAL } from './engine-bench.js';

const NONCE = 0x01020304;
const CHANNEL: Channel = { name: 'c' };
const LIMITS = { maxPacket: 512, window: 4, inFlight: 4, buffer: 0, ids: 10 };

function welcome(more: Partial<Welcome> = {}): Welcome {
  return {
    type: 'welcome',
    version: 1,
    resumed: false,
    continues: false,
    known: false,
    nonce: NONCE,
    token: 77,
    nextIn: 200,
    nextOut: 100,
    received: 0,
    keepAlive: 15,
    maxPacket: 1024,
    window: 32,
    ids: 100,
    time: 1_767_225_600_000,
    ...more,
  };
}

/** A peer's session, and the test as the gateway. */
class Bench {
  readonly events: string[] = [];
  readonly settled: string[] = [];
  readonly counters = new Counters();
  readonly session: PeerSession<Channel>;
  now = 0;

  constructor(random = () => 0.5, more: Partial<PeerIntroduction> = {}) {
    this.session = new PeerSession<Channel>(
      {
        identity: 'uno-3',
        nonce: NONCE,
        clean: false,
        program: false,
        keepAlive: 15,
        expiry: 60,
        limits: LIMITS,
        ...more,
      },
      {
        hold: () => CHANNEL,
        release: () => undefined,
        emit: () => undefined,
        fresh: () => this.events.push('fresh'),
        ready: ({ resumed }) => this.events.push(resumed ? 'resumed' : 'ready'),
        lost: (reason) => this.events.push(`lost ${reason}`),
        refused: ({ reason }, session) => this.events.push(`refused ${reason}${session ? ' session' : ''}`),
      },
      this.counters,
      { messages: 100, bytes: 10_000 },
      random,
    );
    this.session.linkUp(SERIAL, 0);
  }

  emit(text: string): void {
    this.session.engine.emitReliable(
      { type: 'emit', channel: CHANNEL, payload: Buffer.from(text), qos: 1, retain: false },
      (reason) => this.settled.push(`${text} ${reason ?? 'ok'}`),
    );
  }

  receive(...messages: Message[]): void {
    this.session.receive(encodePacket(messages), this.now);
  }

  sent(): Message[] {
    const messages: Message[] = [];
    for (let packet = this.session.poll(this.now); packet; packet = this.session.poll(this.now))
      messages.push(...decodePacket(packet, 'peer'));
    return messages;
  }

  /** When something is sent next, and what. */
  next(): Message[] {
    for (let i = 0; i < 100; i++) {
      this.now = Math.max(this.now, this.session.wakeAt() ?? Number.NaN);
      const messages = this.sent();
      if (messages.length > 0) return messages;
    }
    throw new Error('it never says anything again');
  }

  hello(): Hello {
    const hello = this.next().find((message) => message.type === 'hello');
    if (!hello) throw new Error('no HELLO');
    return hello;
  }

  /** Until an epoch stands: numbers from 200 for the peer, from 100 for the gateway. */
  ready(): this {
    this.sent();
    this.receive(welcome());
    this.sent();
    this.receive(ack(200));
    return this;
  }
}

describe('the keep-alive (PROTOCOL.md §4.5)', () => {
  test.each([
    ['what the peer promised', 15, 15, 15],
    ['less', 15, 10, 10],
    ['none: the peer keeps its own', 15, 0, 15],
    ['more: the peer keeps its own', 15, 65_535, 15],
    ['some, where the peer promised none', 0, 120, 120],
  ])('the gateway names %s', (_what, promised, named, kept) => {
    const bench = new Bench(() => 0.5, { keepAlive: promised });
    bench.sent();
    bench.receive(welcome({ keepAlive: named }));
    bench.sent();
    bench.receive(ack(200));
    expect(bench.next()).toMatchObject([{ type: 'ping' }]);
    expect(bench.now).toBe(kept * 1000);
  });
});

describe('greeting (PROTOCOL.md §4.2, §9)', () => {
  test('says who it is, again after 250 ms doubling to 8 s', () => {
    const bench = new Bench();
    const times: number[] = [];
    for (let i = 0; i < 9; i++) {
      expect(bench.hello()).toMatchObject({ nonce: NONCE, token: 0, identity: 'uno-3', ...LIMITS });
      times.push(bench.now);
    }
    const pauses = times.slice(1).map((time, i) => time - (times[i] as number));
    expect(pauses).toEqual([250, 500, 1000, 2000, 4000, 8000, 8000, 8000]);
  });

  test.each([
    [0, 0.75],
    [1, 1.25],
  ])('with a jitter of a quarter either way', (random, factor) => {
    const bench = new Bench(() => random);
    bench.hello();
    bench.hello();
    expect(bench.now).toBe(250 * factor);
  });

  test('a WELCOME of another boot is not for it', () => {
    const bench = new Bench();
    bench.sent();
    bench.receive(welcome({ nonce: 5 }));
    expect(bench.session.state).toBe('greeting');
    expect(bench.counters.get('session.drop.stale_welcome')).toBe(1);
  });

  test('an ACK that comes before BEGIN has left is no answer to it', () => {
    const bench = new Bench();
    bench.sent();
    bench.receive(welcome(), ack(200));
    bench.receive(ack(200));
    expect(bench.session.state).toBe('beginning');
    expect(bench.sent().map(brief)).toEqual(['begin']);
    bench.receive(ack(200));
    expect(bench.session.state).toBe('ready');
  });

  test('a refusal is reported, and the next try is the slowest', () => {
    const bench = new Bench();
    bench.sent();
    bench.receive({ type: 'refuse', reason: 'identity_in_use', head: 0xb0, detail: new Uint8Array() });
    expect(bench.events).toEqual(['refused identity_in_use session']);
    bench.hello();
    expect(bench.now).toBe(8000);
  });

  test('what cannot be understood is counted', () => {
    const bench = new Bench();
    bench.session.receive(Uint8Array.of(0x00, 0x01), 0);
    expect(bench.counters.snapshot()).toEqual({ 'session.drop.malformed': 1 });
  });
});

describe('a key (PROTOCOL.md §4.8)', () => {
  const key = Buffer.alloc(32, 7);
  const challenge = (byte: number): Message => ({
    type: 'refuse',
    reason: 'prove_identity',
    head: 0xb0,
    detail: Buffer.alloc(8, byte),
  });
  const proofOf = (byte: number, token = 0) =>
    peerProof(key, Buffer.alloc(8, byte), { nonce: NONCE, token, identity: 'uno-3' });

  function greeted(): Bench {
    const bench = new Bench(() => 0.5, { credentials: { key } });
    expect(bench.hello().proof).toHaveLength(0);
    return bench;
  }

  test('is proved at once when it is asked for, and is a reason to begin only with a gateway that proves it, too', () => {
    const bench = greeted();
    bench.receive(challenge(1));
    expect(bench.sent()).toMatchObject([{ type: 'hello', proof: proofOf(1) }]);
    const proof = gatewayProof(key, proofOf(1), 77);
    bench.receive(welcome({ proof }));
    expect(bench.session.state).toBe('beginning');
    expect(bench.events).toEqual(['fresh']);
  });

  test.each([
    ['no proof', {}],
    ['a wrong proof', { proof: Buffer.alloc(8) }],
    ['a proof for another epoch', { proof: gatewayProof(key, proofOf(1), 78) }],
  ])('a WELCOME with %s is reported, and the next try is the slowest', (_, more) => {
    const bench = greeted();
    bench.receive(challenge(1));
    bench.sent();
    bench.receive(welcome(more));
    expect(bench.session.state).toBe('greeting');
    expect(bench.events).toEqual(['refused bad_credentials session']);
    expect(bench.counters.get('session.drop.unproved_welcome')).toBe(1);
    bench.hello();
    expect(bench.now).toBe(8000);
  });

  test('a gateway that asks for nothing gets nothing', () => {
    const bench = greeted();
    bench.receive(welcome({ proof: gatewayProof(key, new Uint8Array(), 77) }));
    expect(bench.session.state).toBe('greeting');
  });

  test('a second challenge is answered when the timer says so', () => {
    const bench = greeted();
    bench.receive(challenge(1));
    bench.sent();
    bench.receive(challenge(2));
    expect(bench.sent()).toEqual([]);
    expect(bench.hello().proof).toEqual(proofOf(2));
  });

  test('is proved anew, for the epoch that it holds, when the session is lost', () => {
    const bench = greeted();
    bench.receive(challenge(1));
    bench.sent();
    bench.receive(welcome({ proof: gatewayProof(key, proofOf(1), 77) }));
    bench.sent();
    bench.receive(ack(200));
    // A challenge that comes late means nothing now.
    bench.receive(challenge(9));
    expect(bench.events).toEqual(['fresh', 'ready']);
    bench.receive({ type: 'bye', reason: 'shutdown' });
    expect(bench.hello()).toMatchObject({ token: 77, proof: Buffer.alloc(0) });
    bench.receive(challenge(3));
    expect(bench.sent()).toMatchObject([{ type: 'hello', token: 77, proof: proofOf(3, 77) }]);
  });

  test('who has none does not answer', () => {
    const bench = new Bench();
    bench.hello();
    bench.receive(challenge(1));
    expect(bench.sent()).toEqual([]);
    expect(bench.hello()).not.toHaveProperty('proof');
  });
});

test('a user and a password stand in every HELLO', () => {
  const secret = Buffer.from('secret');
  const bench = new Bench(() => 0.5, { credentials: { user: 'ada', secret } });
  for (let i = 0; i < 2; i++) expect(bench.hello()).toMatchObject({ user: 'ada', secret });
});

describe('beginning', () => {
  test('BEGIN goes with what waits, and again until an ACK in the window', () => {
    const bench = new Bench();
    bench.emit('a');
    bench.sent();
    bench.receive(welcome());
    expect(bench.sent().map(brief)).toEqual(['begin', 'c=a@1#200']);
    bench.receive(ack(9999));
    expect(bench.session.state).toBe('beginning');
    expect(bench.next()[0]).toEqual({ type: 'begin', token: 77 });
    bench.receive(ack(201));
    expect(bench.session.state).toBe('ready');
    expect(bench.events).toEqual(['fresh', 'ready']);
    expect(bench.settled).toEqual(['a ok']);
  });

  test('BEGIN alone where nothing waits; after five it is HELLO again, with the epoch that it holds', () => {
    const bench = new Bench();
    bench.sent();
    bench.receive(welcome());
    const said = bench.sent();
    while (said.at(-1)?.type === 'begin') said.push(...bench.next());
    expect(said.map(({ type }) => type)).toEqual(['begin', 'begin', 'begin', 'begin', 'begin', 'hello']);
    expect(said.at(-1)).toMatchObject({ token: 77, received: 100 });
  });

  test('is left for HELLO when the gateway knows of no offer', () => {
    const bench = new Bench();
    bench.sent();
    bench.receive(welcome());
    bench.sent();
    bench.receive({ type: 'refuse', reason: 'no_session', head: 0xb2, detail: new Uint8Array() });
    expect(bench.session.state).toBe('greeting');
    expect(bench.hello().token).toBe(77);
  });

  test('a farewell says which epoch it ends', () => {
    const bench = new Bench();
    bench.sent();
    bench.receive(welcome());
    const bye = bench.session.close('end_session');
    expect(decodePacket(bye as Uint8Array, 'peer').map(brief)).toEqual(['begin', 'bye']);
    expect(bench.session.wakeAt()).toBeUndefined();
  });
});

describe('ready', () => {
  let bench: Bench;
  beforeEach(() => {
    bench = new Bench().ready();
  });

  test.each<[string, Message]>([
    ['no_session', { type: 'refuse', reason: 'no_session', head: 0x80, detail: new Uint8Array() }],
    ['taken_over', { type: 'bye', reason: 'taken_over' }],
  ])('on %s it greets at once, with the epoch that it holds', (reason, message) => {
    bench.now = 5000;
    bench.receive(message);
    expect(bench.events.at(-1)).toBe(`lost ${reason}`);
    expect(bench.sent()).toMatchObject([{ type: 'hello', token: 77, received: 100 }]);
  });

  test('silence ends it after the keep-alive and three PINGs', () => {
    const said = ['ping', 'ping', 'ping', 'hello'].map(() => bench.next()[0]?.type);
    expect(said).toEqual(['ping', 'ping', 'ping', 'hello']);
    expect(bench.now).toBe(18_000);
    expect(bench.events.at(-1)).toBe('lost timeout');
  });

  test('an epoch goes on under its token: nothing is subscribed to again, numbers run on', () => {
    bench.emit('a');
    bench.emit('b');
    bench.sent();
    bench.session.linkDown('pulled');
    bench.session.linkUp(SERIAL, bench.now);
    bench.sent();
    bench.receive(welcome({ resumed: true, continues: true, known: true, received: 202 }));
    expect(bench.events).toEqual(['fresh', 'ready', 'lost pulled']);
    // The declaration was 200, `a` 201.
    expect(bench.settled).toEqual(['a ok']);
    expect(bench.sent().map(brief)).toEqual(['begin', '1=b@1#202']);
    bench.receive(ack(203));
    expect(bench.events.at(-1)).toBe('resumed');
  });

  test.each<[string, Partial<Welcome>]>([
    ['of the epoch that it holds, as it began', {}],
    ['of an older epoch that went on', { token: 66, continues: true, resumed: true, known: true }],
  ])('a late WELCOME %s changes nothing', (_what, more) => {
    bench.emit('a');
    bench.sent();
    bench.receive({ type: 'bye', reason: 'shutdown' });
    bench.sent();
    bench.receive(welcome(more));
    expect(bench.session.state).toBe('greeting');
    bench.receive(welcome({ resumed: true, continues: true, known: true, received: 202 }));
    expect(bench.settled).toEqual(['a ok']);
  });

  test('where the numbering is lost it subscribes again and sends what was not received', () => {
    bench.emit('a');
    bench.emit('b');
    bench.sent();
    bench.receive({ type: 'bye', reason: 'shutdown' });
    bench.sent();
    bench.receive(welcome({ token: 78, known: true, received: 202, nextIn: 9000 }));
    expect(bench.settled).toEqual(['a ok']);
    expect(bench.events.at(-1)).toBe('fresh');
    expect(bench.sent().map(brief)).toEqual(['begin', 'c=b@1#9000']);
  });

  test('and not what was taken behind a message that was refused', () => {
    for (const text of ['a', 'b', 'c', 'd']) bench.emit(text);
    bench.sent();
    bench.receive({ type: 'bye', reason: 'shutdown' });
    bench.sent();
    // Nobody knows of messages that were not sent.
    const taken = Uint8Array.of(0b1111_1101);
    bench.receive(welcome({ token: 78, known: true, received: 202, nextIn: 9000, taken }));
    expect(bench.settled).toEqual(['a ok', 'c ok']);
    expect(bench.sent().map(brief)).toEqual(['begin', 'c=b@1#9000', 'c=d@1#9001']);
  });

  test('an epoch in which the gateway ignores a message is ended, and the gateway is told', () => {
    bench.emit('a');
    const said: Message[] = [];
    while (!said.some(({ type }) => type === 'hello') && said.length < 200) {
      said.push(...bench.next());
      bench.now += 1;
      bench.receive({ type: 'ping', token: 1 });
    }
    expect(said).toContainEqual({ type: 'bye', reason: 'malformed' });
    expect(bench.events.at(-1)).toBe('lost malformed');
  });
});

test('what is to be forgotten is asked for until an epoch stood, and never after', () => {
  const bench = new Bench(undefined, { clean: true });
  expect(bench.hello().clean).toBe(true);
  bench.receive(welcome());
  bench.sent();
  bench.session.linkDown('pulled');
  bench.session.linkUp(SERIAL, bench.now);
  // Whether the BEGIN arrived, it cannot know.
  expect(bench.hello()).toMatchObject({ clean: true, token: 77 });
  bench.receive(welcome({ token: 78 }));
  bench.sent();
  bench.receive(ack(200));
  bench.session.linkDown('pulled');
  bench.session.linkUp(SERIAL, bench.now);
  expect(bench.hello()).toMatchObject({ clean: false, token: 78 });
});
