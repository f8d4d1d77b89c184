import { BlockList, isIPv6 } from 'node:net';
import type { Access } from '../access/access.js';
import type { Clock } from '../clock.js';
import type { Counters } from '../counters.js';
import type { FairTurns, Share, Worker } from '../fair-turns.js';
import { isLoopback, partyOf } from '../links/party.js';
import { RateLimit } from '../links/rate-limit.js';
import type { UdpAddress } from '../links/udp/udp-link.js';
import { LevelTree } from '../router/level-tree.js';
import type { Router } from '../router/router.js';
import type { Subscriber } from '../router/subscriber.js';
import { openPacket } from '../session/open-packet.js';
import { Queue } from '../session/queue.js';
import { MalformedPacket } from '../wire/decode.js';
import { encodePacket } from '../wire/encode.js';
import { headOf } from '../wire/head.js';
import type { Emit, Message } from '../wire/messages.js';
import type { Reason } from '../wire/reasons.js';

/** Who may send one-shots, and on which channels. */
export interface OneShotPolicy {
  readonly channels: readonly string[];
  /** Addresses, or ranges as `192.168.4.0/24`. */
  readonly from: readonly string[];
}

/** A one-shot comes from a peer: it may not emit on the gateway's own channels. It subscribes to nothing. */
const SENDER: Subscriber = { hasRoom: () => true, deliver: () => undefined };

export interface OneShotContext {
  readonly router: Router;
  readonly access: Access;
  readonly turns: FairTurns;
  readonly clock: Clock;
  readonly counters: Counters;
}

interface CompiledPolicy {
  readonly channels: LevelTree<{ pattern: string }>;
  readonly from: BlockList;
}

/** One datagram's one-shots. */
interface Volley {
  readonly emits: readonly OneShot[];
  readonly from: UdpAddress;
  readonly answer: (packet: Uint8Array) => void;
  next: number;
  answered: boolean;
}

/** Datagrams that may wait for their turn. */
const MAX_WAITING = 64;

/**
 * Takes datagrams from peers without a session (PROTOCOL.md §5.5). One address may send so many a second; the others are
 * dropped and counted as `udp.drop.too_many_one_shots`, and as `udp.drop.busy` what finds too many waiting.
 */
export class OneShots implements Worker {
  readonly #context: OneShotContext;
  readonly #rate: RateLimit;
  readonly #policy: CompiledPolicy | undefined;
  readonly #waiting = new Queue<Volley>();

  /** `perSecond`: how many one address may send (see `partyOf`). */
  constructor(policy: OneShotPolicy | undefined, perSecond: number, context: OneShotContext) {
    this.#context = context;
    this.#rate = new RateLimit(perSecond);
    this.#policy = policy && { channels: patternsOf(policy.channels), from: rangesOf(policy.from) };
  }

  /** Routes each that may be routed, now or when its turn comes. `answer` is called for the first that was refused, or for what is no one-shot. */
  take(packet: Uint8Array, from: UdpAddress, answer: (packet: Uint8Array) => void): void {
    const { turns, counters } = this.#context;
    const reader = openPacket(new Uint8Array(packet), 'peer', counters);
    if (reader instanceof MalformedPacket) return;
    const messages: Message[] = [];
    while (!reader.done) messages.push(reader.next());
    const emits = messages.filter(isOneShot);
    if (emits.length < messages.length || !this.#policy)
      return answer(this.#refuse('no_session', messages[0] as Message));
    if (this.#waiting.length >= MAX_WAITING) return counters.add('udp.drop.busy');
    this.#waiting.push({ emits, from, answer, next: 0, answered: false });
    if (this.#waiting.length > 1) return;
    const share = turns.begin();
    if (share === undefined || this.work(share)) turns.wait(this);
  }

  work(share: Share): boolean {
    do {
      const volley = this.#waiting.at(0);
      if (!volley) return false;
      const emit = volley.emits[volley.next++];
      if (emit) this.#takeOne(emit, volley);
      else this.#waiting.shift();
    } while (!share.over());
    return this.#waiting.length > 0;
  }

  #takeOne(emit: OneShot, volley: Volley): void {
    const { clock, counters } = this.#context;
    if (!this.#rate.take(partyOf(volley.from.host), clock.now()))
      return counters.add('udp.drop.too_many_one_shots');
    const refusal = this.#route(emit, volley.from);
    if (!refusal) return;
    const refused = this.#refuse(refusal, emit);
    if (!volley.answered) volley.answer(refused);
    volley.answered = true;
  }

  #route(emit: OneShot, { host }: UdpAddress): Reason | undefined {
    const { router, access, counters } = this.#context;
    const { channels, from } = this.#policy as CompiledPolicy;
    const party = partyOf(host);
    const known = from.check(host, isIPv6(host) ? 'ipv6' : 'ipv4');
    if (!known || channels.matchingPatterns(emit.name).length === 0) return 'not_allowed';
    // A single datagram says nothing of who sent it.
    const { rights } = access.review({ from: isLoopback(party) ? 'loopback' : 'network' });
    if (rights?.mayEmit(emit.name) === false) return 'not_allowed';
    counters.add('udp.one_shots');
    const sender = { party, ...SENDER };
    return router.emit(emit.name, emit.payload, { qos: 0, retain: emit.retain }, sender);
  }

  #refuse(reason: Reason, message: Message): Uint8Array {
    this.#context.counters.add(`session.refused.${reason}`);
    return encodePacket([{ type: 'refuse', reason, head: headOf(message), detail: new Uint8Array() }]);
  }
}

type OneShot = Emit & { readonly name: string };

function isOneShot(message: Message): message is OneShot {
  return message.type === 'emit' && message.qos === 0 && message.name !== undefined;
}

function patternsOf(patterns: readonly string[]): LevelTree<{ pattern: string }> {
  const tree = new LevelTree<{ pattern: string }>((one) => one.pattern);
  for (const pattern of patterns) tree.put({ pattern });
  return tree;
}

function rangesOf(ranges: readonly string[]): BlockList {
  const list = new BlockList();
  for (const range of ranges) {
    const [address, bits] = range.split('/') as [string, string | undefined];
    const family = isIPv6(address) ? 'ipv6' : 'ipv4';
    if (bits === undefined) list.addAddress(address, family);
    else list.addSubnet(address, Number(bits), family);
  }
  return list;
}
