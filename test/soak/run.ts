import { decodePacket } from '../../src/wire/decode.js';
import { LATE_MS } from '../support/faulty-wire.js';
import type { PacketFault } from './fault-plan.js';
import type { Violation } from './ledger.js';
import type { Scenario } from './scenario.js';
import { type TraceLine, World } from './world.js';

/** Once the faults are over, all must be connected, subscribed and have empty queues within so long, ms. */
export const REST_WITHIN_MS = 90_000;
/** Then for so long there must be nothing but keep-alive, ms. */
const QUIET_MS = 45_000;
/** What is not said within so long is not waiting to be said, ms. */
const SILENCE_MS = 3000;
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
  readonly trace: readonly TraceLine[];
}

/** Runs a scenario to its end, or until a promise is broken. `tracing`: notes what happens. */
export function runScenario(scenario: Scenario, tracing = false): RunResult {
  const world = new World(scenario, tracing);
  try {
    play(world);
  } catch (error) {
    world.ledger.violate(`a fault in the program: ${(error as Error).stack}`);
  }
  world.countAll();
  return {
    violations: world.ledger.violations,
    sessionMinutes: (world.clock.now() / 60_000) * scenario.boards.length,
    packets: world.packets,
    messages: world.ledger.sent.size,
    deliveries: world.ledger.deliveries,
    faults: world.plan.recorded.length + world.disruptions,
    collisions: world.collisions,
    packetFaults: world.plan.recorded,
    trace: world.trace,
  };
}

function play(world: World): void {
  const { ledger } = world;
  const broken = () => ledger.violations.length > 0;
  const { endsAt } = world.scenario;
  world.runUntil(endsAt);
  world.plan.over = true;
  world.tell('no more faults');
  if (broken()) return;
  let busyAt = world.clock.now();
  world.onPacket = (_board, packet, from) => {
    if (!isKeepAlive(packet, from)) busyAt = world.clock.now();
  };
  const left = () => (busyAt > world.clock.now() - SILENCE_MS ? ['packets go to and fro'] : unrest(world));
  world.runUntilAll(() => left().length === 0, endsAt + REST_WITHIN_MS);
  if (broken()) return;
  if (left().length > 0)
    return ledger.violate(
      `not at rest ${REST_WITHIN_MS / 1000} s after the last fault: ${left().join('; ')}`,
    );
  world.runUntil(Math.max(world.clock.now(), endsAt + STRAGGLERS_MS));
  if (broken()) return;
  keepQuiet(world);
  if (!broken()) ledger.settleAccounts();
}

/** What is not yet as it must be in the end. */
function unrest(world: World): string[] {
  const { gateway, boards, ledger } = world;
  if (!gateway.up) return ['the gateway is not up'];
  const left: string[] = [];
  for (const [name, board] of boards) {
    const session = gateway.hub.sessions.get(name);
    if (!board.firmware?.connected) left.push(`${name} is not connected`);
    else if (!session?.open) left.push(`the gateway has no open session of ${name}`);
    else if (board.firmware.pending > 0)
      left.push(`${name} waits for ${board.firmware.pending} acknowledgements`);
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
  const { ledger, clock } = world;
  world.tell('everything is at rest');
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
  if (ledger.deliveries > deliveries) ledger.violate('something was delivered while all was at rest');
  const left = unrest(world);
  if (left.length > 0) ledger.violate(`at rest, and then not: ${left.join('; ')}`);
}

function isKeepAlive(packet: Uint8Array, from: 'peer' | 'gateway'): boolean {
  return decodePacket(packet, from).every(({ type }) => type === 'ping' || type === 'pong');
}
