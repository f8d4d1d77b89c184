/** How long things take, and what is measured. */
export interface BenchContext {
  /** About how long a round lasts, ms. */
  readonly roundMs: number;
  /** A miniature, to see that everything still works: as little as possible, and no speed is judged. */
  readonly smoke: boolean;
  /** The gateway to measure: the main module of a build. */
  readonly gatewayMain: string;
  /** What `node` is given for every process of ours that is measured, as to profile it. */
  readonly nodeArguments: readonly string[];
  /** A line of progress. */
  readonly log: (text: string) => void;
}

/** What a round came to: the figure that is compared, and others that are reported beside it. */
export interface Outcome {
  readonly value: number;
  readonly also?: Readonly<Record<string, number>>;
}

/** One that was started, and works when it is told to. */
export interface Running {
  /**
   * Works for about `ms` milliseconds. Every message is counted and checked.
   * @throws BenchFailure when one was lost, repeated or changed
   */
  round(ms: number): Promise<Outcome>;
  stop(): Promise<void>;
}

/** Something that does a row's work. */
export interface Contender {
  /** As in the table, and in targets. */
  readonly name: string;
  /**
   * `ours`: what the row is about, one a row. `peer`: what it is compared with. `ceiling`: as good as can be, on this
   * machine. `reported`: for information only, such as the load generator by itself.
   */
  readonly role: 'ours' | 'peer' | 'ceiling' | 'reported';
  /** @throws NotInstalled when it is not on this machine */
  start(context: BenchContext): Promise<Running>;
}

/** What a row should come to. `figure` is one of `Outcome.also`; the value that is compared unless given. */
export type Target = { readonly figure?: string } & (
  | {
      /** Ours, divided by that contender's. */
      readonly against: string;
      readonly ratio: Bound;
    }
  | {
      /** Ours, less that contender's, in the row's unit. */
      readonly against: string;
      readonly difference: Bound;
    }
  | {
      /** Ours, in the row's unit. */
      readonly value: Bound;
    }
);

export type Bound = { readonly atLeast: number } | { readonly atMost: number };

/** One line of the table. Its contenders are measured in turn, A B C A B C, after a warm-up of each. */
export interface Row {
  readonly name: string;
  readonly unit: string;
  /** What is done, in a few words. */
  readonly work: string;
  readonly contenders: readonly Contender[];
  /** None: the row is reported. */
  readonly targets: readonly Target[];
  /** Fewer rounds than others have, where one takes long; or more. */
  readonly rounds?: number;
}

/** Something did not do what it has to do: what is measured is wrong, not slow. */
export class BenchFailure extends Error {
  override readonly name = 'BenchFailure';
}

/** A competitor is not on this machine. */
export class NotInstalled extends Error {
  override readonly name = 'NotInstalled';
  /** The command that installs it. */
  readonly remedy: string;

  constructor(what: string, remedy: string) {
    super(`${what} is not installed: ${remedy}`);
    this.remedy = remedy;
  }
}
