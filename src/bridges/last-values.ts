import { createHash } from 'node:crypto';
import type { Cancel, Clock } from '../clock.js';
import type { FairTurns } from '../fair-turns.js';
import { type Receiver, Replays } from '../router/replays.js';
import type { Router } from '../router/router.js';
import type { Subscriber } from '../router/subscriber.js';
import type { BridgeQueue } from './queue.js';
import type { UpstreamRecords } from './upstream.js';

/** Up to where upstream has the last values of which rules. */
const KEY = 'core/last-values';
/** How often it is noted how far upstream has them, ms; also how soon what had no room is tried again. */
const NOTE_MS = 10_000;
const RETRY_MS = 100;
/** Names that are remembered because upstream does not have what became of them. */
const MAX_MISSED = 10_000;

export interface LastValuesContext {
  readonly bridge: string;
  /** The rules by which channels leave: if they are others than before, all is told anew. */
  readonly rules: readonly { readonly pattern: string; readonly remote: string; readonly qos: number }[];
  readonly router: Router;
  readonly clock: Clock;
  readonly turns: FairTurns;
  readonly records: Pick<UpstreamRecords, 'get' | 'put'>;
  /** What takes them to upstream, subscribed to the rules' patterns. */
  readonly departures: Subscriber & {
    carries(channelName: string): boolean;
    /** Whether last values of that channel go at QoS 0: they are not queued. */
    goesAtOnce(channelName: string): boolean;
    /** Sends the last value of the channel as it is now, or that it has none. */
    sendLastValue(channelName: string): void;
  };
  readonly queue: Pick<BridgeQueue, 'length' | 'isHalfEmpty' | 'oldestAgeMs'>;
}

interface Noted {
  readonly rules: string;
  readonly mark: number;
}

/**
 * Keeps the last values upstream as they are here, when a bridge is new, or was down. Those of QoS 1 and 2 wait in its queue as everything does;
 * of those that go at QoS 0 only what they are in the end is sent.
 */
export class LastValuesUp implements Receiver {
  readonly #context: LastValuesContext;
  readonly #replays: Replays;
  readonly #rules: string;
  /** Channels whose last value, or that it was cleared, found no way: to be sent again. */
  readonly #missed = new Set<string>();
  /** Those that were cleared at QoS 0 lately: since it was noted last, and before. */
  #cleared = new Set<string>();
  #clearedBefore = new Set<string>();
  /** Those that were cleared at QoS 1 or 2 and may wait. */
  readonly #clearedInQueue = new Set<string>();
  /** What was set since then may not be upstream. */
  #since: number;
  /** As it was when it was noted last. */
  #mark: number;
  /** What was set until then was there before the bridge. */
  readonly #startMark: number;
  /** Upstream was never told of all. */
  #isNew: boolean;
  /** It has begun to be told of all there was, where it is new. */
  #begun: boolean;
  #isUp = false;
  /** On the clock, ms. */
  #upSince = 0;
  /** What was set since then was set while the bridge was down, or later. */
  #downMark: number;
  #stalled = false;
  #noting: Cancel | undefined;
  #retrying: Cancel | undefined;

