import type { Logger } from 'pino';
import type { Cancel, Clock } from '../clock.js';
import type { BridgeQueue } from './queue.js';
import type { HeldUp } from './report.js';
import type { QueuedMessage, UpstreamError } from './upstream.js';

/** After so many connections that upstream ended with the same oldest message unanswered, that one is suspected. */
const SUSPECTED_AFTER = 3;
/** Before a message is tried, nothing is sent for so long, and up to half as long again, ms: by chance, lest it coincide with something. */
const HUSH_MS = 10_000;
/** The connection has to end so soon after the message was sent, ms, to count against it. */
const SOON_MS = 5000;
/** So often the message is tried alone; then only behind another one that upstream takes on the same connection. */
const TRIED_FIRST = 6;
/** So often in all, before it is dropped. */
const TRIED = 8;
/** How long the suspect rests while there is no such other, ms, unless one comes; and how often it is looked whether one has. */
const REST_MS = 300_000;
const LOOK_MS = 1000;
/** When messages of so many names do not pass either, it is not for that one message. */
const MOST_NAMES = 6;

/**
 * - `open`: nothing is suspected, or not on this connection: all goes as ever.
 * - `hush`: nothing is sent, to see whether the connection stands by itself.
 * - `proof`: another message is sent, alone.
 * - `rest`: there is none: what is not in the queue goes as ever.
 * - `trial`: the suspect is sent, alone.
 * - `growing`: something was acknowledged: more and more is sent at once.
 */
type Phase = 'open' | 'hush' | 'proof' | 'rest' | 'trial' | 'growing';

interface Suspect {
  readonly record: number;
  readonly name: string;
  readonly bytes: number;
  /** Connections that ended with it. */
  cuts: number;
  /** Those that count against it. */
  strikes: number;
  /** Names of other messages with which, alone, the connection ended as well. */
  readonly others: Set<string>;
  /** It was said that it ends with all others, too. */
  excused: boolean;
}

export interface SuspicionContext {
  readonly bridge: string;
  readonly clock: Clock;
  readonly logger: Logger;
  /** From 0 to 1. */
  readonly random: () => number;
  readonly queue: Pick<BridgeQueue, 'next' | 'nextBeside' | 'oldest' | 'inFlight' | 'length'>;
  /** Upstream will never take that message, which is on its way: see `UpstreamEvents.refused`. */
  readonly refuse: (record: number, why: string) => void;
  /** Something may be sent now that could not before. */
  readonly goOn: () => void;
}

/**
 * Finds the message for which upstream ends the connection instead of refusing it, and which would be sent again, with the same result, until
 * it is too old, with all others behind it. Connections break for many reasons: a message is dropped only when the connection has stood
 * by itself, then took another message, and broke as soon as this one was sent, again and again, while this was the only thing sent.
 */
export class Suspicion {
  readonly #context: SuspicionContext;
  #phase: Phase = 'open';
  #suspect: Suspect | undefined;
  /** The oldest message when a connection ended, and how many in a row ended with it. */
  #oldest = -1;
  #cuts = 0;
  /** The last connection did not survive the silence: on the next one the queue comes first, lest nothing ever be sent. */
  #impatient = false;
  /** Upstream has taken another message on this connection. */
  #proved = false;
  /** There was none, for long. */
  #rested = false;
  /** Messages that it took since. */
  #taken = 0;
  /** When the message of this phase was sent, on the clock in ms. */
  #sentAt = 0;
  /** How many may be on their way where nothing is suspected. */
  #window = 0;
  #timer: Cancel | undefined;

  constructor(context: SuspicionContext) {
    this.#context = context;
  }

  /** Whether only the queue may be sent now, and nothing besides that could be what upstream minds. */
  get muted(): boolean {
    return this.#phase !== 'open' && this.#phase !== 'rest';
  }

