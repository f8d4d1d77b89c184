import { pino } from 'pino';
import type { Access } from '../../src/access/access.js';
import type { Cancel } from '../../src/clock.js';
import { Counters } from '../../src/counters.js';
import { Commons } from '../../src/gateway/commons.js';
import { Hub, type HubLimits } from '../../src/gateway/hub.js';
import { lastValueKeeper, restoreLastValues } from '../../src/gateway/last-value-records.js';
import { MqttHub, type MqttLimits } from '../../src/gateway/mqtt/mqtt-hub.js';
import { Presence } from '../../src/gateway/presence.js';
import type { Session } from '../../src/gateway/session.js';
import type { Link, LinkEvents } from '../../src/links/link.js';
import { frameSize } from '../../src/links/serial/slip.js';
import { Router, type RouterLimits } from '../../src/router/router.js';
import { Alarms } from '../../src/session/alarms.js';
import type { SideLimits } from '../../src/session/contract.js';
import { Driver } from '../../src/session/driver.js';
import type { Channel, OutgoingEmit } from '../../src/session/outgoing.js';
import { type Credentials, PeerSession } from '../../src/session/peer-session.js';
import type { Contents } from '../../src/store/contents.js';
import { Store } from '../../src/store/store.js';
import { PacketReader } from '../../src/wire/decode.js';
import { encodePacket } from '../../src/wire/encode.js';
import type { Emit, Message, Qos, Refuse } from '../../src/wire/messages.js';
import type { Reason } from '../../src/wire/reasons.js';
import { CrcCollisions } from './crc-collisions.js';
import { byteWire, datagramWire, type Faults, randomFate, type Wire } from './faulty-wire.js';
import { type Disk, MemoryBackend } from './memory-backend.js';
import { Random } from './random.js';
import { SERIAL_MAX_PACKET, SerialEnd } from './serial-end.js';
import { VirtualClock } from './virtual-clock.js';

/**
 * What a simulated device looks like to the link: it takes and gives what the wire carries (datagrams, or the bytes of a
 * serial line), driven by the clock.
 */
export interface Device {
  /** `incoming` knows what the other end put on a serial line. */
  linkUp(kind: 'serial' | 'udp', send: (bytes: Uint8Array) => void, incoming: CrcCollisions): void;
  linkDown(): void;
  receive(bytes: Uint8Array): void;
}

/** One for all: each new one makes the file system wait. */
const SILENT = pino({ level: 'silent' });

export interface SimulationLimits {
  hub?: Partial<HubLimits>;
  mqtt?: Partial<MqttLimits>;
  router?: Partial<RouterLimits>;
  /** Bytes; endless if left out. */
  storeBacklog?: number;
  /** The states of devices are emitted on their channels, as the gateway does. */
  deviceStates?: boolean;
  /** Who may connect; everybody if left out. */
  access?: Access;
}

export interface SimulatedLink {
  readonly link: Link;
  /** Cuts it: both sides hear of it, what is under way is lost. */
  cut(): void;
  /** The device begins anew on the same link, of which the gateway hears nothing. */
  restart(device?: Device): void;
}

/** A whole system in virtual time: the gateway's hub and router, and devices on links that lie. */
export class Simulation {
  readonly clock: VirtualClock;
  readonly counters = new Counters();
  readonly random: Random;
  readonly logger = SILENT;
  router!: Router;
  commons!: Commons;
  hub!: Hub;
  mqttHub!: MqttHub;
  /** Where the gateway that runs keeps what is to outlive it, if anywhere; and what it found there. */
  store: Store | undefined;
  kept: Contents | undefined;
  readonly presence: string[] = [];
  packets = 0;
  #links = 0;
  readonly #limits: SimulationLimits;
  #backend: MemoryBackend | undefined;

  /** `limits`: those that are not as usual. `clock`: that of others, to live in their time. */
  constructor(seed: number, limits: SimulationLimits = {}, clock = new VirtualClock()) {
    this.clock = clock;
    this.random = new Random(seed);
    this.#limits = limits;
    this.startGateway();
  }

