import type { Clock } from '../../clock.js';
import { reasonOf } from '../../errors.js';
import { encode } from '../../mqtt/wire/encode.js';
import { encodePublish } from '../../mqtt/wire/encode-publish.js';
import type { Acknowledgement } from '../../mqtt/wire/packets.js';
import { REASON } from '../../mqtt/wire/reason-codes.js';
import { Queue } from '../../session/queue.js';
import type { Qos } from '../../wire/messages.js';
import type { OutgoingMessage, QueuedMessage, RefusalReason, UpstreamEvents } from '../upstream.js';
import type { BrokerLimits } from './limits.js';
import { PropertyEncoder } from './message-properties.js';
import { idOfRecord } from './packet-ids.js';
import { refusal, type Where } from './problems.js';
import type { BrokerSession } from './session.js';
import { releaseOlder } from './stale-ids.js';
import { areUnfit, unfitName } from './unfit.js';

/** Of messages of QoS 0 no more bytes wait for the broker to read. */
const MAX_UNSENT_BYTES = 4 * 1_048_576;

/** Where a message is on its way: sent; taken by the broker and released (PUBREL); or its identifier is being freed of an older one. */
type Stage = 'sent' | 'released' | 'freeing';

interface Departure {
  readonly record: number;
  readonly qos: 1 | 2;
  stage: Stage;
  /** Undefined of one that is not the bridge's any more. */
  readonly message: QueuedMessage | undefined;
  /** The broker may have it from an earlier connection. */
  readonly again: boolean;
}

export interface DeparturesContext {
  readonly where: Where;
  readonly session: BrokerSession;
  readonly limits: BrokerLimits;
  readonly clock: Clock;
  readonly events: Pick<UpstreamEvents, 'settled' | 'refused' | 'sendRefused'>;
  /** How many of the first messages an earlier connection may have sent; 0 in a new session. */
  readonly resent: number;
  /** The bytes to the broker. */
  readonly wire: { readonly unsentBytes: number; send(bytes: Uint8Array): void };
  /** Sends bytes once all that is remembered now will survive a power cut. */
  sendSafely(bytes: Uint8Array): void;
  /** The broker said something that it cannot mean, or has no room: the connection is of no use. */
  fail(problem: string): void;
}

/** Messages on their way to the broker (MQTT 5, 4.3). What it has not acknowledged is the bridge's; here is only which that is. */
export class Departures {
  readonly #context: DeparturesContext;
  readonly #level: 4 | 5;
  readonly #byId = new Map<number, Departure>();
  /** Records that were released in an earlier connection, and that were not spoken of in this one; in their order. */
  readonly #released: Set<number>;
  /** Wait for an identifier that an older message still has, for room for one more of QoS 2, or for those of QoS 2 of their name. */
  readonly #waiting = new Queue<QueuedMessage>();
  readonly #properties = new PropertyEncoder();
  #resent: number;
  /** Messages of QoS 2 on their way; and by name, as far as that is known. */
  #unfinished = 0;
  readonly #unfinishedOf = new Map<string, number>();
  /** The broker has taken a message in this connection. */
  #hasTaken = false;
  #madeRoom = false;
  /** PUBCOMPs to come that are of no message here. */
  #idle = 0;
  #over = false;

  constructor(context: DeparturesContext) {
    this.#context = context;
    this.#level = context.where.version === 5 ? 5 : 4;
    this.#resent = context.resent;
    this.#released = new Set(context.session.released);
  }

  /** @see UpstreamConnection.send */
  send(message: OutgoingMessage): boolean {
    const { wire, events } = this.#context;
    if (wire.unsentBytes > MAX_UNSENT_BYTES) return false;
    const bytes = this.#encode(message, 0, 0, false);
    if (bytes instanceof Uint8Array) wire.send(bytes);
    else this.#later(() => events.sendRefused(message.name, ...bytes));
    return true;
  }

