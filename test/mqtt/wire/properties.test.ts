import { describe, expect, it } from 'vitest';
import type { MalformedPacket } from '../../../src/mqtt/wire/malformed.js';
import { bytes } from '../bytes.js';
import { connected, faultOf, fresh, readAll } from './parsing.js';

/** What a client may give a property to, and a packet with `(…)` where they go. */
const HOLDERS = {
  CONNECT: '10 ( "MQTT" 05 02 0000 PROPERTIES "c" )',
  WILL: '10 ( "MQTT" 05 06 0000 ( ) "c" PROPERTIES "t" "m" )',
  PUBLISH: `30 ( "t" PROPERTIES 'x' )`,
  PUBACK: '40 ( 0001 00 PROPERTIES )',
  PUBREC: '50 ( 0001 00 PROPERTIES )',
  PUBREL: '62 ( 0001 00 PROPERTIES )',
  PUBCOMP: '70 ( 0001 00 PROPERTIES )',
  SUBSCRIBE: '82 ( 0001 PROPERTIES "f" 00 )',
  UNSUBSCRIBE: 'a2 ( 0001 PROPERTIES "f" )',
  DISCONNECT: 'e0 ( 00 PROPERTIES )',
} as const;
type Holder = keyof typeof HOLDERS;

const ALL = Object.keys(HOLDERS) as Holder[];
const MESSAGE: Holder[] = ['PUBLISH', 'WILL'];
const ACKNOWLEDGEMENTS: Holder[] = ['PUBACK', 'PUBREC', 'PUBREL', 'PUBCOMP'];

/** Table 2-4, as far as clients go: identifier, name, a value, what has it, and values that are a protocol error. */
const TABLE: readonly (readonly [
  id: string,
  name: string,
  value: string,
  holders: readonly Holder[],
  errors?: readonly string[],
])[] = [
  ['01', 'payload format indicator', '01', MESSAGE, ['02', 'ff']],
  ['02', 'message expiry interval', '00000001', MESSAGE],
  ['03', 'content type', '"text"', MESSAGE],
  ['08', 'response topic', '"a/b"', MESSAGE, ['"a/#"', '"+"', '0000']],
  ['09', 'correlation data', '0001 ff', MESSAGE],
  ['0b', 'subscription identifier', '01', ['SUBSCRIBE'], ['00']],
  ['11', 'session expiry interval', '00000001', ['CONNECT', 'DISCONNECT']],
  ['12', 'assigned client identifier', '"c"', []],
  ['13', 'server keep alive', '0001', []],
  ['15', 'authentication method', '"m"', ['CONNECT']],
  ['16', 'authentication data', '0001 00', []],
  ['17', 'request problem information', '01', ['CONNECT'], ['02']],
  ['18', 'will delay interval', '00000001', ['WILL']],
  ['19', 'request response information', '00', ['CONNECT'], ['02']],
  ['1a', 'response information', '"r"', []],
  ['1c', 'server reference', '"s"', ['DISCONNECT']],
  ['1f', 'reason string', '"r"', [...ACKNOWLEDGEMENTS, 'DISCONNECT']],
  ['21', 'receive maximum', '0001', ['CONNECT'], ['0000']],
  ['22', 'topic alias maximum', '0000', ['CONNECT']],
  ['23', 'topic alias', '0001', ['PUBLISH'], ['0000']],
  ['24', 'maximum QoS', '01', []],
  ['25', 'retain available', '01', []],
  ['26', 'user property', '"k" "v"', ALL],
  ['27', 'maximum packet size', '00000001', ['CONNECT'], ['00000000']],
  ['28', 'wildcard subscription available', '01', []],
  ['29', 'subscription identifier available', '01', []],
  ['2a', 'shared subscription available', '01', []],
];
const KNOWN = new Set(TABLE.map(([id]) => Number.parseInt(id, 16)));

function packet(holder: Holder, properties: string): Buffer {
  return bytes(HOLDERS[holder].replace('PROPERTIES', `( ${properties} )`));
}

function parserFor(holder: Holder) {
  return holder === 'CONNECT' || holder === 'WILL' ? fresh() : connected(5);
}

