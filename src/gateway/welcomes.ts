import type { Store } from '../store/store.js';
import type { Connection } from './connection.js';

/**
 * Who is to be sent a WELCOME once all that it says has arrived is committed (PROTOCOL.md §5.1). However often peers ask
 * while the disk is busy, each is answered once.
 */
export class Welcomes {
  readonly #store: Store;
  readonly #send: (connection: Connection) => void;
  #settling = new Set<Connection>();
  /** Those that asked since: their offers may speak of something newer. */
  #asked = new Set<Connection>();
  #busy = false;

  /** `send`: the time has come. */
  constructor(store: Store, send: (connection: Connection) => void) {
    this.#store = store;
    this.#send = send;
  }

  ask(connection: Connection): void {
    this.#asked.add(connection);
    if (!this.#busy) this.#settle();
  }

  /** The connection is closed. */
  forget(connection: Connection): void {
    this.#settling.delete(connection);
    this.#asked.delete(connection);
  }

  #settle(): void {
    [this.#settling, this.#asked] = [this.#asked, this.#settling];
    this.#busy = true;
    this.#store.settled(() => {
      this.#busy = false;
      for (const connection of this.#settling) if (!this.#asked.has(connection)) this.#send(connection);
      this.#settling.clear();
      if (this.#asked.size > 0) this.#settle();
    });
  }
}
