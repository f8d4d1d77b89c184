import {
  type Upstream,
  type UpstreamConnection,
  UpstreamError,
  type UpstreamEvents,
  type UpstreamRecords,
} from '../../../src/bridges/upstream.js';
import type { SimulatedBroker } from './broker.js';
import { SimulatedConnection } from './connection.js';
import type { BrokerNode } from './session.js';

/** How long a connection takes to be refused or made, ms at most. */
const MAX_CONNECT_MS = 100;

export interface SimulatedUpstreamOptions {
  readonly broker: SimulatedBroker;
  readonly client: string;
  /** The gateway's name: what leaves has it as the last of those that it passed. */
  readonly gateway: string;
  /** With the number of a record it tells the broker whether it has that already. */
  readonly instance: string;
  readonly records: UpstreamRecords;
}

/** A client of a simulated broker, for a bridge; what the bridge does that the seam does not allow is one of the broker's `violations`. */
export class SimulatedUpstream implements Upstream {
  readonly options: SimulatedUpstreamOptions;
  /** When `connect` was called, ms. */
  readonly attempts: number[] = [];
  connection: SimulatedConnection | undefined;
  /** Why nobody gets in, if so. */
  problem: UpstreamError | undefined;
  /** Settled or refused: not to be published again by the same process. */
  readonly done = new Set<number>();
  #connecting = false;
  #dead = false;

  constructor(options: SimulatedUpstreamOptions) {
    this.options = options;
  }

  connect(events: UpstreamEvents, signal: AbortSignal): Promise<UpstreamConnection> {
    const { broker } = this.options;
    const { clock, random } = broker;
    return new Promise((resolve, reject) => {
      if (this.#dead) return;
      if (this.#connecting || this.connection?.isOpen) this.violation('connects a second time');
      this.attempts.push(clock.now());
      this.#connecting = true;
      const cancel = clock.schedule(random.next() * MAX_CONNECT_MS, () => {
        this.#connecting = false;
        signal.removeEventListener('abort', abort);
        if (this.#dead) return;
        const node = broker.nodes[random.below(broker.nodes.length)] as BrokerNode;
        const problem =
          this.problem ?? (node.up ? undefined : new UpstreamError('unreachable', `${node.name} is down`));
        if (problem) return reject(problem);
        this.connection = new SimulatedConnection(this, node, events);
        resolve(this.connection);
      });
      const abort = () => {
        cancel();
        this.#connecting = false;
        reject(new UpstreamError('unreachable', 'aborted'));
      };
      if (signal.aborted) abort();
      else signal.addEventListener('abort', abort, { once: true });
    });
  }

  /** Its process is gone: nothing more comes of it. */
  die(): void {
    this.#dead = true;
    this.connection?.abandon();
  }

  violation(what: string): void {
    if (!this.#dead) this.options.broker.violation(this.options.client, what);
  }
}
