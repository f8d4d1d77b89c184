import type { Session } from '../../../src/gateway/session.js';
import type { Link } from '../../../src/links/link.js';
import { MalformedPacket } from '../../../src/wire/decode.js';
import { encodePacket } from '../../../src/wire/encode.js';
import type { Message } from '../../../src/wire/messages.js';
import { Doors } from '../../support/doors.js';
import { NO_FAULTS } from '../../support/faulty-wire.js';
import { Disk } from '../../support/memory-backend.js';
import { EngineDevice, Simulation } from '../../support/simulation.js';
import { Choices } from '../choices.js';
import { must, type Target } from '../target.js';
import { HostileLink } from './hostile-link.js';
import { anyHello, anyMessage, LONGEST_KEEP_ALIVE_S, type Standing } from './hostile-peer.js';
import { randomSeeds, SESSION_WORDS, tryDecode } from './packet.js';

/** Small, so that few bytes reach them. */
const LIMITS = {
  hub: {
    queue: { messages: 12, bytes: 4000 },
    backlog: 3000,
    sessions: 5,
    expiryMs: 120_000,
    packet: { serial: 1024, udp: 1472, tcp: 65_536 },
    window: { serial: 4, udp: 8, tcp: 16 },
    ids: 6,
    willBytes: 2000,
  },
  router: {
    maxChannels: 24,
    maxSubscriptions: 20,
    maxSubscriptionsPerSubscriber: 6,
    maxLastValues: 4,
    maxLastValueBytes: 3000,
  },
} as const;

/** What a reliable emit of a good peer may be answered with while others fill what there is. */
const VISIBLE = /^\S+ (ok|queue_full|limit_reached|too_large_for_receiver)$/;
const LINKS = 4;
const GOOD = ['good', 'reader'];
const KEY = new Uint8Array(32).fill(7);

/** A gateway with two good peers, and up to four links on which anything may come. */
class Scene {
  readonly simulation: Simulation;
  readonly good: EngineDevice;
  readonly reader: EngineDevice;
  readonly links: HostileLink[] = [];
  readonly #choices: Choices;
  /** The good ones have keys: then anybody may say that he is one of them. */
  readonly #keyed: boolean;
  #emits = 0;

