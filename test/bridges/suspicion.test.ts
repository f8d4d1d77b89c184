import { pino } from 'pino';
import { describe, expect, test } from 'vitest';
import { Suspicion } from '../../src/bridges/suspicion.js';
import { type QueuedMessage, UpstreamError } from '../../src/bridges/upstream.js';
import { VirtualClock } from '../support/virtual-clock.js';

const PROBLEM = new UpstreamError('unreachable', 'it closed the connection');
/** Surely longer than the silence before a message is tried. */
const SILENCE_MS = 15_000;
const WINDOW = 8;

function message(record: number, name = `name${record}`): QueuedMessage {
  const rest = { retain: false, properties: undefined, via: ['site'], expiresAt: undefined, at: 0 };
  return { record, name, payload: Buffer.from('x'), qos: 1, ...rest };
}

/** A bridge's queue of messages numbered from 1, a connection that ends as it is told, and what was sent on it. */
function scene(...queued: QueuedMessage[]) {
  const clock = new VirtualClock();
  const log: string[] = [];
  const waiting = [...queued];
  const underWay: QueuedMessage[] = [];
  const sent: number[] = [];
  const refused: number[] = [];
  const take = (found: QueuedMessage | undefined) => {
    if (!found) return undefined;
    waiting.splice(waiting.indexOf(found), 1);
    underWay.push(found);
    return found;
  };
  const queue = {
    get oldest() {
      return underWay[0] ?? waiting[0];
    },
    get inFlight() {
      return underWay.length;
    },
    get length() {
      return underWay.length + waiting.length;
    },
    next: () => take(waiting[0]),
    nextBeside: (names: ReadonlySet<string>) =>
      take(waiting.find(({ name }, index) => index > 0 && !names.has(name))),
  };
  const pump = () => {
    while (queue.inFlight < suspicion.window) {
      const next = suspicion.next();
      if (!next) return;
      sent.push(suspicion.overtakes ? -next.record : next.record);
    }
  };
  const leave = (record: number) => {
    const index = underWay.findIndex((one) => one.record === record);
    expect(index).toBeGreaterThanOrEqual(0);
    underWay.splice(index, 1);
  };
  const suspicion = new Suspicion({
    bridge: 'plant',
    clock,
    logger: pino({}, { write: (line: string) => void log.push(JSON.parse(line).msg) }),
    random: () => 0.5,
    queue,
    refuse: (record, why) => {
      refused.push(record);
      log.push(why);
      leave(record);
    },
    goOn: pump,
  });
  /** What is sent at once when it is connected. */
  const up = () => {
    sent.length = 0;
    suspicion.up(WINDOW);
    pump();
    return sent;
  };
  const lose = (cutOff = true) => {
    suspicion.lost(PROBLEM, cutOff);
    waiting.unshift(...underWay.splice(0));
    waiting.sort((a, b) => a.record - b.record);
  };
  const answer = (record: number) => {
    leave(record);
    suspicion.answered();
    pump();
  };
  /** Connects, waits until something is tried, and loses the connection so long after that. */
  const tried = (afterMs = 0, cutOff = true) => {
    up();
    clock.advance(SILENCE_MS);
    const first = [...sent];
    clock.advance(afterMs);
    lose(cutOff);
    return first;
  };
  const suspected = () => {
    for (let n = 0; n < 3; n++) {
      up();
      lose();
    }
  };
  return { clock, log, suspicion, queue, waiting, sent, refused, up, lose, answer, tried, suspected };
}

