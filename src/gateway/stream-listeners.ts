import type { Logger } from 'pino';
import type { Config, TlsConfig } from '../config/schema.js';
import type { Counters } from '../counters.js';
import type { ByteLink, ByteLinkEvents } from '../links/byte-link.js';
import type { Link, LinkEvents } from '../links/link.js';
import type { StreamListener, StreamListenOptions } from '../links/stream/stream-listener.js';
import { listenMqtt, listenTcp } from '../links/tcp/tcp-listener.js';
import type { ReadCredentials, TlsCredentials } from '../links/tls/credentials.js';

export interface StreamListenersContext {
  readonly limits: Config['limits'];
  readonly logger: Logger;
  readonly counters: Counters;
  /** Takes on a peer that speaks Slipway. */
  readonly onLink: (link: Link) => LinkEvents;
  /** Takes on an MQTT client. */
  readonly onMqtt: (link: ByteLink) => ByteLinkEvents;
}

/** An entry of the config, what it listens as and where it stands there: `listen.mqtt[1]`. */
interface Entry {
  readonly kind: StreamKind;
  readonly setting: string;
  readonly config: Config['listen'][StreamKind][number];
}

type StreamKind = (typeof KINDS)[number];

const KINDS = ['tcp', 'mqtt'] as const;
const LISTENING = { tcp: 'listening on TCP', mqtt: 'listening for MQTT on' } as const;

/** The listeners of the config for connections: everything but UDP. */
export class StreamListeners {
  readonly #context: StreamListenersContext;
  readonly #open: { readonly entry: Entry; readonly listener: StreamListener }[] = [];

  constructor(context: StreamListenersContext) {
    this.#context = context;
  }

  /**
   * Opens what the config asks for.
   * @throws SlipwayError `listen_failed` when an address cannot be listened on, `tls_unusable` for a certificate or key that
   *   cannot be used
   */
  async open(listen: Config['listen']): Promise<void> {
    for (const entry of entriesOf(listen)) {
      const { kind, config } = entry;
      const tls = config.tls ? await this.#read(entry, config.tls) : undefined;
      const listener = await this.#listen(entry, tls);
      this.#open.push({ entry, listener });
      const { address } = listener;
      const encrypted = tls ? ', with TLS' : '';
      this.#context.logger.info(
        { [kind]: address },
        `${LISTENING[kind]} ${address.host} port ${address.port}${encrypted}`,
      );
    }
  }

  /** Where it listens, with the ports that the system picked. */
  addresses(kind: StreamKind): StreamListener['address'][] {
    return this.#open.filter(({ entry }) => entry.kind === kind).map(({ listener }) => listener.address);
  }

  /**
   * Reads the certificates of listeners that stand, as the config has them now. What is returned puts them to use, for new
   * connections; what stands stays.
   * @throws SlipwayError `tls_unusable` for a certificate or key that cannot be used
   */
  async readCertificates(listen: Config['listen']): Promise<() => void> {
    const entries = entriesOf(listen);
    const changes: (() => void)[] = [];
    for (const { entry, listener } of this.#open) {
      const now = entries.find((each) => isSamePlace(each, entry));
      if (!now?.config.tls || !entry.config.tls) continue;
      const credentials = await this.#read(now, now.config.tls);
      changes.push(() => listener.useTls(credentials));
    }
    return () => {
      for (const change of changes) change();
    };
  }

  async close(): Promise<void> {
    await Promise.allSettled(this.#open.map(({ listener }) => listener.close()));
  }

  async #read({ setting }: Entry, files: TlsConfig): Promise<TlsCredentials> {
    const { credentials, warnings } = await readListed(setting, files);
    for (const warning of warnings) this.#context.logger.warn(warning);
    return credentials;
  }

  #listen({ kind, config }: Entry, tls: TlsCredentials | undefined): Promise<StreamListener> {
    const { limits, logger, counters, onLink, onMqtt } = this.#context;
    const { packet, queue, backlog, per_address, tcp_stall } = limits;
    const options: StreamListenOptions = {
      host: config.host,
      port: config.port,
      tls,
      maxConnections: config.max_connections,
      maxConnectionsPerParty: per_address.links,
      acceptsPerSecond: per_address.connections,
    };
    // Room for all that the limits above the link let through: reaching it is a fault, not a slow peer.
    const bounds = { maxBacklog: backlog + 2 * (queue.bytes + packet.tcp), stallMs: tcp_stall };
    switch (kind) {
      case 'tcp':
        return listenTcp({ ...options, ...bounds, maxPacket: packet.tcp }, onLink, logger, counters);
      case 'mqtt':
        return listenMqtt({ ...options, ...bounds }, onMqtt, logger, counters);
    }
  }
}

/**
 * Reads every certificate that the config names, and uses none.
 * @returns warnings, of certificates that have expired
 * @throws SlipwayError `tls_unusable` for a certificate or key that cannot be used
 */
export async function checkCertificates(listen: Config['listen']): Promise<string[]> {
  const all: string[] = [];
  for (const { setting, config } of entriesOf(listen))
    if (config.tls) all.push(...(await readListed(setting, config.tls)).warnings);
  return all;
}

/** Loaded only where it is needed. */
async function readListed(setting: string, files: TlsConfig): Promise<ReadCredentials> {
  const { readCredentials } = await import('../links/tls/credentials.js');
  return readCredentials(`${setting}.tls`, files);
}

function entriesOf(listen: Config['listen']): Entry[] {
  return KINDS.flatMap((kind) =>
    listen[kind].map((config, index) => ({
      kind,
      config,
      setting: `listen.${kind}${listen[kind].length > 1 ? `[${index}]` : ''}`,
    })),
  );
}

function isSamePlace(a: Entry, b: Entry): boolean {
  return a.kind === b.kind && a.config.host === b.config.host && a.config.port === b.config.port;
}
