// What noise on a serial line costs the gateway, and whether good packets in between arrive. Needs socat.
//
//   npm run bench:build && node test/bench/serial-noise.mjs [baud] [seconds of each kind]
//
// 115200 baud and a minute of each kind by default. The line is a pty, filled at the pace of the rate.
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { helloOf } from '../../build/bench/test/bench/hello.js';
import { BUILT, startGateway } from '../../build/bench/test/bench/servers/gateway.js';
import { connect } from '../../dist/client/client.js';
import { FrameEncoder } from '../../dist/links/serial/slip.js';
import { Splitter } from '../../dist/links/serial/splitter.js';
import { decodePacket } from '../../dist/wire/decode.js';
import { encodePacket } from '../../dist/wire/encode.js';

const BAUD = Number(process.argv[2] ?? 115_200);
const SECONDS = Number(process.argv[3] ?? 60);
const BYTES_PER_SECOND = BAUD / 10;
const EVERY_MS = 10;
const GOOD_EVERY_MS = 100;

const KINDS = {
  'random bytes': (length) => randomBytes(length),
  'nothing but END': (length) => Buffer.alloc(length, 0xc0),
  'nothing but ESC': (length) => Buffer.alloc(length, 0xdb),
  'a frame that never ends': (length) => Buffer.alloc(length, 0x80),
};

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const encoder = new FrameEncoder();
const frame = (...messages) => Buffer.from(encoder.encode(encodePacket(messages)));

const folder = await mkdtemp(join(tmpdir(), 'slipway-noise-'));
const path = join(folder, 'tty');
const socat = spawn('socat', [`pty,raw,echo=0,link=${path}`, 'STDIO'], {
  stdio: ['pipe', 'pipe', 'inherit'],
});
while (!existsSync(path)) await sleep(20);

const heard = [];
const splitter = new Splitter(1024, {
  packet: (packet) => heard.push(...decodePacket(packet.slice(), 'gateway')),
  line: () => {},
  drop: () => {},
});
socat.stdout.on('data', (chunk) => splitter.push(chunk));
async function hears(type) {
  for (;;) {
    const found = heard.find((message) => message.type === type);
    if (found) return found;
    await sleep(5);
  }
}

const gateway = await startGateway(BUILT, { config: { serial: [{ name: 'noisy', path, baud: BAUD }] } });
const client = await connect({ host: '127.0.0.1', port: gateway.tcp });
const rss = () => gateway.process.rss / 2 ** 20;
let arrived = 0;
await client.subscribe('good', () => {
  arrived++;
});
const hello = frame(helloOf('noisy', { maxPacket: 256, window: 4, inFlight: 4 }));
while (!heard.some(({ type }) => type === 'welcome')) {
  socat.stdin.write(hello);
  await sleep(200);
}
socat.stdin.write(frame({ type: 'begin', token: (await hears('welcome')).token }));
await hears('ack');

console.log(`${BAUD} baud, ${SECONDS} s of each kind; RSS at the start ${rss().toFixed(1)} MiB`);
for (const [kind, noise] of Object.entries(KINDS)) {
  const [cpu, before] = [gateway.process.cpu, arrived];
  const started = performance.now();
  let [written, good, largest] = [0, 0, 0];
  for (let elapsed = 0; elapsed < SECONDS * 1000; elapsed = performance.now() - started) {
    const due = Math.floor((elapsed / 1000) * BYTES_PER_SECOND) - written;
    if (due > 0) socat.stdin.write(noise(due));
    written += due;
    if (good < elapsed / GOOD_EVERY_MS) {
      const emit = { type: 'emit', qos: 0, retain: false, name: 'good', payload: Buffer.from('x') };
      const packet = frame(emit);
      socat.stdin.write(packet);
      written += packet.length;
      good++;
    }
    largest = Math.max(largest, rss());
    await sleep(EVERY_MS);
  }
  await sleep(1000);
  const share = ((gateway.process.cpu - cpu) / ((performance.now() - started) / 1000)) * 100;
  console.log(
    `${kind}: ${(written / 1e6).toFixed(2)} MB, ${share.toFixed(1)} % of a core, ` +
      `largest RSS ${largest.toFixed(1)} MiB, ${arrived - before} of ${good} good packets arrived`,
  );
}
await client.close();
await gateway.stop();
socat.kill();
await rm(folder, { recursive: true });
process.exit(0);