describe('a message is suspected', () => {
  test('when upstream has ended three connections with it as the oldest: then it is sent alone, after a silence', () => {
    const { clock, suspicion, sent, up, lose, log } = scene(message(1), message(2), message(3));
    for (let n = 0; n < 3; n++) {
      expect(up()).toEqual([1, 2, 3]);
      expect(suspicion.muted).toBe(false);
      lose();
    }
    expect(suspicion.heldUp).toEqual({ name: 'name1', bytes: 1, cuts: 3 });
    expect(up()).toEqual([]);
    expect(suspicion.muted).toBe(true);
    clock.advance(9000);
    expect(sent).toEqual([]);
    clock.advance(6000);
    expect(sent).toEqual([1]);
    expect(log).toHaveLength(1);
  });

  test('not when the connections broke, or ended with different ones', () => {
    const { up, lose, answer, suspicion } = scene(...[1, 2, 3, 4, 5, 6].map((n) => message(n)));
    for (let n = 0; n < 5; n++) {
      up();
      lose(false);
    }
    for (let n = 1; n <= 5; n++) {
      up();
      answer(n);
      lose();
    }
    expect(suspicion.heldUp).toBeUndefined();
  });

  test('no longer once it is answered: more and more is sent at once, and the rest is heard of again', () => {
    const { clock, sent, up, answer, suspected, suspicion } = scene(
      ...Array.from({ length: 20 }, (_, n) => message(n + 1)),
    );
    suspected();
    up();
    clock.advance(SILENCE_MS);
    expect(sent).toEqual([1]);
    answer(1);
    expect(sent).toEqual([1, 2, 3]);
    answer(2);
    expect(sent).toEqual([1, 2, 3, 4, 5]);
    expect(suspicion.muted).toBe(true);
    for (let n = 3; n <= WINDOW; n++) answer(n);
    expect(suspicion.muted).toBe(false);
    expect(suspicion.heldUp).toBeUndefined();
    expect(sent).toHaveLength(2 * WINDOW);
  });

  test('no longer once it is too old: what follows goes as ever', () => {
    const { clock, sent, up, suspected, suspicion, waiting } = scene(message(1), message(2), message(3));
    suspected();
    up();
    waiting.shift();
    clock.advance(SILENCE_MS);
    expect(sent).toEqual([2, 3]);
    expect(suspicion.heldUp).toBeUndefined();
  });
});

describe('a message that is suspected', () => {
  test('is dropped after it was tried alone six times, and twice behind another one that was taken', () => {
    const { clock, sent, refused, up, lose, answer, tried, suspected, log } = scene(
      ...[1, 2, 3, 4].map((n) => message(n)),
    );
    suspected();
    for (let n = 0; n < 6; n++) expect(tried()).toEqual([1]);
    for (const other of [2, 3]) {
      up();
      clock.advance(SILENCE_MS);
      expect(sent).toEqual([-other]);
      answer(other);
      expect(sent).toEqual([-other, 1]);
      expect(refused).toEqual([]);
      lose();
    }
    expect(refused).toEqual([1]);
    expect(log.at(-1)).toMatch(
      /8 times that a message of 1 bytes on "name1" was sent alone.*it closed the connection/,
    );
    expect(up()).toEqual([4]);
  });

  test('is not blamed for connections that break, end late, or end by themselves', () => {
    const { refused, tried, suspected, up, lose, sent } = scene(message(1), message(2));
    suspected();
    for (let n = 0; n < 20; n++) {
      expect(tried(0, false)).toEqual([1]);
      expect(tried(6000)).toEqual([1]);
      up();
      lose();
      expect(up()).toEqual([1]);
      lose();
    }
    // It would be tried behind another one else.
    expect(tried()).toEqual([1]);
    expect([refused, sent]).toEqual([[], [1]]);
  });

  test('gets its turn though no connection survives the silence', () => {
    const { suspected, up, lose, answer, suspicion } = scene(message(1), message(2));
    suspected();
    expect(up()).toEqual([]);
    lose();
    expect(up()).toEqual([1]);
    answer(1);
    answer(2);
    expect(suspicion.heldUp).toBeUndefined();
  });

  test('is not dropped where upstream takes nothing else, which is said once', () => {
    const { refused, tried, suspected, log } = scene(...Array.from({ length: 9 }, (_, n) => message(n + 1)));
    suspected();
    const order = Array.from({ length: 24 }, () => tried()[0]);
    const round = [1, 1, 1, 1, 1, 1, -2, -3, -4, -5, -6, -7];
    expect(order).toEqual([...round, ...round]);
    expect(refused).toEqual([]);
    expect(log.filter((line) => line.includes('for all that is sent'))).toHaveLength(1);
  });

  test('rests where nothing waits behind it, until something does, or for long; the rest goes meanwhile', () => {
    const { clock, sent, tried, suspected, up, lose, answer, waiting, suspicion } = scene(message(1));
    suspected();
    for (let n = 0; n < 6; n++) expect(tried()).toEqual([1]);
    up();
    clock.advance(SILENCE_MS);
    expect([sent, suspicion.muted]).toEqual([[], false]);
    waiting.push(message(2));
    clock.advance(SILENCE_MS + 1000);
    expect([sent, suspicion.muted]).toEqual([[-2], true]);
    answer(2);
    expect(sent).toEqual([-2, 1]);
    lose();
    up();
    clock.advance(SILENCE_MS + 290_000);
    expect(sent).toEqual([]);
    clock.advance(SILENCE_MS + 10_000);
    expect(sent).toEqual([1]);
  });
});
