// A device on UDP behind a bad network, which loses and delays datagrams both ways; and a program on TCP that gets what it emits.
import { type Client, connect } from '../../../src/client/client.js';
import { systemClock } from '../../../src/clock.js';
import { Counters } from '../../../src/counters.js';
import type { Link, LinkEvents } from '../../../src/links/link.js';
import { connectUdp } from '../../../src/links/udp/udp-connect.js';
import { Alarms } from '../../../src/session/alarms.js';
import { Driver } from '../../../src/session/driver.js';
import type { Channel } from '../../../src/session/outgoing.js';
import { PeerSession } from '../../../src/session/peer-session.js';
import { Random } from '../../support/random.js';
import { serve } from '../helper.js';
import { BenchFailure } from '../row.js';

/** Emits that wait behind the window, so that it is always full. */
const QUEUED = 1000;
const MAX_PACKET = 1472;
const PATIENCE_MS = 20_000;
const POLL_MS = 5;
const CHANNEL = 'bench/lossy';

export interface LossyLoad {
  /** Messages that may be unacknowledged at once. */
  readonly inFlight: number;
  /** Of each datagram, both ways. */
  readonly loss: number;
  /** Of each datagram that is not lost, ms. */
  readonly delayMs: number;
  readonly seed: number;
}

export interface LossyReport {
  readonly messages: number;
  readonly seconds: number;
  /** Of all that were sent. */
  readonly resent: number;
}

/** Carries datagrams one way. */
class BadNetwork {
  readonly #load: LossyLoad;
  readonly #random: Random;

  constructor(load: LossyLoad, seed: number) {
    this.#load = load;
    this.#random = new Random(seed);
  }

  carry(packet: Uint8Array, arrive: (packet: Uint8Array) => void): void {
    if (this.#random.chance(this.#load.loss)) return;
    const copy = new Uint8Array(packet);
    setTimeout(() => arrive(copy), this.#load.delayMs);
  }
}

class LossyDevice {
  readonly #session: PeerSession<Channel>;
  readonly #there: BadNetwork;
  readonly #back: BadNetwork;
  readonly #channel: Channel = { name: CHANNEL };
  #client: Client | undefined;
  #driver: Driver | undefined;
  #emitted = 0;
  #arrived = 0;
  #flowing = false;
  #failure: BenchFailure | undefined;

  constructor(load: LossyLoad) {
    this.#there = new BadNetwork(load, load.seed);
    this.#back = new BadNetwork(load, load.seed + 1);
    this.#session = new PeerSession<Channel>(
      {
        identity: 'lossy-device',
        nonce: 1,
        clean: true,
        program: false,
        keepAlive: 60,
        expiry: 60,
        limits: { maxPacket: MAX_PACKET, window: 32, inFlight: load.inFlight, buffer: 0, ids: 0 },
      },
      {
        hold: (name) => ({ name }),
        release: () => undefined,
        emit: () => undefined,
        fresh: () => undefined,
        ready: () => undefined,
        lost: (reason) => this.#fail(`the session is lost: ${reason}`),
        refused: ({ reason }) => this.#fail(`the gateway refuses: ${reason}`),
      },
      new Counters(),
      { messages: 2 * QUEUED, bytes: 2 ** 24 },
      Math.random,
    );
  }

  async open({ tcp, udp }: { tcp: number; udp: number }): Promise<void> {
    this.#client = await connect({ port: tcp });
    await this.#client.subscribe(CHANNEL, ({ payload }) => this.#take(payload));
    const link = await connectUdp({ host: '127.0.0.1', port: udp, maxPacket: MAX_PACKET }, (made) =>
      this.#attach(made),
    );
    this.#session.linkUp(link, systemClock.now());
    this.#driver?.wake();
    this.#flowing = true;
    this.#emit();
    // The round trip is known, and the window has filled.
    await this.#until(() => this.#arrived > 20);
  }

  async round(ms: number): Promise<LossyReport> {
    const { health } = this.#session.engine;
    const [began, first] = [performance.now(), this.#arrived];
    await this.#until(() => performance.now() - began >= ms);
    const { sent, resent } = this.#session.engine.health;
    return {
      messages: this.#arrived - first,
      seconds: (performance.now() - began) / 1000,
      resent: (resent - health.resent) / Math.max(1, sent - health.sent),
    };
  }

  #attach(link: Link): LinkEvents {
    this.#driver = new Driver(this.#session, new Alarms(systemClock), {
      send: (packet) => this.#there.carry(packet, (arrived) => link.send(arrived)),
    });
    return {
      packet: (packet) =>
        this.#back.carry(packet, (arrived) => {
          this.#session.receive(arrived, systemClock.now());
          this.#emit();
          this.#driver?.wake();
        }),
      closed: (reason) => this.#fail(`the socket is gone: ${reason}`),
    };
  }

  #emit(): void {
    const { engine } = this.#session;
    while (this.#flowing && engine.pending < QUEUED) {
      const payload = Buffer.alloc(16);
      payload.writeUInt32LE(this.#emitted++);
      engine.emitReliable({ type: 'emit', channel: this.#channel, payload, qos: 1, retain: false });
    }
    this.#driver?.wake();
  }

  #take(payload: Uint8Array): void {
    const number = Buffer.from(payload).readUInt32LE();
    if (number !== this.#arrived) this.#fail(`message ${number} came where ${this.#arrived} should have`);
    this.#arrived++;
  }

  #fail(problem: string): void {
    this.#failure ??= new BenchFailure(problem);
  }

  async #until(holds: () => boolean): Promise<void> {
    let [seen, since] = [this.#arrived, performance.now()];
    while (!holds()) {
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
      if (this.#failure) throw this.#failure;
      if (this.#arrived !== seen) [seen, since] = [this.#arrived, performance.now()];
      else if (performance.now() - since > PATIENCE_MS) throw new BenchFailure('nothing comes any more');
    }
  }
}

let device: LossyDevice | undefined;
serve({
  open: async ({ load, ports }: { load: LossyLoad; ports: { tcp: number; udp: number } }) => {
    device = new LossyDevice(load);
    await device.open(ports);
  },
  round: (ms: number) => device?.round(ms),
});
