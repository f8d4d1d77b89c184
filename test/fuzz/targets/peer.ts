import { MalformedPacket } from '../../../src/wire/decode.js';
import { encodePacket } from '../../../src/wire/encode.js';
import { MAX_VARINT } from '../../../src/wire/limits.js';
import type { Message, Qos } from '../../../src/wire/messages.js';
import { reasonOfCode } from '../../../src/wire/reasons.js';
import { CrcCollisions } from '../../support/crc-collisions.js';
import { NO_FAULTS } from '../../support/faulty-wire.js';
import { EngineDevice, Simulation } from '../../support/simulation.js';
import { Choices } from '../choices.js';
import { must, type Target } from '../target.js';
import { randomSeeds, SESSION_WORDS, tryDecode } from './packet.js';

const CHANNELS = ['a', 'data/1', 'data/2', '$slipway/broadcast', 'é', '+', 'x\0y', 'l'.repeat(255)];
const NUMBERS = [0, 1, 2, 3, 48, 200, 16_383, 65_535, MAX_VARINT];
const NONCE = 77;
/** Longer than the longest pause between HELLOs, and a keep-alive with its questions. */
const PATIENCE_MS = 60_000;

/** What a gateway might say that is broken, late or worse. */
function anyMessage(choices: Choices, { session }: EngineDevice, token: number): Message {
  const near = (number: number): number => {
    const how = choices.u8();
    if (how < 128) return number & 0xffff;
    return how < 240 ? (number + (how % 32) - 16) & 0xffff : choices.u16();
  };
  const seq = () => near(session.engine.nextIn);
  const reason = () => reasonOfCode(choices.below(24));
  const payload = () => new Uint8Array(choices.pick([0, 1, 10, 300])).fill(choices.u8());
  switch (choices.below(14)) {
    case 0:
    case 1: {
      const flags = choices.u8();
      return {
        type: 'welcome',
        version: (flags & 0xf0) === 0xf0 ? choices.u8() : 1,
        resumed: (flags & 1) !== 0,
        continues: (flags & 2) !== 0,
        known: (flags & 4) !== 0,
        nonce: (flags & 8) !== 0 && choices.below(4) === 0 ? 1 : NONCE,
        token: choices.pick([token, 1, 2, 3]) || 1,
        nextIn: near(session.engine.nextOut),
        nextOut: near(session.engine.nextIn),
        received: near(session.engine.nextOut - choices.below(4)),
        // As long as it says a peer believes in a session, and asks nothing.
        keepAlive: choices.pick([1, 2, 10]),
        maxPacket: choices.pick([1024, 48, 64, MAX_VARINT]),
        window: choices.pick([32, 0, 1, 2, 16_383]),
        ids: choices.pick(NUMBERS),
        time: 0,
      };
    }
    case 2:
      return {
        type: 'refuse',
        reason: reason(),
        head: choices.pick([0xb0, 0xb2, choices.u8()]),
        detail: choices.bytes(choices.below(6)),
      };
    case 3:
      return { type: 'bye', reason: reason() };
    case 4:
      return { type: choices.flag() ? 'ping' : 'pong', token: choices.u8() };
    case 5:
      return { type: 'time', token: choices.u8(), time: choices.u32() };
    case 6:
    case 7:
    case 8:
      return {
        type: 'ack',
        next: near(session.engine.nextOut - choices.below(4)),
        bitmap: choices.bytes(choices.below(6)),
      };
    case 9:
      return { type: 'declare', seq: seq(), id: choices.pick(NUMBERS) || 5, name: choices.pick(CHANNELS) };
    case 10:
      return {
        type: 'reject',
        seq: seq(),
        of: near(session.engine.nextOut - choices.below(4)),
        reason: reason(),
      };
    case 11:
      return { type: 'extended', kind: choices.u8(), body: choices.bytes(choices.below(4)) };
    default: {
      const qos = choices.below(3) as Qos;
      const address = choices.flag()
        ? { name: choices.pick(CHANNELS) }
        : { id: choices.pick(NUMBERS), gatewayId: choices.flag() };
      return {
        type: 'emit',
        qos,
        retain: choices.flag(),
        ...(qos > 0 ? { seq: seq() } : {}),
        ...address,
        payload: payload(),
      };
    }
  }
}

