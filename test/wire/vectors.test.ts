import { describe, expect, it } from 'vitest';
import { Splitter } from '../../src/links/serial/splitter.js';
import { decodePacket, MalformedPacket } from '../../src/wire/decode.js';
import { encodePacket } from '../../src/wire/encode.js';
import type { Message } from '../../src/wire/messages.js';
import { gatewayProof, peerProof } from '../../src/wire/proof.js';
import { vectors, withHexBytes, withRealBytes } from './vectors.js';

const packets = vectors('packets');
const valid = packets.filter((vector) => vector.messages !== undefined);
const invalid = packets.filter((vector) => vector.error !== undefined);

describe('packets.json', () => {
  it.each(valid)('$from: $name', ({ from, hex, messages = [], canonical }) => {
    const packet = Buffer.from(hex, 'hex');
    expect(withHexBytes(decodePacket(packet, from))).toEqual(messages);
    if (canonical === false) return;
    expect(Buffer.from(encodePacket(withRealBytes<Message>(messages))).toString('hex')).toBe(hex);
  });

  it.each(invalid)('$from: $name ($error)', ({ from, hex, error }) => {
    const packet = Buffer.from(hex, 'hex');
    let thrown: unknown;
    try {
      decodePacket(packet, from);
    } catch (caught) {
      thrown = caught;
    }
    expect(thrown).toBeInstanceOf(MalformedPacket);
    const malformed = thrown as MalformedPacket;
    expect([malformed.code, malformed.reason]).toEqual(['malformed', error]);
    expect(malformed.at).toBeLessThanOrEqual(packet.length);
    expect(malformed.message).toContain(`byte ${malformed.at}: `);
    expect([0, ...packet]).toContain(malformed.head);
  });

  it('has every message of every side, valid and invalid', () => {
    const seen = valid.flatMap(({ from, messages = [] }) => messages.map(({ type }) => `${from} ${type}`));
    const both = ['emit', 'refuse', 'bye', 'ping', 'pong', 'time', 'ack', 'declare', 'reject', 'extended'];
    const peer = ['hello', 'begin', 'subscribe', 'unsubscribe', 'will', 'sleep'];
    const due = [...both, ...peer].map((type) => `peer ${type}`);
    due.push(...[...both, 'welcome'].map((type) => `gateway ${type}`));
    expect([...new Set(seen)].sort()).toEqual(due.sort());
    const heads = new Set(invalid.map(({ hex }) => hex.slice(0, 2)));
    for (let type = 0xb0; type <= 0xbf; type++) expect(heads).toContain(type.toString(16));
  });
});

describe('datagrams.json', () => {
  it.each(vectors('datagrams'))('$from: $name', ({ from, hex, valid, oneShot }) => {
    const datagram = Buffer.from(hex, 'hex');
    if (!valid) {
      expect(() => decodePacket(datagram, from)).toThrow(MalformedPacket);
      return;
    }
    const messages = decodePacket(datagram, from);
    const isOneShot = messages.every((m) => m.type === 'emit' && m.qos === 0 && m.name !== undefined);
    expect(isOneShot).toBe(oneShot);
  });
});

describe('serial-frames.json', () => {
  function receive(chunks: Iterable<Uint8Array>, maxPacket: number) {
    const packets: string[] = [];
    const text: string[] = [];
    let drops = false;
    const splitter = new Splitter(maxPacket, {
      packet: (packet) => packets.push(Buffer.from(packet).toString('hex')),
      line: (line) => text.push(line),
      drop: () => {
        drops = true;
      },
    });
    for (const chunk of chunks) splitter.push(chunk);
    return { packets, text, drops };
  }

  it.each(vectors('serial-frames'))('$name', ({ hex, maxPacket, packets, text, drops }) => {
    const stream = Buffer.from(hex, 'hex');
    const bytewise = Array.from(stream, (byte) => Uint8Array.of(byte));
    expect(receive([stream], maxPacket)).toEqual({ packets, text, drops });
    expect(receive(bytewise, maxPacket)).toEqual({ packets, text, drops });
  });
});

describe('proofs.json', () => {
  it.each(vectors('proofs'))(
    '$name',
    ({ key, challenge, nonce, token, identity, welcomeToken, ...wanted }) => {
      const bytes = (hex: string) => Buffer.from(hex, 'hex');
      const proof = peerProof(bytes(key), bytes(challenge), { nonce, token, identity });
      const answer = gatewayProof(bytes(key), proof, welcomeToken);
      const made = {
        proof: Buffer.from(proof).toString('hex'),
        gatewayProof: Buffer.from(answer).toString('hex'),
      };
      expect(made).toEqual({ proof: wanted.proof, gatewayProof: wanted.gatewayProof });
    },
  );
});

describe('all vectors', () => {
  it.each(['packets', 'proofs', 'serial-frames', 'tcp-frames', 'datagrams'] as const)(
    '%s have names of their own',
    (file) => {
      const names = vectors(file).map(({ name }) => name);
      expect(new Set(names).size).toBe(names.length);
    },
  );
});
