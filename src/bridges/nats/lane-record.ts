import type { UpstreamRecords } from '../upstream.js';

/** What was wanted for a while. */
export interface Segment {
  /** What the bridge wanted to hear. */
  readonly wanted: readonly string[];
  /** What the server is asked for: that, or somewhat more (`filters`). */
  readonly filters: readonly string[];
  /** The last sequence for which that is so; undefined while it is. */
  until?: number;
}

interface State {
  readonly created: string;
  readonly segments: readonly Segment[];
}

/** What is kept of a lane, so that it goes on after a restart. The position has a record of its own, since it changes with each message. */
export class LaneRecord {
  /** When the stream was made: another one of the same name counts anew. Empty: it was never read. */
  created = '';
  /** What was wanted and is not read to its end, and what is wanted, in order. */
  segments: Segment[] = [];
  /** The sequence of the last message that was taken. */
  position = 0;
  readonly #records: UpstreamRecords;
  readonly #key: string;

  constructor(records: UpstreamRecords, key: string) {
    this.#records = records;
    this.#key = key;
    const state = records.get(`in/${key}`);
    if (state === undefined) return;
    const { created, segments } = JSON.parse(Buffer.from(state).toString()) as State;
    this.created = created;
    this.segments = [...segments];
    this.position = Number(Buffer.from(records.get(`at/${key}`) ?? '0').toString());
  }

  readonly savePosition = (): void => {
    this.#records.put(`at/${this.#key}`, Buffer.from(String(this.position)));
  };

  readonly saveState = (): void => {
    const { created, segments } = this;
    this.#records.put(`in/${this.#key}`, Buffer.from(JSON.stringify({ created, segments } satisfies State)));
  };
}