function read(holder: Holder, properties: string) {
  return readAll(parserFor(holder), packet(holder, properties));
}

function faultIn(holder: Holder, properties: string): MalformedPacket {
  return faultOf(parserFor(holder), packet(holder, properties));
}

describe.each(ALL)('properties of %s', (holder) => {
  for (const [id, name, value, holders, errors = []] of TABLE) {
    // These two have a clause of their own: see below.
    const special = (id === '0b' && holder === 'PUBLISH') || (id === '16' && holder === 'CONNECT');
    if (holders.includes(holder)) {
      it(`may be ${name}`, () => {
        const [one] = read(holder, `${id} ${value}`);
        const [none] = read(holder, '');
        expect(one).not.toEqual(none);
      });
      it(`may be ${name} ${id === '26' ? 'twice' : 'only once [2.2.2.2]'}`, () => {
        const twice = `${id} ${value} ${id} ${value}`;
        if (id === '26') expect(read(holder, twice)).toHaveLength(1);
        else expect(faultIn(holder, twice).reason).toBe(0x82);
      });
      it.each(errors)(`cannot be ${name} %s: a protocol error`, (error) => {
        expect(faultIn(holder, `${id} ${error}`).reason).toBe(0x82);
      });
    } else if (!special) {
      it(`cannot be ${name}: malformed [2.2.2.2]`, () => {
        expect(faultIn(holder, `${id} ${value}`).reason).toBe(0x81);
      });
    }
    it(`cannot be ${name} cut short: malformed`, () => {
      const whole = bytes(`${id} ${value}`).toString('hex');
      for (let digits = 2; digits < whole.length; digits += 2) {
        expect(faultIn(holder, whole.slice(0, digits)).reason).toBe(0x81);
      }
    });
  }

  it('may be none', () => {
    const [packet] = read(holder, '') as (object & { properties?: object; will?: { properties: object } })[];
    // What is published most often has none, for which nothing is made.
    if (holder === 'PUBLISH') expect(packet).toMatchObject({ properties: undefined });
    else expect(holder === 'WILL' ? packet?.will?.properties : packet?.properties).toEqual({});
  });

  it('cannot be any that there is not: malformed [2.2.2.2]', () => {
    for (let id = 0; id < 0x80; id++) {
      if (KNOWN.has(id)) continue;
      expect(faultIn(holder, `${id.toString(16).padStart(2, '0')} 01`).reason).toBe(0x81);
    }
    for (const id of ['8001', 'ff7f', '808001', 'ffffff7f', '8080808001', '8100']) {
      expect(faultIn(holder, `${id} 01`).reason).toBe(0x81);
    }
  });

  it('cannot be longer than the packet: malformed [2.2.2.1]', () => {
    const text = HOLDERS[holder].replace('PROPERTIES', 'ffff7f');
    expect(faultOf(parserFor(holder), bytes(text)).reason).toBe(0x81);
  });

  it('keep user properties in their order, the same name more than once [MQTT-3.3.2-18]', () => {
    const [one] = read(holder, '26 "b" "1" 26 "a" "2" 26 "b" "" 26 0000 "3"');
    const has = one?.type === 'connect' && holder === 'WILL' ? one.will : one;
    expect(has).toHaveProperty('properties.userProperties', [
      ['b', '1'],
      ['a', '2'],
      ['b', ''],
      ['', '3'],
    ]);
  });
});

describe('properties that clients must not send', () => {
  it('are the subscription identifiers of a PUBLISH [MQTT-3.3.4-6]', () => {
    expect(faultIn('PUBLISH', '0b 01').reason).toBe(0x82);
    expect(faultIn('PUBLISH', '0b 01 0b 02').reason).toBe(0x82);
  });

  it('are authentication data without a method [3.1.2.11.10]', () => {
    expect(faultIn('CONNECT', '16 0001 00').reason).toBe(0x82);
    expect(read('CONNECT', '16 0001 00 15 "m"')).toHaveLength(1);
    expect(faultIn('CONNECT', '15 "m" 16 0001 00 16 0001 00').reason).toBe(0x82);
  });
});
