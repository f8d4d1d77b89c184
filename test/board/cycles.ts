import type { Call } from './counting-chip.js';
import type { Program } from './program.js';
import { roughDay } from './rough-day.js';
import { CHANNEL, QOS_FLAGS, type Qos, Workbench } from './workbench.js';

/** Payloads of each size, so that a CRC with a byte to escape now and then decides nothing. */
const SAMPLES = 5;
/** Long enough for an acknowledgement, which waits for 15 ms, and for the line to be free again. */
const SETTLED_MS = 25;

/** Sizes of the payloads, in bytes. */
export const SIZES = [4, 16] as const;
type ForEachSize = readonly [number, number];

/** What the library costs, in clock cycles, without the UART's driver and its interrupts. */
export interface Cycles {
  /** An emit on a declared channel, the line being free, for each QoS that the build has. */
  readonly emit: readonly ForEachSize[];
  /** A message that comes: all the bytes of its frame. */
  readonly receive: readonly ForEachSize[];
  /** The poll that acknowledges it, where the build has QoS 1. */
  readonly acknowledge: number | undefined;
  /** A poll with nothing to do. */
  readonly idlePoll: number;
  /** Of a rough day (rough-day.ts), the longest single call; `receive` is one of one byte. */
  readonly longest: { readonly poll: number; readonly receive: number; readonly emit: number };
  /** Bytes of stack of the whole program on that day, interrupts aside. */
  readonly stack: number;
  /** The most that an interrupt of the UART's driver takes: clock cycles, and bytes of stack. */
  readonly interrupt: { readonly cycles: number; readonly stack: number };
}

/** @param highestQos of the build: 2, or 0 where nothing else is compiled in */
export function countCycles(program: Program, highestQos: 0 | 2): Cycles {
  const bench = new Workbench(program);
  bench.connect();
  const qualities = ([0, 1, 2] as const).filter((qos) => qos <= highestQos);
  const forEachSize = (measure: typeof emitting) =>
    qualities.map((qos) => SIZES.map((size) => measure(bench, qos, size)) as [number, number]);
  const emit = forEachSize(emitting);
  const receive = forEachSize(receiving);
  const acknowledge = highestQos === 0 ? undefined : acknowledging(bench);
  bench.callsIn(100, 'poll');
  const idlePoll = median(bench.callsIn(50, 'poll').map(({ cycles }) => cycles));
  const day = roughDay(program, highestQos);
  const longest = (name: Call['name']) => most(day.calls.filter((call) => call.name === name));
  return {
    emit,
    receive,
    acknowledge,
    idlePoll,
    longest: { poll: longest('poll'), receive: longest('receive'), emit: longest('emit') },
    stack: day.bench.chip.stack,
    interrupt: day.bench.chip.interrupt,
  };
}

/** A reading as a sensor would send it. */
function reading(size: number, sample: number): Uint8Array {
  return Buffer.from(`${20 + sample}.${'5'.repeat(size - 3)}`);
}

function emitting(bench: Workbench, qos: Qos, size: number): number {
  const costs = Array.from({ length: SAMPLES }, (_, sample) => {
    bench.order({
      what: 'emit',
      id: CHANNEL.temperature,
      flags: QOS_FLAGS[qos],
      payload: reading(size, sample),
    });
    // The ring is empty then, and the message acknowledged.
    const [call, ...others] = bench.callsIn(SETTLED_MS, 'emit');
    if (call === undefined || others.length > 0) throw new Error(`${others.length + 1} emits instead of one`);
    if (bench.chip.peek('result') !== 0)
      throw new Error(`the emit was refused: ${bench.chip.peek('result')}`);
    return call.cycles;
  });
  return median(costs);
}

function receiving(bench: Workbench, qos: Qos, size: number): number {
  const costs = Array.from({ length: SAMPLES }, (_, sample) => {
    bench.chip.poke('handled', Uint8Array.of(0));
    bench.gateway.send(bench.gateway.emit(qos, CHANNEL.led, reading(size, sample)));
    const calls = bench.callsIn(SETTLED_MS, 'receive');
    if (bench.chip.peek('handled') !== size) throw new Error('the message has not arrived');
    return calls.reduce((sum, { cycles }) => sum + cycles, 0);
  });
  return median(costs);
}

function acknowledging(bench: Workbench): number {
  bench.gateway.send(bench.gateway.emit(1, CHANNEL.led, reading(SIZES[0], 0)));
  return most(bench.callsIn(SETTLED_MS, 'poll'));
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[sorted.length >> 1] as number;
}

function most(calls: readonly Call[]): number {
  return calls.reduce((longest, { cycles }) => Math.max(longest, cycles), 0);
}
