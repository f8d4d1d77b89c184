import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { MessageExtras } from '../../src/router/message.js';
import { ContentsReader } from '../../src/store/contents.js';
import { readExtras, writeExtras } from '../../src/store/extras.js';
import {
  FORMAT,
  keys,
  type SessionState,
  writeId,
  writeLastValue,
  writeMessage,
  writeNumbering,
  writeSession,
  writeWish,
} from '../../src/store/records.js';
import { seal } from '../../src/store/seal.js';

const OLD = { nonce: 1, token: 2, nextIn: 3, nextOut: 4, taken: new Uint8Array() };

const STATE: SessionState = {
  nonce: 1,
  token: 2,
  program: false,
  expiryMs: 60_000,
  expiresAt: null,
  sleepsUntil: null,
  willDue: false,
  maxPacket: 512,
  window: 32,
  stands: true,
  nextIn: 10,
  withheld: [8],
  nextOut: 1,
  mark: 5,
  records: 0,
};

const emit = (seq: number, text: string) =>
  ({ type: 'emit', qos: 1, retain: false, name: 'a/b', seq, payload: Buffer.from(text) }) as const;

/** All that can come with a message. */
const EXTRAS: MessageExtras = {
  expiresAt: 1_700_000_000_500.25,
  properties: {
    payloadFormat: 1,
    contentType: 'text/plain',
    responseTopic: 'answers/ü',
    correlationData: Uint8Array.of(0, 255, 10),
    userProperties: [
      ['a', '1'],
      ['a', ''],
    ],
  },
  origin: { bridge: 'plant', via: ['site1', 'site2'] },
};

type Records = [key: string, value: Uint8Array][];

/** A session with two messages under way, over the wrap of the numbers, one that waits, and the rest. */
function records(): Records {
  const subscribe = {
    type: 'subscribe',
    seq: 0,
    qos: 2,
    noLocal: true,
    noLastValue: false,
    id: 0,
    pattern: 'a//#',
  } as const;
  const will = {
    type: 'will',
    seq: 0,
    qos: 1,
    retain: true,
    name: 'w',
    payload: Buffer.from('gone'),
  } as const;
  const message = (record: number, numbered: boolean, seq: number): [string, Uint8Array] => [
    keys.message('dev', record),
    writeMessage({
      numbered,
      at: 1_700_000_000_000.5,
      expiresAt: record === 9 ? 1_700_000_060_000.5 : undefined,
      message: emit(seq, `${record}`),
    }),
  ];
  return [
    [FORMAT.key, FORMAT.value],
    [keys.session('dev'), writeSession({ ...STATE, records: 8 })],
    message(7, true, 65_535),
    message(9, true, 0),
    message(12, false, 0),
    [keys.subscription('dev', 'a//#'), writeWish({ nonce: 77, message: subscribe })],
    [keys.will('dev'), writeWish({ nonce: 1, message: will })],
    [keys.id('dev', true, 1), writeId({ own: true, id: 1, name: 'x', usable: false })],
    [keys.id('dev', true, 2), writeId({ own: true, id: 2, name: 'y', usable: true })],
    [keys.id('dev', false, 40), writeId({ own: false, id: 40, name: 'ü/z', usable: true })],
    [keys.numbering('old'), writeNumbering(OLD)],
    [keys.numbering('refused'), writeNumbering({ ...OLD, taken: Uint8Array.of(6, 1) })],
    [keys.lastValue('v/1'), writeLastValue({ payload: Buffer.from('21'), qos: 0, mark: 2, extras: EXTRAS })],
    [keys.lastValue('a'), writeLastValue({ payload: Buffer.of(0), qos: 2, mark: 1, extras: undefined })],
  ];
}

function read(all: Records) {
  const reader = new ContentsReader();
  for (const [key, value] of all) reader.add(key, seal(key, value));
  return reader.contents();
}

const without = (key: string) => records().filter(([candidate]) => candidate !== key);