  /**
   * Starts a gateway that remembers what is on the disk, if there is one, or nothing. One that runs is killed; with links
   * still attached to that, cut those first.
   */
  startGateway(disk?: Disk, maxCommitMs = 30): void {
    this.#backend?.kill();
    this.#backend = disk && new MemoryBackend(disk, this.clock, this.random, maxCommitMs);
    const kept = disk?.read();
    // A process of its own, whose clock begins anew.
    this.kept = kept;
    const store =
      this.#backend &&
      new Store(this.#backend, this.clock, this.logger, {
        maxBacklog: this.#limits.storeBacklog,
        time: kept?.time,
      });
    this.store = store;
    const limits = {
      queue: { messages: 1000, bytes: 1_000_000 },
      backlog: 1_000_000,
      sessions: 100,
      sessionsPerParty: 100,
      idsPerParty: 1000,
      expiryMs: 3_600_000,
      queueAgeMs: 0,
      endFull: false,
      packet: { serial: 1024, udp: 1472, tcp: 1_048_576 },
      window: { serial: 32, udp: 128, tcp: 2048 },
      ids: 100,
      willBytes: 10_000,
      ...this.#limits.hub,
    };
    this.router = new Router(
      {
        maxChannels: 1000,
        maxSubscriptions: 1000,
        maxSubscriptionsPerSubscriber: 100,
        maxLastValues: 100,
        maxLastValueBytes: 100_000,
        ...this.#limits.router,
      },
      this.counters,
      this.clock,
      store && lastValueKeeper(store),
    );
    const context = {
      router: this.router,
      clock: this.clock,
      counters: this.counters,
      logger: this.logger,
      limits,
      ...(store && { store }),
      access: this.#limits.access,
    };
    this.commons = new Commons(context);
    const states = this.#limits.deviceStates ? new Presence(this.router, this.clock, this.logger) : undefined;
    this.hub = new Hub({
      ...context,
      commons: this.commons,
      access: this.commons.access,
      random32: () => this.random.u32(),
      events: {
        presence: (session: Session, state) => {
          this.presence.push(`${session.identity} ${state}`);
          states?.announce(session.identity, state);
        },
        forgotten: () => undefined,
        text: () => undefined,
      },
    });
    this.mqttHub = new MqttHub({
      ...context,
      commons: this.commons,
      access: this.commons.access,
      limits: {
        ...limits,
        maxPacket: limits.packet.tcp,
        receiveMaximum: 10,
        keepAliveMs: 0,
        ...this.#limits.mqtt,
      },
    });
    if (!store || !kept) return;
    restoreLastValues(store, this.router, kept.lastValues);
    this.hub.restore(kept);
    this.mqttHub.restore(kept.mqttSessions);
  }

  /** Stops the gateway as `Gateway.stop` does. */
  stop(): void {
    this.commons.stop();
    this.hub.stop();
    this.mqttHub.stop();
  }

  connect(kind: 'serial' | 'udp', device: Device, faults: Faults): SimulatedLink {
    const { clock, random, hub } = this;
    let up = true;
    let events: LinkEvents;
    const wire = (collisions: CrcCollisions, arrive: (bytes: Uint8Array) => void): Wire => {
      const fate = randomFate(random, faults, kind);
      const guarded = (bytes: Uint8Array) => {
        if (up) arrive(bytes);
      };
      if (kind === 'udp') return datagramWire(clock, () => faults.delay, fate, guarded);
      const line = byteWire(clock, () => faults.delay, fate, guarded);
      return {
        send: (bytes) => {
          collisions.note(bytes);
          line.send(bytes);
        },
      };
    };
    const [fromDevice, fromGateway] = [new CrcCollisions(), new CrcCollisions()];
    const framing =
      kind === 'serial' ? new SerialEnd(fromDevice, (packet) => events.packet(packet)) : undefined;
    let current = device;
    const toDevice = wire(fromGateway, (bytes) => current.receive(bytes));
    const toGateway = wire(fromDevice, (bytes) => (framing ? framing.push(bytes) : events.packet(bytes)));
    const link: Link = {
      kind,
      name: `${kind}:${++this.#links}`,
      reliable: false,
      ordered: kind === 'serial',
      maxPacket: kind === 'serial' ? SERIAL_MAX_PACKET : 1472,
      wireSize: (packet) => (kind === 'serial' ? frameSize(packet) : packet.length),
      send: (packet) => {
        this.packets++;
        if (up) toDevice.send(framing?.frame(packet) ?? packet);
      },
      backlog: () => 0,
      close: async () => undefined,
    };
    events = hub.attach(link);
    const plugIn = () =>
      current.linkUp(
        kind,
        (bytes) => {
          this.packets++;
          if (up) toGateway.send(bytes);
        },
        fromGateway,
      );
    plugIn();
    return {
      link,
      cut: () => {
        if (!up) return;
        up = false;
        current.linkDown();
        events.closed('cut');
      },
      restart: (successor = current) => {
        current.linkDown();
        current = successor;
        plugIn();
      },
    };
  }
}

