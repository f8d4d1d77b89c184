import {
  DiscardPolicy,
  JetStreamApiError,
  type JetStreamManager,
  RetentionPolicy,
  StorageType,
  type StreamConfig,
} from '@nats-io/jetstream';
import { nanos } from '@nats-io/transport-node';
import type { Clock } from '../../clock.js';
import type { NatsConfig } from '../../config/schema.js';
import { UpstreamError } from '../upstream.js';
import { collide, covers, disjoint } from './subject-sets.js';

/** As the server says that a stream of that name is there already, with other settings; and that others have its subjects. */
const NAME_IN_USE = 10_058;
const SUBJECTS_OVERLAP = 10_065;
/** Gateways that start together change one stream: each looks again whether the others undid what it did. */
const ATTEMPTS = 20;
const LOOK_AGAIN_MS = { least: 50, most: 250 };
/** How long a key-value bucket knows a message that is sent again, as the clients of NATS make them, ms. */
const BUCKET_WINDOW_MS = 120_000;

/** A stream, and the subjects that it captures. */
export interface Stream {
  readonly name: string;
  readonly subjects: readonly string[];
}

/** Finds the streams that messages of QoS 1 and 2 need, and makes what is missing. */
export class Streams {
  readonly #manager: JetStreamManager;
  readonly #config: NatsConfig;
  readonly #clock: Clock;
  readonly #random: () => number;

  constructor(
    manager: JetStreamManager,
    config: NatsConfig,
    clock: Clock,
    random: () => number = Math.random,
  ) {
    this.#manager = manager;
    this.#config = config;
    this.#clock = clock;
    this.#random = random;
  }

  /**
   * The streams that together capture all of these subjects: those that are there, and else the one that the config names, made or extended.
   * @throws UpstreamError `unsuitable` when a stream captures a part of a subject; what the library throws when the server refuses
   */
  async capture(all: readonly string[]): Promise<Stream[]> {
    const subjects = disjoint(all);
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      // Nearly always it has them all: then nobody needs to go through all streams of the account, at each start of each gateway.
      const own = await this.#own();
      if (own && subjects.every((subject) => captures(own, subject))) return [own];
      const found = new Map<string, Stream>();
      const missing: string[] = [];
      for (const subject of subjects) {
        const streams = await this.#colliding(subject);
        const whole = streams.find((stream) => captures(stream, subject));
        if (whole) found.set(whole.name, whole);
        else missing.push(subject);
        const part = streams.find(({ name }) => name !== this.#config.stream);
        if (!whole && part) throw partOf(subject, part);
      }
      if (missing.length === 0) return [...found.values()];
      await this.#extend(missing);
      // Whoever read the stream before that, and writes it now, undoes it.
      await this.#pause();
    }
    throw new UpstreamError(
      'unreachable',
      `the stream ${this.#config.stream} could not be given ${subjects.join(', ')}: others change it again and again, or have a part of that`,
    );
  }

  /**
   * Makes the key-value bucket, if it is not there.
   * @throws what the library throws when the server refuses
   */
  async bucket(name: string): Promise<void> {
    const stream = `KV_${name}`;
    try {
      await this.#manager.streams.info(stream);
    } catch (error) {
      if (!isNotFound(error)) throw error;
      await this.#add({
        name: stream,
        subjects: [`$KV.${name}.>`],
        retention: RetentionPolicy.Limits,
        storage: StorageType.File,
        max_msgs_per_subject: 1,
        discard: DiscardPolicy.New,
        num_replicas: this.#config.replicas,
        duplicate_window: nanos(BUCKET_WINDOW_MS),
        allow_rollup_hdrs: true,
        deny_delete: true,
        allow_direct: true,
      });
    }
  }

  async #own(): Promise<Stream | undefined> {
    try {
      const { config } = await this.#manager.streams.info(this.#config.stream);
      return { name: config.name, subjects: config.subjects };
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  }

  async #colliding(subject: string): Promise<Stream[]> {
    const streams: Stream[] = [];
    for await (const { config } of this.#manager.streams.list(subject))
      if (config.subjects?.some((each) => collide(each, subject)))
        streams.push({ name: config.name, subjects: config.subjects });
    return streams;
  }

  async #extend(missing: readonly string[]): Promise<void> {
    const { stream, max_age, max_bytes, replicas, duplicate_window: window } = this.#config;
    try {
      const { config } = await this.#manager.streams.info(stream);
      await this.#manager.streams.update(stream, { subjects: disjoint([...config.subjects, ...missing]) });
    } catch (error) {
      if (isOverlap(error)) return;
      if (!isNotFound(error)) throw error;
      await this.#add({
        name: stream,
        subjects: [...missing],
        retention: RetentionPolicy.Limits,
        storage: StorageType.File,
        discard: DiscardPolicy.Old,
        max_age: nanos(max_age),
        max_bytes,
        num_replicas: replicas,
        ...(window > 0 && { duplicate_window: nanos(window) }),
      });
    }
  }

  /** Another gateway may make it at the same moment: then it is looked at again. */
  async #add(config: Partial<StreamConfig> & { name: string }): Promise<void> {
    try {
      await this.#manager.streams.add(config);
    } catch (error) {
      if (!(error instanceof JetStreamApiError && error.code === NAME_IN_USE) && !isOverlap(error))
        throw error;
    }
  }

  #pause(): Promise<void> {
    const { least, most } = LOOK_AGAIN_MS;
    return new Promise((resolve) => {
      this.#clock.schedule(least + this.#random() * (most - least), resolve);
    });
  }
}

function captures({ subjects }: Stream, subject: string): boolean {
  return subjects.some((each) => covers(each, subject));
}

function isOverlap(error: unknown): boolean {
  return error instanceof JetStreamApiError && error.code === SUBJECTS_OVERLAP;
}

/** The stream or consumer is not there. */
export function isNotFound(error: unknown): boolean {
  return error instanceof JetStreamApiError && error.status === 404;
}

function partOf(subject: string, { name, subjects }: Stream): UpstreamError {
  return new UpstreamError(
    'unsuitable',
    `the stream ${name} captures ${subjects.join(', ')}, which is a part of ${subject} and not all of it: let it capture all, or give the rule a narrower remote`,
  );
}
