import { readFileSync } from 'node:fs';
import { buildWasm } from './build.js';

const FRAMINGS = { serial: 0, datagram: 1, stream: 2 } as const;
const RESULTS = ['ok', 'busy', 'not_connected', 'too_large', 'full', 'invalid'] as const;
const EVENTS = ['connected', 'lost', 'refused', 'asleep', 'time'] as const;
const COUNTERS = [
  'crc',
  'malformed',
  'oversize',
  'unexpected',
  'duplicates',
  'gaps',
  'resends',
  'unclaimed',
] as const;

/** The size of `io_bytes` in client-shim.c. */
const IO_BYTES = 65_536;

export type Framing = keyof typeof FRAMINGS;
export type Result = (typeof RESULTS)[number];
export type CounterName = (typeof COUNTERS)[number];

export interface CClientOptions {
  framing: Framing;
  identity?: string;
  /** 32 bits. */
  nonce?: number;
  /** The key of its identity, 32 bytes. */
  key?: Uint8Array;
  /** False: the build that only knows QoS 0. */
  reliable?: boolean;
  /** Bytes of the packet buffer, 2,048 at most. */
  buffer?: number;
  /** Places of the window, of 32 bytes each; 2 to 32. */
  slots?: number;
  /** Entries of the channel table, 127 at most. */
  channels?: number;
  /** Other compile-time options than the usual, as `{ SLIPWAY_RECEIVE_RING: 63 }`. */
  defines?: Record<string, number>;
  /** Bytes that can be written without waiting; endless if left out. */
  room?: () => number;
  /** Takes what the client sends: a serial frame, a datagram, a record of a stream. Without it see `sent`. */
  send?: (bytes: Uint8Array) => void;
  /** Called from within `receive`, as a handler on a board is. */
  onMessage?: (message: ReceivedMessage) => void;
  /** Called from within `receive` and `poll`, as `on_event` on a board is. */
  onEvent?: (event: ClientEvent) => void;
  /** Called before each thing that the client does to the world around it. What it throws stops the client there and then. */
  onHostCall?: () => void;
  /** Makes `powerFor` possible: called where the power goes. It has to throw, which stops the client there. */
  onPowerOut?: () => void;
}

/** A message in the window. */
export interface WindowSlot {
  /** PROTOCOL.md §3. */
  head: number;
  /** Of the table entry. */
  id: number;
  text: string;
}

export interface ReceivedMessage {
  /** The channel's name; undefined for a broadcast, and for an id that is not in the table. */
  channel: string | undefined;
  broadcast: boolean;
  /** Whether an entry of the table took it; if none, it is a broadcast or a stray. */
  claimed: boolean;
  payload: Uint8Array;
  text: string;
  qos: number;
  retained: boolean;
}

export interface ClientEvent {
  event: (typeof EVENTS)[number];
  /** A code of PROTOCOL.md §7. */
  reason: number;
  /** The table entry concerned, or 0. */
  id: number;
}

/** What slipway_time says. */
export interface ClockReading {
  /** Milliseconds since 1970-01-01 UTC. */
  ms: number;
  /** Seconds since the gateway told it. */
  age: number;
  /** Milliseconds, either way. */
  uncertainty: number;
}

interface Exports {
  memory: WebAssembly.Memory;
  io(): number;
  begin(
    identity: number,
    framing: number,
    buffer: number,
    slots: number,
    channels: number,
    nonce: number,
  ): void;
  set_key?(): void;
  receive(length: number): number;
  poll(now: number): void;
  link_up(up: number): void;
  leave(forget: number): void;
  connected(): number;
  pending(): number;
  channel(nameLength: number, flags: number, handled: number): number;
  subscribe(id: number, flags: number): number;
  emit(id: number, length: number, flags: number): number;
  emit_named(nameLength: number, length: number, flags: number): number;
  one_shot(nameLength: number, length: number, flags: number, capacity: number): number;
  counter?(index: number): number;
  slot?(place: number): number;
  channel_flags(id: number): number;
  sleep?(seconds: number): number;
  wake?(): void;
  asleep?(): number;
  will?(id: number, length: number, flags: number): number;
  ask_time?(): void;
  time?(now: number): number;
  time_part?(part: number): number;
  power_for?(edges: number): void;
}

/** CHANNEL_TAKEN_UP of slipway_private.h. */
const CHANNEL_TAKEN_UP = 0x20;
/** The heads of what asks for a table entry's wish: DECLARE, SUBSCRIBE, UNSUBSCRIBE (PROTOCOL.md §3.2). */
const WISH_HEADS = [0xb9, 0xba, 0xbb];

const modules = new Map<string, WebAssembly.Module>();

function moduleFor(options: Record<string, number>, edges: boolean): WebAssembly.Module {
  const key = JSON.stringify([options, edges]);
  let module = modules.get(key);
  if (!module) {
    module = new WebAssembly.Module(readFileSync(buildWasm(options, edges)));
    modules.set(key, module);
  }
  return module;
}