export interface Received {
  readonly channel: string;
  readonly text: string;
  readonly qos: Qos;
  readonly retained: boolean;
}

const LIMITS: SideLimits = { maxPacket: 512, window: 32, inFlight: 32, buffer: 0, ids: 100 };

/** A device whose firmware is the TypeScript session engine. */
export class EngineDevice implements Device {
  readonly received: Received[] = [];
  readonly outcomes: string[] = [];
  readonly refusals: Refuse[] = [];
  readonly subscriptions: { pattern: string; qos: Qos; noLocal?: boolean }[] = [];
  readonly session: PeerSession<Channel>;
  /** Its receiver is off: what comes is not heard. */
  asleep = false;
  /** Packets that came while it was asleep. */
  unheard = 0;
  lost = 0;
  readies = 0;
  readonly #simulation: Simulation;
  readonly #channels = new Map<string, Channel>();
  #will: { name: string; text: string; qos: Qos; retain: boolean } | undefined;
  #stopAlarm: Cancel | undefined;
  #driver: Driver | undefined;
  #framing: SerialEnd | undefined;

  constructor(
    simulation: Simulation,
    identity: string,
    options: {
      limits?: Partial<SideLimits>;
      keepAlive?: number;
      clean?: boolean;
      nonce?: number;
      expiry?: number;
      credentials?: Credentials;
    } = {},
  ) {
    this.#simulation = simulation;
    this.session = new PeerSession<Channel>(
      {
        identity,
        nonce: options.nonce ?? simulation.random.u32(),
        clean: options.clean ?? false,
        program: false,
        keepAlive: options.keepAlive ?? 10,
        expiry: options.expiry ?? 3600,
        limits: { ...LIMITS, ...options.limits },
        credentials: options.credentials ?? {},
      },
      {
        hold: (name) => this.#channel(name),
        release: () => undefined,
        emit: (target, message) => this.#take(target, message),
        fresh: () => {
          for (const subscription of this.subscriptions) this.#subscribe(subscription);
          this.#sendWill();
        },
        ready: () => {
          this.readies++;
        },
        lost: () => {
          this.lost++;
        },
        refused: (message) => {
          this.refusals.push(message);
        },
      },
      simulation.counters,
      { messages: 1000, bytes: 1_000_000 },
      () => simulation.random.next(),
    );
  }

