import { connect, type Socket } from 'node:net';
import type { ProtocolLevel } from '../../../src/mqtt/wire/packets.js';
import { bytes, hex } from '../bytes.js';

/** How long an answer may take before it is missing, ms. Nothing waits so long that passes. */
const PATIENCE_MS = 5000;

/**
 * What goes to and fro on some connections, a step a line: who (A, B, …), what, and bytes as `bytes.ts` has them. `%` stands for a number
 * that is the case's own, three digits: names with it belong to it alone.
 *
 * - `A > BYTES` sends, and opens the connection if there is none
 * - `A < BYTES` these bytes come next
 * - `A connect NAME [kept] [resumed] [PROPERTIES]` sends a CONNECT that is accepted: `kept`, for a session that outlives the connection;
 *   `resumed`, one that was there; the properties are for MQTT 5
 * - `A accepted [resumed]` gets a CONNACK that says so
 * - `A quiet` what comes next is the answer to a ping: there was nothing else
 * - `A closed` the server closes the connection, and nothing comes before that
 * - `A drop` the client goes without a word
 * - `3: A …`, `4: A …`, `5: A …` only in this version of the protocol; `34:` in either
 */
export type Script = string;

export interface Case {
  readonly name: string;
  /** All of 3.1.1 and 5 unless given. */
  readonly levels?: readonly ProtocolLevel[];
  readonly script: Script;
}

/** Plays a script. @throws Error that names the step that went otherwise */
export async function play(
  script: Script,
  level: ProtocolLevel,
  port: number,
  number: number,
): Promise<void> {
  const clients = new Map<string, RawClient>();
  const own = script.replaceAll('%', String(number).padStart(3, '0'));
  try {
    for (const line of own.split('\n').map((each) => each.trim())) {
      if (line === '' || line.startsWith('//')) continue;
      const [, levels, step] = /^(?:([345]+): *)?(.*)$/.exec(line) as unknown as [
        string,
        string | undefined,
        string,
      ];
      if (levels !== undefined && !levels.includes(String(level))) continue;
      try {
        await playStep(step, level, port, clients);
      } catch (error) {
        throw new Error(`level ${level}, "${step}": ${(error as Error).message}`);
      }
    }
  } finally {
    for (const client of clients.values()) client.drop();
  }
}

async function playStep(
  step: string,
  level: ProtocolLevel,
  port: number,
  clients: Map<string, RawClient>,
): Promise<void> {
  const [, who = '', what = '', rest = ''] = /^(\S+) +(\S+) *(.*)$/.exec(step) ?? [];
  let client = clients.get(who);
  if (client === undefined) {
    client = await RawClient.open(port);
    clients.set(who, client);
  }
  switch (what) {
    case '>':
      return client.send(bytes(rest, level));
    case '<':
      return client.expect(bytes(rest, level));
    case 'connect':
      return connectAs(client, rest, level);
    case 'accepted':
      return client.expectConnack(level, rest === 'resumed' ? 1 : 0);
    case 'quiet':
      client.send(bytes('c0 ( )'));
      return client.expect(bytes('d0 ( )'));
    case 'closed':
      await client.expectEnd();
      clients.delete(who);
      return;
    case 'drop':
      client.drop();
      clients.delete(who);
      return;
    default:
      throw new Error('there is no such step');
  }
}

async function connectAs(client: RawClient, text: string, level: ProtocolLevel): Promise<void> {
  const [, name = '', kept, resumed, more = ''] = /^(\S+)( kept)?( resumed)? *(.*)$/.exec(text) ?? [];
  const flags = kept ? '00' : '02';
  const expiry = kept ? '11 ffffffff' : '';
  const head = level === 3 ? '"MQIsdp" 03' : `"MQTT" 0${level}`;
  client.send(bytes(`10 ( ${head} ${flags} 0000 [ ${expiry} ${level < 5 ? '' : more} ] "${name}" )`, level));
  await client.expectConnack(level, resumed ? 1 : 0);
}

/** A connection that knows nothing of MQTT but where a CONNACK ends. */
class RawClient {
  readonly #socket: Socket;
  #received = Buffer.alloc(0);
  #ended = false;
  #changed: () => void = () => {};

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (chunk) => {
      this.#received = Buffer.concat([this.#received, chunk]);
      this.#changed();
    });
    for (const event of ['end', 'close', 'error']) {
      socket.on(event, () => {
        this.#ended = true;
        this.#changed();
      });
    }
  }

  static open(port: number): Promise<RawClient> {
    return new Promise((resolve, reject) => {
      const socket = connect({ host: '127.0.0.1', port, noDelay: true });
      socket.once('error', reject);
      socket.once('connect', () => resolve(new RawClient(socket)));
    });
  }

  send(data: Buffer): void {
    this.#socket.write(data);
  }

  drop(): void {
    this.#socket.destroy();
  }

  async expect(expected: Buffer): Promise<void> {
    await this.#until(() => this.#received.length >= expected.length, `${hex(expected)} was expected`);
    const came = this.#take(expected.length);
    if (!came.equals(expected)) throw new Error(`${hex(came)} came, not ${hex(expected)}`);
  }

  /** One that accepts; what properties it has is the server's own affair. */
  async expectConnack(level: ProtocolLevel, sessionPresent: number): Promise<void> {
    await this.#until(() => this.#received.length >= 2, 'a CONNACK was expected');
    const size = 2 + (this.#received[1] as number);
    await this.#until(() => this.#received.length >= size, 'a whole CONNACK was expected');
    const came = this.#take(size);
    const begin = Buffer.of(0x20, size - 2, sessionPresent, 0);
    const fits = level === 5 ? came[4] === size - 5 : size === 4;
    if (!came.subarray(0, 4).equals(begin) || !fits) throw new Error(`${hex(came)} came, not ${hex(begin)}…`);
  }

  async expectEnd(): Promise<void> {
    await this.#until(() => this.#ended || this.#received.length > 0, 'the end was expected');
    if (this.#received.length > 0) throw new Error(`${hex(this.#received)} came, not the end`);
    this.drop();
  }

  #take(length: number): Buffer {
    const taken = this.#received.subarray(0, length);
    this.#received = this.#received.subarray(length);
    return taken;
  }

  async #until(holds: () => boolean, wanted: string): Promise<void> {
    const deadline = setTimeout(() => {
      late = true;
      this.#changed();
    }, PATIENCE_MS);
    let late = false;
    try {
      while (!holds()) {
        const had = `${hex(this.#received) || 'nothing'} came`;
        if (this.#ended) throw new Error(`${wanted}; ${had}, then the connection ended`);
        if (late) throw new Error(`${wanted}; ${had} in ${PATIENCE_MS} ms`);
        await new Promise<void>((resolve) => {
          this.#changed = resolve;
        });
      }
    } finally {
      clearTimeout(deadline);
    }
  }
}
