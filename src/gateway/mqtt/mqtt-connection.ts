import type { Cancel, Clock } from '../../clock.js';
import type { Counters } from '../../counters.js';
import type { FairTurns, Share, Worker } from '../../fair-turns.js';
import type { ByteLink, ByteLinkEvents } from '../../links/byte-link.js';
import type { SessionPacket } from '../../mqtt/session/contract.js';
import { encode } from '../../mqtt/wire/encode.js';
import { MalformedPacket } from '../../mqtt/wire/malformed.js';
import { PacketParser } from '../../mqtt/wire/packet-parser.js';
import type {
  ClientPacket,
  Connect,
  Disconnect,
  ProtocolLevel,
  ServerPacket,
} from '../../mqtt/wire/packets.js';
import { nameOfReason, REASON, type ReasonCode } from '../../mqtt/wire/reason-codes.js';
import { type Alarm, type Alarms, NOT_SET } from '../../session/alarms.js';
import type { MqttSession } from './mqtt-session.js';

/** How soon what found no room is tried again, and for how long before the connection is given up, ms. */
const TRY_AGAIN_MS = 100;
const PATIENCE_MS = 10_000;
/** What a CONNECT may take, bytes: before it nobody knows who speaks. Name, password and will fit. */
const MAX_CONNECT_BYTES = 262_144;

/** What a connection asks of the gateway. */
export interface MqttKeeper {
  /** The first packet. Until `admitted` or `refuse` nothing more is read. */
  connect(connection: MqttConnection, packet: Connect): void;
  /** The client says that it leaves. */
  disconnect(connection: MqttConnection, packet: Disconnect): void;
  /** The connection is over, `why` for the log; whether or not its client hears of it. */
  closed(connection: MqttConnection, why: string): void;
}

export interface MqttConnectionContext {
  readonly clock: Clock;
  readonly counters: Counters;
  readonly alarms: Alarms;
  readonly turns: FairTurns;
  readonly keeper: MqttKeeper;
  /** The largest packet that is taken, bytes. */
  readonly maxPacket: number;
  /** Unsent bytes, beyond which QoS 0 is dropped. */
  readonly backlog: number;
}

/** One network connection of an MQTT client: its bytes become packets, in turn with everyone else's; keep-alive and goodbyes are its own. */
export class MqttConnection implements ByteLinkEvents, Worker, Alarm {
  readonly link: ByteLink;
  level: ProtocolLevel = 4;
  /** Whether the client asked to be told in words, too, what is wrong (MQTT 5, 3.1.2.11.7). */
  problemInformation = false;
  /** The largest packet that it takes, bytes ([MQTT-3.1.2-24]). */
  maximumPacketSize = Number.POSITIVE_INFINITY;
  session: MqttSession | undefined;
  alarmAt = 0;
  alarmPlace = NOT_SET;
  readonly #context: MqttConnectionContext;
  readonly #parser: PacketParser;
  /** The session could not take a packet yet: ends its next try. */
  #tryAgain: Cancel | undefined;
  /** It is not known yet whether CONNECT is accepted. */
  #deciding = false;
  #taking = false;
  /** It has not read what it was sent, and is not listened to until it has. */
  #unread = false;
  /** It waits for its turn to act on what has come. */
  #inLine = false;
  /** Why the link is gone, while what came before that is still to be acted on. */
  #lostTo: string | undefined;
  #over = false;
  #heardAt: number;
  /** How long it may be silent, ms; 0 for ever. */
  #silenceMs = 0;

  constructor(link: ByteLink, context: MqttConnectionContext) {
    this.link = link;
    this.#context = context;
    this.#heardAt = context.clock.now();
    this.#parser = new PacketParser({ maxPacket: context.maxPacket, maxConnect: MAX_CONNECT_BYTES });
  }

  // ------------------------------------------------------------------------------------------ the link's side

  get unfinished(): boolean {
    return this.#parser.unfinished;
  }

