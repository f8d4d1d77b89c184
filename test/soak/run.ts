import { decodePacket } from '../../src/wire/decode.js';
import { LATE_MS, NO_FAULTS } from '../support/faulty-wire.js';
import { ROOM } from './draw.js';
import type { PacketFault } from './fault-plan.js';
import type { Violation } from './ledger.js';
import { STATES } from './presence-book.js';
import type { BoardSpec, Scenario } from './scenario.js';
import { WINDOW_MS } from './traffic.js';
import { type TraceLine, World } from './world.js';

/** Once the faults are over, all must be connected, subscribed and have empty queues within so long, ms. */
export const REST_WITHIN_MS = 60_000;
/** Then for so long there must be nothing but keep-alive, ms. */
const QUIET_MS = 45_000;
/** What is not said within so long is not waiting to be said, ms. */
const SILENCE_MS = 3000;
/** Besides emits, as many as may wait for a session: what the gateway itself has to tell it. */
const MAX_CONTROLS = 100;
/** The most packets between one board and the gateway within WINDOW_MS, whatever happens; and for each board whose state it may hear. */
const MOST_PACKETS = 700;
const MOST_PACKETS_PER_BOARD = 10;
/** Packets, at most, for each message sent, each delivery and each fault; and for each session-minute. */
const PACKETS_PER_EVENT = 6;
const PACKETS_PER_MINUTE = 10;
/** Tasks that wait on the clock at rest, at most, for each board. */
const TIMERS_PER_BOARD = 5;
/** How long an auditor takes to hear all last values, a few at a time where queues are short, ms. */
const AUDIT_MS = 30_000;
const AUDITOR: BoardSpec = {
  name: 'auditor',
  engine: 'ts',
  kind: 'tcp',
  faults: NO_FAULTS,
  keepAlive: 30,
  expiry: 3600,
  window: 32,
  inFlight: 32,
  maxPacket: 1024,
  buffer: 0,
  ids: 0,
  table: [],
  loopMs: 1,
  wishes: [
    { pattern: '+/v/+', qos: 1, noLocal: false },
    { pattern: STATES, qos: 1, noLocal: false },
  ],
};
/** Late datagrams are through, and the answers to them. */
const STRAGGLERS_MS = LATE_MS + 5000;

export interface RunResult {
  readonly violations: readonly Violation[];
  /** Virtual time, summed over the boards: one session for one minute. */
  readonly sessionMinutes: number;
  readonly packets: number;
  readonly messages: number;
  readonly deliveries: number;
  /** Packet faults and disruptions. */
  readonly faults: number;
  /** Spoiled frames that would have passed their CRC, and were kept from it. */
  readonly collisions: number;
  readonly packetFaults: readonly PacketFault[];
  /** How long it took, once the faults were over, until all was at rest, ms. */
  readonly restMs: number;
  /** The most packets of one board within WINDOW_MS. */
  readonly mostPackets: number;
  /** The most that waited at one moment in the gateway for one board. */
  readonly mostHeld: number;
  /** Wills that were emitted, messages of QoS 0 that were held for sleepers, sessions that ended. */
  readonly wills: number;
  readonly heldInSleep: number;
  readonly endings: number;
  readonly trace: readonly TraceLine[];
}

/** Runs a scenario to its end, or until a promise is broken. `tracing`: notes what happens. */
export function runScenario(scenario: Scenario, tracing = false): RunResult {
  const world = new World(scenario, tracing);
  const { ledger, plan } = world;
  let restMs = 0;
  try {
    restMs = play(world);
  } catch (error) {
    ledger.violate(`a fault in the program: ${(error as Error).stack}`);
  }
  world.countAll();
  const result: RunResult = {
    violations: ledger.violations,
    sessionMinutes: (world.clock.now() / 60_000) * scenario.boards.length,
    packets: world.packets,
    messages: ledger.sent.size,
    deliveries: ledger.deliveries,
    faults: plan.recorded.length + world.disruptions,
    collisions: world.collisions,
    restMs,
    mostHeld: world.mostHeld,
    mostPackets: Math.max(0, ...Array.from(world.boards.values(), ({ traffic }) => traffic.most)),
    packetFaults: plan.recorded,
    wills: world.observer.wills.emitted,
    heldInSleep: world.observer.sleeps.held,
    endings: world.observer.attendance.endings,
    trace: world.trace,
  };
  checkModesty(result, scenario, (what) => ledger.violate(what));
  return result;
}

/** There must be no storm: what is sent bears a relation to what there was to say, and to what went wrong. */
function checkModesty(
  { packets, messages, deliveries, faults, sessionMinutes, mostPackets, mostHeld }: RunResult,
  { gateway: { queue }, boards }: Scenario,
  violate: (what: string) => void,
): void {
  const most =
    PACKETS_PER_EVENT * (messages + deliveries + faults) + PACKETS_PER_MINUTE * sessionMinutes + 100;
  if (packets > most) violate(`${packets} packets were sent, and ${Math.round(most)} would have been many`);
  const mostAtOnce = MOST_PACKETS + MOST_PACKETS_PER_BOARD * boards.length;
  if (mostPackets > mostAtOnce)
    violate(
      `${mostPackets} packets of one board within ${WINDOW_MS / 1000} s, and ${mostAtOnce} would have been many`,
    );
  if (mostHeld > queue + MAX_CONTROLS)
    violate(`${mostHeld} messages waited for one board, and ${queue} are allowed`);
}

