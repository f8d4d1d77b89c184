import { type Call, type CallName, CountingChip } from './counting-chip.js';
import { HandGateway } from './hand-gateway.js';
import type { Program } from './program.js';

/** Entries of the probe's channel table. */
export const CHANNEL = { temperature: 1, humidity: 2, led: 3, target: 4, alarms: 5 } as const;

export type Qos = 0 | 1 | 2;
/** SLIPWAY_QOS1 and SLIPWAY_QOS2 of slipway.h. */
export const QOS_FLAGS = [0, 0x10, 0x20] as const;

/** The probe's orders, by number. */
const ORDERS = ['none', 'emit', 'emitNamed', 'subscribe', 'leave', 'link', 'sleep', 'will', 'time'] as const;

/** What the program on the board is to do; what its build lacks it leaves. */
export interface Order {
  readonly what: (typeof ORDERS)[number];
  readonly id?: number;
  readonly flags?: number;
  readonly payload?: Uint8Array;
  readonly seconds?: number;
}

/** The probe on its chip, a gateway at the other end of the line, and what the calls of the library cost. */
export class Workbench {
  readonly chip: CountingChip;
  readonly gateway: HandGateway;
  readonly #orders: Order[] = [];
  #calls: Call[] = [];

  constructor(program: Program) {
    this.chip = new CountingChip(program);
    this.gateway = new HandGateway((bytes) => this.chip.write(bytes));
    this.chip.onSent = (byte) => this.gateway.take(byte);
    this.chip.onCall = (call) => this.#calls.push(call);
    this.chip.onTurn = () => this.#give(this.#orders.shift());
  }

  get connected(): boolean {
    return this.chip.peek('connected') !== 0;
  }

  order(order: Order): void {
    this.#orders.push(order);
  }

  /** The calls since the last look. */
  calls(): Call[] {
    const calls = this.#calls;
    this.#calls = [];
    return calls;
  }

  /** The same of that name, after `ms` of the board's time. */
  callsIn(ms: number, name: CallName): Call[] {
    const end = this.chip.ms + ms;
    this.chip.runUntil(() => this.chip.ms >= end, `${ms} ms later`, 2 * ms + 10);
    return this.calls().filter((call) => call.name === name);
  }

  /** Lets the board connect, and everything that its table wants be done. */
  connect(): void {
    this.chip.runUntil(() => this.connected, 'it is connected');
    this.callsIn(200, 'poll');
  }

  #give(order: Order | undefined): void {
    if (order === undefined) return;
    const { what, id = 0, flags = 0, payload = new Uint8Array(), seconds = 0 } = order;
    const bytes = [ORDERS.indexOf(what), id, flags, payload.length, seconds & 0xff, seconds >> 8, ...payload];
    this.chip.poke('order', Uint8Array.from(bytes));
  }
}
