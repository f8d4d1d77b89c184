import { pino } from 'pino';
import { describe, expect, test } from 'vitest';
import type { Backend, Change, Entry, Range } from '../../src/store/backend.js';
import { keys, readTime } from '../../src/store/records.js';
import { seal, unseal } from '../../src/store/seal.js';
import { Store } from '../../src/store/store.js';
import { VirtualClock } from '../support/virtual-clock.js';

/** A backend whose writes end when the test says so. */
class ScriptedBackend implements Backend {
  readonly batches: Record<string, string | undefined>[] = [];
  /** What the time was, by batch. */
  readonly times: number[] = [];
  #done: ((error?: unknown) => void) | undefined;

  write(changes: readonly Change[], done: (error?: unknown) => void): void {
    expect(this.#done, 'one write at a time').toBeUndefined();
    const text = ({ key, value }: Change) => value && Buffer.from(unseal(key, value)).toString();
    const records = changes.filter(({ key }) => key !== keys.time);
    this.batches.push(Object.fromEntries(records.map((change) => [change.key, text(change)])));
    this.times.push(
      readTime(unseal(keys.time, changes.find(({ key }) => key === keys.time)?.value ?? new Uint8Array())),
    );
    this.#done = done;
  }

  /** Reads that were asked for; answered by the test. */
  readonly reads: { range: Range; done: (error: unknown, records: readonly Entry[]) => void }[] = [];

  read(range: Range, done: (error: unknown, records: readonly Entry[]) => void): void {
    this.reads.push({ range, done });
  }

  finish(error?: unknown): void {
    const done = this.#done;
    this.#done = undefined;
    done?.(error);
  }

  async close(): Promise<void> {}
}

function start(maxBacklog?: number) {
  const clock = new VirtualClock();
  const backend = new ScriptedBackend();
  const log: string[] = [];
  const logger = pino({}, { write: (line) => void log.push(JSON.parse(line).msg) });
  const store = new Store(backend, clock, logger, { maxBacklog, time: 0 });
  const put = (key: string, value: string) => store.put(key, Buffer.from(value));
  const done: string[] = [];
  const told = (name: string) => store.settled(() => done.push(name));
  return { clock, backend, store, log, put, done, told };
}

describe('group commit', () => {
  test('what changes in one turn is one batch, and who waits is told when it is written', () => {
    const { clock, backend, put, done, told, store } = start();
    put('a', '1');
    put('b', '2');
    put('a', '3');
    store.delete('c');
    told('first');
    expect(backend.batches).toEqual([]);
    clock.advance(0);
    expect(backend.batches).toEqual([{ a: '3', b: '2', c: undefined }]);
    expect(done).toEqual([]);
    backend.finish();
    expect(done).toEqual(['first']);
  });

  test('what changes while a batch is written is the next one, however many wait for it', () => {
    const { clock, backend, put, done, told } = start();
    put('a', '1');
    told('one');
    clock.advance(0);
    for (const key of ['b', 'c', 'd']) {
      put(key, key);
      told(key);
    }
    clock.advance(0);
    expect(backend.batches).toHaveLength(1);
    backend.finish();
    expect(done).toEqual(['one']);
    clock.advance(0);
    expect(backend.batches[1]).toEqual({ b: 'b', c: 'c', d: 'd' });
    backend.finish();
    expect(done).toEqual(['one', 'b', 'c', 'd']);
  });

  test('who waits for what is written already is told at once; who comes during the write, with it', () => {
    const { clock, backend, put, done, told } = start();
    told('nothing yet');
    expect(done).toEqual(['nothing yet']);
    put('a', '1');
    told('a');
    clock.advance(0);
    told('also a');
    backend.finish();
    expect(done).toEqual(['nothing yet', 'a', 'also a']);
    clock.advance(10_000);
    expect(backend.batches).toHaveLength(1);
  });

  test('what nobody waits for is written within a second, once', () => {
    const { clock, backend, put } = start();
    for (let i = 0; i < 9; i++) {
      put('value', `${i}`);
      clock.advance(100);
    }
    expect(backend.batches).toEqual([]);
    clock.advance(100);
    expect(backend.batches).toEqual([{ value: '8' }]);
  });

  test('once all is written, nothing is', () => {
    const { clock, backend, store, told } = start();
    store.changed({ record: () => store.put('state', Buffer.from('x')) });
    told('state');
    clock.advance(0);
    backend.finish();
    clock.advance(10_000);
    expect(backend.batches).toEqual([{ state: 'x' }]);
  });

  test('a record is made once a batch, as things stand when it is closed', () => {
    const { clock, backend, store, told } = start();
    let state = 'first';
    const recorded = { record: () => store.put('state', Buffer.from(state)) };
    store.changed(recorded);
    store.changed(recorded);
    told('state');
    state = 'last';
    clock.advance(0);
    expect(backend.batches).toEqual([{ state: 'last' }]);
    backend.finish();
    store.changed(recorded);
    store.forget(recorded);
    told('nothing');
    expect(backend.batches).toHaveLength(1);
  });
});

describe('the store’s own clock', () => {
  test('goes on from what was written last, with every batch and at least every minute', () => {
    const { clock, backend, store, put, told } = start();
    clock.advance(5000);
    expect(store.time()).toBe(5000);
    expect(store.time(1000)).toBe(1000);
    put('a', '1');
    told('a');
    clock.advance(0);
    backend.finish();
    expect(backend.times).toEqual([5000]);
    clock.advance(60_000);
    backend.finish();
    clock.advance(60_000);
    expect(backend.times).toEqual([5000, 60_000, 120_000]);
    const next = new Store(new ScriptedBackend(), clock, pino({ level: 'silent' }), { time: 120_000 });
    clock.advance(7);
    expect(next.time()).toBe(120_007);
  });
});

describe('what waits to be written', () => {
  test('is known in bytes, also while it is being written: with too many the store is full', () => {
    const { clock, backend, store, put, told } = start(1000);
    put('a', 'x'.repeat(500));
    for (let n = 0; n < 100; n++) put('a', `${n}`.padStart(500));
    expect(store.full).toBe(false);
    told('a');
    clock.advance(0);
    put('b', 'x'.repeat(500));
    expect(store.full).toBe(true);
    backend.finish();
    expect(store.full).toBe(false);
    for (let n = 0; n < 20; n++) store.delete(`gone ${n}`);
    expect(store.full).toBe(true);
    clock.advance(1000);
    backend.finish();
    expect(store.full).toBe(false);
  });
});

describe('a disk that fails', () => {
  test('is tried again each second with the same batch; nobody is told before it is written, the log twice', () => {
    const { clock, backend, put, done, told, log } = start();
    put('a', '1');
    told('a');
    clock.advance(0);
    for (let i = 0; i < 5; i++) {
      backend.finish(new Error('No space left on device'));
      put('b', `${i}`);
      told(`b${i}`);
      clock.advance(999);
      expect(backend.batches).toHaveLength(i + 1);
      clock.advance(1);
    }
    expect(backend.batches).toEqual(Array.from({ length: 6 }, () => ({ a: '1' })));
    expect(done).toEqual([]);
    expect(log).toEqual([
      'the store cannot be written: No space left on device; nothing reliable is acknowledged until it can (is the disk full?)',
    ]);
    backend.finish();
    expect(done).toEqual(['a']);
    clock.advance(0);
    expect(backend.batches.at(-1)).toEqual({ b: '4' });
    backend.finish();
    expect(done).toEqual(['a', 'b0', 'b1', 'b2', 'b3', 'b4']);
    expect(log.slice(1)).toEqual(['the store can be written again']);
  });

  test('a write that fails after the store was closed is not tried again', async () => {
    const { clock, backend, put, told, store, log } = start();
    put('a', '1');
    told('a');
    clock.advance(0);
    await store.close();
    backend.finish(new Error('late'));
    clock.advance(60_000);
    expect(backend.batches).toHaveLength(1);
    expect(log).toEqual([]);
  });

  test('closing ends the trying', async () => {
    const { clock, backend, put, store, told } = start();
    put('a', '1');
    told('a');
    clock.advance(0);
    backend.finish(new Error('gone'));
    await store.close();
    put('b', '2');
    clock.advance(60_000);
    expect(backend.batches).toHaveLength(1);
  });
});

describe('reading', () => {
  const RANGE = { first: 'a', last: 'c', records: 10, bytes: 100 };

  test('what is there is given as it was put; what is damaged, without a value', () => {
    const { backend, store } = start();
    const found: (readonly [string, string | undefined])[] = [];
    store.read(RANGE, (records) => {
      for (const [key, value] of records) found.push([key, value && Buffer.from(value).toString()]);
    });
    expect(backend.reads.map(({ range }) => range)).toEqual([RANGE]);
    const sealed = (key: string) => seal(key, Buffer.from('value'));
    backend.reads[0]?.done(undefined, [
      ['a', sealed('a')],
      ['b', sealed('a')],
      ['c', sealed('c')],
    ]);
    expect(found).toEqual([
      ['a', 'value'],
      ['b', undefined],
      ['c', 'value'],
    ]);
  });

  test('is tried again while the disk cannot be read, which is said once; after the end nobody is told', async () => {
    const { backend, clock, store, log } = start();
    const found: number[] = [];
    store.read(RANGE, (records) => found.push(records.length));
    store.read(RANGE, (records) => found.push(records.length));
    for (const { done } of backend.reads.splice(0)) done(new Error('no disk'), []);
    clock.advance(1000);
    expect(backend.reads).toHaveLength(2);
    for (const { done } of backend.reads.splice(0)) done(new Error('no disk'), []);
    expect(log).toEqual(['the store cannot be read: no disk; it is tried again until it can']);
    clock.advance(1000);
    backend.reads.shift()?.done(undefined, [['a', seal('a', Buffer.of(1))]]);
    expect(found).toEqual([1]);
    await store.close();
    backend.reads.shift()?.done(undefined, []);
    expect(found).toEqual([1]);
    expect(clock.pending).toBe(0);
  });
});
