/** What the topics may have that one connection keeps for its client: the longest is among them. */
const MAX_CHARACTERS = 65_536;

/** The topics that a client has given aliases to, on one connection (MQTT 5, 3.3.2.3.4). */
export class IncomingAliases {
  readonly #topics: (string | undefined)[] = [];
  #characters = 0;

  /** Returns false if the topics would be too long to be kept, all together. */
  set(alias: number, topic: string): boolean {
    const characters = this.#characters + topic.length - (this.#topics[alias]?.length ?? 0);
    if (characters > MAX_CHARACTERS) return false;
    this.#characters = characters;
    this.#topics[alias] = topic;
    return true;
  }

  get(alias: number): string | undefined {
    return this.#topics[alias];
  }
}

/** Aliases that one connection gets at most, however many its client allows: each keeps a topic in memory. */
const MAX_ALIASES = 64;
/** With a topic this short, in characters, an alias would take as much room. */
const SHORT_TOPIC = 3;
/** A topic longer than this would take too much memory. */
const LONG_TOPIC = 1024;

interface Given {
  readonly alias: number;
  /** It was used since it was last looked at for another topic to have it. */
  used: boolean;
}

/** What to write: the alias, with the topic's name or in place of it; undefined: the name alone. */
export type Naming = { readonly alias: number; readonly known: boolean } | undefined;

/**
 * The aliases that the topics of outgoing messages have, on one connection. They go to whoever comes first; once all are given, a topic
 * that has not been used for a while loses its alias to one that has none.
 */
export class OutgoingAliases {
  readonly #maximum: number;
  /** The first one was given, or spared, the longest ago. */
  readonly #given = new Map<string, Given>();

  /** `maximum`: what the client allows ([MQTT-3.1.2-26]), 1 or more. */
  constructor(maximum: number) {
    this.#maximum = Math.min(maximum, MAX_ALIASES);
  }

  /** How the topic is named in the next packet, which is certain to be sent. */
  use(topic: string): Naming {
    const given = this.#given.get(topic);
    if (given !== undefined) {
      given.used = true;
      return { alias: given.alias, known: true };
    }
    const alias = topic.length > SHORT_TOPIC && topic.length <= LONG_TOPIC ? this.#free() : undefined;
    if (alias === undefined) return undefined;
    this.#given.set(topic, { alias, used: false });
    return { alias, known: false };
  }

  #free(): number | undefined {
    if (this.#given.size < this.#maximum) return this.#given.size + 1;
    const [topic, oldest] = this.#given.entries().next().value as [string, Given];
    this.#given.delete(topic);
    if (!oldest.used) return oldest.alias;
    oldest.used = false;
    this.#given.set(topic, oldest);
    return undefined;
  }
}
