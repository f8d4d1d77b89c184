import type { Counters } from '../../counters.js';
import type { Qos } from '../../wire/messages.js';
import type { ReasonName } from '../../wire/reasons.js';
import type { Acknowledgement, Publish } from '../wire/packets.js';
import { REASON } from '../wire/reason-codes.js';
import type { Answers } from './answers.js';
import type { MqttOwner, MqttRecorder, MqttSessionLimits, PublishOptions } from './contract.js';
import { extrasOf } from './extras.js';
import { passes, publishRefusal } from './refusals.js';
import { TakenIds } from './taken-ids.js';
import { IncomingAliases } from './topic-aliases.js';

/** The options of nearly all emits, by QoS, without and with RETAIN. */
const PLAIN: readonly PublishOptions[] = [0, 1, 2].flatMap((qos) =>
  [false, true].map((retain) => Object.freeze({ qos: qos as Qos, retain })),
);

/** What one client publishes: PUBLISH and PUBREL (MQTT 5, 3.3, 4.3). */
export class Publications {
  readonly #owner: MqttOwner;
  readonly #limits: MqttSessionLimits;
  readonly #counters: Counters;
  readonly #recorder: MqttRecorder | undefined;
  readonly #taken = new TakenIds();
  #aliases: IncomingAliases | undefined;
  #ended = false;

  constructor(owner: MqttOwner, limits: MqttSessionLimits, counters: Counters, recorder?: MqttRecorder) {
    this.#owner = owner;
    this.#limits = limits;
    this.#counters = counters;
    this.#recorder = recorder;
  }

  /** Packet identifiers of messages of QoS 2 that the client has not released. */
  get taken(): Iterable<number> {
    return this.#taken;
  }

  /** Takes up identifiers that a recorder kept. */
  restore(taken: readonly number[]): void {
    this.#taken.restore(taken);
  }

  /** The connection is another: aliases and quota begin anew ([MQTT-3.3.2-7]; MQTT 5, 4.9). */
  restart(): void {
    this.#aliases = undefined;
    this.#taken.restart();
  }

  /** The session is over, perhaps for what its own emit brought about. */
  end(): void {
    this.#ended = true;
  }

  /** Takes a PUBLISH. Returns false if that cannot be done now, and nothing has changed; see `MqttEngine.receive`. */
  publish(packet: Publish, answers: Answers): boolean {
    const topic = this.#topicOf(packet);
    if (topic === undefined || !this.#isWithinQuota(packet, answers.level)) return true;
    const { qos, id } = packet;
    if (qos === 2 && this.#taken.has(id)) {
      // It was emitted when it came first ([MQTT-4.3.3-10]).
      this.#taken.add(id);
      this.#acknowledge(answers, 'pubrec', id);
      return true;
    }
    const refusal = this.#emit(topic, packet);
    if (this.#ended) return true;
    if (refusal === undefined) this.#accept(topic, packet, answers);
    else return this.#refuse(topic, packet, refusal, answers);
    return true;
  }

  /** Takes a PUBREL: the client does not send that message again ([MQTT-4.3.3-11]). */
  release({ id }: Acknowledgement, answers: Answers): void {
    if (this.#taken.release(id)) {
      this.#recorder?.released(id);
      this.#acknowledge(answers, 'pubcomp', id);
    } else {
      this.#counters.add('mqtt.unknown_id');
      this.#acknowledge(answers, 'pubcomp', id, REASON.packetIdentifierNotFound);
    }
  }

  /** The topic's name, which may be known by an alias (MQTT 5, 3.3.2.3.4); undefined if the client broke the protocol. */
  #topicOf({ topic, properties }: Publish): string | undefined {
    const alias = properties?.topicAlias;
    if (alias === undefined) return topic;
    const { topicAliasMaximum } = this.#limits;
    if (alias > topicAliasMaximum) {
      const problem = `the topic alias ${alias} is not one of 1 to ${topicAliasMaximum} [MQTT-3.3.2-9]`;
      this.#owner.fails(REASON.topicAliasInvalid, problem);
      return undefined;
    }
    this.#aliases ??= new IncomingAliases();
    if (topic !== '') {
      if (this.#aliases.set(alias, topic)) return topic;
      this.#owner.fails(REASON.quotaExceeded, 'the topics that have aliases are too long, all together');
      return undefined;
    }
    const known = this.#aliases.get(alias);
    if (known === undefined)
      this.#owner.fails(REASON.protocolError, `no topic has the alias ${alias} yet [MQTT-3.3.2-12]`);
    return known;
  }

  /** [MQTT-3.3.4-7]. What comes again counts once; clients of 3.1.1 know of no quota. */
  #isWithinQuota({ qos, id }: Publish, level: number): boolean {
    const { receiveMaximum } = this.#limits;
    if (qos === 0 || level !== 5 || this.#taken.counted < receiveMaximum || this.#taken.has(id)) return true;
    const problem = `more than ${receiveMaximum} messages are not acknowledged [MQTT-3.3.4-7]`;
    this.#owner.fails(REASON.receiveMaximumExceeded, problem);
    return false;
  }

  /** Returns why it was refused, if so. */
  #emit(topic: string, { qos, retain, payload, properties }: Publish): ReasonName | undefined {
    const extras = properties && extrasOf(properties, this.#owner.now());
    const plain = PLAIN[2 * qos + (retain ? 1 : 0)] as PublishOptions;
    const refusal = this.#owner.emit(topic, payload, extras ? { qos, retain, extras } : plain);
    // All others got it: whoever publishes has no more to know.
    return refusal === 'too_large_for_receiver' ? undefined : refusal;
  }

  /** PUBACK ([MQTT-4.3.2-4]) or PUBREC ([MQTT-4.3.3-8]) is due. */
  #accept(topic: string, { qos, id }: Publish, answers: Answers): void {
    if (qos === 0) return;
    if (qos === 1) {
      const heard = answers.level < 5 || this.#owner.isHeard(topic);
      return this.#acknowledge(answers, 'puback', id, heard ? REASON.success : REASON.noMatchingSubscribers);
    }
    this.#taken.add(id);
    this.#recorder?.taken(id);
    this.#acknowledge(answers, 'pubrec', id);
  }

  /** The client is told, or kept waiting; else the message counts as published, as the standard leaves no other answer. */
  #refuse(topic: string, packet: Publish, refusal: ReasonName, answers: Answers): boolean {
    const { qos, id } = packet;
    if (qos > 0 && answers.level === 5) {
      const { code, text } = publishRefusal(refusal);
      this.#acknowledge(answers, qos === 1 ? 'puback' : 'pubrec', id, code, text);
      return true;
    }
    if (qos > 0 && passes(refusal)) return false;
    this.#counters.add(`mqtt.refused.${refusal}`);
    this.#accept(topic, packet, answers);
    return true;
  }

  #acknowledge(
    answers: Answers,
    type: Acknowledgement['type'],
    id: number,
    code?: number,
    problem?: string,
  ): void {
    this.#recorder?.received();
    answers.acknowledge(type, id, code, problem);
  }
}
