import type { Cancel } from '../../src/clock.js';
import { BROADCAST_CHANNEL } from '../../src/wire/channels.js';
import type { Qos } from '../../src/wire/messages.js';
import { reasonOfCode } from '../../src/wire/reasons.js';
import { CClient, type ClientEvent, type ReceivedMessage } from '../firmware/c-client.js';
import type { Cable } from './cable.js';
import type { Firmware, FirmwareContext, ProgramEmit } from './firmware.js';
import { keyOf } from './keys.js';

/** What an Uno's UART holds for a sketch that is busy. */
const RING_BYTES = 63;
/** A sketch with nothing to do naps for so long, unless something arrives; the acknowledgement of that has to wait no longer. */
const IDLE_MS = 250;
/** An emit that the window has no room for is tried again in the next loop; so many wait, then the sketch lets them go. */
const MAX_WAITING = 50;
const NO_WILL = { text: '', channel: '', qos: 0, retain: false } as const;
const FRAMINGS = { serial: 'serial', udp: 'datagram', tcp: 'stream' } as const;

/** A board whose firmware is the C client itself, in a sketch whose loop takes its time. */
export class CFirmware implements Firmware {
  readonly #context: FirmwareContext;
  readonly #client: CClient;
  readonly #ids = new Map<string, number>();
  readonly #waiting: ProgramEmit[] = [];
  /** Emits that the gateway has not acknowledged. */
  #unsettled: string[] = [];
  readonly #unsettledWishes = new Map<string, 'wish' | 'unwish'>();
  /** The gateway may not have the will yet. */
  #unsettledWill = false;
  #arrived: Uint8Array[] = [];
  #cable: Cable | undefined;
  /** What its clock said at boot. */
  readonly #epoch: number;
  #pendingSeen = 0;
  #loopAt = 0;
  #stopTimer: Cancel | undefined;

