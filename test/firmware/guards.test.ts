import { expect, it } from 'vitest';
import { describeWithTools } from '../support/tools.js';
import { ascii, Bench, hex, TOKEN } from './bench.js';

describeWithTools(['clang', 'wasm-ld'], 'the C client holds out against', () => {
  it('a refusal of an id that its table does not have', () => {
    const bench = new Bench({ channels: 3 });
    bench.connect();
    bench.give('b3 0a 80 03');
    bench.give('b3 0a 80 04');
    bench.give('b3 0a 80 ff');
    expect(bench.client.events.map(({ id }) => id)).toEqual([3, 0, 0]);
  });

  it('a WELCOME whose packets could hold nothing', () => {
    const bench = new Bench();
    bench.pass(1);
    bench.welcome({ maxPacket: '2f' });
    expect(bench.client.counter('malformed')).toBe(1);
    bench.welcome({ maxPacket: '30' });
    expect(bench.pass(1)[0]).toContain(`f204${TOKEN}`);
  });

  it('a connection with room for a packet, but not for its length', () => {
    let room = 1000;
    const bench = new Bench({ framing: 'stream', room: () => room });
    const id = bench.client.declare('a');
    bench.connect();
    room = 4;
    expect(bench.client.emit(id, '12')).toBe('busy');
    room = 5;
    expect(bench.client.emit(id, '12')).toBe('ok');
    expect(hex(bench.client.take()[0] as Uint8Array)).toBe(`04800${id}${ascii('12')}`);
  });

  it('a packet of more bytes than it can count', () => {
    const bench = new Bench({ defines: { SLIPWAY_MAX_PACKET: 255 }, buffer: 255 });
    const id = bench.client.declare('a');
    bench.connect({ maxPacket: '8008' });
    expect(bench.client.emit(id, 'x'.repeat(252))).toBe('ok');
    for (const length of [253, 254, 255]) {
      expect(bench.client.emit(id, 'x'.repeat(length)), `${length}`).toBe('too_large');
    }
  });

  it('a gateway that takes fewer ids than the one to which it was about to declare some', () => {
    const bench = new Bench();
    bench.client.declare('a');
    bench.pass(1);
    bench.welcome();
    expect(bench.pass(1)).toContainEqual(expect.stringMatching(/b9100001/));
    // It was not answered, and here comes another gateway.
    bench.give('b3 03 b2');
    bench.pass(1);
    bench.welcome({ token: '11111111', ids: '00', nextIn: 0x3000 });
    const sent = bench.pass(1);
    expect(sent).toContainEqual(expect.stringMatching(/bb3000$/));
    expect(sent.join()).not.toContain('b93000');
    bench.next = 0x3000;
    bench.ackAll(sent);
    expect(bench.client.pending).toBe(0);
    expect(bench.client.emit(1, 'x')).toBe('ok');
    expect(bench.sent()).toEqual(['8401' + '61' + '78']);
  });

  it('a program that leaves when it hears that a message was too large', () => {
    const bench = new Bench({ onEvent: ({ event }) => event === 'refused' && bench.client.leave() });
    const id = bench.client.declare('n'.repeat(60));
    bench.connect({ maxPacket: '8008' });
    bench.give('b3 03 80');
    for (const text of ['large', 'small']) bench.client.emit(text === 'large' ? id : 0, text, { qos: 1 });
    bench.pass(1);
    bench.welcome({ token: '11111111', maxPacket: '30', ids: '00' });
    bench.pass(1);
    bench.next = 0x1000;
    bench.ack();
    const sent = bench.pass(1);
    expect(bench.client.events.at(-1)).toMatchObject({ event: 'refused', reason: 8 });
    // What it said last is its goodbye.
    expect(sent.at(-1)).toBe('b400');
    expect(bench.pass(20_000)).toEqual([]);
  });
});
