import { expect, test } from 'vitest';
import { Pump } from '../../src/bridges/pump.js';
import type { QueuedMessage, UpstreamConnection } from '../../src/bridges/upstream.js';
import { VirtualClock } from '../support/virtual-clock.js';

/** On which each message that is published takes half a millisecond. */
class BusyClock extends VirtualClock {
  #busy = 0;

  override now(): number {
    return super.now() + this.#busy;
  }

  work(): void {
    this.#busy += 0.5;
  }
}

/** A pump before a queue that has no end; `published` are the numbers of what upstream was given. */
function pumpFor({ window }: { window: number }) {
  const clock = new BusyClock();
  const published: number[] = [];
  const queue = { inFlight: 0 };
  const suspicion = {
    window,
    overtakes: false,
    next(): QueuedMessage {
      queue.inFlight++;
      return { record: published.length } as QueuedMessage;
    },
  };
  const upstream = {
    publish({ record }: QueuedMessage) {
      published.push(record);
      clock.work();
    },
  } as UpstreamConnection;
  let connection: UpstreamConnection | undefined = upstream;
  const pump = new Pump({ queue, suspicion, clock, connection: () => connection });
  const lose = () => {
    connection = undefined;
  };
  return { pump, queue, published, clock, lose };
}

test('sends no more in a turn than takes two milliseconds, and goes on after the others', () => {
  const { pump, published, clock } = pumpFor({ window: 1000 });
  pump.run();
  expect(published).toEqual([0, 1, 2, 3]);
  // However often it is told meanwhile.
  pump.run();
  pump.runSoon();
  expect(published).toHaveLength(4);
  let others = 0;
  clock.yield(() => {
    others = published.length;
  });
  clock.step();
  clock.step();
  expect([others, published.length]).toEqual([8, 8]);
});

test('has as many on their way as are allowed', () => {
  const { pump, queue, published, clock } = pumpFor({ window: 3 });
  pump.run();
  clock.advance(10);
  expect(published).toEqual([0, 1, 2]);
  queue.inFlight -= 2;
  pump.runSoon();
  pump.runSoon();
  expect(published).toHaveLength(3);
  clock.advance(10);
  expect(published).toEqual([0, 1, 2, 3, 4]);
});

test('sends nothing without a connection, and nothing once it is stopped', () => {
  const lost = pumpFor({ window: 1000 });
  lost.pump.run();
  lost.lose();
  lost.clock.advance(10);
  expect(lost.published).toHaveLength(4);
  const stopped = pumpFor({ window: 1000 });
  stopped.pump.runSoon();
  stopped.pump.stop();
  stopped.clock.advance(10);
  expect(stopped.published).toHaveLength(0);
});
