import { describe, expect, test } from 'vitest';
import type { QueuedMessage } from '../../src/bridges/upstream.js';
import {
  bridgeKeys,
  readQueued,
  recordInKey,
  writeBridgeState,
  writeQueued,
} from '../../src/store/bridge-records.js';
import { ContentsReader } from '../../src/store/contents.js';
import { FORMAT } from '../../src/store/records.js';
import { seal } from '../../src/store/seal.js';

const PLAIN: QueuedMessage = {
  record: 7,
  name: 'greenhouse/3/ü',
  payload: Uint8Array.of(0, 1, 255),
  qos: 1,
  retain: false,
  properties: undefined,
  via: ['site1'],
  expiresAt: undefined,
  at: 1000.5,
};

const FULL: QueuedMessage = {
  record: 36 ** 5,
  name: '/',
  payload: new Uint8Array(),
  qos: 2,
  retain: true,
  properties: {
    payloadFormat: 1,
    contentType: 'text/plain',
    responseTopic: 'a/b',
    correlationData: Uint8Array.of(1, 0),
    userProperties: [
      ['a', '1'],
      ['a', ''],
    ],
  },
  via: ['site1', 'site_2', 'SITE-3'],
  expiresAt: 2000.25,
  at: -3,
};

describe('a message that waits for upstream', () => {
  test.each([PLAIN, FULL, { ...FULL, via: [], properties: undefined }])(
    'is read as it was written',
    (message) => {
      const value = writeQueued(message, 0);
      expect({ ...readQueued(value, 0), record: message.record }).toEqual(message);
    },
  );

  test('keeps its times when the clock starts anew', () => {
    const later = readQueued(writeQueued(FULL, 1_700_000_000_000), 1_700_000_000_100);
    expect(later).toMatchObject({ at: -103, expiresAt: 1900.25 });
  });

  test('has keys in the order of its numbers', () => {
    const records = [0, 1, 35, 36, 1295, 1296, 2 ** 31, 2 ** 40, Number.MAX_SAFE_INTEGER];
    const keys = records.map((record) => bridgeKeys.message('plant', record));
    expect([...keys].sort()).toEqual(keys);
    expect(keys.map(recordInKey)).toEqual(records);
  });

  test('that says nothing of its QoS is not taken for one', () => {
    expect(() => readQueued(new Uint8Array(20), 0)).toThrow('it has QoS 0');
  });
});

describe('what is kept of bridges', () => {
  const STATE = { instance: 'abc', lastRecord: 9, records: 3 };
  const RECORDS: [string, Uint8Array][] = [
    ['bridge/plant', writeBridgeState(STATE)],
    ['bridge-message/plant/00000000007', writeQueued(PLAIN, 500)],
    ['bridge-message/plant/00000000009', writeQueued(FULL, 500)],
    ['bridge-upstream/plant/core/mark', Uint8Array.of(1, 2)],
  ];

  function read(records: readonly [string, Uint8Array][]) {
    const reader = new ContentsReader();
    reader.add(FORMAT.key, seal(FORMAT.key, FORMAT.value));
    for (const [key, value] of records) reader.add(key, seal(key, value));
    return reader.contents().bridges;
  }

  test('is read as it was written; of messages, what lies where', () => {
    const bridges = read(RECORDS);
    expect([...bridges.keys()]).toEqual(['plant']);
    const plant = bridges.get('plant');
    expect(plant?.state).toEqual(STATE);
    expect(plant?.upstream).toEqual(new Map([['core/mark', Uint8Array.of(1, 2)]]));
    expect(plant?.messages).toMatchObject({ length: 2, firstRecord: 7, firstAt: 1500, lastRecord: 9 });
    expect(plant?.messages.bytes).toBe((RECORDS[1]?.[1].length ?? 0) + (RECORDS[2]?.[1].length ?? 0));
  });

  test.each<[string, [string, Uint8Array][]]>([
    ['2 of the 3 records of the bridge "plant" are left', RECORDS.slice(0, -1)],
    ['the bridge "plant" is missing', RECORDS.slice(1)],
    [
      'the bridge "plant" knows nothing of its last messages',
      [['bridge/plant', writeBridgeState({ ...STATE, lastRecord: 8 })], ...RECORDS.slice(1)],
    ],
  ])('is damaged: %s', (message, records) => {
    expect(() => read(records)).toThrow(message);
  });
});
