import { Counters } from '../../src/counters.js';
import { frameSize } from '../../src/links/serial/slip.js';
import { recordSize, TcpParser, writeRecord } from '../../src/links/tcp/tcp-framing.js';
import { Alarms } from '../../src/session/alarms.js';
import type { LinkTraits } from '../../src/session/contract.js';
import { Driver } from '../../src/session/driver.js';
import type { Channel, OutgoingEmit } from '../../src/session/outgoing.js';
import { PeerSession } from '../../src/session/peer-session.js';
import type { Emit } from '../../src/wire/messages.js';
import { SerialEnd } from '../support/serial-end.js';
import type { Cable } from './cable.js';
import type { Firmware, FirmwareContext, ProgramEmit } from './firmware.js';
import { keyOf } from './keys.js';

const BACKLOG_BYTES = 100_000;
const NO_WILL = { text: '', channel: '', qos: 0, retain: false } as const;

/** A board whose client is the TypeScript session. */
export class TsFirmware implements Firmware {
  readonly #context: FirmwareContext;
  readonly #session: PeerSession<Channel>;
  readonly #channels = new Map<string, Channel>();
  readonly #alarms: Alarms;
  #driver: Driver | undefined;
  #serial: SerialEnd | undefined;
  #parser: TcpParser | undefined;
  #receive: ((bytes: Uint8Array) => void) | undefined;
  #left = false;

