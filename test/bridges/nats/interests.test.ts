import { jetstream } from '@nats-io/jetstream';
import { expect, it } from 'vitest';
import { covers } from '../../../src/bridges/nats/subject-sets.js';
import { toSubject, toSubjects } from '../../../src/bridges/nats/subjects.js';
import { until } from '../../support/gateways.js';
import { Random } from '../../support/random.js';
import { forSeedsInTurn } from '../../support/seeds.js';
import { describeWithTools } from '../../support/tools.js';
import { SuiteServer } from './suite-server.js';
import { Side } from './upstreams.js';

describeWithTools(['nats-server'], 'what a gateway hears of a stream', () => {
  const nats = new SuiteServer();

  const put = (name: string, text: string) => jetstream(nats.plain).publish(toSubject(name), text);

  it('is what comes from when it is wanted on', async () => {
    const side = await new Side(nats.url).hear('site/a/#');
    await told(side, ['site/a/#']);
    await put('site/b', 'too old');
    await put('site/a', 'one');
    side.want(1, 'site/a/#', 'site/b');
    await told(side, ['site/a/#', 'site/b']);
    await put('site/b', 'two');
    await put('site/a/x', 'three');
    side.want(1, 'site/b');
    await told(side, ['site/b']);
    await put('site/a', 'no more');
    await put('site/b', 'four');
    await until(() => expect(side.texts).toContain('four'));
    // The parent of a wildcard has a consumer of its own here: only what one of them has is in order.
    expect(side.texts.toSorted()).toEqual(['four', 'one', 'three', 'two']);
    expect(side.warnings).toEqual([]);
  });

  it('goes on where it was after a restart, whatever came meanwhile', async () => {
    const side = await new Side(nats.url).hear('site/a/#');
    await told(side, ['site/a/#']);
    await put('site/a/1', 'one');
    await until(() => expect(side.texts).toEqual(['one']));
    await side.close();
    for (const text of ['two', 'three']) await put('site/a/1', text);
    const again = await side.again().hear('site/a/#');
    await until(() => expect(again.texts).toEqual(['two', 'three']));
  });

  it('hears each message once, in order, though it is killed and its interests change at any moment', async () => {
    await forSeedsInTurn(6, async (seed) => {
      await nats.deleteStreams();
      const random = new Random(seed);
      const patterns = ['site/a/+', 'site/a/#', 'site/b/1', 'site/+/1', 'site/c/+', 'site/#'];
      const names = ['site/a/1', 'site/a/2', 'site/b/1', 'site/b/2', 'site/c/1', 'site/c'];
      let side = await new Side(nats.url).connect();
      const lives = [side];
      const expected: string[] = [];
      let count = 0;
      for (let phase = 0; phase < 8; phase++) {
        const wanted = disjoint(patterns.filter(() => random.chance(0.4)));
        side.want(1, ...wanted);
        await told(side, wanted);
        side.busy = random.chance(0.3);
        const subjects = wanted.flatMap(toSubjects);
        for (let i = 0; i < 40; i++) {
          const name = names[random.below(names.length)] as string;
          const text = `${name} ${++count}`;
          if (subjects.some((subject) => covers(subject, toSubject(name)))) expected.push(text);
          // Some are acknowledged at once, so that others are still under way; the last of all belong to this phase, and not to the next.
          if (i === 39 || random.chance(0.3)) await put(name, text);
          else nats.plain.publish(toSubject(name), text);
          if (!random.chance(0.03)) continue;
          side = side.killed();
          lives.push(side);
          await side.connect();
          side.want(1, ...wanted);
          await told(side, wanted);
          side.busy = random.chance(0.3);
        }
        if (random.chance(0.7)) side.takeAll();
      }
      side.takeAll();
      const heard = () => lives.flatMap((life) => life.texts);
      await until(() => expect(heard()).toHaveLength(expected.length));
      // A server before 2.10 takes one filter a consumer: the parents of wildcards have their own, and the order is that of each name.
      for (const name of names)
        expect(heard().filter((text) => text.startsWith(`${name} `))).toEqual(
          expected.filter((text) => text.startsWith(`${name} `)),
        );
      for (const life of lives) await life.close();
    });
  }, 60_000);

  it('says what it may have missed when the stream has dropped it', async () => {
    const side = await new Side(nats.url, { config: { max_bytes: 20_000 } }).hear('site/#');
    await told(side, ['site/#']);
    await put('site/a', 'heard');
    await until(() => expect(side.texts).toEqual(['heard']));
    await side.close();
    for (let i = 0; i < 100; i++) await put('site/a', `${i} ${'x'.repeat(1000)}`);
    const again = await side.again().hear('site/#');
    await until(() => expect(again.texts.at(-1)).toMatch(/^99 /));
    expect(again.warnings).toEqual([expect.stringMatching(/has dropped messages 2 to \d+ by its limits/)]);
    expect(again.count('lost_upstream')).toBe(1);
  });

  it('reads a stream that was made anew from its beginning, and says so', async () => {
    const side = await new Side(nats.url).hear('site/#');
    await told(side, ['site/#']);
    for (const text of ['one', 'two']) await put('site/a', text);
    await until(() => expect(side.texts).toEqual(['one', 'two']));
    await side.close();
    await nats.deleteStreams();
    const other = await new Side(nats.url).connect();
    other.publish('site/a', 'three');
    await until(() => expect(other.settledRecords).toHaveLength(1));
    const again = await side.again().hear('site/#');
    await until(() => expect(again.texts).toEqual(['three']));
    expect(again.warnings).toEqual([expect.stringMatching(/was made anew/)]);
  });

  it('connects anew, and makes the stream, when somebody deletes it', async () => {
    const side = await new Side(nats.url).hear('site/#');
    await told(side, ['site/#']);
    await nats.deleteStreams();
    await until(() => expect(side.problems).toHaveLength(1));
    expect(side.problems[0]?.message).toMatch(/a stream is gone/);
    const again = await side.again().hear('site/#');
    await told(again, ['site/#']);
    await put('site/a', 'one');
    await until(() => expect(again.texts).toEqual(['one']));
  });
});

/** Waits until what is wanted is what the stream is read for. */
async function told(side: Side, patterns: readonly string[]): Promise<void> {
  await until(() => {
    const wanted = [0, 1].flatMap((lane) => {
      const state = side.options.records.get(`in/slipway/${lane}`);
      return (
        (JSON.parse(Buffer.from(state ?? '{"segments":[]}').toString()) as State).segments.at(-1)?.wanted ??
        []
      );
    });
    expect(side.options.records.get('in/slipway/0')).toBeDefined();
    expect(wanted.toSorted()).toEqual(patterns.flatMap(toSubjects).toSorted());
  });
}

interface State {
  readonly segments: readonly { readonly wanted: readonly string[] }[];
}

/** As bridges ask: no name is matched by two. */
function disjoint(patterns: readonly string[]): readonly string[] {
  if (patterns.includes('site/#')) return ['site/#'];
  const rest = patterns.includes('site/+/1')
    ? patterns.filter((pattern) => ['site/+/1'].includes(pattern))
    : patterns;
  return rest.includes('site/a/#') ? rest.filter((pattern) => pattern !== 'site/a/+') : rest;
}
