import type { Logger } from 'pino';
import type { Cancel, Clock } from '../../clock.js';
import type { Channel } from '../../router/channel.js';
import type { Router } from '../../router/router.js';
import type { Subscriber } from '../../router/subscriber.js';
import { DEVICE_STATES, type DeviceState, deviceOfState, stateChannelOf } from '../../wire/device-states.js';
import type { FleetWord } from './fleet-device.js';
import { BEACON_MS, type DeviceWord } from './words.js';

/** What the gateway knows of the session of a device. */
export interface StandingSession {
  readonly present: boolean;
  /** Reliable messages that wait for it. */
  readonly pending: number;
}

export interface OwnDevicesContext {
  readonly router: Router;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly gateway: string;
  readonly run: string;
  /** The session of a device, if one stands here. */
  readonly sessionOf: (device: string) => StandingSession | undefined;
  /** What is told of a device in the fleet. */
  readonly told: (device: string) => FleetWord | undefined;
  /** There is something else to be said of a device. */
  readonly changed: (device: string) => void;
  /** As `changed`, of what may have been said before a restart. */
  readonly known: (device: string) => void;
}

/** What this gateway has to say of the devices that it knows: their state, and what it holds for those that went elsewhere. */
export class OwnDevices implements Subscriber {
  readonly #context: OwnDevicesContext;
  /** Devices that are elsewhere though a session of theirs stands here, and how many messages it holds. */
  readonly #away = new Map<string, number>();
  #counting: Cancel | undefined;

  constructor(context: OwnDevicesContext) {
    this.#context = context;
  }

  start(): void {
    const { router, changed, known } = this.#context;
    router.subscribe(this, DEVICE_STATES, { qos: 1, noLocal: false, noLastValue: true });
    for (const { name } of router.lastValues(DEVICE_STATES)) {
      const device = deviceOfState(name);
      if (device === undefined) continue;
      if (this.#count(device)) changed(device);
      else known(device);
    }
  }

  stop(): void {
    this.#context.router.remove(this);
    this.#counting?.();
  }

  /** Undefined: this gateway knows it no more. */
  wordOf(device: string): DeviceWord | undefined {
    const { router, run } = this.#context;
    const value = router.lastValue(stateChannelOf(device));
    if (value === undefined) return undefined;
    const state = Buffer.from(value.payload).toString() as DeviceState;
    const held = this.#away.get(device) ?? 0;
    return { state, run, ...(held > 0 && { held }) };
  }

  hasRoom(): boolean {
    return true;
  }

  deliver({ name }: Channel): undefined {
    const device = deviceOfState(name);
    if (device === undefined) return;
    this.#count(device);
    this.#context.changed(device);
  }

  /** It is told in the fleet that the device is somewhere else now than it was. */
  moved(device: string): void {
    if (this.#count(device)) this.#context.changed(device);
  }

  /** Counts what is held for a device that is elsewhere. Returns whether that is not what is told. */
  #count(device: string): boolean {
    const { gateway, sessionOf, told } = this.#context;
    const word = told(device);
    const session = sessionOf(device);
    const isAway = session && !session.present && word !== undefined && word.gateway !== gateway;
    if (isAway) {
      if (session.pending > 0 && !this.#away.get(device)) this.#say(device, word.gateway, session.pending);
      this.#away.set(device, session.pending);
      this.#counting ??= this.#context.clock.schedule(BEACON_MS, () => this.#countAll());
    } else this.#away.delete(device);
    return (this.#away.get(device) ?? 0) !== (word?.held?.[gateway] ?? 0);
  }

  #countAll(): void {
    this.#counting = undefined;
    for (const device of this.#away.keys()) this.moved(device);
  }

  #say(device: string, where: string, held: number): void {
    const what = held === 1 ? '1 message that waits' : `${held} messages that wait`;
    this.#context.logger.warn(
      { device, gateway: where, held },
      `${device} is at ${where} now: ${what} for it here will not follow; kept until it is back or its session expires`,
    );
  }
}