  constructor(choices: Choices) {
    this.#choices = choices;
    const access = new Doors();
    this.#keyed = choices.flag();
    if (this.#keyed) for (const name of GOOD) access.keys.set(name, KEY);
    const simulation = new Simulation(1, { ...LIMITS, access });
    this.simulation = simulation;
    if (choices.flag()) simulation.startGateway(new Disk());
    const credentials = this.#keyed ? { key: KEY } : {};
    this.good = new EngineDevice(simulation, 'good', { credentials });
    this.reader = new EngineDevice(simulation, 'reader', { credentials });
    this.reader.subscribe('good/#', 2);
    for (const device of [this.good, this.reader]) simulation.connect('udp', device, NO_FAULTS);
    this.#settle(() => this.reader.session.state === 'ready' && this.reader.session.engine.pending === 0);
    this.#settle(() => this.good.session.state === 'ready');
  }

  step(): void {
    const choices = this.#choices;
    const { clock } = this.simulation;
    switch (choices.below(10)) {
      case 0:
        if (this.links.length < LINKS) this.#plug(choices.pick(['udp', 'tcp', 'serial'] as const));
        break;
      case 1:
        clock.advance(choices.pick([1, 20, 250, 1000, 5000, 31_000, 130_000]));
        break;
      case 2:
        this.#withLink((link) => {
          link.unsent = choices.pick([0, 1000, 100_000]);
          if (link.unsent === 0 && !link.isClosed) link.events.drained?.();
        });
        break;
      case 3:
        for (let more = 1 + choices.below(12); more > 0; more--)
          this.good.emit('good/x', `good-${++this.#emits}`, choices.flag() ? 1 : 2);
        break;
      case 4:
        this.#withLink((link) => {
          if (choices.below(4) === 0) link.cut();
          else this.#receive(link, choices.bytes(choices.below(60)));
        });
        break;
      default:
        this.#withLink((link) => this.#say(link));
    }
    clock.advance(choices.below(4));
    this.#checkBounds();
  }

  /** All that are hostile hang up, and their sessions expire: then nothing of them may be left, nor have done harm. */
  end(): string[] {
    const { simulation } = this;
    const { clock, hub, router, counters } = simulation;
    for (const link of this.links) link.cut();
    clock.advance(2 * LIMITS.hub.expiryMs + 2000 * LONGEST_KEEP_ALIVE_S);
    const names = [...hub.sessions.keys()].sort().join();
    must(names === 'good,reader', `only the good ones are left: ${names}`);
    must(hub.connections.size === 2, 'no connection is left of those that were cut');
    must(router.sizes.subscriptions === 1, 'no subscription is left of sessions that expired');
    must(this.good.lost + this.reader.lost === 0, 'the good ones kept their sessions');
    const before = this.reader.received.length;
    for (const text of ['last-1', 'last-2']) this.good.emit('good/x', text, text === 'last-1' ? 1 : 2);
    this.#settle(
      () => this.good.session.engine.pending === 0 && hub.sessions.get('reader')?.engine.pending === 0,
    );
    must(this.good.outcomes.slice(-2).join() === 'last-1 ok,last-2 ok', 'an emit of the good one is taken');
    const arrived = this.reader.received.slice(before).map(({ text }) => text);
    must(arrived.join() === 'last-1,last-2', `the other good one hears it once: ${arrived.join()}`);
    for (const outcome of this.good.outcomes)
      must(VISIBLE.test(outcome), `what happened is said: ${outcome}`);
    must(this.good.outcomes.length === this.#emits + 2, 'every emit has one outcome');
    this.#checkReceived();
    return Object.entries(counters.snapshot()).map(
      ([name, count]) => `${name}:${Math.floor(Math.log2(count + 1))}`,
    );
  }

  /** In order, each once, none that was refused, all that were taken. */
  #checkReceived(): void {
    const taken = this.good.outcomes
      .filter((outcome) => outcome.endsWith(' ok'))
      .map((outcome) => outcome.split(' ')[0]);
    // Others may emit on the channel, too; but none says such words.
    const heard = this.reader.received
      .map(({ text }) => text)
      .filter((text) => /^(good|last)-\d+$/.test(text));
    must(
      taken.join() === heard.join(),
      `what was taken is heard, in order and once: ${taken.join()} and ${heard.join()}`,
    );
  }

  #plug(kind: Link['kind']): void {
    const { clock, hub } = this.simulation;
    const link = new HostileLink(kind, `${kind}:hostile-${this.links.length}`, clock);
    link.events = hub.attach(link);
    this.links.push(link);
  }

  #withLink(act: (link: HostileLink) => void): void {
    const link = this.links[this.#choices.below(Math.max(1, this.links.length))];
    if (link && !link.isClosed) act(link);
  }

  #sessionOn(link: Link): Session | undefined {
    return this.simulation.hub.connections.get(link)?.session;
  }

  /** One to three messages in a packet; now and then with a byte changed. */
  #say(link: HostileLink): void {
    const choices = this.#choices;
    const session = this.#sessionOn(link);
    const standing: Standing = {
      token: link.token,
      nextIn: session?.engine.nextIn ?? 0,
      nextOut: session?.engine.nextOut ?? 0,
      ...(this.#keyed && { names: GOOD }),
    };
    const messages: Message[] = [];
    const how = choices.u8();
    if (!session && how < 200) {
      // Without a session most of what is said is refused: get on with it.
      messages.push(link.token === 0 ? anyHello(choices, standing) : { type: 'begin', token: link.token });
    }
    for (let more = 1 + (how % 4 === 3 ? choices.below(3) : 0); more > 0; more--) {
      messages.push(anyMessage(choices, standing));
    }
    let packet: Uint8Array;
    try {
      packet = encodePacket(messages);
    } catch {
      return; // There are no bytes for that.
    }
    const damage = choices.u8();
    if (damage > 240) packet[choices.u8() % packet.length] = choices.u8();
    this.#receive(link, packet);
  }

  #receive(link: HostileLink, packet: Uint8Array): void {
    if (packet.length === 0 || packet.length > LIMITS.hub.packet[link.kind]) return;
    const { counters } = this.simulation;
    const messages = tryDecode(packet, 'peer');
    if (!(messages instanceof MalformedPacket)) {
      for (const message of messages)
        if (message.type === 'hello') link.announced = Math.max(link.announced, message.maxPacket);
    }
    const before = counters.snapshot();
    const session = this.#sessionOn(link);
    const bytes = new Uint8Array(packet);
    link.events.packet(bytes);
    // Whoever kept a view of it finds rubbish there.
    bytes.fill(0xee);
    const grown = (pattern: RegExp): number =>
      Object.entries(counters.snapshot())
        .filter(([name]) => pattern.test(name))
        .reduce((sum, [name, count]) => sum + count - (before[name] ?? 0), 0);
    if (messages instanceof MalformedPacket) {
      must(
        grown(/^session\.drop\.(malformed|unsupported|version)$/) === 1,
        'a malformed packet is counted once',
      );
      must(grown(/^router\./) === 0 && this.#sessionOn(link) === session, 'a malformed packet does nothing');
    } else if (session && messages.length === 1 && messages[0]?.type === 'emit') {
      const outcomes = /^(router\.emit|session\.refused\.|session\.duplicates|session\.drop\.beyond_window)/;
      const kept = messages[0].qos > 0 && messages[0].seq !== session.engine.nextIn;
      must(grown(outcomes) > 0 || kept, 'an emit is routed, refused or dropped, and counted');
    }
  }

  #checkBounds(): void {
    const { hub, router } = this.simulation;
    const { sizes } = router;
    const { queue, window, ids, sessions } = LIMITS.hub;
    must(hub.sessions.size <= sessions, `${sessions} sessions at most`);
    must(sizes.channels <= LIMITS.router.maxChannels, 'no more channels than allowed');
    must(sizes.subscriptions <= LIMITS.router.maxSubscriptions, 'no more subscriptions than allowed');
    must(sizes.lastValues <= LIMITS.router.maxLastValues, 'no more last values than allowed');
    must(
      sizes.lastValueBytes <= LIMITS.router.maxLastValueBytes,
      'no more bytes of last values than allowed',
    );
    for (const { engine, identity } of hub.sessions.values()) {
      const most = queue.messages + window.tcp + ids;
      must(
        engine.pending <= most,
        `a queue holds ${most} messages at most, that of ${identity} ${engine.pending}`,
      );
    }
  }

  #settle(condition: () => boolean): void {
    this.simulation.clock.until(condition, 20_000, 'broken promise: the good ones are served');
  }
}

/** Hub, sessions and router between good peers and hostile ones. */
export const gateway: Target = {
  name: 'gateway',
  maxBytes: 800,
  dictionary: SESSION_WORDS,
  seeds: () => randomSeeds(200),
  run(input) {
    const choices = new Choices(input);
    const scene = new Scene(choices);
    while (choices.left > 0) scene.step();
    return scene.end();
  },
};
