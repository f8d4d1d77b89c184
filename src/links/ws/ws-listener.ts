import type { Duplex } from 'node:stream';
import type { Logger } from 'pino';
import { createWebSocketStream, type WebSocket } from 'ws';
import type { Counters } from '../../counters.js';
import { codeOf } from '../../errors.js';
import type { ByteLink, ByteLinkEvents } from '../byte-link.js';
import type { Link, LinkEvents } from '../link.js';
import {
  DEFAULT_STALL_MS,
  StreamConnection,
  type StreamConnectionOptions,
} from '../stream/stream-connection.js';
import {
  type AcceptedStream,
  type Closable,
  DEFAULT_HANDSHAKE_MS,
  listenForStreams,
  type StreamListener,
  type StreamListenOptions,
} from '../stream/stream-listener.js';
import { watchFrames } from './frame-watch.js';
import { WsHandshake } from './ws-handshake.js';
import { WsLink } from './ws-link.js';

export interface WsListenOptions
  extends StreamListenOptions,
    Pick<StreamConnectionOptions, 'maxBacklog' | 'stallMs'> {
  /** The largest packet in bytes. */
  readonly maxPacket: number;
  /** Web sites whose pages may connect, as a browser names them; `*` for all. Peers that name none may. */
  readonly origins: readonly string[];
}

export interface WsOwners {
  /** Takes on a peer that speaks Slipway. */
  readonly onLink: (link: Link) => LinkEvents;
  /** Takes on an MQTT client. */
  readonly onMqtt: (link: ByteLink) => ByteLinkEvents;
}

/** With more than this unsent, a ping is not answered: nobody reads the answers. Bytes. */
const MAX_UNSENT_BYTES = 65_536;

/** A connection that is to become a WebSocket, or is one. */
interface Arrival {
  readonly stream: AcceptedStream;
  /** Ends it when the handshake takes too long. */
  readonly deadline: NodeJS.Timeout;
  connection: Closable | undefined;
}

/**
 * Listens for WebSockets: MQTT clients (subprotocol `mqtt`, MQTT 5, 6) and peers that speak Slipway (`slipway`, PROTOCOL.md
 * §2.4). Counts under `ws.`.
 * @throws SlipwayError `listen_failed` when it cannot listen there
 */
export function listenWs(
  options: WsListenOptions,
  { onLink, onMqtt }: WsOwners,
  logger: Logger,
  counters: Counters,
): Promise<StreamListener> {
  const { maxPacket, maxBacklog, origins } = options;
  const { stallMs = DEFAULT_STALL_MS, handshakeMs = DEFAULT_HANDSHAKE_MS } = options;
  const arrivals = new Map<Duplex, Arrival>();
  // Packets of MQTT need not be aligned to messages [MQTT-6.0.0-2]: the end of one may come with the next.
  const handshake = new WsHandshake(
    { maxMessage: 2 * maxPacket, origins },
    {
      opened: (socket, ws) => {
        const arrival = arrivals.get(socket);
        if (!arrival) return ws.terminate();
        clearTimeout(arrival.deadline);
        arrival.connection = begin(arrival.stream, ws);
      },
      refused: (socket, reason, why) => arrivals.get(socket)?.stream.turnAway(reason, why),
    },
  );

  function begin(stream: AcceptedStream, ws: WebSocket): Closable {
    ws.on('message', (_, isBinary) => {
      if (isBinary) return;
      counters.add('ws.drop.text');
      connection.destroy('it sent text, where only binary messages may come'); // [MQTT-6.0.0-1]
    });
    ws.on('error', (error) => {
      const code = codeOf(error);
      if (code === 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH') counters.add('ws.drop.oversize');
      else if (code.startsWith('WS_ERR')) counters.add('ws.drop.malformed');
    });
    ws.on('ping', (data) => {
      if (ws.bufferedAmount > MAX_UNSENT_BYTES) counters.add('ws.drop.pong');
      else ws.pong(data);
    });
    // In object mode each chunk is one message.
    const messages = createWebSocketStream(ws, {
      readableObjectMode: true,
      // While nobody listens one message waits, however large it is: no more is read then.
      readableHighWaterMark: 1,
      allowHalfOpen: false,
    });
    const connection = new StreamConnection(messages, stream, { maxBacklog, stallMs, counters });
    if (stallMs > 0)
      watchFrames(ws, stream.socket, stallMs, () => {
        counters.add('ws.closed.unfinished');
        connection.destroy('the other side did not finish a message that it had begun');
      });
    if (ws.protocol === 'slipway') {
      const link = new WsLink(connection, { maxPacket, counters });
      link.start(onLink(link));
    } else {
      connection.start(onMqtt(connection));
    }
    return connection;
  }

  return listenForStreams(
    'ws',
    options,
    (stream) => {
      const { socket } = stream;
      const deadline = setTimeout(() => {
        stream.turnAway('handshake', 'it did not ask for a WebSocket in time');
        socket.destroy();
      }, handshakeMs);
      const arrival: Arrival = { stream, deadline, connection: undefined };
      arrivals.set(socket, arrival);
      socket.once('close', () => {
        clearTimeout(deadline);
        arrivals.delete(socket);
      });
      handshake.begin(socket);
      return {
        close: async () => {
          if (arrival.connection) await arrival.connection.close();
          else socket.destroy();
        },
      };
    },
    logger,
    counters,
  );
}
