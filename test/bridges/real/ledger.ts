/** What a sender did with its messages, which it numbers from 0. */
export class SenderBook {
  readonly name: string;
  readonly qos: 1 | 2;
  readonly acknowledged = new Set<number>();
  /** What it was told will not be passed on. */
  readonly refused = new Set<number>();
  #emitted = 0;

  constructor(name: string, qos: 1 | 2) {
    this.name = name;
    this.qos = qos;
  }

  get emitted(): number {
    return this.#emitted;
  }

  /** The payload of its next message. */
  next(): { readonly number: number; readonly text: string } {
    const number = this.#emitted++;
    return { number, text: `${this.name} ${number}` };
  }

  /** Of a sender that keeps its own count: all up to that number, which are all acknowledged. */
  counted(total: number): void {
    this.#emitted = total;
    for (let number = 0; number < total; number++) this.acknowledged.add(number);
  }
}

/** How it went for one sender. */
export interface Account {
  readonly emitted: number;
  readonly acknowledged: number;
  /** Different messages that arrived. */
  readonly arrived: number;
  /** Those that arrived more than once, each time but the first. */
  readonly repeated: number;
  readonly refused: number;
}

export interface Verdict {
  readonly accounts: ReadonlyMap<string, Account>;
  /** One line each; none when everything held. */
  readonly faults: readonly string[];
}

export interface Promises {
  /** Whether QoS 1, too, arrives no more than once: QoS 2 always does. */
  readonly once?: boolean;
  /** QoS 2, too, may come more than once: of a broker that forgets what it has passed on. */
  readonly repeats?: boolean;
}

/** How many of the messages that a fault is about it names. */
const NAMED = 5;
const SHOWN_CHARACTERS = 80;

/** What was sent and what arrived at one end, and whether that is what was promised. */
export class Ledger {
  readonly #senders: Map<string, SenderBook>;
  /** The numbers that arrived, by sender, in the order in which they did. */
  readonly #arrivals = new Map<string, number[]>();
  readonly #strange: string[] = [];
  #arrived = 0;

  /** `elsewhere`: one for another end that the messages of the same senders arrive at. */
  constructor(elsewhere?: Ledger) {
    this.#senders = elsewhere ? elsewhere.#senders : new Map();
  }

  sender(name: string, qos: 1 | 2): SenderBook {
    if (this.#senders.has(name)) throw new Error(`there is a sender ${name} already`);
    const book = new SenderBook(name, qos);
    this.#senders.set(name, book);
    return book;
  }

  /** How many arrived so far, repeated ones as often as they did. */
  get arrivals(): number {
    return this.#arrived;
  }

  get acknowledged(): number {
    return [...this.#senders.values()].reduce((sum, { acknowledged }) => sum + acknowledged.size, 0);
  }

  /** A message came out at the other end. */
  arrived(text: string): void {
    this.#arrived++;
    const [, name, digits] = /^(\S+) (\d+) *$/.exec(text) ?? [];
    if (name === undefined || !this.#senders.has(name)) {
      this.#strange.push(text.slice(0, SHOWN_CHARACTERS));
      return;
    }
    const numbers = this.#arrivals.get(name) ?? [];
    numbers.push(Number(digits));
    this.#arrivals.set(name, numbers);
  }

  /** The number of the last message of that sender that arrived, -1 before any has. */
  latest(name: string): number {
    return this.#arrivals.get(name)?.at(-1) ?? -1;
  }

  /** How many that were acknowledged have not arrived. */
  get missing(): number {
    let missing = 0;
    for (const [name, { acknowledged }] of this.#senders) {
      const there = new Set(this.#arrivals.get(name));
      for (const number of acknowledged) if (!there.has(number)) missing++;
    }
    return missing;
  }

  verdict({ once = false, repeats = false }: Promises = {}): Verdict {
    const accounts = new Map<string, Account>();
    const faults = this.#strange.length > 0 ? [`nobody sent ${named(this.#strange)}`] : [];
    for (const [name, book] of this.#senders) {
      const numbers = this.#arrivals.get(name) ?? [];
      const there = new Set(numbers);
      accounts.set(name, {
        emitted: book.emitted,
        acknowledged: book.acknowledged.size,
        arrived: there.size,
        repeated: numbers.length - there.size,
        refused: book.refused.size,
      });
      for (const fault of faultsOf(book, numbers, there, !repeats && (once || book.qos === 2)))
        faults.push(`${name}, QoS ${book.qos}: ${fault}`);
    }
    return { accounts, faults };
  }
}

function faultsOf(book: SenderBook, numbers: number[], there: Set<number>, once: boolean): string[] {
  const lost = [...book.acknowledged].filter((number) => !there.has(number));
  const invented = [...there].filter((number) => number >= book.emitted);
  const refused = [...book.refused].filter((number) => there.has(number));
  const seen = new Set<number>();
  const [repeated, overtaken]: [number[], string[]] = [[], []];
  let highest = -1;
  for (const number of numbers) {
    if (seen.has(number)) repeated.push(number);
    else if (number < highest) overtaken.push(`${number} after ${highest}`);
    seen.add(number);
    highest = Math.max(highest, number);
  }
  const about = (what: string, which: (number | string)[]) =>
    which.length > 0 ? [`${what} ${named(which)}`] : [];
  return [
    ...about('acknowledged, and did not arrive:', lost),
    ...about('arrived, and was never sent:', invented),
    ...about('refused, and arrived all the same:', refused),
    ...(once ? about('arrived more than once:', repeated) : []),
    ...about('arrived late:', overtaken),
  ];
}

function named(which: readonly (number | string)[]): string {
  const more = which.length > NAMED ? ` and ${which.length - NAMED} more` : '';
  return which.slice(0, NAMED).join(', ') + more;
}

/** The accounts as lines of a table, for the report of a run. */
export function report({ accounts }: Verdict): string {
  return [...accounts]
    .map(
      ([name, { emitted, acknowledged, arrived, repeated, refused }]) =>
        `${name}: ${emitted} emitted, ${acknowledged} acknowledged, ${refused} refused, ${arrived} arrived, ${repeated} repeated`,
    )
    .join('\n');
}
