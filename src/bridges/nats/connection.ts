import type { JetStreamManager } from '@nats-io/jetstream';
import {
  type NatsConnection,
  NatsConnectionImpl,
  PermissionViolationError,
  type ServerInfo,
} from '@nats-io/transport-node';
import type { Cancel } from '../../clock.js';
import { reasonOf } from '../../errors.js';
import type { Run } from '../../router/subscriber.js';
import {
  type Interest,
  type OutgoingMessage,
  type QueuedMessage,
  type UpstreamConnection,
  UpstreamError,
  type UpstreamEvents,
} from '../upstream.js';
import { connectionProblem, isCut, jetStreamProblem } from './errors.js';
import { HeaderWriter } from './headers.js';
import { Hearing } from './hearing.js';
import { readLastValue } from './incoming.js';
import { Inlet } from './inlet.js';
import { findJetStream, type JetStream } from './jetstream.js';
import { LastValues } from './last-values.js';
import { connectionOptions } from './options.js';
import { Publisher } from './publisher.js';
import { Sender } from './sender.js';
import { Spelling } from './spelling.js';
import { isNotFound } from './streams.js';
import { SubjectSet } from './subject-sets.js';
import { toName } from './subjects.js';
import { connectTo } from './transport.js';
import type { NatsUpstreamOptions } from './upstream.js';

/** From which version on a consumer takes several filters. */
const SEVERAL_FILTERS = '2.10.0';
/** How long a goodbye may take, ms. */
const GOODBYE_MS = 1000;
/** After so long, ms, it is said that messages wait. */
const PATIENCE_MS = 1000;
/** How often it is looked, while messages wait, whether the streams are still as they must be, ms. */
const CHECK_MS = 5000;

