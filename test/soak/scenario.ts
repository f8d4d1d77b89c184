import type { Qos } from '../../src/wire/messages.js';
import type { Faults } from '../support/faulty-wire.js';
import type { Kind } from './cable.js';
import type { PacketFault } from './fault-plan.js';
import type { ProgramEmit } from './firmware.js';
import type { GatewayConfig } from './gateway-host.js';

/** One board as it leaves the factory. */
export interface BoardSpec {
  /** Its identity. */
  readonly name: string;
  readonly engine: 'c' | 'ts';
  readonly kind: Kind;
  readonly faults: Faults;
  /** s */
  readonly keepAlive: number;
  /** How long its session outlives its link, s. */
  readonly expiry: number;
  /** Reliable messages that it takes, and sends, unacknowledged. */
  readonly window: number;
  readonly inFlight: number;
  readonly maxPacket: number;
  /** TypeScript only: what HELLO says of its receive buffer, bytes, and of ids. */
  readonly buffer: number;
  readonly ids: number;
  /** C only: the channels and patterns of its table, and ms between two runs of the sketch's loop. */
  readonly table: readonly string[];
  readonly loopMs: number;
  readonly wishes: readonly { readonly pattern: string; readonly qos: Qos; readonly noLocal: boolean }[];
}

/** What is to be emitted when a board is lost. */
export interface Will {
  readonly channel: string;
  readonly qos: Qos;
  readonly retain: boolean;
}

/** Something that happens to the system, at a moment on the virtual clock (ms). */
export type Step = { readonly at: number } & (
  | { readonly what: 'emit'; readonly board: string; readonly count: number; readonly emit: ProgramEmit }
  | {
      readonly what: 'subscribe';
      readonly board: string;
      readonly pattern: string;
      readonly qos: Qos;
      readonly noLocal: boolean;
    }
  | { readonly what: 'unsubscribe'; readonly board: string; readonly pattern: string }
  /**
   * Power is lost after so many host calls, or where `edges` is given after so many edges of the C client's control flow; for so
   * long. `told`: the gateway sees a TCP connection end.
   */
  | {
      readonly what: 'reset';
      readonly board: string;
      readonly hostCalls: number;
      readonly edges?: number;
      readonly downMs: number;
      readonly told: boolean;
    }
  /** It leaves a will, or takes it back. */
  | { readonly what: 'will'; readonly board: string; readonly will: Will | undefined }
  | { readonly what: 'sleep'; readonly board: string; readonly seconds: number }
  /** It says goodbye, `forGood` if its session is to be forgotten, and comes back after a while. */
  | { readonly what: 'leave'; readonly board: string; readonly forGood: boolean; readonly forMs: number }
  /** Another board with its identity is there for a while. */
  | { readonly what: 'twin'; readonly board: string; readonly kind: Kind; readonly forMs: number }
  /** Nothing gets through for a while, and nobody is told. */
  | { readonly what: 'mute'; readonly board: string; readonly forMs: number }
  /** Unplugged, and plugged in again: `moved` to another port or address. */
  | {
      readonly what: 'replug';
      readonly board: string;
      readonly afterMs: number;
      readonly moved: boolean;
      readonly gatewayTold: boolean;
      readonly boardTold: boolean;
    }
  /** The gateway's process is killed after so many host calls, or asked to stop. */
  | {
      readonly what: 'kill';
      readonly hostCalls: number;
      readonly downMs: number;
      readonly gently: boolean;
    }
  /** The gateway's wall clock is set: so far from the true time. */
  | { readonly what: 'clock'; readonly skewMs: number }
);

/** A whole run, drawn from its seed up front: data, so that parts of it can be left out. */
export interface Scenario {
  readonly seed: number;
  readonly gateway: GatewayConfig;
  readonly boards: readonly BoardSpec[];
  readonly steps: readonly Step[];
  /** When the faults are over, ms. */
  readonly endsAt: number;
  /** What happened to packets, if that is not to be drawn anew. */
  readonly packetFaults?: readonly PacketFault[];
}

/** A step in words. */
export function describeStep(step: Step): string {
  switch (step.what) {
    case 'emit': {
      const { channel, qos, retain, size } = step.emit;
      const what = step.count > 1 ? `${step.count} messages` : 'a message';
      return `${step.board} emits ${what} on ${channel}, QoS ${qos}${retain ? ', retained' : ''}, ${size} bytes`;
    }
    case 'subscribe':
      return `${step.board} subscribes to ${step.pattern}, QoS ${step.qos}${step.noLocal ? ', no local' : ''}`;
    case 'unsubscribe':
      return `${step.board} unsubscribes from ${step.pattern}`;
    case 'reset': {
      const told = step.told ? '' : ', its connection left hanging';
      const when =
        step.edges === undefined ? `${step.hostCalls} more host calls` : `${step.edges} more edges`;
      return `${step.board} loses power after ${when}, for ${step.downMs} ms${told}`;
    }
    case 'will': {
      const { board, will } = step;
      if (!will) return `${board} takes its will back`;
      return `${board} leaves a will for ${will.channel}, QoS ${will.qos}${will.retain ? ', retained' : ''}`;
    }
    case 'sleep':
      return `${step.board} sleeps for ${step.seconds} s`;
    case 'leave':
      return `${step.board} leaves${step.forGood ? ', its session with it,' : ''} for ${step.forMs} ms`;
    case 'twin':
      return `another ${step.board} is plugged in by ${step.kind} for ${step.forMs} ms`;
    case 'mute':
      return `${step.board} is cut off for ${step.forMs} ms, and nobody is told`;
    case 'replug': {
      const where = step.moved ? 'elsewhere' : 'where it was';
      const told = [step.gatewayTold && 'the gateway', step.boardTold && 'the board'].filter(Boolean);
      return `${step.board} is unplugged, and plugged in ${where} after ${step.afterMs} ms; ${told.join(' and ') || 'nobody'} is told`;
    }
    case 'kill':
      return step.gently
        ? `the gateway is stopped, and started ${step.downMs} ms later`
        : `the gateway is killed after ${step.hostCalls} more host calls, and started ${step.downMs} ms later`;
    case 'clock':
      return `the gateway's wall clock is set to ${step.skewMs} ms off`;
  }
}
