import { pino } from 'pino';
import { expect, test } from 'vitest';
import { Connector } from '../../src/bridges/connector.js';
import {
  type Upstream,
  type UpstreamConnection,
  UpstreamError,
  type UpstreamErrorCode,
  type UpstreamEvents,
} from '../../src/bridges/upstream.js';
import { VirtualClock } from '../support/virtual-clock.js';

/** An upstream whose attempts a test settles by hand. */
class Attempts implements Upstream {
  readonly times: number[] = [];
  readonly #clock: VirtualClock;
  #events: UpstreamEvents | undefined;
  #done: { resolve: (connection: UpstreamConnection) => void; reject: (error: Error) => void } | undefined;
  closed = 0;

  constructor(clock: VirtualClock) {
    this.#clock = clock;
  }

  connect(events: UpstreamEvents): Promise<UpstreamConnection> {
    this.#events = events;
    this.times.push(this.#clock.now());
    return new Promise((resolve, reject) => {
      this.#done = { resolve, reject };
    });
  }

  async succeed(): Promise<void> {
    this.#done?.resolve({
      server: 'test://there',
      window: 1,
      send: () => true,
      publish: () => undefined,
      setInterests: () => undefined,
      close: async () => {
        this.closed += 1;
      },
    });
    await settled();
  }

  async fail(message = 'nobody answers', code: UpstreamErrorCode = 'unreachable'): Promise<void> {
    this.#done?.reject(new UpstreamError(code, message));
    await settled();
  }

  settle(): void {
    this.#events?.settled(1);
  }

  async lose(code: UpstreamErrorCode = 'unreachable'): Promise<void> {
    this.#events?.lost(new UpstreamError(code, 'the connection broke'), false);
    await settled();
  }
}

/** All promises that can be kept now are. */
const settled = () => new Promise<void>((resolve) => setImmediate(resolve));

function connecting(random = 1) {
  const clock = new VirtualClock();
  const upstream = new Attempts(clock);
  const lines: string[] = [];
  const logger = pino({}, { write: (line: string) => void lines.push(JSON.parse(line).msg) });
  const states: string[] = [];
  const ignored = () => undefined;
  const connector = new Connector(
    { name: 'plant', upstream, clock, logger, random: () => random },
    {
      up: ({ server }) => states.push(`up ${server}`),
      down: () => states.push('down'),
      problemChanged: () => states.push('other problem'),
      settled: ignored,
      refused: ignored,
      sendRefused: ignored,
      interestRefused: ignored,
      incoming: (_message, next) => next(),
    },
  );
  connector.start();
  return { clock, upstream, lines, states, connector };
}

test('it connects, and connects again when the connection is lost; one line each', async () => {
  const { clock, upstream, lines, states, connector } = connecting();
  await upstream.succeed();
  expect(connector.connection?.server).toBe('test://there');
  await upstream.lose();
  expect(connector.connection).toBeUndefined();
  clock.advance(1000);
  await upstream.succeed();
  expect(states).toEqual(['up test://there', 'down', 'up test://there']);
  expect(lines).toEqual([
    'bridge plant: connected to test://there',
    'bridge plant: the connection broke; it is tried again, meanwhile everything here goes on',
    'bridge plant: connected to test://there',
  ]);
  expect(connector.reconnects).toBe(1);
});

test('pauses grow from half a second to half a minute, and the same problem is said once', async () => {
  const { clock, upstream, lines, states } = connecting();
  for (let i = 0; i < 10; i++) {
    await upstream.fail();
    clock.step();
  }
  const { times } = upstream;
  const pauses = times.slice(1).map((time, i) => time - (times[i] ?? 0));
  expect(pauses).toEqual([500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000, 30_000]);
  expect(lines).toHaveLength(1);
  expect(states).toEqual(['down']);
  await upstream.fail('somebody else answers');
  expect(lines).toHaveLength(2);
  expect(states).toEqual(['down', 'other problem']);
});

test('pauses are jittered down to a half', async () => {
  const { clock, upstream } = connecting(0);
  await upstream.fail();
  clock.advance(250);
  expect(upstream.times).toEqual([0, 250]);
});

test('a refused login is tried once a minute at most', async () => {
  const { clock, upstream } = connecting();
  for (let i = 0; i < 12; i++) {
    await upstream.fail('the login is refused', 'login_refused');
    clock.step();
  }
  const { times } = upstream;
  expect((times.at(-1) ?? 0) - (times.at(-2) ?? 0)).toBe(60_000);
});

test('only a connection that stood for 10 s makes the next pause a short one', async () => {
  const { clock, upstream } = connecting();
  await upstream.succeed();
  await upstream.lose();
  clock.advance(500);
  await upstream.succeed();
  await upstream.lose();
  clock.advance(999);
  expect(upstream.times).toHaveLength(2);
  clock.advance(1);
  expect(upstream.times).toHaveLength(3);
  await upstream.succeed();
  clock.advance(10_000);
  await upstream.lose();
  clock.advance(500);
  expect(upstream.times).toHaveLength(4);
});

test('a connection that carried something was a good one, however short it was', async () => {
  const { clock, upstream } = connecting();
  await upstream.fail();
  clock.step();
  await upstream.fail();
  clock.step();
  await upstream.succeed();
  upstream.settle();
  await upstream.lose();
  clock.advance(500);
  expect(upstream.times).toEqual([0, 500, 1500, 2000]);
});

test('two gateways of one name take the session from each other ever more seldom, though it carries something each time', async () => {
  const { clock, upstream } = connecting();
  for (let i = 0; i < 10; i++) {
    await upstream.succeed();
    upstream.settle();
    await upstream.lose('taken_over');
    clock.step();
  }
  const { times } = upstream;
  const pauses = times.slice(1).map((time, i) => time - (times[i] ?? 0));
  expect(pauses).toEqual([500, 1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000, 60_000]);
  await upstream.succeed();
  clock.advance(10_000);
  await upstream.lose();
  clock.advance(500);
  expect(upstream.times).toHaveLength(12);
});

test('a connection that comes about after the stop is closed', async () => {
  const { upstream, states, connector } = connecting();
  await connector.stop();
  await upstream.succeed();
  expect(upstream.closed).toBe(1);
  expect(states).toEqual([]);
});

test('after the stop nothing is tried again', async () => {
  const { clock, upstream, connector } = connecting();
  await upstream.fail();
  await connector.stop();
  clock.advance(120_000);
  expect(upstream.times).toHaveLength(1);
});

test('who is cut off again and again says so, and no more until a connection stands', async () => {
  const { clock, upstream, lines } = connecting();
  for (let n = 0; n < 100; n++) {
    await upstream.succeed();
    upstream.settle();
    await upstream.lose();
    clock.advance(500);
  }
  expect(lines).toHaveLength(10);
  expect(lines.at(-1)).toBe(
    'bridge plant: the connection broke; this is said no more until a connection has stood for 10 s, for it happens again and again',
  );
  await upstream.succeed();
  clock.advance(9999);
  expect(lines).toHaveLength(10);
  clock.advance(1);
  expect(lines).toHaveLength(11);
  expect(lines.at(-1)).toBe('bridge plant: connected to test://there');
  await upstream.lose();
  expect(lines).toHaveLength(12);
  clock.advance(500);
  await upstream.succeed();
  expect(lines).toHaveLength(13);
});