  /** How many messages may be on their way now. */
  get window(): number {
    if (this.#phase === 'open') return this.#window;
    return this.#phase === 'hush' || this.#phase === 'rest' ? 0 : 1 + this.#taken;
  }

  /** Whether what `next` gave last overtakes others. */
  get overtakes(): boolean {
    return this.#phase === 'proof';
  }

  /** What is suspected, if so. */
  get heldUp(): HeldUp | undefined {
    if (!this.#suspect) return undefined;
    const { name, bytes, cuts } = this.#suspect;
    return { name, bytes, cuts };
  }

  /** Of `window` messages none is on its way yet. */
  up(window: number): void {
    this.#window = window;
    this.#proved = false;
    this.#rested = false;
    this.#taken = 0;
    if (!this.#suspect) return;
    if (this.#impatient) this.#phase = 'growing';
    else this.#hush(this.#suspect);
    this.#impatient = false;
  }

  /** The next message to be sent, of those in the queue; undefined: none for now. */
  next(): QueuedMessage | undefined {
    const { queue, clock, goOn } = this.#context;
    if (this.#phase === 'open' || this.#phase === 'growing') return queue.next();
    this.#sentAt = clock.now();
    if (this.#phase === 'proof' && this.#isWaiting) {
      const other = queue.nextBeside(this.#suspect?.others ?? new Set());
      if (other) return other;
      if (!this.#rested) return this.#rest();
      this.#phase = 'trial';
    }
    const message = queue.next();
    if (message?.record === this.#suspect?.record) return message;
    // The suspect has become too old, or has expired.
    this.#end();
    clock.defer(goOn);
    return message;
  }

  /** Upstream has taken a message, or refused it; it has left the queue. */
  answered(): void {
    if (this.#phase === 'open') return;
    if (this.#phase === 'proof') {
      this.#phase = 'trial';
      this.#proved = true;
      return;
    }
    this.#phase = 'growing';
    this.#taken++;
    if (this.#taken < this.#window && this.#context.queue.length > 0) return;
    const { bridge, logger } = this.#context;
    logger.info({ bridge }, `bridge ${bridge}: messages are acknowledged again`);
    this.#end();
    this.#context.goOn();
  }

  /** The connection is over; what was on its way still is. `cutOff`: see `UpstreamEvents.lost`. */
  lost(problem: UpstreamError, cutOff: boolean): void {
    const phase = this.#phase;
    this.stop();
    const oldest = this.#context.queue.inFlight > 0 ? this.#context.queue.oldest : undefined;
    this.#impatient = phase === 'hush';
    if (phase === 'growing' && this.#taken > 0) this.#end();
    if (!cutOff || !oldest) return;
    if (!this.#suspect) return this.#count(oldest);
    if (oldest.record === this.#suspect.record) this.#suspect.cuts++;
    if (phase === 'proof') this.#cutWithAnother(this.#suspect, oldest.name);
    else if (phase === 'trial') this.#cutWith(this.#suspect, problem);
  }

  /** Nothing is tried any more. */
  stop(): void {
    this.#timer?.();
    this.#phase = 'open';
  }

  #hush({ strikes }: Suspect): void {
    const { clock, random, goOn } = this.#context;
    this.#phase = 'hush';
    this.#timer = clock.schedule(HUSH_MS * (1 + random() / 2), () => {
      this.#phase = strikes < TRIED_FIRST ? 'trial' : 'proof';
      goOn();
    });
  }

  #rest(): undefined {
    const { clock, queue, goOn } = this.#context;
    const { length } = queue;
    const end = clock.now() + REST_MS;
    const look = () => {
      this.#rested = clock.now() >= end;
      if (this.#suspect && (this.#rested || queue.length > length || !this.#isWaiting))
        this.#hush(this.#suspect);
      else this.#timer = clock.schedule(LOOK_MS, look);
    };
    this.#phase = 'rest';
    this.#timer = clock.schedule(LOOK_MS, look);
    clock.defer(goOn);
  }

  /** Whether the suspect is still the first one in the queue, of which none is on its way. */
  get #isWaiting(): boolean {
    return this.#context.queue.oldest?.record === this.#suspect?.record;
  }

  #end(): void {
    this.#suspect = undefined;
    this.#phase = 'open';
    this.#cuts = 0;
    this.#oldest = -1;
  }

  #count({ record, name, payload }: QueuedMessage): void {
    this.#cuts = record === this.#oldest ? this.#cuts + 1 : 1;
    this.#oldest = record;
    if (this.#cuts < SUSPECTED_AFTER) return;
    const bytes = payload.length;
    this.#suspect = { record, name, bytes, cuts: this.#cuts, strikes: 0, others: new Set(), excused: false };
    this.#warn(
      `the connection was closed ${this.#cuts} times before ${said(this.#suspect)} was acknowledged: it is sent alone now, to find out whether that is why; what is behind it waits`,
    );
  }

  #cutWithAnother(suspect: Suspect, name: string): void {
    const { others } = suspect;
    others.add(name);
    if (others.size < MOST_NAMES) return;
    if (!suspect.excused)
      this.#warn(
        `the connection is closed for all that is sent, as on ${[...others].map(quoted).join(', ')}: nothing is dropped for that; see what the broker minds, as rights, retained messages or their QoS`,
      );
    suspect.excused = true;
    // From the beginning.
    suspect.strikes = 0;
    others.clear();
  }

  #cutWith(suspect: Suspect, problem: UpstreamError): void {
    const { clock, refuse } = this.#context;
    const counts = suspect.strikes < TRIED_FIRST || this.#proved;
    if (!counts || clock.now() - this.#sentAt > SOON_MS) return;
    suspect.strikes++;
    if (suspect.strikes < TRIED) return;
    refuse(
      suspect.record,
      `the connection was closed each of the ${TRIED} times that ${said(suspect)} was sent alone, and not for others (${problem.message}): let the broker take packets of that size, and this bridge publish there, or change the rule`,
    );
    this.#end();
  }

  #warn(text: string): void {
    const { bridge, logger } = this.#context;
    logger.warn({ bridge }, `bridge ${bridge}: ${text}`);
  }
}

function said({ bytes, name }: Suspect): string {
  return `a message of ${bytes} bytes on ${quoted(name)}`;
}

function quoted(name: string): string {
  return JSON.stringify(name.slice(0, 200));
}
