import { pino } from 'pino';
import type { Policy } from '../../src/access/policy.js';
import { Counters } from '../../src/counters.js';
import { AddressProof, isHello } from '../../src/gateway/address-proof.js';
import { Commons } from '../../src/gateway/commons.js';
import { Hub } from '../../src/gateway/hub.js';
import { lastValueKeeper, restoreLastValues } from '../../src/gateway/last-value-records.js';
import { OneShots } from '../../src/gateway/one-shots.js';
import { Presence } from '../../src/gateway/presence.js';
import type { Session } from '../../src/gateway/session.js';
import type { Backend } from '../../src/store/backend.js';
import { Store } from '../../src/store/store.js';
import type { DeviceState } from '../../src/wire/device-states.js';
import { Disk, MemoryBackend } from '../support/memory-backend.js';
import type { Random } from '../support/random.js';
import type { VirtualClock } from '../support/virtual-clock.js';
import type { Cable } from './cable.js';
import { Machine } from './machine.js';
import { Port, type PortEvents } from './port.js';
import { type RouterEvents, WatchedRouter } from './watched-router.js';

/** A gateway that is asked to stop does not wait longer than this, ms. */
const STOP_GRACE_MS = 3000;
const LOGGER = pino({ level: 'silent' });

/** How it is configured. */
export interface GatewayConfig {
  /** It has a store, on which a write takes so long at most, ms. */
  readonly storeMs?: number;
  /** Messages that may wait for one session, and whether a session is ended that has more. */
  readonly queue: number;
  readonly endFull: boolean;
}

export interface GatewayHostEvents extends RouterEvents {
  presence(session: Session, state: DeviceState): void;
  packet: PortEvents['packet'];
  /** The gateway closed the cable's connection. */
  closed(cable: Cable): void;
  /** The process is gone, and everything in its memory. */
  died(): void;
}

/** The computer on which the gateway runs: hub and router as they are, over simulated ports and sockets. */
export class GatewayHost {
  readonly counters = new Counters();
  machine!: Machine;
  commons!: Commons;
  hub!: Hub;
  router!: WatchedRouter;
  /** How far its wall clock is off, ms. */
  skew = 0;
  readonly #clock: VirtualClock;
  readonly #random: Random;
  readonly #events: GatewayHostEvents;
  readonly #ports = new Map<Cable, Port>();
  /** What it writes to, if it has a store. */
  readonly #disk = new Disk();
  readonly #config: GatewayConfig;
  readonly #policy: Policy;
  #backend: MemoryBackend | undefined;
  #store: Store | undefined;
  #addresses!: AddressProof;
  #oneShots!: OneShots;

  constructor(
    clock: VirtualClock,
    random: Random,
    config: GatewayConfig,
    policy: Policy,
    events: GatewayHostEvents,
  ) {
    this.#clock = clock;
    this.#policy = policy;
    this.#config = config;
    this.#random = random;
    this.#events = events;
  }

  get up(): boolean {
    return this.machine.alive;
  }

