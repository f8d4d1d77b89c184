import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Counters } from '../../src/counters.js';
import { type EmitOptions, Router } from '../../src/router/router.js';
import type { SubscribeOptions } from '../../src/router/subscriber.js';
import type { Qos } from '../../src/wire/messages.js';
import type { ReasonName } from '../../src/wire/reasons.js';
import { VirtualClock } from '../support/virtual-clock.js';
import { bytes, Inbox, plainlyMatches } from './inbox.js';

const LIMITS = {
  maxChannels: 3,
  maxSubscriptions: 12,
  maxSubscriptionsPerSubscriber: 5,
  maxLastValueBytes: 9,
};
const NAMES = ['a', 'b', 'a/b', 'a/', '/', 'a/b/c', '$s', '$s/a'];
const PATTERNS = [...NAMES, '#', '+', 'a/#', 'a/+', '+/+', '+/b/#', '$s/#', '+/a'];

/** What the router should do, by the letter of PROTOCOL.md §5.7 and §6, with lists and no cleverness. */
class Model {
  subscriptions: { who: number; pattern: string; options: SubscribeOptions }[] = [];
  lastValues = new Map<string, { text: string; qos: Qos; mark: number }>();
  connected = new Set<number>();
  mark = 0;
  readonly #inboxes: readonly Inbox[];

  readonly #maxLastValues: number;

  /** `inboxes` are those of the model: they tell how much room is left. */
  constructor(inboxes: readonly Inbox[], maxLastValues: number) {
    this.#maxLastValues = maxLastValues;
    this.#inboxes = inboxes;
  }

  subscribe(who: number, pattern: string, options: SubscribeOptions): ReasonName | undefined {
    const others = this.subscriptions.filter((s) => s.who !== who || s.pattern !== pattern);
    if (others.length === this.subscriptions.length) {
      if (others.length >= LIMITS.maxSubscriptions) return 'limit_reached';
      const own = others.filter((s) => s.who === who);
      if (own.length >= LIMITS.maxSubscriptionsPerSubscriber) return 'limit_reached';
    }
    this.subscriptions = [...others, { who, pattern, options }];
    if (!options.noLastValue) this.#sendLastValues(who, (name) => plainlyMatches(pattern, name));
    return undefined;
  }

  unsubscribe(who: number, pattern: string): boolean {
    const before = this.subscriptions.length;
    this.subscriptions = this.subscriptions.filter((s) => s.who !== who || s.pattern !== pattern);
    return this.subscriptions.length < before;
  }

  remove(who: number): void {
    this.subscriptions = this.subscriptions.filter((s) => s.who !== who);
    this.connected.delete(who);
  }

  emit(name: string, text: string, { qos, retain }: EmitOptions, from?: number): ReasonName | undefined {
    if (from !== undefined && name.startsWith('$')) return 'not_allowed';
    if (retain && text !== '') {
      const others = [...this.lastValues].filter(([other]) => other !== name);
      const size = others.reduce((sum, [, value]) => sum + value.text.length, text.length);
      if (others.length >= this.#maxLastValues || size > LIMITS.maxLastValueBytes) return 'limit_reached';
    }
    const recipients = this.#inboxes.flatMap((_, who) => {
      const own = who === from;
      const matching = this.#matching(who, name).filter(({ options }) => !(own && options.noLocal));
      if (matching.length === 0) return [];
      return [{ who, qos: Math.min(qos, Math.max(...matching.map((s) => s.options.qos))) as Qos }];
    });
    const outcome = this.#deliver(name, text, recipients);
    if (outcome === 'queue_full' || !retain) return outcome;
    this.lastValues.delete(name);
    if (text !== '') {
      this.mark += 1;
      this.lastValues.set(name, { text, qos, mark: this.mark });
    }
    return outcome;
  }

  broadcast(text: string, { qos, retain }: EmitOptions, from?: number): ReasonName | undefined {
    if (retain) return 'not_allowed';
    const others = [...this.connected].filter((who) => who !== from);
    return this.#deliver(
      '$slipway/broadcast',
      text,
      others.map((who) => ({ who, qos })),
    );
  }

  replay(who: number, since: number): void {
    const wanted = this.subscriptions.filter((s) => s.who === who && !s.options.noLastValue);
    for (const [name, value] of this.lastValues) {
      const matching = wanted.filter((s) => plainlyMatches(s.pattern, name));
      if (value.mark <= since || matching.length === 0) continue;
      this.#sendLastValues(who, (other) => other === name);
    }
  }

  hasReliable(who: number): boolean {
    return this.subscriptions.some((s) => s.who === who && s.options.qos > 0);
  }

  #matching(who: number, name: string) {
    return this.subscriptions.filter((s) => s.who === who && plainlyMatches(s.pattern, name));
  }

  #deliver(name: string, text: string, recipients: { who: number; qos: Qos }[]): ReasonName | undefined {
    const fits = (who: number) => text.length <= (this.#inboxes[who]?.maxPayload ?? 0);
    const full = ({ who, qos }: { who: number; qos: Qos }) =>
      fits(who) && qos > 0 && (this.#inboxes[who]?.room ?? 0) <= 0;
    if (recipients.some(full)) return 'queue_full';
    for (const { who, qos } of recipients) if (fits(who)) this.#put(who, name, text, qos, '');
    return recipients.every(({ who }) => fits(who)) ? undefined : 'too_large_for_receiver';
  }

  #sendLastValues(who: number, wants: (name: string) => boolean): void {
    for (const [name, value] of this.lastValues) {
      const highest = Math.max(...this.#matching(who, name).map((s) => s.options.qos));
      const qos = Math.min(value.qos, highest) as Qos;
      const inbox = this.#inboxes[who];
      if (!wants(name) || inbox === undefined || value.text.length > inbox.maxPayload) continue;
      this.#put(who, name, value.text, qos, '!');
    }
  }

  #put(who: number, name: string, text: string, qos: Qos, mark: string): void {
    const inbox = this.#inboxes[who];
    if (inbox === undefined) return;
    if (qos > 0) inbox.room -= 1;
    inbox.taken.push(`${name}=${text}@${qos}${mark}`);
  }
}

