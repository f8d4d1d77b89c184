import type {
  IncomingMessage,
  Interest,
  OutgoingMessage,
  QueuedMessage,
  UpstreamConnection,
  UpstreamEvents,
} from '../../../src/bridges/upstream.js';
import { UpstreamError } from '../../../src/bridges/upstream.js';
import { hasExpired } from '../../../src/router/message.js';
import type { SimulatedBroker } from './broker.js';
import { interestProblems, messageProblems, recordProblems } from './contract.js';
import type { BrokerNode, Given, RemoteMessage } from './session.js';
import type { SimulatedUpstream } from './upstream.js';
import { Wire } from './wire.js';

/** There is room for so many messages of QoS 0 on the way to the broker. */
const MAX_WAITING = 1000;
/** The key of the number of the last message that the gateway took. */
const POSITION = 'position';

export class SimulatedConnection implements UpstreamConnection {
  readonly server: string;
  readonly isAnew: boolean;
  readonly window: number;
  readonly #upstream: SimulatedUpstream;
  readonly #broker: SimulatedBroker;
  readonly #node: BrokerNode;
  readonly #events: UpstreamEvents;
  readonly #toBroker: Wire;
  readonly #toClient: Wire;
  readonly #unsettled = new Set<number>();
  readonly #inbox: Given[] = [];
  #lastRecord = Number.NEGATIVE_INFINITY;
  /** The bridge has a message that it has not taken yet. */
  #busy = false;
  #cut = false;
  /** Not lost, as far as the bridge knows, and not closed. */
  #open = true;

  constructor(upstream: SimulatedUpstream, node: BrokerNode, events: UpstreamEvents) {
    const { broker, client } = upstream.options;
    this.#upstream = upstream;
    this.#broker = broker;
    this.#node = node;
    this.#events = events;
    this.server = `simulated://${node.name}`;
    this.window = 1 + broker.random.below(broker.window);
    this.#toBroker = new Wire(broker, () => this.cut());
    this.#toClient = new Wire(broker, () => this.cut());
    this.isAnew = !broker.knows(client);
    broker.session(client).attach(this);
  }

  get isOpen(): boolean {
    return this.#open;
  }

  get node(): BrokerNode {
    return this.#node;
  }

  send(message: OutgoingMessage): boolean {
    this.#checkMessage(message);
    if (!this.#open) this.#upstream.violation(`${message.name} was sent when the connection was over`);
    if (!this.#open || this.#toBroker.underWay >= MAX_WAITING) return false;
    const copy = this.#copy(message);
    this.#toBroker.carry(() => {
      const refusal = this.#broker.refusal(copy);
      if (refusal) this.#tell(() => this.#events.sendRefused(copy.name, refusal.reason, refusal.why));
      else this.#broker.take(copy, { client: this.#upstream.options.client, node: this.#node });
    });
    return true;
  }

  publish(message: QueuedMessage, overtakes = false): void {
    this.#checkMessage(message);
    this.#checkRecord(message);
    if (!this.#open) return;
    const { record } = message;
    if (!overtakes) this.#lastRecord = Math.max(this.#lastRecord, record);
    else if (this.#unsettled.size > 0)
      this.#upstream.violation(`record ${record} overtakes what is unsettled`);
    this.#unsettled.add(record);
    const copy = this.#copy(message);
    this.#toBroker.carry(() => this.#node.whenJoined(() => this.#accept(copy, record)));
  }

  setInterests(interests: readonly Interest[]): void {
    const { client } = this.#upstream.options;
    this.#check(interestProblems(interests));
    if (!this.#open) return;
    const copy = interests.map(({ pattern, qos }) => ({ pattern, qos }));
    this.#toBroker.carry(() =>
      this.#node.whenJoined(() => {
        const allowed = copy.filter(({ pattern }) => {
          const why = this.#broker.interestRefusal(pattern);
          if (why !== undefined) this.#tell(() => this.#events.interestRefused(pattern, why));
          return why === undefined;
        });
        this.#broker.subscribe(client, allowed);
      }),
    );
  }

  close(): Promise<void> {
    const { clock, faults } = this.#broker;
    this.#open = false;
    this.#toBroker.carry(() => this.#detach());
    return new Promise((resolve) => void clock.schedule(faults.delay, resolve));
  }

