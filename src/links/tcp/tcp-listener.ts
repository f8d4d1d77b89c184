import type { Logger } from 'pino';
import type { Counters } from '../../counters.js';
import type { ByteLink, ByteLinkEvents } from '../byte-link.js';
import type { LinkEvents } from '../link.js';
import { StreamConnection, type StreamConnectionOptions } from '../stream/stream-connection.js';
import {
  listenForStreams,
  type StreamListener,
  type StreamListenOptions,
} from '../stream/stream-listener.js';
import { TcpLink } from './tcp-link.js';

export type ByteListenOptions = StreamListenOptions & Pick<StreamConnectionOptions, 'maxBacklog' | 'stallMs'>;

export interface TcpListenOptions extends ByteListenOptions {
  /** The largest packet in bytes. */
  readonly maxPacket: number;
}

/**
 * Listens for TCP connections (PROTOCOL.md §2.3). `onLink` is called for each and returns who is to hear of it.
 * @throws SlipwayError `listen_failed` when it cannot listen there
 */
export function listenTcp(
  options: TcpListenOptions,
  onLink: (link: TcpLink) => LinkEvents,
  logger: Logger,
  counters: Counters,
): Promise<StreamListener> {
  const { maxPacket, maxBacklog, stallMs } = options;
  return listenForStreams(
    'tcp',
    options,
    (stream) => {
      const connection = new StreamConnection(stream.socket, stream, { maxBacklog, stallMs, counters });
      const link = new TcpLink(connection, { maxPacket, counters });
      link.start(onLink(link));
      return link;
    },
    logger,
    counters,
  );
}

/**
 * Listens for connections of MQTT clients. `onLink` is called for each and returns who is to hear of it. Counts under
 * `mqtt.`.
 * @throws SlipwayError `listen_failed` when it cannot listen there
 */
export function listenMqtt(
  options: ByteListenOptions,
  onLink: (link: ByteLink) => ByteLinkEvents,
  logger: Logger,
  counters: Counters,
): Promise<StreamListener> {
  const { maxBacklog, stallMs } = options;
  return listenForStreams(
    'mqtt',
    options,
    (stream) => {
      const connection = new StreamConnection(stream.socket, stream, { maxBacklog, stallMs, counters });
      connection.start(onLink(connection));
      return connection;
    },
    logger,
    counters,
  );
}
