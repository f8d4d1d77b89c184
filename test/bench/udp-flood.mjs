// A flood of datagrams from very many addresses and ports, and what it does to the gateway and to a good peer.
//
//   npm run bench:build && node test/bench/udp-flood.mjs [sources]
//
// Each source is another address of 127/8 and another port, bound, used and closed again; 100,000 of them by default.
// In the first wave they say HELLO and prove nothing, as forged addresses would; in the second each proves its address
// and leaves an offer behind. Meanwhile a good peer, also on UDP, asks for answers and emits to a subscriber on TCP.
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { isMainThread, Worker, workerData } from 'node:worker_threads';
import { helloOf } from '../../build/bench/test/bench/hello.js';
import { BUILT, startGateway } from '../../build/bench/test/bench/servers/gateway.js';
import { connect } from '../../dist/client/client.js';
import { decodePacket } from '../../dist/wire/decode.js';
import { encodePacket } from '../../dist/wire/encode.js';

const SOURCES = Number(process.argv[2] ?? 100_000);
/** Sockets open at once. */
const AT_ONCE = 200;
const ROUND_EVERY_MS = 20;
const PATIENCE_MS = 2000;

function hello(identity, cookie) {
  return encodePacket([
    helloOf(identity, { nonce: 1, keepAlive: 60, ...(cookie !== undefined && { cookie }) }),
  ]);
}

class Source {
  static async open(gateway, host) {
    const source = new Source();
    source.gateway = gateway;
    source.socket = createSocket('udp4');
    source.socket.bind(0, host);
    await once(source.socket, 'listening');
    return source;
  }

  send(packet) {
    return new Promise((resolve) => this.socket.send(packet, this.gateway.udp, '127.0.0.1', resolve));
  }

  /** The first message that is `wanted`, or undefined when there is none in time. */
  hears(wanted) {
    return new Promise((resolve) => {
      const done = (message) => {
        clearTimeout(timer);
        this.socket.off('message', listen);
        resolve(message);
      };
      const listen = (datagram) => {
        const found = decodePacket(datagram, 'gateway').find(wanted);
        if (found) done(found);
      };
      const timer = setTimeout(done, PATIENCE_MS);
      this.socket.on('message', listen);
    });
  }

  async ask(packet, wanted) {
    const answer = this.hears(wanted);
    await this.send(packet);
    return answer;
  }

  /** Says HELLO with the cookie that it is given; returns the WELCOME, if there is one. */
  async greet(identity) {
    const refuse = await this.ask(hello(identity), ({ type }) => type === 'refuse');
    if (refuse?.reason !== 'prove_address') return undefined;
    const cookie = Buffer.from(refuse.detail).readUInt32BE();
    return this.ask(hello(identity, cookie), ({ type }) => type === 'welcome' || type === 'refuse');
  }
}

/** 127.1.0.1, …: another address for each of 100,000 and more. */
function addressOf(n) {
  return `127.${1 + ((n >> 16) & 63)}.${(n >> 8) & 255}.${1 + (n % 254)}`;
}

async function flood(gateway, act) {
  let next = 0;
  const worker = async () => {
    while (next < SOURCES) {
      const n = next++;
      const source = await Source.open(gateway, addressOf(n));
      await act(source, n);
      source.socket.close();
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}

/** The waves: what each source does. Returns how many were welcomed. */
const WAVES = {
  forged: async (gateway) => {
    await flood(gateway, (source, n) => source.send(hello(`flood-${n}`, n)));
    return 0;
  },
  proved: async (gateway) => {
    let welcomed = 0;
    await flood(gateway, async (source, n) => {
      const answer = await source.greet(`flood-${n}`);
      if (answer?.type === 'welcome') welcomed++;
    });
    return welcomed;
  },
};

// The flood has a thread of its own: the good peer must not wait for that.
if (!isMainThread) {
  const welcomed = await WAVES[workerData.wave](workerData.gateway);
  workerData.port.postMessage(welcomed);
  process.exit(0);
}

/** Runs a wave; resolves with how many were welcomed. */
async function attack(wave) {
  const { port1, port2 } = new MessageChannel();
  const worker = new Worker(new URL(import.meta.url), {
    argv: process.argv.slice(2),
    workerData: { wave, gateway: { udp: gateway.udp }, port: port2 },
    transferList: [port2],
  });
  worker.on('error', (error) => {
    throw error;
  });
  const { data } = await new Promise((resolve) => port1.addEventListener('message', resolve, { once: true }));
  port1.close();
  return data;
}

const gateway = await startGateway(BUILT);
const subscriber = await connect({ host: '127.0.0.1', port: gateway.tcp });
let received = 0;
await subscriber.subscribe('good', () => {
  received++;
});
const good = await Source.open(gateway, '127.0.0.1');
const { token } = await good.greet('good');
await good.ask(encodePacket([{ type: 'begin', token }]), ({ type }) => type === 'ack');

/** The good peer's life until `over()`: what it asked, what it was answered, and how fast. */
async function live(over) {
  const waits = [];
  let unanswered = 0;
  let rss = 0;
  const before = received;
  let emitted = 0;
  for (let n = 0; !over(); n = (n + 1) % 256) {
    const started = performance.now();
    const emit = { type: 'emit', qos: 0, retain: false, name: 'good', payload: Buffer.from('x') };
    const packet = encodePacket([{ type: 'ping', token: n }, emit]);
    emitted++;
    const pong = await good.ask(packet, (message) => message.type === 'pong' && message.token === n);
    if (pong) waits.push(performance.now() - started);
    else unanswered++;
    rss = Math.max(rss, gateway.process.rss / 2 ** 20);
    await new Promise((resolve) => setTimeout(resolve, ROUND_EVERY_MS));
  }
  waits.sort((a, b) => a - b);
  const at = (share) => waits[Math.min(waits.length - 1, Math.floor(waits.length * share))].toFixed(1);
  return (
    `good peer: ${waits.length + unanswered} questions, ${unanswered} unanswered, median ${at(0.5)} ms, ` +
    `99 % within ${at(0.99)} ms, longest ${at(1)} ms; ${received - before} of ${emitted} emits arrived; largest RSS ${rss.toFixed(1)} MiB`
  );
}

async function report(name, act) {
  const cpu = gateway.process.cpu;
  const started = performance.now();
  let over = false;
  const done = act().then((result) => {
    over = true;
    return result;
  });
  const life = await live(() => over);
  const welcomed = await done;
  const seconds = (performance.now() - started) / 1000;
  const outcome = welcomed === undefined ? '' : `, ${welcomed} were welcomed`;
  console.log(
    `${name}: ${seconds.toFixed(1)} s, ${(gateway.process.cpu - cpu).toFixed(1)} s of a core${outcome}`,
  );
  console.log(`  ${life}`);
  console.log(
    `  RSS afterwards ${(gateway.process.rss / 2 ** 20).toFixed(1)} MiB, ${gateway.process.lines} lines in the log so far`,
  );
}

const quiet = () => new Promise((resolve) => setTimeout(resolve, 3000));
await report('before', quiet);
await report(`${SOURCES} sources that prove nothing`, () => attack('forged'));
await report(`${SOURCES} sources that prove their address`, () => attack('proved'));
// Until the last offer and the last link are forgotten.
await report('the minute after', () => new Promise((resolve) => setTimeout(resolve, 70_000)));
await subscriber.close();
await gateway.stop();
process.exit(0);