describe('what a store holds', () => {
  test('is read as it was written, in whatever order it comes', () => {
    fc.assert(
      fc.property(fc.shuffledSubarray(records(), { minLength: records().length }), (shuffled) => {
        const { sessions, numberings, lastValues } = read(shuffled);
        expect(sessions).toHaveLength(1);
        const [session] = sessions;
        expect(session?.identity).toBe('dev');
        expect(session?.state).toEqual({ ...STATE, records: 8 });
        expect(
          session?.messages.map(({ record, numbered, expiresAt }) => [record, numbered, expiresAt]),
        ).toEqual([
          [7, true, undefined],
          [9, true, 1_700_000_060_000.5],
          [12, false, undefined],
        ]);
        expect(session?.messages[0]).toMatchObject({
          at: 1_700_000_000_000.5,
          message: { name: 'a/b', seq: 65_535, qos: 1 },
        });
        expect(session?.subscriptions).toMatchObject([
          { nonce: 77, message: { pattern: 'a//#', qos: 2, noLocal: true } },
        ]);
        expect(session?.will).toMatchObject({ nonce: 1, message: { name: 'w', retain: true } });
        expect(session?.ids.map(({ own, id, name, usable }) => [own, id, name, usable])).toEqual(
          expect.arrayContaining([
            [true, 1, 'x', false],
            [true, 2, 'y', true],
            [false, 40, 'ü/z', true],
          ]),
        );
        expect(new Map(numberings)).toEqual(
          new Map([
            ['old', OLD],
            ['refused', { ...OLD, taken: Uint8Array.of(6, 1) }],
          ]),
        );
        expect(lastValues.map((value) => ({ ...value, payload: [...value.payload] }))).toEqual([
          { name: 'a', qos: 2, mark: 1, payload: [0], extras: undefined },
          { name: 'v/1', qos: 0, mark: 2, payload: [50, 49], extras: EXTRAS },
        ]);
      }),
      { numRuns: 200 },
    );
  });

  test('a last value as it was written before there were extras', () => {
    const { lastValues } = read([
      [FORMAT.key, FORMAT.value],
      [keys.lastValue('a'), Buffer.from('01 3ff0000000000000 2135'.replaceAll(' ', ''), 'hex')],
    ]);
    expect(lastValues).toMatchObject([{ name: 'a', qos: 1, mark: 1, payload: Buffer.from('!5') }]);
  });

  test('of a message all that came with it, or a part', () => {
    const { expiresAt, properties, origin } = EXTRAS;
    for (const extras of [EXTRAS, { expiresAt }, { properties }, { origin }, { expiresAt, origin }, {}]) {
      const bytes = Buffer.concat([writeExtras(extras as MessageExtras), Buffer.from('rest')]);
      const read = readExtras(bytes);
      expect(read.extras).toEqual(extras);
      expect(read.rest.toString()).toBe('rest');
    }
  });

  test('messages keep their order, however many came before', () => {
    const before = [1, 35, 36, 1295, 1296, 2 ** 40].map((record) => keys.message('d', record));
    expect([...before].sort()).toEqual(before);
  });
});

describe('damage is found', () => {
  test('a bit that flipped anywhere in a record', () => {
    fc.assert(
      fc.property(fc.nat(), fc.nat(), (which, where) => {
        const all = records();
        const [key, value] = all[which % all.length] as Records[number];
        const sealed = Buffer.from(seal(key, value));
        const bit = where % (sealed.length * 8);
        sealed[bit >> 3] = (sealed[bit >> 3] as number) ^ (1 << (bit & 7));
        expect(() => new ContentsReader().add(key, sealed)).toThrow(
          `the record "${key}": its checksum is wrong`,
        );
      }),
      { numRuns: 500 },
    );
  });

  test('a value under the key of another', () => {
    const sealed = seal(keys.lastValue('a'), Buffer.of(0));
    expect(() => new ContentsReader().add(keys.lastValue('b'), sealed)).toThrow('its checksum is wrong');
  });

  test.each([
    [keys.message('dev', 9), '7 of the 8 records of "dev" are left'],
    [keys.subscription('dev', 'a//#'), '7 of the 8 records of "dev" are left'],
    [keys.will('dev'), '7 of the 8 records of "dev" are left'],
    [keys.id('dev', true, 1), '7 of the 8 records of "dev" are left'],
    [keys.session('dev'), 'the session of "dev" is missing'],
    [FORMAT.key, 'its first record is missing'],
  ])('a record that is missing: %s', (key, message) => {
    expect(() => read(without(key))).toThrow(message);
  });

  test('numbers that do not follow each other', () => {
    const gap: Records = [
      ...without(keys.message('dev', 9)),
      [
        keys.message('dev', 9),
        writeMessage({ numbered: true, expiresAt: undefined, at: 0, message: emit(1, '') }),
      ],
    ];
    expect(() => read(gap)).toThrow('the messages for "dev" have a gap at number');
  });

  test('a record of a kind that is not known', () => {
    expect(() => new ContentsReader().add('x/y', seal('x/y', Buffer.of(1)))).toThrow(
      'nothing of that kind is known',
    );
  });

  test('a store of another version is not damaged, and says what to do', () => {
    const other: Records = [...without(FORMAT.key), [FORMAT.key, Uint8Array.of(2)]];
    expect(() => read(other)).toThrow(
      'the store is of version 2, which this Slipway does not know: give it another folder (store.path), or the Slipway that wrote it',
    );
  });
});