  linkUp(kind: 'serial' | 'udp', send: (bytes: Uint8Array) => void, incoming: CrcCollisions): void {
    const { clock } = this.#simulation;
    this.#driver?.stop();
    const framing =
      kind === 'serial' ? new SerialEnd(incoming, (packet) => this.#receive(packet)) : undefined;
    this.#framing = framing;
    this.#driver = new Driver(this.session, new Alarms(clock), {
      send: (packet) => send(framing?.frame(packet) ?? packet),
    });
    this.session.linkUp(
      { reliable: false, ordered: kind === 'serial', maxPacket: 512, wireSize: (packet) => packet.length },
      clock.now(),
    );
    this.#driver.wake();
  }

  linkDown(): void {
    this.#driver?.stop();
    this.session.linkDown();
  }

  receive(bytes: Uint8Array): void {
    if (this.asleep) this.unheard++;
    else if (this.#framing) this.#framing.push(bytes);
    else this.#receive(bytes);
  }

  #receive(packet: Uint8Array): void {
    this.session.receive(packet, this.#simulation.clock.now());
    this.#driver?.wake();
  }

  subscribe(pattern: string, qos: Qos, more: { noLocal?: boolean } = {}): void {
    const subscription = { pattern, qos, ...more };
    this.subscriptions.push(subscription);
    if (this.session.state === 'ready') this.#subscribe(subscription);
    this.#driver?.wake();
  }

  emit(name: string, text: string, qos: Qos, retain = false): void {
    const emit: OutgoingEmit<Channel> = {
      type: 'emit',
      channel: this.#channel(name),
      payload: Buffer.from(text),
      qos,
      retain,
    };
    if (qos === 0) {
      this.session.engine.emitUnreliable(emit, 1_000_000);
    } else {
      this.session.engine.emitReliable(emit, (refusal?: Reason) =>
        this.outcomes.push(`${text} ${refusal ?? 'ok'}`),
      );
    }
    this.#driver?.wake();
  }

  /** Announces a sleep of so many seconds. Once the gateway knows, it hears nothing until `wake`, or the end of it. */
  sleep(seconds: number): void {
    const { clock } = this.#simulation;
    this.session.engine.announceSleep(seconds, (refusal) => {
      this.outcomes.push(`sleep ${refusal ?? 'ok'}`);
      if (refusal) return;
      this.asleep = true;
      this.#stopAlarm?.();
      this.#stopAlarm = clock.schedule(seconds * 1000, () => this.wake());
    });
    this.#driver?.wake();
  }

  /** Is awake again, and says so. */
  wake(): void {
    if (!this.asleep) return;
    this.asleep = false;
    this.#stopAlarm?.();
    this.session.engine.announceSleep(0, () => undefined);
    this.#driver?.wake();
  }

  /** Its power is cut: it says and hears nothing any more. */
  die(): void {
    this.asleep = true;
    this.#stopAlarm?.();
    this.#driver?.stop();
  }

  /** Leaves a will, or takes it back with an empty name. */
  will(name: string, text: string, qos: Qos, retain = false): void {
    this.#will = { name, text, qos, retain };
    // Before the first session it is said when that begins.
    if (this.readies > 0) this.#sendWill();
    this.#driver?.wake();
  }

  #sendWill(): void {
    if (!this.#will) return;
    const { name, text, qos, retain } = this.#will;
    this.session.engine.control(
      { type: 'will', name, qos, retain, payload: Buffer.from(text) },
      (refusal?: Reason) => this.outcomes.push(`will ${refusal ?? 'ok'}`),
    );
  }

  #subscribe({ pattern, qos, noLocal }: { pattern: string; qos: Qos; noLocal?: boolean }): void {
    this.session.engine.control({
      type: 'subscribe',
      pattern,
      qos,
      noLocal: noLocal ?? false,
      noLastValue: false,
      id: 0,
    });
  }

  #channel(name: string): Channel {
    const channel = this.#channels.get(name) ?? { name };
    this.#channels.set(name, channel);
    return channel;
  }

  #take(target: Channel | string, { payload, qos, retain }: Emit): undefined {
    const channel = typeof target === 'string' ? target : target.name;
    this.received.push({
      channel,
      text: Buffer.from(payload).toString(),
      qos,
      retained: retain,
    });
  }
}

/** Has a session take one message of its peer's. */
export function say(session: Session | undefined, message: Message): void {
  session?.receive(new PacketReader(encodePacket([message]), 'peer'), {
    at: session.now(),
    over: () => false,
  });
}
