// How fast packets of MQTT are read and written, beside mqtt-packet: millions a second on one core, the best of some runs.
//
//   npm run bench:mqtt-codec -- [--seconds 1]
import { parseArgs } from 'node:util';
import mqttPacket from 'mqtt-packet';
import { encode } from '../../dist/mqtt/wire/encode.js';
import { PacketParser } from '../../dist/mqtt/wire/packet-parser.js';

const { values: options } = parseArgs({ options: { seconds: { type: 'string', default: '1' } } });
const RUNS = 3;
const CHUNK_BYTES = 65_536;

const topic = 'greenhouse/3/temperature';
const payload = Buffer.from('{"celsius":21.5}');
const properties = { contentType: 'application/json', userProperties: [['unit', 'celsius']] };
const theirs = { contentType: 'application/json', userProperties: { unit: 'celsius' } };
const publish = {
  type: 'publish',
  dup: false,
  qos: 0,
  retain: false,
  topic,
  id: 0,
  payload,
  properties: undefined,
};
const reference = { cmd: 'publish', dup: false, qos: 0, retain: false, topic, payload };

const CASES = [
  ['PUBLISH QoS 0, 3.1.1', 4, publish, reference],
  ['PUBLISH QoS 0, 5', 5, publish, reference],
  ['PUBLISH QoS 1, 5', 5, { ...publish, qos: 1, id: 7 }, { ...reference, qos: 1, messageId: 7 }],
  ['PUBLISH with properties, 5', 5, { ...publish, properties }, { ...reference, properties: theirs }],
  [
    'PUBLISH of 16 kB, 3.1.1',
    4,
    { ...publish, payload: Buffer.alloc(16_384) },
    { ...reference, payload: Buffer.alloc(16_384) },
  ],
  ['PUBACK, 3.1.1', 4, { type: 'puback', id: 7, code: 0, properties: {} }, { cmd: 'puback', messageId: 7 }],
];

/** CPU time of this process, ms: others may be busy, too. */
function cpuMs() {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/** Calls `work`, which does `count` things, for a while; millions of things a second, the best of some runs. */
function rate(count, work) {
  let best = 0;
  for (let run = 0; run < RUNS; run++) {
    const start = cpuMs();
    const end = start + (Number(options.seconds) * 1000) / RUNS;
    let calls = 0;
    while (cpuMs() < end) {
      work();
      calls++;
    }
    best = Math.max(best, (calls * count) / (cpuMs() - start) / 1000);
  }
  return best;
}

/** Chunks as a socket gives them, with packets cut at their ends. */
function chunksOf(packet) {
  const count = Math.max(2, Math.ceil((8 * CHUNK_BYTES) / packet.length));
  const stream = Buffer.concat(Array.from({ length: count }, () => packet));
  const chunks = [];
  for (let at = 0; at < stream.length; at += CHUNK_BYTES) chunks.push(stream.subarray(at, at + CHUNK_BYTES));
  return { count, chunks };
}

function ourParser(level) {
  const parser = new PacketParser({ maxConnect: 1000, maxPacket: 1_000_000 });
  parser.push(
    mqttPacket.generate({
      cmd: 'connect',
      clientId: 'c',
      protocolVersion: level,
      protocolId: 'MQTT',
      clean: true,
      keepalive: 0,
    }),
  );
  parser.next();
  return parser;
}

const rows = CASES.map(([what, level, packet, other]) => {
  const { count, chunks } = chunksOf(encode(packet, level));
  const parser = ourParser(level);
  let seen = 0;
  const read = rate(count, () => {
    for (const chunk of chunks) {
      parser.push(chunk);
      while (parser.next() !== undefined) seen++;
    }
  });
  const theirParser = mqttPacket.parser({ protocolVersion: level });
  theirParser.on('packet', () => seen++);
  const readByThem = rate(count, () => {
    for (const chunk of chunks) theirParser.parse(chunk);
  });
  const written = rate(1000, () => {
    for (let i = 0; i < 1000; i++) seen += encode(packet, level).length;
  });
  const writtenByThem = rate(1000, () => {
    for (let i = 0; i < 1000; i++) seen += mqttPacket.generate(other, { protocolVersion: level }).length;
  });
  if (seen === 0) throw new Error('nothing was read');
  return [what, read, readByThem, written, writtenByThem];
});

const number = (value) => value.toFixed(2).padStart(9);
console.log(
  `million/s${' '.repeat(21)}${['read', '(they)', 'written', '(they)'].map((name) => name.padStart(9)).join('')}`,
);
for (const [what, ...rates] of rows) console.log(`${what.padEnd(30)}${rates.map(number).join('')}`);