/**
 * A board that runs the very C client, compiled to WebAssembly: as many as you like, in virtual time. Nothing happens in it but
 * by calling it: give it bytes with `receive` and the time with `poll`, every few ms of virtual time.
 */
export class CClient {
  /** What was sent, when no `send` was given. */
  readonly sent: Uint8Array[] = [];
  readonly received: ReceivedMessage[] = [];
  readonly events: ClientEvent[] = [];
  readonly framing: Framing;
  readonly #exports: Exports;
  readonly #names: (string | undefined)[] = [];
  #written: number[] = [];

  constructor(options: CClientOptions) {
    this.framing = options.framing;
    const { framing, identity = 'board', nonce = 0x01020304, reliable = true } = options;
    const module = moduleFor(
      { SLIPWAY_WITH_RELIABLE: reliable ? 1 : 0, ...options.defines },
      options.onPowerOut !== undefined,
    );
    const instance = new WebAssembly.Instance(module, {
      board: {
        room: () => {
          options.onHostCall?.();
          return Math.max(0, Math.min(0xffff, options.room?.() ?? 0xffff));
        },
        write: (byte: number) => {
          options.onHostCall?.();
          this.#written.push(byte);
        },
        end: () => {
          this.#end(options.send);
          options.onHostCall?.();
        },
        message: (
          name: number,
          nameLength: number,
          id: number,
          at: number,
          length: number,
          flags: number,
          claimed: number,
        ) => {
          const payload = this.#bytes(at, length).slice();
          const message: ReceivedMessage = {
            channel: name ? Buffer.from(this.#bytes(name, nameLength)).toString() : this.#names[id],
            broadcast: !name && id === 0,
            claimed: claimed !== 0,
            payload,
            text: Buffer.from(payload).toString(),
            qos: (flags >> 4) & 3,
            retained: (flags & 8) !== 0,
          };
          options.onHostCall?.();
          this.received.push(message);
          options.onMessage?.(message);
          options.onHostCall?.();
        },
        event: (event: number, reason: number, id: number) => {
          const told: ClientEvent = { event: EVENTS[event] as ClientEvent['event'], reason, id };
          this.events.push(told);
          options.onEvent?.(told);
        },
        power_out: () => options.onPowerOut?.(),
      },
    });
    this.#exports = instance.exports as unknown as Exports;
    if (options.key) {
      if (!this.#exports.set_key) throw new Error('this client was built without keys');
      this.#put(options.key);
      this.#exports.set_key();
    }
    this.#exports.begin(
      this.#put(identity),
      FRAMINGS[framing],
      options.buffer ?? (framing === 'serial' ? 64 : 1472),
      options.slots ?? 4,
      options.channels ?? 16,
      nonce,
    );
  }

  /** Bytes from the wire; a whole datagram with that framing. False: the stream must be closed. */
  receive(bytes: Uint8Array): boolean {
    return this.#exports.receive(this.#put(bytes)) !== 0;
  }

  poll(nowMs: number): void {
    this.#exports.poll(nowMs >>> 0);
  }

  /**
   * The power goes when so many more edges of the control flow have been passed: edges are between any two basic blocks of the
   * compiled code. It must have been created with `onPowerOut`.
   */
  powerFor(edges: number): void {
    if (!this.#exports.power_for) throw new Error('this client was built without counting edges');
    this.#exports.power_for(edges);
  }

  /** Tells it that a connection went down or came up. */
  link(up: boolean): void {
    this.#exports.link_up(up ? 1 : 0);
  }

  leave(forget = false): void {
    this.#exports.leave(forget ? 1 : 0);
  }

  get connected(): boolean {
    return this.#exports.connected() !== 0;
  }

  /** Messages that the gateway has not acknowledged. */
  get pending(): number {
    return this.#exports.pending();
  }

  /** Puts a channel that it will emit on into the table. Returns its id, 0 if there is no room. */
  declare(name: string): number {
    return this.#channel(name, 0, false);
  }

  /** Puts a channel or pattern into the table, subscribed. Returns its id, 0 if there is no room. */
  subscribe(pattern: string, qos = 0, options: { noLocal?: boolean; noLastValue?: boolean } = {}): number {
    return this.#channel(pattern, subscriptionFlags(qos, options), true);
  }

  unsubscribe(id: number): Result {
    return result(this.#exports.subscribe(id, 0));
  }

  /** Subscribes to a table entry that is there already. */
  resubscribe(id: number, qos = 0, options: { noLocal?: boolean; noLastValue?: boolean } = {}): Result {
    return result(this.#exports.subscribe(id, subscriptionFlags(qos, options)));
  }

  /** Emits on a table entry's id (0: broadcast), or on a name. */
  emit(
    channel: number | string,
    payload: string | Uint8Array,
    options: { qos?: number; retain?: boolean } = {},
  ): Result {
    const flags = ((options.qos ?? 0) << 4) | (options.retain ? 8 : 0);
    if (typeof channel === 'number') return result(this.#exports.emit(channel, this.#put(payload), flags));
    const bytes = Buffer.from(payload);
    const nameLength = Buffer.byteLength(channel);
    this.#put(Buffer.concat([Buffer.from(`${channel}\0`), bytes]));
    return result(this.#exports.emit_named(nameLength, bytes.length, flags));
  }

  /** A datagram for no session (PROTOCOL.md §5.5), or undefined if it does not fit `capacity` bytes. */
  oneShot(
    name: string,
    payload: string,
    options: { retain?: boolean; capacity?: number } = {},
  ): Uint8Array | undefined {
    this.#put(`${name}\0${payload}`);
    const flags = options.retain ? 8 : 0;
    const size = this.#exports.one_shot(
      Buffer.byteLength(name),
      Buffer.byteLength(payload),
      flags,
      options.capacity ?? 1200,
    );
    return size === 0 ? undefined : this.#bytes(this.#exports.io(), size).slice();
  }

  sleep(seconds: number): Result {
    return result(this.#exports.sleep?.(seconds) ?? RESULTS.indexOf('invalid'));
  }

  wake(): void {
    this.#exports.wake?.();
  }

  get asleep(): boolean {
    return this.#exports.asleep?.() === 1;
  }

  /** Leaves a will on a table entry's id; 0 takes it back. */
  will(id: number, payload: string, options: { qos?: number; retain?: boolean } = {}): Result {
    const flags = ((options.qos ?? 0) << 4) | (options.retain ? 8 : 0);
    return result(this.#exports.will?.(id, this.#put(payload), flags) ?? RESULTS.indexOf('invalid'));
  }

  askTime(): void {
    this.#exports.ask_time?.();
  }

  /** The time of day at `nowMs` of its clock; undefined when it does not know. */
  time(nowMs: number): ClockReading | undefined {
    if (!this.#exports.time?.(nowMs >>> 0)) return undefined;
    const part = (index: number) => (this.#exports.time_part?.(index) ?? 0) >>> 0;
    return { ms: part(0) * 1000 + part(2), age: part(1), uncertainty: part(3) };
  }

  counter(name: CounterName): number {
    return this.#exports.counter?.(COUNTERS.indexOf(name)) ?? 0;
  }

  get counters(): Record<CounterName, number> {
    return Object.fromEntries(COUNTERS.map((name) => [name, this.counter(name)])) as Record<
      CounterName,
      number
    >;
  }

  /** The messages that the gateway has not acknowledged, oldest first. */
  get window(): WindowSlot[] {
    return Array.from({ length: this.pending }, (_, place) => {
      const at = this.#exports.slot?.(place) ?? 0;
      const [head = 0, id = 0, length = 0] = this.#bytes(at, 3);
      return { head, id, text: Buffer.from(this.#bytes(at + 3, length)).toString() };
    });
  }

  /** Whether the gateway has acknowledged what the table entry wants of it. */
  isSettled(id: number): boolean {
    const takenUp = (this.#exports.channel_flags(id) & CHANNEL_TAKEN_UP) !== 0;
    return takenUp && !this.window.some((slot) => slot.id === id && WISH_HEADS.includes(slot.head));
  }

  /** The bytes of a packet that was being written when `onHostCall` threw. */
  takeUnfinished(): Uint8Array {
    return Uint8Array.from(this.#written.splice(0));
  }

  /** What was sent since the last call. */
  take(): Uint8Array[] {
    return this.sent.splice(0);
  }

  #end(send: ((bytes: Uint8Array) => void) | undefined): void {
    const bytes = Uint8Array.from(this.#written);
    this.#written = [];
    if (send) send(bytes);
    else this.sent.push(bytes);
  }

  #channel(name: string, flags: number, handled: boolean): number {
    const id = this.#exports.channel(this.#put(name), flags, handled ? 1 : 0);
    if (id) this.#names[id] = name;
    return id;
  }

  #put(value: string | Uint8Array): number {
    const bytes = typeof value === 'string' ? Buffer.from(value) : value;
    if (bytes.length > IO_BYTES) throw new RangeError(`${bytes.length} bytes do not fit the board's border`);
    this.#bytes(this.#exports.io(), bytes.length).set(bytes);
    return bytes.length;
  }

  #bytes(at: number, length: number): Uint8Array {
    return new Uint8Array(this.#exports.memory.buffer, at, length);
  }
}

/** SLIPWAY_SUBSCRIBE… of slipway.h. */
function subscriptionFlags(qos: number, options: { noLocal?: boolean; noLastValue?: boolean }): number {
  return 0x10 | qos | (options.noLocal ? 4 : 0) | (options.noLastValue ? 8 : 0);
}

function result(code: number): Result {
  return RESULTS[code] as Result;
}
