import type { Client } from '../../../src/client/client.js';
import type { SenderBook } from './ledger.js';
import { holds, Site, type SiteOptions } from './site.js';

const RULE = { pattern: 'load/#', direction: 'out', qos: 1, remote: 'site/load/#' };

/** What a gateway says of its bridge, as it came last. */
export interface Report {
  state: string;
  full: boolean;
  queue: { messages: number; bytes: number; in_flight: number };
  in: number;
  drops: Record<string, number>;
}

/** Follows what the gateway says of the bridge `plant`. */
export async function follow(program: Client): Promise<() => Report> {
  let last: Report | undefined;
  await program.subscribe('$slipway/bridges/plant/stats', ({ text }) => {
    last = JSON.parse(text) as Report;
  });
  await holds(
    () => last !== undefined,
    () => 'the bridge says nothing of itself',
  );
  return () => last as Report;
}

/** A gateway whose bridge has no upstream yet at `url`, and a queue that is bounded so. */
export function siteWith(
  upstream: object,
  queue: object,
  rules: readonly object[] = [],
  options: SiteOptions = {},
): Promise<Site> {
  return Site.start('near', {
    bridges: [{ name: 'plant', ...upstream, rules: [RULE, ...rules], queue }],
    // Each state of the bridge is told soon.
    more: { stats: { interval: '1s' } },
    ...options,
  });
}

/** Emits at QoS 1, many at a time, until the book has `total` messages, and writes down what became of them. */
export async function emitAll(program: Client, book: SenderBook, total: number, size = 0): Promise<void> {
  const one = async () => {
    const { number, text } = book.next();
    const emitted = program.emit('load/tcp', text.padEnd(size), { qos: 1 });
    await emitted.then(
      () => book.acknowledged.add(number),
      (error: { code?: string }) => {
        if (error.code !== 'queue_full') throw error;
        book.refused.add(number);
      },
    );
  };
  while (book.emitted < total) await Promise.all(Array.from({ length: 500 }, one));
}
