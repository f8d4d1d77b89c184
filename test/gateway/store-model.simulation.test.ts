import { expect, test } from 'vitest';
import type { Session } from '../../src/gateway/session.js';
import type { Channel } from '../../src/router/channel.js';
import type { Outgoing } from '../../src/session/outgoing.js';
import { QueueTotal } from '../../src/session/queue-total.js';
import type { StoredMessage } from '../../src/store/records.js';
import { Disk } from '../support/memory-backend.js';
import { forSeeds } from '../support/seeds.js';
import { Simulation } from '../support/simulation.js';
import { WildPeer } from '../support/wild-peer.js';

const STEPS = 250;

/** What a gateway that starts from the disk would know. */
function onDisk(disk: Disk) {
  const { sessions, lastValues } = disk.read();
  return {
    sessions: sessions
      .map(({ identity, state, messages, subscriptions, will, ids }) => ({
        identity,
        nonce: state.nonce,
        token: state.token,
        program: state.program,
        expiryMs: state.expiryMs,
        expiresAt: state.expiresAt,
        asleep: state.sleepsUntil !== null,
        will: will !== undefined,
        stands: state.stands,
        limits: [state.maxPacket, state.window],
        nextIn: state.nextIn,
        withheld: state.withheld,
        nextOut: state.nextOut,
        messages: [...messages]
          .sort((a, b) => lineOf(a) - lineOf(b))
          .map(({ record, numbered, message }) => [
            record,
            message.type,
            numbered ? message.seq : -1,
            'name' in message ? message.name : undefined,
          ]),
        subscriptions: subscriptions
          .map(({ message: { pattern, qos, noLocal, noLastValue } }) => [pattern, qos, noLocal, noLastValue])
          .sort(byText),
        ids: ids.map(({ own, id, name, usable }) => [own, id, name, usable]).sort(byText),
      }))
      .sort((a, b) => byText(a.identity, b.identity)),
    lastValues: lastValues
      .map(({ name, payload, qos, mark }) => [name, payload.length, qos, mark])
      .sort(byText),
  };
}

/** Refusals go before all else that has no number. */
function lineOf({ numbered, message }: StoredMessage): number {
  return numbered ? 0 : message.type === 'reject' ? 1 : 2;
}

/** The same of the gateway that runs. */
function alive({ hub, router }: Simulation, wills: ReadonlySet<string>) {
  const asKept = (session: Session) => {
    const { identity, nonce, token, program, expiryMs, expiresAt, engine } = session;
    return {
      identity,
      nonce,
      token,
      program,
      expiryMs,
      expiresAt,
      asleep: engine.asleep,
      will: wills.has(identity),
      stands: session.numberingStands,
      limits: [engine.otherLimits.maxPacket, engine.otherLimits.window],
      nextIn: engine.expected,
      withheld: [...engine.withheld],
      nextOut: engine.nextOut,
      messages: [...engine.outgoing].map((item) => [item.record, item.content.type, item.seq, nameOf(item)]),
      subscriptions: [...router.subscriptionsOf(session)]
        .map(([pattern, { qos, noLocal, noLastValue }]) => [pattern, qos, noLocal, noLastValue])
        .sort(byText),
      ids: [...engine.ids]
        .map(({ own, id, channel, usable }) => [own, id, channel.name, usable])
        .sort(byText),
    };
  };
  return [...hub.sessions.values()].map(asKept).sort((a, b) => byText(a.identity, b.identity));
}

function nameOf({ content }: Outgoing<Channel>): string | undefined {
  return 'channel' in content ? content.channel.name : undefined;
}

function byText(a: unknown, b: unknown): number {
  const [x, y] = [String(a), String(b)];
  return x < y ? -1 : x > y ? 1 : 0;
}

/** The last values of a router, in the form of `onDisk`. */
function valuesOf({ router }: Simulation) {
  const values: unknown[][] = [];
  const reader = {
    hasRoom: () => true,
    deliver: ({ name }: Channel) => {
      const value = router.lastValue(name);
      values.push([name, value?.payload.length, value?.qos, value?.mark]);
      return undefined;
    },
  };
  for (const pattern of ['#', '$slipway/devices/+/state'])
    router.subscribe(reader, pattern, { qos: 0, noLocal: false, noLastValue: false });
  router.remove(reader);
  return values.sort(byText);
}

/** Peers that do anything, and a gateway that is killed: whatever it has written is what it knew when that write began. */
function run(seed: number): void {
  const hub = {
    get queue() {
      return { messages: 8, bytes: 2000, total: new QueueTotal(20, 5000) };
    },
    sessions: 5,
    expiryMs: 100_000,
    queueAgeMs: 70_000,
    endFull: seed % 3 === 0,
    ids: 5,
    willBytes: 6,
  };
  // Not always the same: what was kept may find no room any more.
  const router = {
    get maxChannels() {
      return channels;
    },
    maxSubscriptionsPerSubscriber: 4,
    maxLastValues: 3,
  };
  let channels = 9;
  const simulation = new Simulation(seed, { hub, router });
  const { random, clock } = simulation;
  const disk = new Disk();
  const shadow = new Disk();
  const maxCommitMs = random.chance(0.5) ? 20 : 3000;
  const restart = () => {
    // The one that runs is killed: only then is it settled what is on the disk.
    simulation.startGateway();
    shadow.records.clear();
    for (const [key, value] of disk.records) shadow.records.set(key, value);
    simulation.startGateway(disk, maxCommitMs);
  };
  disk.begun = (changes) => {
    shadow.apply(changes);
    const kept = onDisk(shadow);
    const wills = new Set(kept.sessions.filter(({ will }) => will).map(({ identity }) => identity));
    expect(alive(simulation, wills)).toEqual(kept.sessions);
    expect(valuesOf(simulation)).toEqual(kept.lastValues);
  };
  restart();
  const peers = ['one', 'two', 'three', 'four', 'five', 'six'].map((name) => new WildPeer(simulation, name));
  for (let step = 0; step < STEPS; step++) {
    (peers[random.below(peers.length)] as WildPeer).act();
    if (random.chance(0.6)) clock.advance(random.below(40));
    if (random.chance(0.02)) clock.advance(random.below(90_000));
    if (random.chance(0.03)) {
      for (const peer of peers) peer.unplug(false);
      channels = random.chance(0.3) ? 3 + random.below(9) : 9;
      restart();
    }
  }
  clock.advance(10_000);
}

test('whatever peers do and whenever it is killed, a gateway finds in its store what it knew (PROTOCOL.md §5.1)', () => {
  forSeeds(100, run);
}, 120_000);
