import { randomInt } from 'node:crypto';
import { onTestFinished } from 'vitest';
import { systemClock } from '../../src/clock.js';
import { Counters } from '../../src/counters.js';
import type { Address } from '../../src/gateway/gateway.js';
import { connectUdp } from '../../src/links/udp/udp-connect.js';
import type { UdpLink } from '../../src/links/udp/udp-link.js';
import { Alarms } from '../../src/session/alarms.js';
import { Driver } from '../../src/session/driver.js';
import type { Channel } from '../../src/session/outgoing.js';
import { PeerSession } from '../../src/session/peer-session.js';
import type { Qos } from '../../src/wire/messages.js';
import { until } from './gateways.js';

/** A device with the session engine as its firmware, on UDP sockets of its own. */
export class UdpDevice {
  readonly received: string[] = [];
  /** What became of reliable messages, in order: `ok` or the reason. */
  readonly outcomes: string[] = [];
  /** Reasons of what the gateway refused otherwise. */
  readonly refusals: string[] = [];
  /** Whether each session that came to stand was resumed. */
  readonly sessions: boolean[] = [];
  readonly counters = new Counters();
  readonly session: PeerSession<Channel>;
  readonly #channels = new Map<string, Channel>();
  #link: UdpLink | undefined;
  #driver: Driver | undefined;

  constructor(identity: string) {
    this.session = new PeerSession<Channel>(
      {
        identity,
        nonce: randomInt(2 ** 32),
        clean: false,
        program: false,
        keepAlive: 15,
        expiry: 60,
        limits: { maxPacket: 1200, window: 32, inFlight: 32, buffer: 0, ids: 100 },
      },
      {
        hold: (name) => this.#channel(name),
        release: () => undefined,
        emit: (target, { payload }) => {
          const name = typeof target === 'string' ? target : target.name;
          this.received.push(`${name} ${Buffer.from(payload).toString()}`);
          return undefined;
        },
        fresh: () => undefined,
        ready: ({ resumed }) => void this.sessions.push(resumed),
        lost: () => undefined,
        refused: ({ reason }) => void this.refusals.push(reason),
      },
      this.counters,
      { messages: 10_000, bytes: 10_000_000 },
      Math.random,
    );
  }

  /** A session over a new socket: the first time, or because its address changed. Resolves when it stands. */
  async connect({ host, port }: Address): Promise<void> {
    await this.disconnect();
    const before = this.sessions.length;
    this.#link = await connectUdp({ host, port, maxPacket: 1472, counters: this.counters }, (link) => {
      this.#driver = new Driver(this.session, new Alarms(systemClock), {
        send: (packet) => link.send(packet),
      });
      return {
        packet: (packet) => {
          this.session.receive(packet, systemClock.now());
          this.#driver?.wake();
        },
        closed: () => this.#driver?.stop(),
      };
    });
    onTestFinished(() => this.disconnect());
    this.session.linkUp(this.#link, systemClock.now());
    this.#driver?.wake();
    await until(() => {
      if (this.sessions.length === before) throw new Error(`no session; refused: ${this.refusals.join()}`);
    });
  }

  /** Says goodbye: its session stays. */
  leave(): void {
    const goodbye = this.session.close('normal');
    if (goodbye) this.#link?.send(goodbye);
  }

  /** Falls silent: nothing is said to the gateway. */
  async disconnect(): Promise<void> {
    this.#driver?.stop();
    this.session.linkDown();
    await this.#link?.close();
  }

  subscribe(pattern: string, qos: Qos = 2): void {
    const control = { type: 'subscribe', pattern, qos, noLocal: false, noLastValue: false, id: 0 } as const;
    this.session.engine.control(control, (reason) => this.outcomes.push(reason ?? 'ok'));
    this.#driver?.wake();
  }

  /** `settled`: told what became of it, at QoS 1 and 2; no reason when it was taken. */
  emit(name: string, text: string, qos: Qos = 1, settled?: (reason: string | undefined) => void): void {
    const { engine } = this.session;
    const emit = {
      type: 'emit',
      channel: this.#channel(name),
      payload: Buffer.from(text),
      retain: false,
    } as const;
    if (qos === 0) engine.emitUnreliable(emit, 1_000_000);
    else
      engine.emitReliable({ ...emit, qos }, (reason) => {
        this.outcomes.push(reason ?? 'ok');
        settled?.(reason);
      });
    this.#driver?.wake();
  }

  #channel(name: string): Channel {
    const channel = this.#channels.get(name) ?? { name };
    this.#channels.set(name, channel);
    return channel;
  }
}