/** Puts the simulation's gateway at the other end of the device's link. Returns what takes the device's packets. */
function honestGateway({ clock, hub }: Simulation, device: EngineDevice): (packet: Uint8Array) => void {
  const soon = (packet: Uint8Array, arrive: (packet: Uint8Array) => void) => {
    const copy = new Uint8Array(packet);
    clock.schedule(1, () => arrive(copy));
  };
  const events = hub.attach({
    kind: 'udp',
    name: 'udp:honest',
    reliable: false,
    ordered: false,
    maxPacket: 1472,
    wireSize: (packet) => packet.length,
    send: (packet) => soon(packet, (bytes) => device.receive(bytes)),
    backlog: () => 0,
    close: async () => undefined,
  });
  return (packet) => soon(packet, (bytes) => events.packet(bytes));
}

/** The TypeScript client's session at a gateway that keeps to nothing; and after that at one that does. */
export const peer: Target = {
  name: 'peer',
  maxBytes: 600,
  dictionary: SESSION_WORDS,
  seeds: () => randomSeeds(120),
  run(input) {
    const choices = new Choices(input);
    const stays = choices.flag();
    const simulation = new Simulation(1);
    const { clock, counters, hub } = simulation;
    const device = new EngineDevice(simulation, 'peer', { nonce: NONCE, clean: choices.flag() });
    device.subscribe('data/+', 2);
    let token = 0;
    let emits = 0;
    let honest: ((packet: Uint8Array) => void) | undefined;
    const take = (packet: Uint8Array) => {
      honest?.(packet);
      must(packet.length <= 512, 'a packet is no larger than the link takes');
      const messages = tryDecode(packet, 'peer');
      must(!(messages instanceof MalformedPacket), 'a peer sends nothing malformed');
      for (const message of messages) if (message.type === 'hello') token = message.token;
    };
    const up = () => device.linkUp('udp', take, new CrcCollisions());
    up();
    while (choices.left > 0) {
      switch (choices.below(8)) {
        case 0:
          clock.advance(choices.pick([1, 25, 250, 1000, 9000, 40_000]));
          break;
        case 1:
          device.emit(choices.pick(['data/1', 'data/2', 'a']), `${++emits}`, choices.flag() ? 1 : 2);
          break;
        case 2:
          if (choices.below(3) > 0) device.receive(choices.bytes(1 + choices.below(50)));
          else if (choices.flag()) device.linkDown();
          else up();
          break;
        default: {
          const messages = Array.from({ length: 1 + (choices.below(3) >> 1) }, () =>
            anyMessage(choices, device, token),
          );
          const packet = new Uint8Array(encodePacket(messages));
          if (choices.u8() > 240) packet[choices.u8() % packet.length] = choices.u8();
          device.receive(packet);
          packet.fill(0xee);
        }
      }
      clock.advance(choices.below(4));
      must(device.session.engine.pending <= 1000 + 100, 'the queue is bounded');
    }
    if (stays && device.session.state !== 'idle') {
      // The link is the one it has: what is at its other end is another, and honest.
      honest = honestGateway(simulation, device);
    } else {
      device.linkDown();
      simulation.connect('udp', device, NO_FAULTS);
    }
    clock.until(
      () => device.session.state === 'ready' && hub.sessions.has('peer'),
      PATIENCE_MS,
      'broken promise: a session stands',
    );
    clock.until(
      () => device.session.engine.pending === 0,
      PATIENCE_MS,
      'broken promise: all is acknowledged',
    );
    const session = hub.sessions.get('peer');
    must(
      session !== undefined && simulation.router.subscriptionsOf(session).has('data/+'),
      'the subscription is made',
    );
    must(
      device.outcomes.length === emits,
      `every emit has one outcome: ${device.outcomes.length} of ${emits}`,
    );
    device.received.length = 0;
    device.emit('data/1', 'last', 2);
    clock.until(
      () => device.outcomes.length > emits && device.received.length > 0,
      PATIENCE_MS,
      'broken promise: an emit comes back',
    );
    clock.advance(1000);
    must(device.outcomes.at(-1) === 'last ok', 'it is taken');
    must(device.received.map(({ text }) => text).join() === 'last', 'it is heard once');
    return Object.entries(counters.snapshot()).map(
      ([name, count]) => `${name}:${Math.floor(Math.log2(count + 1))}`,
    );
  },
};