  constructor(context: FirmwareContext) {
    this.#context = context;
    const { machine, spec, random32, random } = context;
    const key = keyOf(spec.name);
    this.#alarms = new Alarms(machine.clock);
    this.#session = new PeerSession<Channel>(
      {
        identity: spec.name,
        nonce: random32(),
        clean: false,
        program: false,
        keepAlive: spec.keepAlive,
        expiry: spec.expiry,
        limits: {
          maxPacket: spec.maxPacket,
          window: spec.window,
          inFlight: spec.inFlight,
          buffer: spec.buffer,
          ids: spec.ids,
        },
        credentials: key ? { key } : {},
      },
      {
        hold: (name) => this.#channel(name),
        release: () => undefined,
        emit: (target, message) => this.#take(target, message),
        fresh: () => this.#subscribeAll(),
        ready: () => machine.hostCall(),
        lost: () => machine.hostCall(),
        refused: ({ reason }, session) => {
          if (!session) context.refused(`an unreliable message of ${spec.name}: ${reason}`);
        },
      },
      new Counters(),
      { messages: 1000, bytes: 1_000_000 },
      random,
    );
  }

  linkUp(cable: Cable): void {
    const { machine, spec } = this.#context;
    const { kind } = cable;
    const take = (packet: Uint8Array) => {
      this.#session.receive(packet, machine.clock.now());
      this.#driver?.wake();
    };
    this.#serial = kind === 'serial' ? new SerialEnd(cable.fromGateway, take) : undefined;
    this.#parser = kind === 'tcp' ? new TcpParser(spec.maxPacket, take) : undefined;
    const end = this.#serial ?? this.#parser;
    this.#receive = end ? (bytes) => end.push(bytes) : take;
    this.#driver?.stop();
    this.#driver = new Driver(this.#session, this.#alarms, { send: (packet) => this.#send(packet) });
    this.#session.linkUp(this.#traits(kind), machine.clock.now());
    this.#driver.wake();
  }

  #traits(kind: Cable['kind']): LinkTraits {
    return {
      reliable: kind === 'tcp',
      ordered: kind !== 'udp',
      maxPacket: kind === 'tcp' ? 65_536 : 1024,
      wireSize: (packet) =>
        kind === 'serial' ? frameSize(packet) : kind === 'tcp' ? recordSize(packet) : packet.length,
    };
  }

  linkDown(): void {
    this.#driver?.stop();
    this.#driver = undefined;
    this.#serial = undefined;
    this.#parser = undefined;
    this.#receive = undefined;
    this.#session.linkDown();
  }

  receive(bytes: Uint8Array): void {
    this.#context.machine.hostCall();
    this.#receive?.(bytes);
  }

  #send(packet: Uint8Array): void {
    const { machine } = this.#context;
    machine.hostCall();
    this.#context.send(this.#framed(packet));
    machine.hostCall();
  }

  #framed(packet: Uint8Array): Uint8Array {
    if (this.#serial) return this.#serial.frame(packet);
    if (!this.#parser) return packet;
    const record = new Uint8Array(recordSize(packet));
    writeRecord(record, 0, packet);
    return record;
  }

  emit({ channel: name, qos, retain, size }: ProgramEmit): void {
    const { engine } = this.#session;
    const context = this.#context;
    const channel = this.#channel(name);
    if (qos === 0 ? !this.connected : engine.refusal(channel, size, true) !== undefined) return;
    const text = context.compose({ channel: name, qos, retain, size });
    const emit: OutgoingEmit<Channel> = { type: 'emit', channel, payload: Buffer.from(text), qos, retain };
    if (qos === 0) {
      if (engine.emitUnreliable(emit, BACKLOG_BYTES)) context.unsend(text);
    } else {
      engine.emitReliable(emit, (refusal) => {
        // Of what is not settled when it leaves, nothing is known.
        if (!this.#left) context.settled(text, refusal);
      });
    }
    this.#driver?.wake();
  }

  wish(pattern: string): void {
    this.#subscribe(pattern);
    this.#driver?.wake();
  }

  unwish(pattern: string): void {
    this.#session.engine.control({ type: 'unsubscribe', pattern }, (refusal) => {
      if (refusal === undefined) this.#context.gone(pattern);
    });
    this.#driver?.wake();
  }

  powerFor(): never {
    throw new Error('only the C client counts edges');
  }

  leaveWill(): void {
    this.#sayWill();
    this.#driver?.wake();
  }

  sleep(seconds: number): void {
    this.#session.engine.announceSleep(seconds, () => undefined);
    this.#driver?.wake();
  }

  leave(forGood: boolean): void {
    this.#left = true;
    const goodbye = this.#session.close(forGood ? 'end_session' : 'normal');
    if (goodbye) this.#send(goodbye);
  }

  comeBack(): never {
    throw new Error('it begins anew, as a program does that was closed');
  }

  unfinished(): Uint8Array {
    return new Uint8Array();
  }

  get connected(): boolean {
    return this.#session.state === 'ready';
  }

  get pending(): number {
    return this.#session.engine.pending;
  }

  #subscribeAll(): void {
    for (const pattern of this.#context.wishes.keys()) this.#subscribe(pattern);
    if (this.#context.will()) this.#sayWill();
    // Nothing of an older boot's lingers (PROTOCOL.md §3.2).
    this.#session.engine.control({ type: 'unsubscribe', pattern: '' });
  }

  #sayWill(): void {
    const will = this.#context.will();
    const { text, channel: name, qos, retain } = will ?? NO_WILL;
    this.#session.engine.control(
      { type: 'will', name, payload: Buffer.from(text), qos, retain },
      (refusal) => {
        if (this.#left) return;
        if (refusal !== undefined) this.#context.refused(`the will ${text}: ${refusal}`);
        else if (this.#context.will() === will) this.#context.willConfirmed(will);
      },
    );
  }

  #subscribe(pattern: string): void {
    const wish = this.#context.wishes.get(pattern);
    if (!wish) return;
    this.#session.engine.control(
      { type: 'subscribe', pattern, qos: wish.qos, noLocal: wish.noLocal, noLastValue: false, id: 0 },
      (refusal) => {
        if (this.#left) return;
        if (refusal !== undefined) this.#context.refused(`the subscription to ${pattern}: ${refusal}`);
        // Another may have taken its place meanwhile.
        else if (this.#context.wishes.get(pattern) === wish) this.#context.confirmed(pattern);
      },
    );
  }

  #channel(name: string): Channel {
    let channel = this.#channels.get(name);
    if (!channel) {
      channel = { name };
      this.#channels.set(name, channel);
    }
    return channel;
  }

  #take(target: Channel | string, { payload, qos, retain }: Emit): undefined {
    const { machine } = this.#context;
    const channel = typeof target === 'string' ? target : target.name;
    machine.hostCall();
    this.#context.delivered({ channel, text: Buffer.from(payload).toString(), qos, retained: retain });
    machine.hostCall();
  }
}