/** See `Upstream.connect`. */
export async function connectNats(
  options: NatsUpstreamOptions,
  events: UpstreamEvents,
  signal: AbortSignal,
): Promise<UpstreamConnection> {
  const { config } = options;
  const servers = config.servers.join(', ');
  let nc: NatsConnection;
  try {
    nc = await connectTo(await connectionOptions(options), signal);
  } catch (error) {
    throw connectionProblem(error, servers, config);
  }
  const where = serverOf(nc, config.servers);
  const abort = () => void nc.close();
  signal.addEventListener('abort', abort);
  try {
    const unfit = whyUnfit(nc.info);
    if (unfit !== undefined) throw new UpstreamError('unsuitable', `${where}: ${unfit}`);
    const jetStream = await findJetStream(options, nc, where);
    if (nc.isClosed()) throw connectionProblem(await nc.closed(), where, config);
    return new Connection(options, events, nc, where, jetStream);
  } catch (error) {
    await nc.close();
    throw error;
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

/** Why no message can be sent to a server that says this of itself. */
function whyUnfit(info: ServerInfo | undefined): string | undefined {
  if (info?.headers !== true)
    return 'takes no headers of messages, which bridges need: take "no_header_support" out of its config';
  return info.max_payload > 0 ? undefined : `takes messages of ${info.max_payload} bytes (max_payload)`;
}

/** As the config has it, where that is possible. */
function serverOf(nc: NatsConnection, servers: readonly string[]): string {
  const address = nc.getServer();
  return servers.find((server) => server.endsWith(`//${address}`)) ?? `nats://${address}`;
}

class Connection implements UpstreamConnection {
  readonly server: string;
  readonly window: number;
  readonly #options: NatsUpstreamOptions;
  readonly #events: UpstreamEvents;
  readonly #nc: NatsConnection;
  readonly #sender: Sender;
  readonly #publisher: Publisher | undefined;
  readonly #inlet: Inlet;
  readonly #hearing: Hearing;
  readonly #lastValues: LastValues | undefined;
  #waitsBecause: string | undefined;
  #streamProblem: string | undefined;
  #saidThatItWaits = false;
  #patience: Cancel | undefined;
  #closed = false;

  constructor(
    options: NatsUpstreamOptions,
    events: UpstreamEvents,
    nc: NatsConnection,
    server: string,
    jetStream: JetStream | undefined,
  ) {
    this.#options = options;
    this.#events = events;
    this.#nc = nc;
    this.server = server;
    this.window = options.inFlight;
    const { clock, instance, records } = options;
    const spelling = new Spelling(jetStream?.bucket, () => nc.info?.max_payload ?? Number.POSITIVE_INFINITY);
    const headers = new HeaderWriter(instance);
    this.#sender = new Sender(nc, clock, headers, spelling, events);
    this.#publisher =
      jetStream &&
      new Publisher({
        nc,
        clock,
        headers,
        spelling,
        events,
        captured: new SubjectSet(jetStream.streams.flatMap(({ subjects }) => subjects)),
        duplicate: () => this.#count('known'),
        waits: (why) => this.#waits(why),
        broken: (error) => this.#lost(jetStreamProblem(error, server, 'hear what JetStream answers')),
      });
    this.#inlet = new Inlet(events);
    const reader = { clock, drop: (reason: string) => this.#count(`drop.${reason}`) };
    const severalFilters = nc instanceof NatsConnectionImpl && nc.features.require(SEVERAL_FILTERS);
    const common = { nc, clock, inlet: this.#inlet, severalFilters };
    const prefix = spelling.bucketPrefix;
    if (jetStream?.bucket !== undefined && prefix !== undefined)
      this.#lastValues = new LastValues({
        ...common,
        manager: jetStream.manager,
        bucket: jetStream.bucket,
        prefix,
        read: (message) => readLastValue(message, prefix, reader),
        failed: (error) => this.#warn(`last values could not be read: ${reasonOf(error)}`),
      });
    this.#hearing = new Hearing({
      ...common,
      events,
      reader,
      records,
      manager: jetStream?.manager as JetStreamManager,
      streams: jetStream?.streams ?? [],
      lastValues: this.#lastValues,
      missed: (why) => {
        this.#count('lost_upstream');
        this.#warn(why);
      },
      failed: (error) => this.#streamFailed(error),
    });
    void this.#watchStatus();
    void nc.closed().then((error) => {
      const { config } = options;
      this.#lost(
        error
          ? connectionProblem(error, server, config)
          : new UpstreamError('unreachable', `${server}: the connection was closed by the server, or broke`),
        isCut(error) && this.#publisher?.someUnanswered,
      );
    });
  }

  send(message: OutgoingMessage): boolean {
    return !this.#closed && this.#sender.send(message);
  }

  sendRun(name: string, via: readonly string[], run: Run): number {
    return this.#closed ? 0 : this.#sender.sendRun(name, via, run);
  }

  publish(message: QueuedMessage): void {
    if (this.#closed) return;
    if (this.#publisher !== undefined) return this.#publisher.publish(message);
    const why = 'its rule is of QoS 0 and there is no JetStream';
    this.#options.clock.defer(() => {
      if (!this.#closed) this.#events.refused(message.record, 'no_stream', why);
    });
  }

  setInterests(interests: readonly Interest[]): void {
    if (!this.#closed) this.#hearing.want(interests);
  }

  async close(): Promise<void> {
    this.#end();
    if (this.#nc.isClosed()) return;
    let cancel: Cancel | undefined;
    const late = new Promise<void>((resolve) => {
      cancel = this.#options.clock.schedule(GOODBYE_MS, resolve);
    });
    // What was sent, and that the consumers are not needed, is on its way before the connection ends.
    await Promise.race([this.#nc.flush().catch(() => {}), late, this.#nc.closed()]);
    cancel?.();
    await this.#nc.close();
  }

  /** Nothing is reported from now on. */
  #end(): void {
    this.#closed = true;
    this.#patience?.();
    this.#hearing.close();
    this.#lastValues?.close();
    this.#publisher?.close();
    this.#inlet.close();
  }

  #lost(problem: UpstreamError, cutOff = false): void {
    if (this.#closed) return;
    this.#end();
    void this.#nc.close();
    this.#events.lost(problem, cutOff);
  }

  /** What the server says without having been asked. */
  async #watchStatus(): Promise<void> {
    for await (const status of this.#nc.status()) {
      if (this.#closed || status.type !== 'error') continue;
      const { error } = status;
      if (error instanceof PermissionViolationError && error.operation === 'publish')
        this.#forbidden(error.subject, error.message);
    }
  }

  #forbidden(subject: string, why: string): void {
    if (subject.startsWith('$JS.')) return; // Whoever asked JetStream is told.
    const text = `the login may not publish there (${why})`;
    if (!this.#publisher?.forbidden(subject, text))
      this.#events.sendRefused(toName(subject) ?? subject, 'forbidden', text);
  }

  /** A stream could not be asked or read: it is tried again, unless it is gone. Said once, however often that fails. */
  #streamFailed(error: unknown): void {
    if (isNotFound(error))
      return this.#lost(
        new UpstreamError('unreachable', `${this.server}: a stream is gone (${reasonOf(error)})`),
      );
    const { message } = jetStreamProblem(error, this.server, 'read a stream');
    if (message === this.#streamProblem) return;
    this.#streamProblem = message;
    this.#warn(`${message}; it is tried again`);
  }

  #waits(why: string | undefined): void {
    if (why === undefined && this.#saidThatItWaits)
      this.#options.logger.info(
        { bridge: this.#options.bridge },
        `bridge ${this.#options.bridge}: ${this.server} takes messages again`,
      );
    if (why === undefined) {
      this.#patience?.();
      this.#patience = undefined;
      this.#saidThatItWaits = false;
    } else {
      this.#patience ??= this.#options.clock.schedule(PATIENCE_MS, () => this.#sayThatItWaits());
    }
    this.#waitsBecause = why;
  }

  #sayThatItWaits(): void {
    if (!this.#saidThatItWaits)
      this.#warn(`messages wait, ${this.server} does not take them now: ${this.#waitsBecause}`);
    this.#saidThatItWaits = true;
    this.#patience = this.#options.clock.schedule(CHECK_MS, () => void this.#check());
  }

  /** Somebody may have deleted the stream, or changed what it captures: then it is made anew with the next connection. */
  async #check(): Promise<void> {
    try {
      await findJetStream(this.#options, this.#nc, this.server);
    } catch (error) {
      if (error instanceof UpstreamError && error.code === 'unsuitable') this.#lost(error);
    }
    if (!this.#closed && this.#waitsBecause !== undefined) this.#sayThatItWaits();
  }

  #warn(text: string): void {
    const { logger, bridge } = this.#options;
    logger.warn({ bridge }, `bridge ${bridge}: ${text}`);
  }

  #count(what: string): void {
    this.#options.counters.add(`bridges.${this.#options.bridge}.${what}`);
  }
}