/** Returns how long it took until all was at rest, ms. */
function play(world: World): number {
  const { ledger } = world;
  const broken = () => ledger.violations.length > 0;
  const { endsAt } = world.scenario;
  world.runUntil(endsAt);
  world.plan.over = true;
  world.tell(() => 'no more faults');
  if (broken()) return 0;
  let busyAt = world.clock.now();
  world.onPacket = (_board, packet, from) => {
    if (!isKeepAlive(packet, from)) busyAt = world.clock.now();
  };
  const left = () => (busyAt > world.clock.now() - SILENCE_MS ? ['packets go to and fro'] : unrest(world));
  world.runUntilAll(() => left().length === 0, endsAt + REST_WITHIN_MS);
  if (broken()) return 0;
  const restMs = world.clock.now() - endsAt;
  if (left().length > 0) {
    ledger.violate(`not at rest ${REST_WITHIN_MS / 1000} s after the last fault: ${left().join('; ')}`);
    return restMs;
  }
  world.runUntil(Math.max(world.clock.now(), endsAt + STRAGGLERS_MS));
  if (!broken()) keepQuiet(world);
  if (!broken()) ledger.settleAccounts();
  if (!broken()) audit(world);
  return restMs;
}

/** A newcomer asks for all last values: are they right, and does everyone know them? */
function audit(world: World): void {
  const boots = new Map(Array.from(world.boards, ([name, { boot }]) => [name, boot]));
  world.add(AUDITOR);
  world.runUntil(world.clock.now() + AUDIT_MS);
  world.ledger.checkLastValues(AUDITOR.name, boots);
  checkPresence(world, boots);
}

/** Who listens for the states of devices knows that all are there. */
function checkPresence({ ledger, scenario }: World, boots: ReadonlyMap<string, number>): void {
  ledger.presence.check(AUDITOR.name, 1, boots.keys());
  // Who had no room was told at QoS 0, if at all.
  if (scenario.gateway.queue < ROOM) return;
  for (const { name, window } of scenario.boards) {
    const reliably = window > 0 && (ledger.standing(name).get(STATES) ?? 0) > 0;
    if (reliably) ledger.presence.check(name, boots.get(name) as number, boots.keys());
  }
}

/** What is not yet as it must be in the end. */
function unrest(world: World): string[] {
  const { gateway, boards, ledger } = world;
  if (!gateway.up) return ['the gateway is not up'];
  const left: string[] = [];
  if (world.observer.wills.waiting) left.push('a will waits for room');
  for (const [name, board] of boards) {
    const session = gateway.hub.sessions.get(name);
    if (!board.firmware?.connected) left.push(`${name} is not connected`);
    else if (!session?.open) left.push(`the gateway has no open session of ${name}`);
    else if (board.firmware.pending > 0)
      left.push(`${name} waits for ${board.firmware.pending} acknowledgements`);
    else if (session.engine.asleep) left.push(`${name} sleeps`);
    else if (session.engine.pending > 0) left.push(`${session.engine.pending} messages wait for ${name}`);
    else {
      const have = [...gateway.router.subscriptionsOf(session)].map(
        ([pattern, { qos }]) => `${pattern}@${qos}`,
      );
      const want = [...ledger.standing(name)].map(([pattern, qos]) => `${pattern}@${qos}`);
      if (have.sort().join() !== want.sort().join())
        left.push(
          `${name} is subscribed to ${have.join(', ') || 'nothing'}, and wants ${want.join(', ') || 'nothing'}`,
        );
    }
  }
  return left;
}

/** For a while nothing happens: then nothing may be sent but to keep sessions alive. */
function keepQuiet(world: World): void {
  const { ledger, clock, gateway, boards } = world;
  world.tell(() => 'everything is at rest');
  const packets = new Map<string, number>();
  world.onPacket = (board, packet, from) => {
    const count = (packets.get(board) ?? 0) + 1;
    packets.set(board, count);
    const types = decodePacket(packet, from).map(({ type }) => type);
    if (!isKeepAlive(packet, from))
      ledger.violate(`the ${from} of ${board} sent ${types.join(' and ')} while all was at rest`);
  };
  world.onPresence = (identity, state) => ledger.violate(`${identity} went ${state} while all was at rest`);
  const deliveries = ledger.deliveries;
  world.runUntil(clock.now() + QUIET_MS);
  world.onPacket = undefined;
  world.onPresence = undefined;
  if (clock.pending > TIMERS_PER_BOARD * (world.boards.size + 1))
    ledger.violate(`${clock.pending} timers wait while all is at rest`);
  if (gateway.hub.sessions.size > boards.size)
    ledger.violate(`${gateway.hub.sessions.size} sessions of ${boards.size} boards`);
  if (ledger.deliveries > deliveries) ledger.violate('something was delivered while all was at rest');
  const left = unrest(world);
  if (left.length > 0) ledger.violate(`at rest, and then not: ${left.join('; ')}`);
}

function isKeepAlive(packet: Uint8Array, from: 'peer' | 'gateway'): boolean {
  return decodePacket(packet, from).every(({ type }) => type === 'ping' || type === 'pong');
}