  give(given: Given): void {
    this.#toClient.carry(() => {
      if (!this.#open) return;
      if (given.qos === 0) return this.#giveUnreliable(given);
      this.#inbox.push(given);
      this.#giveNext();
    });
  }

  /** The connection breaks; sooner or later the client finds out. */
  cut(): void {
    if (this.#cut) return;
    this.#cut = true;
    this.#toBroker.cut();
    this.#toClient.cut();
    this.#detach();
    const { clock, random, faults } = this.#broker;
    clock.schedule(random.next() * faults.notice, () => {
      if (!this.#open) return;
      this.#open = false;
      const problem = new UpstreamError('unreachable', `the connection to ${this.#node.name} broke`);
      // Who breaks it, the broker or something on the way, cannot be seen from here.
      this.#events.lost(problem, this.#unsettled.size > 0);
    });
  }

  /** The client's process is gone. */
  abandon(): void {
    this.#open = false;
    this.cut();
  }

  #detach(): void {
    this.#broker.session(this.#upstream.options.client).detach(this);
  }

  #accept(message: RemoteMessage, record: number): void {
    const { client, instance } = this.#upstream.options;
    if (this.#broker.minds(message, this.#node)) return this.cut();
    const refusal = this.#broker.refusal(message);
    if (!refusal) this.#broker.takeRecord(instance, record, message, { client, node: this.#node });
    const { clock, random, faults } = this.#broker;
    clock.schedule(random.next() * faults.ackDelay, () =>
      this.#tell(() => {
        this.#unsettled.delete(record);
        this.#upstream.done.add(record);
        if (refusal) this.#events.refused(record, refusal.reason, refusal.why);
        else this.#events.settled(record);
      }),
    );
  }

  #tell(what: () => void): void {
    this.#toClient.carry(() => this.#open && what());
  }

  #giveUnreliable(given: Given): void {
    const message = this.#incoming(given);
    if (!message) return;
    let called = false;
    this.#events.incoming(message, () => {
      called = true;
    });
    if (!called) this.#upstream.violation('next was not called at once at QoS 0');
    message.payload.fill(0xff);
  }

  /** Gives the bridge one message after the other, each when it has taken the one before. */
  #giveNext(): void {
    const { records } = this.#upstream.options;
    while (this.#open && !this.#busy) {
      const given = this.#inbox.shift();
      if (given?.number === undefined) return;
      const { number } = given;
      const duplicate = number <= this.#position() && (this.#broker.exactlyOnce || given.qos === 2);
      const message = duplicate ? undefined : this.#incoming(given);
      if (!message) {
        // What was taken before the connection was lost may not be safe yet.
        records.settled(() => this.#acknowledge(number));
        continue;
      }
      this.#busy = true;
      let called = false;
      this.#events.incoming(message, () => {
        if (called) return this.#upstream.violation('next was called twice');
        called = true;
        if (!this.#open) return this.#upstream.violation('next was called when the connection was over');
        records.put(POSITION, Buffer.from(`${Math.max(number, this.#position())}`));
        records.settled(() => this.#acknowledge(number));
        this.#busy = false;
        this.#giveNext();
      });
    }
  }

  /** Undefined: it has expired. */
  #incoming({ message, qos, stored }: Given): IncomingMessage | undefined {
    const now = this.#broker.clock.now();
    if (hasExpired(message, now)) return undefined;
    const { name, properties, via, expiresAt } = message;
    const payload = Uint8Array.from(message.payload);
    const retain = message.retain || stored;
    const expiryMs = expiresAt === undefined ? undefined : expiresAt - now;
    return { name, payload, qos, retain, properties, via, expiryMs, stored };
  }

  #position(): number {
    const value = this.#upstream.options.records.get(POSITION);
    return value ? Number(Buffer.from(value).toString()) : 0;
  }

  #acknowledge(number: number): void {
    this.#toBroker.carry(() => this.#broker.session(this.#upstream.options.client).acknowledge(number));
  }

  #copy({ name, payload, qos, retain, properties, via, expiresAt }: OutgoingMessage): RemoteMessage {
    return { name, payload: Uint8Array.from(payload), qos, retain, properties, via: [...via], expiresAt };
  }

  #checkMessage(message: OutgoingMessage): void {
    this.#check(messageProblems(message, this.#upstream.options.gateway, this.#broker.clock.now()));
  }

  #checkRecord(message: QueuedMessage): void {
    const { options, done } = this.#upstream;
    const { window } = this;
    this.#check(
      recordProblems(message, {
        open: this.#open,
        window,
        unsettled: this.#unsettled,
        done,
        lastRecord: this.#lastRecord,
      }),
    );
    const { record, name, qos, retain, via, payload } = message;
    const print = JSON.stringify([name, qos, retain, via, Buffer.from(payload).toString('hex')]);
    if (!this.#broker.isRecord(options.instance, record, print))
      this.#upstream.violation(`record ${record} was another message before`);
  }

  #check(problems: readonly string[]): void {
    for (const problem of problems) this.#upstream.violation(problem);
  }
}