const who = fc.nat(2);
const from = fc.option(who, { nil: undefined });
const qos = fc.constantFrom<Qos[]>(0, 1, 2);
const text = fc.constantFrom('', 'x', 'yyy', 'zzzzz');
const emitOptions = fc.record({ qos, retain: fc.boolean() });
const steps = fc.array(
  fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({
        do: fc.constant('subscribe' as const),
        who,
        pattern: fc.constantFrom(...PATTERNS),
        options: fc.record({ qos, noLocal: fc.boolean(), noLastValue: fc.boolean() }),
      }),
    },
    {
      weight: 6,
      arbitrary: fc.record({
        do: fc.constant('emit' as const),
        name: fc.constantFrom(...NAMES),
        text,
        options: emitOptions,
        from,
        byChannel: fc.boolean(),
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        do: fc.constant('unsubscribe' as const),
        who,
        pattern: fc.constantFrom(...PATTERNS),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({ do: fc.constant('broadcast' as const), text, options: emitOptions, from }),
    },
    { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('connect' as const, 'remove' as const), who }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('replay' as const), who, back: fc.nat(4) }) },
    // One has no room at times, so that reliable emits are refused.
    { weight: 1, arbitrary: fc.record({ do: fc.constant('room' as const), room: fc.constantFrom(0, 1000) }) },
  ),
  { maxLength: 150, size: 'max' },
);

// Fewer last values than channels, or so many that they can take every place in the channel table.
const maxima = fc.constantFrom(2, 4);

it('does what the plain model does, whatever the order of subscriptions, emits and departures', () => {
  fc.assert(
    fc.property(steps, maxima, (run, maxLastValues) => {
      const real = [new Inbox(), new Inbox(), new Inbox()] as const;
      const expected = [new Inbox(), new Inbox(), new Inbox()] as const;
      for (const inboxes of [real, expected]) inboxes[2].maxPayload = 3;
      const counters = new Counters();
      const router = new Router({ ...LIMITS, maxLastValues }, counters, new VirtualClock());
      const model = new Model(expected, maxLastValues);
      const sender = (index: number | undefined) =>
        index === undefined ? undefined : real[index as 0 | 1 | 2];
      const subscriber = (index: number) => real[index as 0 | 1 | 2];
      let refusals = 0;
      let accepted = 0;
      const agree = (outcome: ReasonName | undefined, wanted: ReasonName | undefined) => {
        expect(outcome).toBe(wanted);
        if (outcome !== undefined && outcome !== 'too_large_for_receiver') refusals += 1;
      };

      for (const step of run) {
        switch (step.do) {
          case 'subscribe': {
            // Last values come in no set order: which of them fits a queue that fills up is not the model's to say.
            const reliable = step.options.qos > 0 || model.hasReliable(step.who);
            if (reliable && expected[step.who as 0].room < 10) break;
            const wanted = model.subscribe(step.who, step.pattern, step.options);
            agree(router.subscribe(subscriber(step.who), step.pattern, step.options), wanted);
            break;
          }
          case 'unsubscribe':
            expect(router.unsubscribe(subscriber(step.who), step.pattern)).toBe(
              model.unsubscribe(step.who, step.pattern),
            );
            break;
          case 'emit': {
            const wanted = model.emit(step.name, step.text, step.options, step.from);
            const channel = step.byChannel ? router.hold(step.name) : step.name;
            if (typeof channel === 'string' && step.byChannel) refusals += 1;
            const target = typeof channel === 'string' ? step.name : channel;
            const outcome = router.emit(target, bytes(step.text), step.options, sender(step.from));
            if (typeof channel !== 'string') router.release(channel);
            agree(outcome, wanted);
            if (outcome === undefined || outcome === 'too_large_for_receiver') accepted += 1;
            break;
          }
          case 'broadcast': {
            const outcome = router.broadcast(bytes(step.text), step.options, sender(step.from));
            agree(outcome, model.broadcast(step.text, step.options, step.from));
            if (outcome === undefined || outcome === 'too_large_for_receiver') accepted += 1;
            break;
          }
          case 'connect':
            router.connect(subscriber(step.who));
            model.connected.add(step.who);
            break;
          case 'remove':
            router.remove(subscriber(step.who));
            model.remove(step.who);
            break;
          case 'replay': {
            if (expected[step.who as 0].room < 10) break;
            expect(router.lastValueMark()).toBe(model.mark);
            router.replayLastValues(subscriber(step.who), model.mark - step.back);
            model.replay(step.who, model.mark - step.back);
            break;
          }
          case 'room':
            real[0].room = step.room;
            expected[0].room = step.room;
            break;
        }
        for (const [index, inbox] of real.entries()) {
          expect(inbox.read().sort()).toEqual(expected[index as 0].read().sort());
        }
      }

      expect(router.sizes.subscriptions).toBe(model.subscriptions.length);
      expect(router.sizes.lastValues).toBe(model.lastValues.size);
      expect(router.sizes.channels).toBeLessThanOrEqual(LIMITS.maxChannels);
      const counts = Object.entries(counters.snapshot());
      const refused = counts.filter(([name]) => name.startsWith('router.refused.'));
      expect(refused.reduce((sum, [, count]) => sum + count, 0)).toBe(refusals);
      expect(counters.get('router.emit')).toBe(accepted);
    }),
    { numRuns: 150 },
  );
});
