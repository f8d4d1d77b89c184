// How long a good peer waits for an answer while another one floods the gateway.
//
//   npm run bench:build && node test/bench/stall.mjs [number of the attack]
//
// The gateway is a process of its own, on ports that the system picks, with its default limits.
import { once } from 'node:events';
import { connect } from 'node:net';
import { helloOf } from '../../build/bench/test/bench/hello.js';
import { BUILT, startGateway } from '../../build/bench/test/bench/servers/gateway.js';
import { recordSize, TcpParser, writeRecord } from '../../dist/links/tcp/tcp-framing.js';
import { decodePacket } from '../../dist/wire/decode.js';
import { encodePacket } from '../../dist/wire/encode.js';

const PING_EVERY_MS = 10;
const CHANNELS = 100_000;
/** As much as one packet takes at the default `limits.packet.tcp`, less its head. */
const LARGE_PACKET_BYTES = 262_144;

/** A session over TCP. It answers nothing; `reads: false` does not even look at what comes. */
class Peer {
  static async open(port, identity, { reads = true } = {}) {
    const peer = new Peer();
    peer.socket = connect({ host: '127.0.0.1', port });
    peer.socket.on('error', () => {});
    peer.waiting = [];
    const parser = new TcpParser(1 << 20, (packet) => {
      for (const message of decodePacket(packet.slice(), 'gateway')) {
        peer.waiting = peer.waiting.filter((wait) => !wait(message));
      }
    });
    const listen = (chunk) => parser.push(chunk);
    peer.socket.on('data', listen);
    await once(peer.socket, 'connect');
    const hello = { program: true, maxPacket: 1 << 20, window: 16_383, inFlight: 16_383 };
    peer.send([helloOf(identity, hello)]);
    const welcome = await peer.hears(({ type }) => type === 'welcome');
    peer.seq = welcome.nextIn;
    peer.send([{ type: 'begin', token: welcome.token }]);
    await peer.hears(({ type }) => type === 'ack');
    if (!reads) peer.socket.off('data', listen).resume();
    return peer;
  }

  hears(matches) {
    return new Promise((resolve) => {
      this.waiting.push((message) => {
        if (!matches(message)) return false;
        resolve(message);
        return true;
      });
    });
  }

  send(messages) {
    this.write(encodePacket(messages));
  }

  write(packet) {
    const record = new Uint8Array(recordSize(packet));
    writeRecord(record, 0, packet);
    this.socket.write(record);
  }

  /** How long the gateway takes to answer, ms. */
  async ping(token) {
    const started = performance.now();
    this.send([{ type: 'ping', token }]);
    await this.hears((message) => message.type === 'pong' && message.token === token);
    return performance.now() - started;
  }
}

/** Emits one message of QoS 0 on each of so many channels. */
async function makeChannelsKnown(port, retain) {
  const peer = await Peer.open(port, `maker-${retain}`);
  const payload = Buffer.from('x');
  for (let n = 0; n < CHANNELS; n += 1000) {
    const emits = Array.from({ length: 1000 }, (_, i) => ({
      type: 'emit',
      qos: 0,
      retain,
      name: `plant/${(n + i) % 100}/sensor/${n + i}`,
      payload,
    }));
    peer.send(emits);
  }
  await peer.ping(1);
}

function subscriptions(attacker, noLastValue) {
  return encodePacket(
    Array.from({ length: 4000 }, (_, n) => ({
      type: 'subscribe',
      seq: (attacker.seq + n) & 0xffff,
      qos: n % 2,
      noLocal: false,
      noLastValue,
      id: 0,
      pattern: '#',
    })),
  );
}

const ATTACKS = {
  'one packet of 4,000 wildcard SUBSCRIBEs, 100,000 channels known': async (port, attacker) => {
    await makeChannelsKnown(port, false);
    return subscriptions(attacker, true);
  },
  'the same, each with 100,000 last values to send': async (port, attacker) => {
    await makeChannelsKnown(port, true);
    return subscriptions(attacker, false);
  },
  '262 kB of 3-byte broadcasts to 30 sessions': async (port) => {
    for (let n = 0; n < 30; n++) await Peer.open(port, `victim-${n}`, { reads: false });
    const packet = Buffer.alloc(LARGE_PACKET_BYTES - (LARGE_PACKET_BYTES % 3));
    for (let at = 0; at < packet.length; at += 3) packet.set([0xc0, 0x01, 0x00], at);
    return packet;
  },
};

const chosen = process.argv[2] === undefined ? undefined : Number(process.argv[2]) - 1;
for (const [index, [name, prepare]] of Object.entries(ATTACKS).entries()) {
  if (chosen !== undefined && chosen !== index) continue;
  const gateway = await startGateway(BUILT, { nodeArguments: process.execArgv });
  const good = await Peer.open(gateway.tcp, 'good');
  const attacker = await Peer.open(gateway.tcp, 'attacker');
  const packet = await prepare(gateway.tcp, attacker);
  await good.ping(1);

  const waits = [];
  let through = false;
  const started = performance.now();
  attacker.write(packet);
  // It is answered when all that came before is done; and what is asked of a gateway that stands still for good is not.
  const end = attacker.ping(2).then(() => {
    through = true;
  });
  for (let token = 0; !through; token = (token + 1) % 256) {
    waits.push(await good.ping(token));
    await Promise.race([end, new Promise((resolve) => setTimeout(resolve, PING_EVERY_MS))]);
  }
  const seconds = (performance.now() - started) / 1000;
  waits.sort((a, b) => a - b);
  console.log(name);
  console.log(`  flood of ${packet.length} bytes through after ${seconds.toFixed(2)} s`);
  console.log(
    `  good peer: ${waits.length} pings, median ${waits[waits.length >> 1].toFixed(1)} ms, longest ${waits.at(-1).toFixed(1)} ms`,
  );
  await gateway.stop();
}
process.exit(0);
