import { createServer, type IncomingMessage, type Server, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';

/** Both ends may speak of these. `mqttv3.1` is what clients of MQTT 3.1 call it. */
const SUBPROTOCOLS: ReadonlySet<string> = new Set(['mqtt', 'mqttv3.1', 'slipway']);
/** No browser and no library needs more for its request; beyond it comes 431. */
const MAX_HEADER_BYTES = 8192;
/** How long ws waits for the other side to close too, ms. */
const CLOSE_TIMEOUT_MS = 2000;

export interface WsHandshakeOptions {
  /** The largest message that is taken, in bytes. */
  readonly maxMessage: number;
  /** Web sites whose pages may connect, as a browser names them; `*` for all. */
  readonly origins: readonly string[];
}

/** A request that is refused: the status of HTTP, what is counted, and what the peer and the log are told. */
interface Refusal {
  readonly status: 400 | 403 | 426;
  readonly reason: string;
  readonly why: string;
}

export interface WsHandshakeEvents {
  /** A connection is a WebSocket now; `ws.protocol` is one of ours. */
  opened(socket: Duplex, ws: WebSocket): void;
  /** It is not going to be one. It is being closed. */
  refused(socket: Duplex, reason: string, why: string): void;
}

/** Makes WebSockets of connections that were accepted (RFC 6455, 4.2). */
export class WsHandshake {
  readonly #events: WsHandshakeEvents;
  readonly #origins: ReadonlySet<string>;
  readonly #http: Server;
  readonly #ws: WebSocketServer;

  constructor({ maxMessage, origins }: WsHandshakeOptions, events: WsHandshakeEvents) {
    this.#events = events;
    this.#origins = new Set(origins);
    const options = {
      noServer: true,
      clientTracking: false,
      // It takes memory, time and a context of its own for each peer, to make small messages larger.
      perMessageDeflate: false,
      // The owner answers, as far as the peer reads.
      autoPong: false,
      maxPayload: maxMessage,
      closeTimeout: CLOSE_TIMEOUT_MS,
      // [MQTT-6.0.0-4]
      handleProtocols: (_: Set<string>, request: IncomingMessage) => subprotocolOf(request) ?? false,
    };
    this.#ws = new WebSocketServer(options);
    this.#ws.on('wsClientError', ({ message }, socket) =>
      this.#refuse(socket, { status: 400, reason: 'not_websocket', why: message }),
    );
    this.#http = createServer({ maxHeaderSize: MAX_HEADER_BYTES });
    this.#http.on('request', ({ socket }: IncomingMessage) => this.#refuse(socket, NOT_WEBSOCKET));
    this.#http.on('clientError', ({ message }, socket) =>
      this.#refuse(socket, { status: 400, reason: 'not_websocket', why: message }),
    );
    this.#http.on('upgrade', (request, socket, head) => {
      const refusal = this.#refusalOf(request);
      if (refusal) this.#refuse(socket, refusal);
      else this.#ws.handleUpgrade(request, socket, head, (ws) => events.opened(socket, ws));
    });
  }

  begin(socket: Socket): void {
    this.#http.emit('connection', socket);
  }

  #refusalOf(request: IncomingMessage): Refusal | undefined {
    const { origin } = request.headers;
    // A browser lets any page connect to anything that it can reach, this machine too, and says which site it is from.
    if (origin !== undefined && !this.#origins.has('*') && !this.#origins.has(origin)) {
      const why = `pages of ${JSON.stringify(origin.slice(0, 200))} may not connect (listen.ws.origins)`;
      return { status: 403, reason: 'origin', why };
    }
    return subprotocolOf(request) === undefined ? NO_SUBPROTOCOL : undefined;
  }

  #refuse(socket: Duplex, { status, reason, why }: Refusal): void {
    this.#events.refused(socket, reason, why);
    socket.on('error', () => {}); // It is gone either way.
    if (!socket.writable) {
      socket.destroy();
      return;
    }
    const head = [
      `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
      'Connection: close',
      ...(status === 426 ? ['Upgrade: websocket'] : []),
      'Content-Type: text/plain; charset=utf-8',
      `Content-Length: ${Buffer.byteLength(why) + 1}`,
    ];
    socket.once('finish', () => socket.destroy());
    socket.end(`${head.join('\r\n')}\r\n\r\n${why}\n`);
  }
}

const NOT_WEBSOCKET: Refusal = {
  status: 426,
  reason: 'not_websocket',
  why: 'this port speaks WebSocket only, subprotocols mqtt and slipway',
};

const NO_SUBPROTOCOL: Refusal = {
  status: 400,
  reason: 'subprotocol',
  why: 'it must offer the subprotocol mqtt or slipway (Sec-WebSocket-Protocol)',
};

/** The first of those that the client offers which is one of ours. */
function subprotocolOf({ headers }: IncomingMessage): string | undefined {
  const offered = headers['sec-websocket-protocol'] ?? '';
  return offered
    .split(',')
    .map((each) => each.trim())
    .find((each) => SUBPROTOCOLS.has(each));
}