  /** @see UpstreamConnection.publish */
  publish(message: QueuedMessage, overtakes = false): void {
    if (this.#waiting.length > 0 || !this.#begin(message, overtakes)) this.#waiting.push(message);
  }

  /** Whether the broker was sent a message that it has not answered in any way. */
  get someUntaken(): boolean {
    for (const { stage } of this.#byId.values()) if (stage === 'sent') return true;
    return false;
  }

  /** The broker acknowledged something. `said`: in its own words. */
  acknowledged(
    type: Exclude<Acknowledgement['type'], 'pubrel'>,
    id: number,
    code: number,
    said: string | undefined,
  ): void {
    const departure = this.#byId.get(id);
    if (departure === undefined) return this.#unknown(type, id);
    const expected = departure.qos === 1 ? 'puback' : departure.stage === 'sent' ? 'pubrec' : 'pubcomp';
    if (type === 'pubrec' && departure.stage === 'released') return this.#release(id);
    if (type !== expected && type === 'pubcomp' && this.#idle > 0) return void this.#idle--;
    if (type !== expected)
      return this.#context.fail(`it sent a ${type.toUpperCase()} where a ${expected.toUpperCase()} belongs`);
    if (type === 'pubcomp') return this.#completed(id, departure);
    if (code === REASON.packetIdentifierInUse && departure.qos === 2) return this.#inUse(id, departure);
    if (code >= REASON.unspecifiedError) return this.#refused(id, departure, code, said);
    this.#hasTaken = true;
    if (type === 'puback') return this.#settled(id, departure);
    departure.stage = 'released';
    this.#context.session.release(departure.record);
    this.#release(id);
  }

  /** The connection is over: nothing is told any more. */
  close(): void {
    this.#over = true;
    if (!this.#hasTaken && this.#unfinished > 0) this.#suspect();
  }

  /** False when it has to wait. */
  #begin(message: QueuedMessage, overtakes: boolean): boolean {
    const { record } = message;
    if (!overtakes) this.#passOver(record);
    const id = idOfRecord(record);
    if (this.#byId.has(id)) return false;
    const { limits } = this.#context;
    const qos = Math.min(message.qos, limits.maximumQos) as Qos;
    const isReleased = this.#released.has(record);
    if (qos === 2 && !isReleased && this.#unfinished >= limits.unfinished) return false;
    // A broker passes on those of QoS 2 only when they are released: this one would overtake them.
    if (qos === 1 && this.#unfinishedOf.has(message.name)) return false;
    const again = this.#resent > 0;
    if (again) this.#resent--;
    if (isReleased) {
      this.#released.delete(record);
      this.#resume(id, { record, qos: 2, stage: 'released', message, again });
    } else if (qos === 0) {
      this.#later(() =>
        this.#context.events.refused(
          record,
          'upstream_refused',
          'the broker takes nothing above QoS 0: write "qos: 0"',
        ),
      );
    } else {
      const departure: Departure = { record, qos, stage: 'sent', message, again };
      const bytes = this.#encode(message, qos, id, again);
      if (bytes instanceof Uint8Array) {
        if (qos === 2) this.#makeRoom(record);
        this.#add(id, departure);
        this.#context.wire.send(bytes);
      } else this.#later(() => this.#context.events.refused(record, ...bytes));
    }
    return true;
  }

  /** Messages before this one that the broker has taken, and that the bridge has dropped meanwhile, are the broker's for good. */
  #passOver(record: number): void {
    if (this.#released.size === 0) return;
    for (const first of this.#released) {
      if (first >= record) return;
      this.#released.delete(first);
      const id = idOfRecord(first);
      this.#resume(id, { record: first, qos: 2, stage: 'released', message: undefined, again: true });
    }
  }

  #resume(id: number, departure: Departure): void {
    this.#add(id, departure);
    this.#release(id);
  }

  #add(id: number, departure: Departure): void {
    this.#byId.set(id, departure);
    this.#count(departure, 1);
  }

  #count({ qos, message }: Departure, change: 1 | -1): void {
    if (qos !== 2) return;
    this.#unfinished += change;
    if (message === undefined) return;
    const count = (this.#unfinishedOf.get(message.name) ?? 0) + change;
    if (count > 0) this.#unfinishedOf.set(message.name, count);
    else this.#unfinishedOf.delete(message.name);
  }

  #release(id: number): void {
    this.#context.sendSafely(
      encode({ type: 'pubrel', id, code: REASON.success, properties: {} }, this.#level),
    );
  }

  #completed(id: number, departure: Departure): void {
    const { message, stage, record } = departure;
    if (stage === 'freeing' && message) {
      departure.stage = 'sent';
      // It could be encoded before.
      return this.#context.wire.send(this.#encode(message, 2, id, false) as Buffer);
    }
    this.#context.session.complete(record);
    this.#settled(id, departure);
  }

