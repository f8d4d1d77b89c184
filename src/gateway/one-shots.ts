import { BlockList, isIPv6 } from 'node:net';
import type { Counters } from '../counters.js';
import type { UdpAddress } from '../links/udp/udp-link.js';
import { LevelTree } from '../router/level-tree.js';
import type { Router } from '../router/router.js';
import type { Subscriber } from '../router/subscriber.js';
import { readPacket } from '../session/read-packet.js';
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
const SENDER: Subscriber = { refusal: () => undefined, deliver: () => undefined };

interface CompiledPolicy {
  readonly channels: LevelTree<{ pattern: string }>;
  readonly from: BlockList;
}

/** Takes datagrams from peers without a session (PROTOCOL.md §5.5). */
export class OneShots {
  readonly #router: Router;
  readonly #counters: Counters;
  readonly #policy: CompiledPolicy | undefined;

  constructor(policy: OneShotPolicy | undefined, router: Router, counters: Counters) {
    this.#router = router;
    this.#counters = counters;
    this.#policy = policy && { channels: patternsOf(policy.channels), from: rangesOf(policy.from) };
  }

  /** Routes each that may be routed. Returns the packet that answers the first that was refused, or what is no one-shot. */
  take(packet: Uint8Array, from: UdpAddress): Uint8Array | undefined {
    const messages = readPacket(packet, 'peer', this.#counters);
    if (messages instanceof MalformedPacket) return undefined;
    const emits = messages.filter(isOneShot);
    const policy = this.#policy;
    if (emits.length < messages.length || !policy) return this.#refuse('no_session', messages[0] as Message);
    let answer: Uint8Array | undefined;
    for (const emit of emits) {
      const refusal = this.#takeOne(emit, from, policy);
      if (!refusal) continue;
      const refused = this.#refuse(refusal, emit);
      answer ??= refused;
    }
    return answer;
  }

  #takeOne(emit: Emit & { name: string }, { host }: UdpAddress, policy: CompiledPolicy): Reason | undefined {
    const known = policy.from.check(host, isIPv6(host) ? 'ipv6' : 'ipv4');
    if (!known || policy.channels.matchingPatterns(emit.name).length === 0) return 'not_allowed';
    this.#counters.add('udp.one_shots');
    return this.#router.emit(
      emit.name,
      new Uint8Array(emit.payload),
      { qos: 0, retain: emit.retain },
      SENDER,
    );
  }

  #refuse(reason: Reason, message: Message): Uint8Array {
    this.#counters.add(`session.refused.${reason}`);
    return encodePacket([{ type: 'refuse', reason, head: headOf(message), detail: new Uint8Array() }]);
  }
}

function isOneShot(message: Message): message is Emit & { name: string } {
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
