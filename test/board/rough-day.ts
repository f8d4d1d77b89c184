import { encodePacket } from '../../src/wire/encode.js';
import { frame } from '../firmware/bench.js';
import { Random } from '../support/random.js';
import type { Call } from './counting-chip.js';
import type { Program } from './program.js';
import { CHANNEL, QOS_FLAGS, type Qos, Workbench } from './workbench.js';

const SEED = 1;
const STEPS = 600;
const RETAIN = 0x08;
const SUBSCRIBE = 0x10;
const END = 0xc0;
/** Bytes of the probe's slots, and the largest payload that its packet buffer of 64 bytes takes. */
const MOST_EMITTED = 32;
const MOST_RECEIVED = 58;

/**
 * Every call of the library while everything happens to a board that may: full windows and a full ring, gaps, resends, refusals,
 * noise, a gateway that is silent or throws it out, sleep, wills and questions for the time. Drawn from one seed, so the same calls
 * each time.
 */
export function roughDay(program: Program, highestQos: 0 | 2): { calls: Call[]; bench: Workbench } {
  const bench = new Workbench(program);
  const random = new Random(SEED);
  const calls: Call[] = [];
  bench.connect();
  for (let step = 0; step < STEPS; step++) {
    const happen = oneOf(random, HAPPENINGS);
    happen(bench, random, highestQos);
    const end = bench.chip.ms + 1 + random.below(12);
    bench.chip.runUntil(() => bench.chip.ms >= end, 'the next step', 200);
    calls.push(...bench.calls());
  }
  bench.gateway.deaf = false;
  bench.order({ what: 'link', flags: 1 });
  bench.chip.runUntil(() => bench.connected, `it connects after all (seed ${SEED})`, 20_000);
  return { calls, bench };
}

type Happening = (bench: Workbench, random: Random, highestQos: 0 | 2) => void;

const emits: Happening = (bench, random, highestQos) => {
  for (let left = 1 + random.below(6); left > 0; left--) {
    const flags = QOS_FLAGS[someQos(random, highestQos)] | oneOf(random, [0, RETAIN]);
    bench.order({ what: 'emit', id: random.below(4), flags, payload: somePayload(random, MOST_EMITTED) });
  }
};

const hears: Happening = ({ gateway }, random, highestQos) => {
  const id = oneOf(random, [0, CHANNEL.led, CHANNEL.target, 7, 200]);
  gateway.send(gateway.emit(someQos(random, highestQos), id, somePayload(random, MOST_RECEIVED)));
};

/** As likely as each other; what is most of a day stands here more than once. */
const HAPPENINGS: readonly Happening[] = [
  emits,
  emits,
  emits,
  hears,
  hears,
  ({ gateway }, random, highestQos) => {
    const small = () => gateway.emit(someQos(random, highestQos), CHANNEL.led, somePayload(random, 6));
    gateway.send(gateway.ack(), small(), small(), small());
  },
  ({ gateway }, random, highestQos) => {
    // One is lost: what follows it comes too early.
    gateway.emit(highestQos, CHANNEL.led, somePayload(random, 4));
    gateway.send(gateway.emit(highestQos, CHANNEL.led, somePayload(random, 4)));
  },
  ({ gateway }, random) => {
    const name = oneOf(random, ['alarms/fire', 'greenhouse/led', 'nobody/cares']);
    gateway.send({ type: 'emit', qos: 0, retain: true, name, payload: somePayload(random, 20) });
  },
  ({ gateway }, random) => {
    gateway.deaf = random.chance(0.5);
  },
  ({ gateway }, random) => {
    gateway.refuse = random.chance(0.5);
  },
  ({ gateway }, random) => gateway.send({ type: 'ping', token: random.below(256) }),
  ({ gateway }, random) => gateway.send(gateway.ack(Uint8Array.of(oneOf(random, [0, 1, 7])))),
  ({ gateway }) => gateway.send({ type: 'bye', reason: 'shutdown' }),
  ({ gateway }) =>
    gateway.send({ type: 'refuse', reason: 'no_session', head: 0x80, detail: new Uint8Array() }),
  ({ chip }, random) => chip.skip(random.below(oneOf(random, [300, 2000, 9000]))),
  ({ chip }, random) => chip.write(random.bytes(1 + random.below(70))),
  ({ chip, gateway }) => {
    const spoiled = frame(encodePacket([gateway.ack()]));
    spoiled[2] = (spoiled[2] as number) ^ 1;
    chip.write(spoiled);
  },
  (bench, random) => bench.order({ what: 'emitNamed', payload: somePayload(random, MOST_EMITTED) }),
  (bench, random, highestQos) => {
    const flags = oneOf(random, [0, SUBSCRIBE, SUBSCRIBE | highestQos]);
    bench.order({ what: 'subscribe', id: 1 + random.below(5), flags });
  },
  (bench, random) => bench.order({ what: 'sleep', seconds: oneOf(random, [0, 300]) }),
  (bench, random, highestQos) => {
    const flags = QOS_FLAGS[someQos(random, highestQos)];
    bench.order({ what: 'will', id: random.below(3), flags, payload: somePayload(random, 20) });
  },
  (bench) => bench.order({ what: 'time' }),
  (bench, random) => {
    bench.order({ what: oneOf(random, ['leave', 'link']) });
    bench.order({ what: 'link', flags: 1 });
  },
];

function oneOf<Value>(random: Random, values: readonly Value[]): Value {
  return values[random.below(values.length)] as Value;
}

function someQos(random: Random, highest: 0 | 2): Qos {
  return random.below(highest + 1) as Qos;
}

/** Some are all bytes that SLIP escapes. */
function somePayload(random: Random, most: number): Uint8Array {
  const payload = random.bytes(random.below(most + 1));
  return random.chance(0.2) ? payload.fill(END) : payload;
}