  constructor(context: LastValuesContext) {
    const { rules, router, records, turns, clock } = context;
    this.#context = context;
    this.#replays = new Replays(this, turns, clock);
    this.#rules = createHash('sha256').update(JSON.stringify(rules)).digest('base64');
    const kept = records.get(KEY);
    const noted = kept && (JSON.parse(Buffer.from(kept).toString()) as Noted);
    this.#isNew = noted?.rules !== this.#rules;
    this.#begun = !this.#isNew;
    this.#since = this.#isNew ? 0 : (noted?.mark ?? 0);
    this.#mark = this.#since;
    router.restoreLastValueMark(this.#since);
    this.#startMark = router.lastValueMark();
    this.#downMark = this.#startMark;
  }

  /** A retained message of QoS 0 on that channel was sent. */
  sent(channelName: string, payload: Uint8Array): void {
    // Nothing here tells later that it was there.
    if (payload.length === 0 && this.#cleared.size < MAX_MISSED) this.#cleared.add(channelName);
  }

  /** A retained message of QoS 0 on that channel found no way upstream. Returns whether that is remembered. */
  missed(channelName: string): boolean {
    if (this.#isUp) this.#stall();
    if (!this.#missed.has(channelName) && this.#missed.size >= MAX_MISSED) return false;
    this.#missed.add(channelName);
    return true;
  }

  /**
   * Whether the last value of that channel was set or cleared here while the bridge was down, and that may still wait: what upstream has kept
   * is what was there before, and is not to take its place.
   */
  isNewerHere(channelName: string): boolean {
    const { bridge, router, departures } = this.#context;
    if (this.#isCaughtUp) this.#clearedInQueue.clear();
    if (this.#isCaughtUp || !departures.carries(channelName)) return false;
    if (this.#missed.has(channelName) || this.#clearedInQueue.has(channelName)) return true;
    const { mark = 0, extras } = router.lastValue(channelName) ?? {};
    return mark > this.#downMark && extras?.origin?.bridge !== bridge;
  }

  /** A retained message of QoS 1 or 2 that clears that channel is queued. */
  cleared(channelName: string): void {
    if ((!this.#isUp || !this.#isCaughtUp) && this.#clearedInQueue.size < MAX_MISSED)
      this.#clearedInQueue.add(channelName);
  }

  up(): void {
    const { router, departures, clock } = this.#context;
    this.#isUp = true;
    this.#upSince = clock.now();
    const all = !this.#begun;
    this.#begun = true;
    const wants = (name: string) => (all && this.#wasThere(name)) || departures.goesAtOnce(name);
    // What is left of all goes on. What changed since begins anew, in place of what is left of that.
    const key = all ? 'all' : 'changed';
    router.replayLastValues(departures, this.#since, wants, (values) => this.#replays.start(key, values));
    this.#replays.goOn();
    this.#sendMissed();
    this.#noting = clock.schedule(NOTE_MS, () => this.#note());
  }

  down(): void {
    if (this.#isUp) this.#downMark = this.#context.router.lastValueMark();
    this.#isUp = false;
    for (const names of [this.#cleared, this.#clearedBefore]) for (const name of names) this.missed(name);
    this.#noting?.();
    this.#retrying?.();
    this.#retrying = undefined;
    this.#stalled = false;
  }

  stop(): void {
    this.down();
    this.#replays.stopAll();
  }

  /** Half of the queue is kept for what comes. */
  get hasRoomForReplays(): boolean {
    return this.#isUp && !this.#stalled && this.#context.queue.isHalfEmpty;
  }

  get idle(): boolean {
    return this.#context.queue.length === 0;
  }

  get open(): boolean {
    return this.#isUp;
  }

  /** What waited when the connection came about has gone. */
  get #isCaughtUp(): boolean {
    const { clock, queue } = this.#context;
    if (!this.#replays.done || this.#missed.size > 0) return false;
    return queue.length === 0 || clock.now() - queue.oldestAgeMs > this.#upSince;
  }

  /** Whether it was set before there was a queue for it. */
  #wasThere(name: string): boolean {
    return (this.#context.router.lastValue(name)?.mark ?? 0) <= this.#startMark;
  }

  #stall(): void {
    this.#stalled = true;
    this.#retrying ??= this.#context.clock.schedule(RETRY_MS, () => {
      this.#retrying = undefined;
      this.#stalled = false;
      this.#sendMissed();
      this.#replays.goOn();
    });
  }

  #sendMissed(): void {
    const { departures } = this.#context;
    for (const name of this.#missed) {
      if (this.#stalled) return;
      this.#missed.delete(name);
      // One of QoS 1 or 2 that was set meanwhile is in the queue.
      if (departures.goesAtOnce(name)) departures.sendLastValue(name);
    }
  }

  /** Notes how far upstream has them. What went at QoS 0 just before a connection broke may not have arrived: hence the mark of the last time, not the one of now. */
  #note(): void {
    const { router, records, clock } = this.#context;
    this.#clearedBefore = this.#cleared;
    this.#cleared = new Set();
    if (this.#replays.done && this.#missed.size === 0) {
      const before = { rules: this.#rules, mark: this.#mark };
      if (this.#isNew || before.mark !== this.#since) records.put(KEY, Buffer.from(JSON.stringify(before)));
      this.#since = this.#mark;
      this.#mark = router.lastValueMark();
      this.#isNew = false;
    }
    this.#noting = clock.schedule(NOTE_MS, () => this.#note());
  }
}