  bytes(chunk: Buffer): number {
    if (this.#over) return chunk.length;
    this.#heardAt = this.#context.clock.now();
    this.#parser.push(chunk);
    const share = this.#context.turns.begin();
    if (share === undefined || this.#takeAll(share)) this.#waitForTurn();
    return chunk.length;
  }

  work(share: Share): boolean {
    if (this.#takeAll(share)) return true;
    this.#inLine = false;
    if (this.#lostTo !== undefined) this.#end(this.#lostTo);
    else if (!this.#waiting) this.link.resume();
    return false;
  }

  drained(): void {
    this.session?.drained();
    this.caughtUp();
  }

  /** Less waits to be sent to it than did. */
  caughtUp(): void {
    if (!this.#unread || this.#hasMuchUnread) return;
    this.#unread = false;
    this.#goOn();
  }

  stalled(reason: 'too_slow' | 'timeout'): void {
    if (reason === 'timeout')
      this.fails(REASON.malformedPacket, 'it did not finish a packet that it had begun');
    else this.fails(REASON.quotaExceeded, 'it does not read what it is sent (limits.tcp_stall)');
  }

  /** What came before still counts, a DISCONNECT above all; but not what there is no room for now. */
  closed(reason: string): void {
    if (this.#inLine) this.#lostTo = reason;
    else this.#end(reason);
  }

  // ----------------------------------------------------------------------------------------- the gateway's side

  /** CONNECT was accepted: `keepAlive` in s, 0 for none ([MQTT-3.1.2-22]). */
  admitted(session: MqttSession, keepAlive: number): void {
    this.session = session;
    this.#deciding = false;
    this.#silenceMs = keepAlive * 1500;
    this.#heardAt = this.#context.clock.now();
    if (keepAlive > 0) this.#context.alarms.set(this, this.#heardAt + this.#silenceMs);
    this.#goOn();
  }

  /** Sends what waits for nothing. What the client has no room for is left out. */
  send(packet: ServerPacket): void {
    const bytes = encode(packet, this.level, this.maximumPacketSize);
    if (bytes) this.link.send(bytes);
  }

  /** CONNECT is refused, and the connection closed ([MQTT-3.2.2-7]). */
  refuse(code: number, why: string): void {
    this.#context.counters.add('mqtt.refused.connect');
    this.send({ type: 'connack', sessionPresent: false, code, properties: this.#inWords(why) });
    this.#hangUp(why);
  }

  /** Closes the connection; a client of MQTT 5 is told why ([MQTT-4.13.1-1], [MQTT-3.14.4-1]). */
  fails(code: ReasonCode, problem: string): void {
    if (this.#over) return;
    const name = nameOfReason(code);
    this.#context.counters.add(`mqtt.closed.${name.replaceAll(' ', '_')}`);
    if (this.level === 5 && this.session)
      this.send({ type: 'disconnect', code, properties: this.#inWords(problem) });
    this.#hangUp(`${name}: ${problem}`);
  }

  /** Closes without a word. */
  hangUp(why: string): void {
    if (!this.#over) this.#hangUp(why);
  }

  /** The keep-alive is over, or was set when the client had been heard less lately. */
  ring(): void {
    const { alarms, clock } = this.#context;
    // Who is not listened to cannot be heard.
    if (this.#waiting) this.#heardAt = clock.now();
    const until = this.#heardAt + this.#silenceMs;
    if (until > clock.now()) alarms.set(this, until);
    // [MQTT-3.1.2-22]
    else this.fails(REASON.keepAliveTimeout, 'it was silent for one and a half times its keep-alive');
  }

  #inWords(problem: string): { readonly reasonString?: string } {
    return this.problemInformation ? { reasonString: problem } : {};
  }

  // ------------------------------------------------------------------------------------------------- packets

  /** Nothing more can be taken now, whatever has come. */
  get #waiting(): boolean {
    return this.#deciding || this.#unread || this.#tryAgain !== undefined;
  }

  /** Far beyond `limits.backlog` there are only answers: whoever asks for more and reads none must not fill the memory with them. */
  get #hasMuchUnread(): boolean {
    return this.session !== undefined && this.session.unsent > 2 * this.#context.backlog;
  }

  /** Acts on what has come, as far as `share` allows. Returns whether there is more. */
  #takeAll(share: Share): boolean {
    this.#taking = true;
    this.#unread = this.#hasMuchUnread;
    try {
      while (!this.#over && !this.#waiting) {
        const packet = this.#parser.next();
        if (packet === undefined) return false;
        this.link.packetEnded();
        this.#take(packet);
        if (share.over(workOf(packet)) && !this.#waiting) return !this.#over;
      }
    } catch (error) {
      if (!(error instanceof MalformedPacket)) throw error;
      this.#malformed(error);
    } finally {
      this.#taking = false;
    }
    if (this.#waiting) this.link.pause();
    return false;
  }

  #take(packet: ClientPacket): void {
    switch (packet.type) {
      case 'connect':
        this.level = packet.level;
        this.problemInformation = packet.properties.requestProblemInformation === true;
        this.maximumPacketSize = packet.properties.maximumPacketSize ?? Number.POSITIVE_INFINITY;
        this.#deciding = true;
        return this.#context.keeper.connect(this, packet);
      case 'disconnect':
        return this.#context.keeper.disconnect(this, packet);
      default:
        if (this.session?.receive(packet) === false) this.#tryLater(packet, this.#context.clock.now());
    }
  }

  /** There is no room for what a client of 3.1.1 publishes, and no way to tell it: it has to wait. */
  #tryLater(packet: SessionPacket, since: number): void {
    const { clock, counters } = this.#context;
    counters.add('mqtt.waited');
    this.#tryAgain = clock.schedule(TRY_AGAIN_MS, () => {
      this.#tryAgain = undefined;
      if (this.session?.receive(packet) !== false) return this.#goOn();
      if (clock.now() - since < PATIENCE_MS) this.#tryLater(packet, since);
      else this.fails(REASON.quotaExceeded, 'what it published found no room for 10 s (limits.queue)');
    });
    this.link.pause();
  }

  #goOn(): void {
    // In line with the others: what it sent meanwhile may be a great deal.
    if (!this.#over && !this.#taking) this.#waitForTurn();
  }

  #waitForTurn(): void {
    this.#inLine = true;
    this.link.pause();
    this.#context.turns.wait(this);
  }

  #malformed({ answer, message, reason }: MalformedPacket): void {
    this.#context.counters.add(`mqtt.closed.${nameOfReason(reason).replaceAll(' ', '_')}`);
    if (answer) this.link.send(encode(answer.packet, answer.level));
    this.#hangUp(message);
  }

  #hangUp(why: string): void {
    this.#end(why);
    void this.link.close();
  }

  #end(why: string): void {
    if (this.#over) return;
    this.#over = true;
    this.#context.alarms.cancel(this);
    this.#context.turns.leave(this);
    this.#tryAgain?.();
    this.#tryAgain = undefined;
    this.#context.keeper.closed(this, why);
  }
}

/** How much work a packet is, counted in emits. */
function workOf(packet: ClientPacket): number {
  if (packet.type === 'subscribe') return packet.subscriptions.length;
  return packet.type === 'unsubscribe' ? packet.filters.length : 1;
}
