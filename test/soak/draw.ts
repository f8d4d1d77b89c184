import { BROADCAST_CHANNEL } from '../../src/wire/channels.js';
import type { Qos } from '../../src/wire/messages.js';
import type { Faults } from '../support/faulty-wire.js';
import { Random } from '../support/random.js';
import type { Kind } from './cable.js';
import type { GatewayConfig } from './gateway-host.js';
import { STATES } from './presence-book.js';
import type { BoardSpec, Scenario, Step } from './scenario.js';

/** How much happens in a run. Times in ms. */
export interface Shape {
  readonly boards: readonly [least: number, most: number];
  /** So many boards share their channels; only broadcasts reach all. */
  readonly room: number;
  readonly durationMs: readonly [least: number, most: number];
  /** Between two emits of one board, on average. */
  readonly emitEveryMs: readonly [least: number, most: number];
  /** Between two disruptions of the whole system, on average. */
  readonly disruptEveryMs: readonly [least: number, most: number];
  /** How bad the wires are: the largest chance of each fault. */
  readonly worst: number;
  readonly loopMs: readonly [least: number, most: number];
  /** Of an emit to be a broadcast. */
  readonly broadcast: number;
  /** The longest that a board is away, and that it sleeps. */
  readonly awayMs: number;
}

/** Small and violent: what the test suite runs by the thousand. */
export const SHORT: Shape = {
  boards: [2, 4],
  durationMs: [5000, 40_000],
  emitEveryMs: [300, 4000],
  disruptEveryMs: [2000, 15_000],
  worst: 0.25,
  loopMs: [1, 30],
  room: 4,
  broadcast: 0.1,
  awayMs: 15_000,
};

/** Many boards for a long time, with traffic all along. */
export const LONG: Shape = {
  boards: [20, 40],
  durationMs: [1_800_000, 3_600_000],
  emitEveryMs: [10_000, 40_000],
  disruptEveryMs: [5000, 30_000],
  worst: 0.1,
  loopMs: [20, 100],
  room: 4,
  broadcast: 0.01,
  awayMs: 240_000,
};

/** As many sessions for as long as can be: they come and go, and talk now and then. */
export const WIDE: Shape = {
  ...LONG,
  boards: [60, 100],
  emitEveryMs: [20_000, 120_000],
  disruptEveryMs: [5000, 30_000],
  loopMs: [100, 250],
};

export const SHAPES = { short: SHORT, long: LONG, wide: WIDE } as const;
export type ShapeName = keyof typeof SHAPES;

/** The channels of a room, its last values aside, and what is subscribed to there. */
const channelsOf = (room: string) => [`${room}/0`, `${room}/1`, `${room}/2/x`];
const patternsOf = (room: string) => [
  ...channelsOf(room),
  ...['+', '#', '2/+', 'v/+', 'v/#', 'w/+'].map((rest) => `${room}/${rest}`),
];
const KINDS: readonly Kind[] = ['serial', 'udp', 'tcp'];
/** The chance of a datagram to come late, on a path that is known for it. */
const OFTEN_LATE = 0.5;
/** The longest that anything keeps a board from answering, ms, in short runs; in longer ones nobody has a twin. */
const DISTURBED_MS = 31_000;
/** How long a board has a twin, ms; and what must not happen to it then. */
const TWIN_MS = 6000;
const DISTURBING = new Set<Step['what']>(['reset', 'mute', 'replug', 'sleep', 'leave']);
/** What is behind a board's name in the channel of its last values of QoS 0. */
const LOOSE = '_';
/** Refused with `not_allowed` (PROTOCOL.md §6.1). */
const FORBIDDEN_CHANNEL = '$forbidden';
/** The shortest text that can hold its own name, and the longest that fits a slot of the C client, bytes. */
const SIZES = [14, 30] as const;

/** Room for all that could ever wait for a session here. */
export const ROOM = 1000;
/** Sessions that outlive their link for hours; and such as are over soon, s. */
const LONG_EXPIRY_S = 43_200;
const SHORT_EXPIRIES_S = [3, 10] as const;

/** Within this no session with the longer expiry is over, ms: a gateway that was restarted has only its wall clock to go by. */
const MAX_SKEW_MS = 5 * 3_600_000;

/** The scenario of a seed: always the same one. */
export function drawScenario(seed: number, shape: Shape): Scenario {
  const random = new Random(seed);
  const boards = Array.from({ length: between(random, shape.boards) }, (_, i) =>
    drawBoard(random, `b${i}`, `r${Math.floor(i / shape.room)}`, shape),
  );
  const endsAt = between(random, shape.durationMs);
  const steps = [
    ...boards.flatMap((board, i) =>
      drawProgram(random, board, `r${Math.floor(i / shape.room)}`, shape, endsAt),
    ),
    ...drawDisruptions(random, boards, shape, endsAt),
  ];
  const twinned = random.chance(0.2) ? withTwin(random, boards, steps, shape, endsAt) : steps;
  const inOrder = twinned.sort((a, b) => a.at - b.at);
  return { seed, gateway: drawGateway(random), boards, steps: inOrder, endsAt };
}