  #settled(id: number, departure: Departure): void {
    this.#free(id, departure);
    if (departure.message) this.#context.events.settled(departure.record);
  }

  /** Of one that was sent again it means that the broker has it; else that it has another one, which nobody here knows any more. */
  #inUse(id: number, departure: Departure): void {
    departure.stage = departure.again ? 'released' : 'freeing';
    if (departure.again) this.#context.session.release(departure.record);
    this.#release(id);
  }

  #refused(id: number, departure: Departure, code: number, said: string | undefined): void {
    const { where, events } = this.#context;
    const why = refusal(where, departure.message?.name ?? '', code, said);
    if (why === undefined) {
      // It was not given more than it said that it takes.
      if (departure.qos === 2) this.#suspect();
      return this.#context.fail('it has no room for more messages now');
    }
    this.#free(id, departure);
    events.refused(departure.record, ...why);
  }

  #free(id: number, departure: Departure): void {
    this.#byId.delete(id);
    this.#count(departure, -1);
    for (
      let next = this.#waiting.at(0);
      next !== undefined && this.#begin(next, false);
      next = this.#waiting.at(0)
    ) {
      this.#waiting.shift();
    }
  }

  /** In 3.1.1 without being asked: there mosquitto acknowledges what it has no room for, and does not take it. */
  #makeRoom(record: number): void {
    const { session, resent, wire } = this.#context;
    if (this.#madeRoom || resent === 0 || !(session.crowded || this.#level === 4)) return;
    this.#madeRoom = true;
    session.crowded = false;
    const { bytes, count } = releaseOlder(record, resent, (id) => this.#byId.has(id));
    this.#idle = count;
    wire.send(bytes);
  }

  /** The broker may hold messages of QoS 2 that nobody here knows any more: they are released in the next connection. */
  #suspect(): void {
    this.#context.session.crowded = !this.#madeRoom;
  }

  /** What the broker took from a life of ours that nobody remembers: it is to pass it on, and free the identifier (4.3.3). */
  #unknown(type: Acknowledgement['type'], id: number): void {
    if (type === 'pubrec') this.#release(id);
    if (type === 'pubcomp' && this.#idle > 0) this.#idle--;
  }

  /** The bytes of a PUBLISH, or why the broker would not take it. */
  #encode(
    message: OutgoingMessage,
    qos: Qos,
    id: number,
    dup: boolean,
  ): Buffer | readonly [RefusalReason, string] {
    const { limits, clock } = this.#context;
    const { name, payload } = message;
    const retain = message.retain && limits.retainAvailable;
    const unfit = unfitName(name);
    if (unfit !== undefined)
      return [
        'bad_name',
        `brokers close the connection for a name with ${unfit}: ${JSON.stringify(name.slice(0, 200))}`,
      ];
    if (this.#level === 5 && message.properties !== undefined && areUnfit(message.properties))
      return [
        'upstream_refused',
        `brokers close the connection for properties with control characters, as of a message on ${name}`,
      ];
    let bytes: Buffer;
    try {
      const packet = {
        type: 'publish',
        dup,
        qos,
        retain,
        topic: name,
        id,
        payload,
        properties: undefined,
      } as const;
      const properties = this.#level === 5 ? this.#properties.encode(message, clock.now()) : undefined;
      bytes = encodePublish(packet, this.#level, properties);
    } catch (error) {
      return ['bad_name', `MQTT cannot carry a message on ${name}: ${reasonOf(error)}`];
    }
    const most = limits.maximumPacketSize;
    if (bytes.length <= most) return bytes;
    return [
      'too_large',
      `a message on ${name} makes a packet of ${bytes.length} bytes; the broker takes ${most}`,
    ];
  }

  /** Whoever gives a message is done with that before it hears of it. */
  #later(task: () => void): void {
    this.#context.clock.defer(() => {
      if (!this.#over) task();
    });
  }
}