  /** Starts the process. It opens the serial ports that are plugged in. */
  start(cables: Iterable<Cable>): void {
    this.machine = new Machine(
      this.#clock,
      () => this.#died(),
      () => this.skew,
    );
    this.machine.run(() => this.#createParts());
    for (const cable of cables) if (cable.kind === 'serial') this.plug(cable);
  }

  #createParts(): void {
    const { machine, counters } = this;
    const store = this.#openStore();
    this.router = new WatchedRouter(
      {
        maxChannels: 2000,
        maxSubscriptions: 2000,
        maxSubscriptionsPerSubscriber: 100,
        maxLastValues: 1000,
        maxLastValueBytes: 100_000,
      },
      counters,
      machine.clock,
      store && lastValueKeeper(store),
    );
    this.router.watch = this.#events;
    const presence = new Presence(this.router, machine.clock, LOGGER);
    const context = {
      router: this.router,
      clock: machine.clock,
      counters,
      logger: LOGGER,
      limits: {
        queue: { messages: this.#config.queue, bytes: 1_000_000 },
        backlog: 1_000_000,
        sessions: 200,
        sessionsPerParty: 200,
        idsPerParty: 1000,
        expiryMs: 86_400_000,
        queueAgeMs: 0,
        endFull: this.#config.endFull,
        willBytes: 10_000,
        packet: { serial: 1024, udp: 1472, tcp: 65_536 },
        window: { serial: 32, udp: 128, tcp: 2048 },
        ids: 100,
      },
      policy: this.#policy,
      ...(store && { store }),
    };
    this.commons = new Commons(context);
    this.hub = new Hub({
      ...context,
      commons: this.commons,
      access: this.commons.access,
      random32: () => this.#random.u32(),
      events: {
        // Gateway, too, tells the world by its router.
        presence: (session, state) => {
          this.#events.presence(session, state);
          presence.announce(session.identity, state);
        },
        forgotten: (identity) => presence.forget(identity),
        text: () => undefined,
      },
    });
    if (store) {
      const kept = this.#disk.read();
      restoreLastValues(store, this.router, kept.lastValues);
      this.hub.restore(kept);
      presence.correctLater((identity) => this.hub.stateOf(identity));
    }
    this.#addresses = new AddressProof(counters);
    this.#oneShots = new OneShots(undefined, 100, {
      router: this.router,
      access: this.commons.access,
      turns: this.commons.turns,
      clock: machine.clock,
      counters,
    });
  }

  #openStore(): Store | undefined {
    const { storeMs } = this.#config;
    if (storeMs === undefined) return undefined;
    const { machine } = this;
    const disk = new MemoryBackend(this.#disk, machine.clock, this.#random, storeMs);
    this.#backend = disk;
    const backend: Backend = {
      write(changes, done) {
        machine.hostCall();
        disk.write(changes, () => {
          machine.hostCall();
          done();
        });
      },
      read(range, done) {
        machine.hostCall();
        disk.read(range, (error, records) => {
          machine.hostCall();
          done(error, records);
        });
      },
      close: () => disk.close(),
    };
    this.#store = new Store(backend, machine.clock, LOGGER, { time: this.#disk.read().time });
    return this.#store;
  }

  /** A serial port appears, or a connection is made. False: nobody listens. */
  plug(cable: Cable): boolean {
    if (!this.up) return false;
    this.machine.run(() => {
      const port = new Port(cable, this.machine, {
        closed: () => {
          this.#ports.delete(cable);
          this.#events.closed(cable);
        },
        packet: this.#events.packet,
      });
      this.#ports.set(cable, port);
      port.attach((link) => this.hub.attach(link));
    });
    return this.up;
  }

  /** The gateway notices that there is nothing at the other end any more. */
  unplugged(cable: Cable): void {
    this.machine.run(() => {
      this.#ports.get(cable)?.gone('unplugged');
      this.#ports.delete(cable);
    });
  }

  receive(cable: Cable, bytes: Uint8Array): void {
    this.machine.run(() => {
      if (cable.kind === 'udp' && !this.#ports.has(cable)) this.#datagram(cable, bytes);
      else this.#ports.get(cable)?.receive(bytes);
    });
  }

  /** As Gateway does: only a HELLO from an address that is proved gets a link (PROTOCOL.md §4.2). */
  #datagram(cable: Cable, bytes: Uint8Array): void {
    const from = { host: cable.address, port: 7770 };
    const answer = (packet: Uint8Array): void => {
      if (packet.length > bytes.length) return;
      this.machine.hostCall();
      cable.gatewaySends(packet);
    };
    if (!isHello(bytes)) return this.#oneShots.take(bytes, from, answer);
    const now = this.machine.clock.now();
    const judgement = this.#addresses.judge(bytes, from, now);
    if (judgement === 'proved') {
      this.plug(cable);
      this.#ports.get(cable)?.receive(bytes);
    } else if (judgement) answer(judgement === 'unproved' ? this.#addresses.ask(from, now) : judgement);
  }

  /** Stops as on SIGTERM: with a goodbye, and with what waits for the store. */
  stop(): void {
    const { machine } = this;
    const settled = (next: () => void) => (this.#store ? this.#store.settled(next) : next());
    machine.run(() => {
      this.hub.flush();
      settled(() => {
        this.commons.stop();
        this.hub.stop();
        settled(() => machine.clock.defer(() => machine.die()));
      });
    });
    this.#clock.schedule(STOP_GRACE_MS, () => machine.die());
  }

  #died(): void {
    this.#backend?.kill();
    this.#backend = undefined;
    const cables = [...this.#ports.keys()];
    this.#ports.clear();
    this.#events.died();
    for (const cable of cables) if (cable.kind === 'tcp') this.#events.closed(cable);
  }
}