function drawGateway(random: Random): GatewayConfig {
  const store = random.chance(0.5) ? { storeMs: random.chance(0.7) ? 20 : 200 } : {};
  if (random.chance(0.85)) return { ...store, queue: ROOM, endFull: false };
  return { ...store, queue: 4 + random.below(20), endFull: random.chance(0.4) };
}

/**
 * Plugs in another board with the identity of one that is there. For as long as that is so nothing may disturb the first: a PING that it
 * does not answer makes it look dead, and lets the other in.
 */
function withTwin(
  random: Random,
  boards: readonly BoardSpec[],
  steps: Step[],
  shape: Shape,
  endsAt: number,
): Step[] {
  const quiet = boards.find(({ kind, faults }) => kind !== 'serial' && isHarmless(faults));
  if (!quiet || endsAt < 2 * TWIN_MS || shape.awayMs > DISTURBED_MS) return steps;
  const { name: board } = quiet;
  const from = TWIN_MS / 2 + random.below(endsAt - 2 * TWIN_MS + 1);
  const twin: Step = { at: from, what: 'twin', board, kind: pick(random, KINDS), forMs: TWIN_MS };
  const disturbs = (step: Step) =>
    step.at > from - DISTURBED_MS &&
    step.at < from + TWIN_MS &&
    (step.what === 'kill' || (DISTURBING.has(step.what) && 'board' in step && step.board === board));
  return [...steps.filter((step) => !disturbs(step)), twin];
}

function isHarmless({ loss, corrupt, late = 0, stall = 0 }: Faults): boolean {
  return loss === 0 && corrupt === 0 && late === 0 && stall === 0;
}

function drawBoard(random: Random, name: string, room: string, shape: Shape): BoardSpec {
  const kind = pick(random, KINDS);
  const engine = random.chance(0.5) ? 'c' : 'ts';
  const patterns = [...patternsOf(room), STATES, ...(shape.boards[1] <= shape.room ? ['#'] : [])];
  const wishes = patterns
    .filter(() => random.chance(0.2))
    .map((pattern) => ({
      pattern,
      qos: pick(random, [0, 1, 1, 2, 2] as Qos[]),
      noLocal: random.chance(0.2),
    }));
  const base = {
    name,
    engine,
    kind,
    wishes,
    faults: drawFaults(random, shape.worst),
    table: [] as string[],
    loopMs: 1,
  } as const;
  if (engine === 'c') {
    const serial = kind === 'serial';
    // The smallest build knows QoS 0 only.
    const window = serial && random.chance(0.15) ? 0 : 4;
    return {
      ...base,
      keepAlive: 15,
      // Each value is another build.
      expiry: window > 0 && random.chance(0.3) ? SHORT_EXPIRIES_S[0] : LONG_EXPIRY_S,
      window,
      inFlight: 2 + random.below(7),
      maxPacket: serial ? 64 + random.below(64) : 512,
      buffer: 0,
      ids: 0,
      table: [
        ...patterns,
        `${room}/v/${name}`,
        `${room}/v/${name}${LOOSE}`,
        `${room}/w/${name}`,
        FORBIDDEN_CHANNEL,
      ],
      loopMs: between(random, shape.loopMs),
    };
  }
  return {
    ...base,
    keepAlive: 5 + random.below(15),
    expiry: random.chance(0.3) ? pick(random, SHORT_EXPIRIES_S) : LONG_EXPIRY_S,
    window: 1 + random.below(32),
    inFlight: 1 + random.below(32),
    maxPacket: 64 + random.below(448),
    buffer: kind === 'serial' && random.chance(0.5) ? 64 + random.below(100) : 0,
    ids: pick(random, [0, 3, 100]),
  };
}

function drawFaults(random: Random, worst: number): Faults {
  const maybe = () => (random.chance(0.5) ? random.next() * worst : 0);
  return {
    loss: maybe(),
    duplicate: maybe(),
    corrupt: maybe(),
    delay: 1 + random.below(40),
    jitter: random.chance(0.5) ? random.next() * 80 : 0,
    // Some paths bring nearly everything twice: once soon, once late.
    late: random.chance(0.2) ? OFTEN_LATE : maybe() / 2,
    noise: maybe() / 2,
    stall: maybe() / 20,
    split: maybe(),
  };
}

