import type { Logger } from 'pino';
import { FileProblems } from '../config/file-problems.js';
import type { SettingName } from '../config/load.js';
import type { Config, MqttConfig, TcpConfig, TlsConfig, WsConfig } from '../config/schema.js';
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
type Entry = { readonly setting: string } & (
  | { readonly kind: 'tcp' | 'mqtt'; readonly config: TcpConfig | MqttConfig }
  | { readonly kind: 'ws'; readonly config: WsConfig }
);

const LISTENING = {
  tcp: 'listening on TCP',
  mqtt: 'listening for MQTT on',
  ws: 'listening for WebSocket on',
} as const;

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
  addresses(kind: Entry['kind']): StreamListener['address'][] {
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
    const { credentials, warnings } = await readListed((key) => `${setting}.tls.${key}`, files);
    for (const warning of warnings) this.#context.logger.warn(warning);
    return credentials;
  }

  async #listen(entry: Entry, tls: TlsCredentials | undefined): Promise<StreamListener> {
    const { limits, logger, counters, ...owners } = this.#context;
    const { config } = entry;
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
    switch (entry.kind) {
      case 'tcp':
        return listenTcp({ ...options, ...bounds, maxPacket: packet.tcp }, owners.onLink, logger, counters);
      case 'mqtt':
        return listenMqtt({ ...options, ...bounds }, owners.onMqtt, logger, counters);
      case 'ws': {
        // Loaded only where it is needed.
        const { listenWs } = await import('../links/ws/ws-listener.js');
        const more = { maxPacket: packet.tcp, origins: entry.config.origins };
        return listenWs({ ...options, ...bounds, ...more }, owners, logger, counters);
      }
    }
  }
}

/** Reads every certificate that the config names, and uses none; the warnings are of those that have expired. */
export async function checkCertificates(
  listen: Config['listen'],
  nameOf: SettingName,
): Promise<FileProblems> {
  const found = new FileProblems();
  for (const kind of ['tcp', 'mqtt', 'ws'] as const) {
    for (const [index, { tls }] of listen[kind].entries())
      if (tls) await found.add(readListed((key) => nameOf(['listen', kind, index, 'tls', key]), tls));
  }
  return found;
}

/** Loaded only where it is needed. */
async function readListed(
  nameOf: (key: keyof TlsConfig) => string,
  files: TlsConfig,
): Promise<ReadCredentials> {
  const { readCredentials } = await import('../links/tls/credentials.js');
  return readCredentials(nameOf, files);
}

function entriesOf({ tcp, mqtt, ws }: Config['listen']): Entry[] {
  return [
    ...tcp.map((config, index) => ({ kind: 'tcp' as const, config, setting: setting('tcp', tcp, index) })),
    ...mqtt.map((config, index) => ({
      kind: 'mqtt' as const,
      config,
      setting: setting('mqtt', mqtt, index),
    })),
    ...ws.map((config, index) => ({ kind: 'ws' as const, config, setting: setting('ws', ws, index) })),
  ];
}

function setting(kind: Entry['kind'], entries: readonly unknown[], index: number): string {
  return entries.length > 1 ? `listen.${kind}[${index}]` : `listen.${kind}`;
}

function isSamePlace(a: Entry, b: Entry): boolean {
  return a.kind === b.kind && a.config.host === b.config.host && a.config.port === b.config.port;
}
