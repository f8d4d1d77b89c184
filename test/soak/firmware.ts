import type { Qos } from '../../src/wire/messages.js';
import type { Cable } from './cable.js';
import type { Delivery } from './ledger.js';
import type { Machine } from './machine.js';
import type { BoardSpec } from './scenario.js';

/** What a board's program asks for in the way of a subscription. */
export interface Wish {
  readonly qos: Qos;
  readonly noLocal: boolean;
}

/** An emit of a board's program. */
export interface ProgramEmit {
  readonly channel: string;
  readonly qos: Qos;
  readonly retain: boolean;
  /** Bytes of the payload, at least; it grows to hold its own name. */
  readonly size: number;
}

/** What a board wants to be emitted when it is lost. */
export interface ProgramWill {
  readonly text: string;
  readonly channel: string;
  readonly qos: Qos;
  readonly retain: boolean;
}

/** What a firmware is given at boot, and tells. */
export interface FirmwareContext {
  readonly machine: Machine;
  readonly spec: BoardSpec;
  /** `powerFor` may be called: the code is slower that is made for it. */
  readonly countsEdges: boolean;
  /** 32 bits of noise. */
  readonly random32: () => number;
  /** 0 to 1. */
  readonly random: () => number;
  /** What the program wants, at boot and later. */
  readonly wishes: ReadonlyMap<string, Wish>;
  /** Writes a message down as sent, before it is; returns its text. */
  compose(emit: ProgramEmit): string;
  /** It was not taken after all. */
  unsend(text: string): void;
  settled(text: string, refusal: string | undefined): void;
  confirmed(pattern: string): void;
  gone(pattern: string): void;
  /** The will that the program wants; undefined for none. */
  readonly will: () => ProgramWill | undefined;
  /** The gateway has that will. */
  willConfirmed(will: ProgramWill | undefined): void;
  delivered(delivery: Delivery): void;
  /** The gateway refused something that it should not have. */
  refused(what: string): void;
  send(bytes: Uint8Array): void;
  /** The connection cannot be used any more. */
  disconnect(): void;
}

/** One boot of a board: a Slipway client in a program. */
export interface Firmware {
  linkUp(cable: Cable): void;
  linkDown(): void;
  /** Called as the bytes arrive. */
  receive(bytes: Uint8Array): void;
  emit(emit: ProgramEmit): void;
  wish(pattern: string): void;
  unwish(pattern: string): void;
  /** The program has another will. */
  leaveWill(): void;
  /** Announces that the board sleeps, for so many seconds; 0: that it is awake. */
  sleep(seconds: number): void;
  /** Says goodbye, and then nothing more. */
  leave(forGood: boolean): void;
  /** It is wanted again, after a goodbye; C only. */
  comeBack(): void;
  /** The power goes after so many more edges of its control flow; C only. */
  powerFor(edges: number): void;
  /** Bytes of a packet that was being written when the power went. */
  unfinished(): Uint8Array;
  readonly connected: boolean;
  /** Reliable messages that are not acknowledged, or not even sent. */
  readonly pending: number;
}
