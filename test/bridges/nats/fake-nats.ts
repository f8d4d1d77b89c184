import type { Socket } from 'node:net';
import { listenRaw } from '../../support/raw-server.js';

const STREAM = 'slipway';

/** A message that the bridge published. */
export interface Published {
  readonly subject: string;
  readonly reply: string;
  readonly headers: string;
  readonly payload: Buffer;
}

/** Speaks as much of NATS and JetStream as a bridge needs to connect; what it says besides is the test's. */
export class FakeNats {
  readonly url: string;
  readonly published: Published[] = [];
  /** Of the bridge's subscriptions, their ids by subject. */
  readonly subscriptions = new Map<string, string>();
  /** How often a PING was answered. */
  pongs = 0;
  /** What it says first. */
  info: object = { server_id: 'fake', version: '2.10.0', headers: true, max_payload: 1_048_576, proto: 1 };
  /** Answers a message that is not for the API. */
  onMessage: (message: Published) => void = (message) => this.acknowledge(message);
  /** What the API says, where that is not what it should be. */
  onRequest: (subject: string) => object | string | undefined = () => undefined;
  socket: Socket | undefined;

  static async start(): Promise<FakeNats> {
    const fake: FakeNats = new FakeNats(await listenRaw((socket) => fake.#accept(socket)));
    return fake;
  }

  private constructor(port: number) {
    this.url = `nats://127.0.0.1:${port}`;
  }

  say(text: string | Uint8Array): void {
    this.socket?.write(text);
  }

  sayInfo(more: object): void {
    this.info = { ...this.info, ...more };
    this.say(`INFO ${JSON.stringify(this.info)}\r\n`);
  }

  /** A message for whoever is subscribed to that subject itself or to `<its parent>.*`. */
  send(subject: string, payload: string | Uint8Array, headers?: string): void {
    const parent = `${subject.split('.').slice(0, -1).join('.')}.*`;
    const id = this.subscriptions.get(subject) ?? this.subscriptions.get(parent);
    if (id === undefined) return;
    const body = Buffer.from(payload as string);
    const head = headers === undefined ? undefined : Buffer.from(headers);
    const sizes = head ? `${head.length} ${head.length + body.length}` : `${body.length}`;
    const line = `${head ? 'HMSG' : 'MSG'} ${subject} ${id} ${sizes}\r\n`;
    this.say(Buffer.concat([Buffer.from(line), head ?? Buffer.alloc(0), body, Buffer.from('\r\n')]));
  }

  acknowledge({ reply }: Published, answer: object | string = { stream: STREAM, seq: 1 }): void {
    this.send(reply, typeof answer === 'string' ? answer : JSON.stringify(answer));
  }

  #accept(socket: Socket): void {
    this.socket = socket;
    this.subscriptions.clear();
    let left: Buffer = Buffer.alloc(0);
    socket.on('data', (chunk: Buffer) => {
      left = Buffer.concat([left, chunk]);
      for (let used = this.#take(left); used > 0; used = this.#take(left)) left = left.subarray(used);
    });
    this.sayInfo({});
  }

  /** Takes one command; returns its bytes, or 0 if it is not complete. */
  #take(bytes: Buffer): number {
    const end = bytes.indexOf('\r\n');
    if (end < 0) return 0;
    const words = bytes.toString('latin1', 0, end).split(' ');
    const [verb, subject = ''] = words;
    if (verb === 'PING') this.say('PONG\r\n');
    if (verb === 'PONG') this.pongs++;
    if (verb === 'SUB') this.subscriptions.set(subject, words.at(-1) ?? '');
    if (verb !== 'PUB' && verb !== 'HPUB') return end + 2;
    const size = Number(words.at(-1));
    const from = end + 2;
    if (bytes.length < from + size + 2) return 0;
    const reply = words.length === (verb === 'PUB' ? 4 : 5) ? (words[2] ?? '') : '';
    const headBytes = verb === 'PUB' ? 0 : Number(words.at(-2));
    const message: Published = {
      subject,
      reply,
      headers: bytes.toString('utf8', from, from + headBytes),
      payload: Buffer.from(bytes.subarray(from + headBytes, from + size)),
    };
    if (subject.startsWith('$JS.API.')) this.#answer(message);
    else {
      this.published.push(message);
      this.onMessage(message);
    }
    return from + size + 2;
  }

  #answer({ subject, reply, payload }: Published): void {
    const answer = this.onRequest(subject) ?? this.#usual(subject, payload);
    if (answer === undefined) return;
    this.send(reply, typeof answer === 'string' ? answer : JSON.stringify(answer));
  }

  #usual(subject: string, payload: Buffer): object | undefined {
    const [, , what, how, stream] = subject.split('.');
    if (what === 'STREAM' && how === 'INFO')
      return {
        config: { name: stream, subjects: [stream === STREAM ? 'site.>' : `$KV.${STREAM}.>`, 'site'] },
        created: '2026-01-01T00:00:00Z',
        state: { messages: 0, bytes: 0, first_seq: 1, last_seq: 0, consumer_count: 0 },
      };
    if (what !== 'CONSUMER' || how !== 'CREATE') return undefined;
    const { config } = JSON.parse(payload.toString()) as { config: object };
    return { stream_name: stream, name: subject.split('.')[5], config, num_pending: 0 };
  }
}