  constructor(context: FirmwareContext) {
    this.#context = context;
    const { spec, machine, random32, countsEdges } = context;
    this.#epoch = random32();
    const key = keyOf(spec.name);
    this.#client = new CClient({
      framing: FRAMINGS[spec.kind],
      identity: spec.name,
      ...(key && { key }),
      nonce: random32(),
      reliable: spec.window > 0,
      slots: spec.inFlight,
      buffer: spec.maxPacket,
      channels: 32,
      defines: {
        SLIPWAY_EXPIRY_S: spec.expiry,
        ...(spec.kind === 'serial' && { SLIPWAY_RECEIVE_RING: RING_BYTES }),
      },
      onHostCall: () => machine.hostCall(),
      ...(countsEdges && { onPowerOut: () => machine.powerOut() }),
      send: (bytes) => context.send(bytes),
      onMessage: (message) => this.#take(message),
      onEvent: (event) => this.#tell(event),
    });
    // On UDP an id must mean the same at every boot (PROTOCOL.md §6.3): the table is a constant of the program.
    for (const channel of spec.table) this.#ids.set(channel, this.#client.declare(channel));
    for (const pattern of context.wishes.keys()) this.wish(pattern);
    if (context.will()) this.leaveWill();
    // Until it is plugged in a datagram or a byte goes nowhere; a connection has to be made.
    if (spec.kind === 'tcp') this.#client.link(false);
    this.#sleep(0);
  }

  linkUp(cable: Cable): void {
    this.#cable = cable;
    cable.fromGateway.restart();
    if (cable.kind === 'tcp') this.#client.link(true);
  }

  linkDown(): void {
    this.#arrived = [];
    if (this.#cable?.kind === 'tcp') this.#client.link(false);
    this.#cable = undefined;
  }

  receive(bytes: Uint8Array): void {
    if (this.#context.spec.kind !== 'serial') {
      this.#arrived.push(bytes.slice());
      return this.#wake();
    }
    const held = this.#arrived.reduce((sum, { length }) => sum + length, 0);
    this.#arrived.push(bytes.slice(0, Math.max(0, RING_BYTES - held)));
    this.#wake();
  }

  emit(emit: ProgramEmit): void {
    if (this.#waiting.length < MAX_WAITING) this.#waiting.push(emit);
    this.#wake();
  }

  wish(pattern: string): void {
    const wish = this.#context.wishes.get(pattern);
    if (!wish) return;
    this.#client.resubscribe(this.#ids.get(pattern) as number, wish.qos, wish);
    this.#unsettledWishes.set(pattern, 'wish');
    this.#wake();
  }

  unwish(pattern: string): void {
    this.#client.unsubscribe(this.#ids.get(pattern) as number);
    this.#unsettledWishes.set(pattern, 'unwish');
    this.#wake();
  }

  leaveWill(): void {
    const { text, channel, qos, retain } = this.#context.will() ?? NO_WILL;
    this.#client.will(this.#ids.get(channel) ?? 0, text, { qos, retain });
    this.#unsettledWill = true;
    this.#wake();
  }

  sleep(seconds: number): void {
    if (seconds > 0) this.#client.sleep(seconds);
    else this.#client.wake();
    this.#wake();
  }

  leave(forGood: boolean): void {
    this.#client.leave(forGood);
  }

  comeBack(): void {
    if (this.#context.spec.kind !== 'tcp' || this.#cable) this.#client.link(true);
    this.#wake();
  }

  powerFor(edges: number): void {
    this.#client.powerFor(edges);
  }

  unfinished(): Uint8Array {
    return this.#client.takeUnfinished();
  }

  get connected(): boolean {
    return this.#client.connected;
  }

  get pending(): number {
    return this.#client.pending + this.#waiting.length;
  }

  #loop(): void {
    const { machine, spec } = this.#context;
    for (const bytes of this.#arrived.splice(0)) this.#feed(bytes);
    this.#client.poll(this.#epoch + Math.floor(machine.clock.now()));
    this.#settleWill();
    this.#emitWaiting();
    this.#settle();
    const busy = this.pending > 0 || !this.connected;
    this.#sleep(busy ? spec.loopMs : Math.max(spec.loopMs, IDLE_MS));
  }

  #sleep(ms: number): void {
    this.#loopAt = this.#context.machine.clock.now() + ms;
    this.#stopTimer?.();
    this.#stopTimer = this.#context.machine.clock.schedule(ms, () => this.#loop());
  }

  /** Something is to be done: the sketch comes to it when it has done what else it does in a loop. */
  #wake(): void {
    const { machine, spec } = this.#context;
    if (this.#loopAt > machine.clock.now() + spec.loopMs) this.#sleep(spec.loopMs);
  }

  #feed(bytes: Uint8Array): void {
    const { machine, spec } = this.#context;
    machine.hostCall();
    const screened = spec.kind === 'serial' ? this.#cable?.fromGateway.screen(bytes) : bytes;
    if (screened && !this.#client.receive(screened)) this.#context.disconnect();
    this.#pendingSeen = -1;
    this.#settle();
  }

  #emitWaiting(): void {
    for (let emit = this.#waiting[0]; emit; emit = this.#waiting[0]) {
      const { channel, qos, retain } = emit;
      if (qos > 0 && this.#client.pending >= this.#context.spec.inFlight) return;
      const id = channel === BROADCAST_CHANNEL ? 0 : (this.#ids.get(channel) as number);
      const text = this.#context.compose(emit);
      // Before the call: a loss of power in the middle of it does not take back what has left.
      if (qos > 0) this.#unsettled.push(text);
      const result = this.#client.emit(id, text, { qos, retain });
      if (result === 'ok') {
        this.#waiting.shift();
        continue;
      }
      this.#context.unsend(text);
      if (qos > 0) this.#unsettled.pop();
      if (result === 'too_large' || result === 'invalid')
        this.#context.refused(`${text} by the client itself: ${result}`);
      if (qos > 0) return;
      this.#waiting.shift();
    }
  }

  /** Looks at what has left the window since it was last looked at. */
  #settle(): void {
    const client = this.#client;
    if (client.pending === this.#pendingSeen) return;
    this.#pendingSeen = client.pending;
    if (this.#unsettled.length > 0) {
      const held = new Set(client.window.filter(({ head }) => isReliableEmit(head)).map(({ text }) => text));
      const settled = this.#unsettled.filter((text) => !held.has(text));
      this.#unsettled = this.#unsettled.filter((text) => held.has(text));
      for (const text of settled) this.#context.settled(text, undefined);
    }
    for (const [pattern, what] of this.#unsettledWishes) {
      if (!client.connected || !client.isSettled(this.#ids.get(pattern) as number)) continue;
      this.#unsettledWishes.delete(pattern);
      if (what === 'wish') this.#context.confirmed(pattern);
      else this.#context.gone(pattern);
    }
  }

  /** All that the client has to ask of the gateway has been in the window after a `poll`, and nothing is left of it. */
  #settleWill(): void {
    if (!this.#unsettledWill || !this.#client.connected || this.#client.pending > 0) return;
    this.#unsettledWill = false;
    this.#context.willConfirmed(this.#context.will());
  }

  #tell({ event, reason, id }: ClientEvent): void {
    if (event === 'connected') {
      for (const pattern of this.#context.wishes.keys()) this.#unsettledWishes.set(pattern, 'wish');
      this.#unsettledWill = true;
    }
    if (event !== 'refused') return;
    // A refused message has become another, its payload still there.
    const refused = this.#client.window.find(
      ({ head, text }) => !isReliableEmit(head) && this.#unsettled.includes(text),
    );
    if (!refused) {
      const { spec } = this.#context;
      const why = reasonOfCode(reason);
      // What is late may meet an epoch in which its id is not declared yet.
      const late = spec.kind === 'udp' && why === 'no_such_id';
      // Before a session stands it is the board itself, which has to wait.
      if (this.connected && !late) this.#context.refused(`entry ${id} of ${spec.name}: ${why}`);
      return;
    }
    this.#unsettled = this.#unsettled.filter((text) => text !== refused.text);
    this.#context.settled(refused.text, reasonOfCode(reason));
  }

  #take({ channel, broadcast, text, qos, retained }: ReceivedMessage): void {
    this.#context.delivered({
      channel: broadcast ? BROADCAST_CHANNEL : (channel ?? '(no name)'),
      text,
      qos: qos as Qos,
      retained,
    });
  }
}

/** PROTOCOL.md §3: QoS 1 or 2, and no control message. */
function isReliableEmit(head: number): boolean {
  const qos = (head >> 4) & 3;
  return qos === 1 || qos === 2;
}