/** What the program of a board does all along. */
function drawProgram(
  random: Random,
  { name, window }: BoardSpec,
  room: string,
  shape: Shape,
  endsAt: number,
): Step[] {
  const steps: Step[] = [];
  const every = between(random, shape.emitEveryMs);
  const reliable = window > 0;
  const drawWill = () => ({
    channel: `${room}/w/${name}`,
    qos: random.below(3) as Qos,
    retain: random.chance(0.3),
  });
  if (reliable && random.chance(0.5))
    steps.push({ at: random.next() * every, what: 'will', board: name, will: drawWill() });
  for (let at = random.next() * every; at < endsAt; at += 2 * random.next() * every) {
    if (random.chance(0.1)) {
      const pattern = pick(random, patternsOf(room));
      const qos = random.below(3) as Qos;
      if (random.chance(0.4)) steps.push({ at, what: 'unsubscribe', board: name, pattern });
      else steps.push({ at, what: 'subscribe', board: name, pattern, qos, noLocal: random.chance(0.2) });
      continue;
    }
    if (reliable && random.chance(0.05)) {
      steps.push({ at, what: 'will', board: name, will: random.chance(0.7) ? drawWill() : undefined });
      continue;
    }
    const kept = random.chance(0.15);
    const refused = reliable && random.chance(0.04);
    const common = random.chance(shape.broadcast) ? BROADCAST_CHANNEL : pick(random, channelsOf(room));
    // What is kept at QoS 0 has a channel of its own: there nothing overtakes anything.
    const loosely = kept && !refused && (!reliable || random.chance(0.4));
    const own = `${room}/v/${name}${loosely ? LOOSE : ''}`;
    const channel = refused ? FORBIDDEN_CHANNEL : kept ? own : common;
    const reliably = kept || refused ? [1, 2] : [0, 1, 1, 2, 2];
    const qos = (reliable && !loosely ? pick(random, reliably) : 0) as Qos;
    const size = between(random, SIZES);
    const count = random.chance(0.15) ? 1 + random.below(15) : 1;
    steps.push({ at, what: 'emit', board: name, count, emit: { channel, qos, retain: kept, size } });
  }
  return steps;
}

function drawDisruptions(random: Random, boards: readonly BoardSpec[], shape: Shape, endsAt: number): Step[] {
  const steps: Step[] = [];
  // Half of the runs keep their gateway: what it acknowledged is then owed without exception.
  const kills = random.chance(0.5);
  const every = between(random, shape.disruptEveryMs);
  for (let at = random.next() * every; at < endsAt; at += 2 * random.next() * every) {
    const board = pick(random, boards);
    // Best where what was sent to one boot reaches another.
    const haunted = boards.find(({ kind, faults: { late = 0 } }) => kind === 'udp' && late >= OFTEN_LATE);
    if (random.chance(0.2)) steps.push(...drawBrownOut(random, at, haunted ?? board));
    else steps.push(drawDisruption(random, at, board, kills, Math.min(shape.awayMs, endsAt - at)));
  }
  return steps;
}

/** The supply is weak: the board starts, and loses power again as soon as it does something. */
function drawBrownOut(random: Random, start: number, board: BoardSpec): Step[] {
  let at = start;
  return Array.from({ length: 2 + random.below(5) }, () => {
    at += random.below(1500);
    return drawReset(random, at, board, 300);
  });
}

/** In the middle of what it does next, half of the time. */
function drawReset(random: Random, at: number, { name: board, engine }: BoardSpec, maxDownMs: number): Step {
  const common = {
    at,
    what: 'reset',
    board,
    downMs: random.below(maxDownMs),
    told: random.chance(0.5),
  } as const;
  if (engine === 'c' && random.chance(0.5)) return { ...common, hostCalls: 0, edges: drawEdges(random) };
  return { ...common, hostCalls: drawHostCalls(random) };
}

function drawHostCalls(random: Random): number {
  return random.chance(0.5) ? 0 : 1 + random.below(200);
}

/** A packet takes some hundred edges, a call of `poll` with nothing to do a few. */
function drawEdges(random: Random): number {
  return random.below(10 ** (1 + random.below(4)));
}

/** `awayMs`: how long a board may be away, or sleep. */
function drawDisruption(random: Random, at: number, spec: BoardSpec, kills: boolean, awayMs: number): Step {
  const { name: board } = spec;
  const chance = random.next();
  if (kills && chance < 0.15)
    return {
      at,
      what: 'kill',
      hostCalls: drawHostCalls(random),
      downMs: random.below(4000),
      gently: random.chance(0.2),
    };
  if (chance < 0.2) return { at, what: 'clock', skewMs: random.below(2 * MAX_SKEW_MS) - MAX_SKEW_MS };
  if (chance < 0.4) return drawReset(random, at, spec, 3000);
  if (chance < 0.5) return drawReset(random, at, spec, awayMs);
  if (chance < 0.65)
    return { at, what: 'mute', board, forMs: random.below(random.chance(0.2) ? 30_000 : 3000) };
  if (chance < 0.77) return { at, what: 'sleep', board, seconds: 1 + random.below(Math.ceil(awayMs / 1000)) };
  if (chance < 0.87 && spec.kind !== 'udp')
    return { at, what: 'leave', board, forGood: random.chance(0.3), forMs: random.below(awayMs) };
  return {
    at,
    what: 'replug',
    board,
    afterMs: random.below(random.chance(0.3) ? awayMs : 5000),
    moved: random.chance(0.5),
    gatewayTold: random.chance(0.5),
    boardTold: random.chance(0.5),
  };
}

function between(random: Random, [least, most]: readonly [number, number]): number {
  return least + random.below(most - least + 1);
}

function pick<T>(random: Random, values: readonly T[]): T {
  return values[random.below(values.length)] as T;
}
