import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Address } from '../../../src/gateway/gateway.js';
import { connectTo, type RunningGateway, until } from '../../support/gateways.js';
import { Program } from '../../support/programs.js';
import { describeWithTools } from '../../support/tools.js';
import { startMqttGateway } from './mqtt-gateway.js';

const VERSIONS = ['mqttv31', 'mqttv311', 'mqttv5'] as const;

/** Debian's command-line clients of MQTT, and a gateway for them. */
class Mosquitto {
  readonly running: RunningGateway;
  readonly #common: readonly string[];

  private constructor(running: RunningGateway, { host, port }: Address, version: string) {
    this.running = running;
    this.#common = ['-h', host, '-p', String(port), '-V', version];
  }

  static async start(version: (typeof VERSIONS)[number]): Promise<Mosquitto> {
    const { running, mqtt } = await startMqttGateway();
    return new Mosquitto(running, mqtt, version);
  }

  get subscriptions(): number {
    return this.running.gateway.statistics().router.subscriptions;
  }

  start(command: 'mosquitto_pub' | 'mosquitto_sub' | 'mosquitto_rr', ...args: string[]): Program {
    return new Program(command, [...this.#common, ...args]);
  }

  /** Starts `mosquitto_sub`, and waits until it has subscribed. */
  async sub(...args: string[]): Promise<Program> {
    const before = this.subscriptions;
    const program = this.start('mosquitto_sub', ...args);
    await until(() => expect(this.subscriptions, program.stderr).toBeGreaterThan(before));
    return program;
  }

  /** Runs `mosquitto_pub` to its end, with `lines` as its input. */
  async pub(args: readonly string[], lines: readonly string[] = []): Promise<void> {
    const program = this.start('mosquitto_pub', ...args);
    program.child.stdin.end(lines.map((line) => `${line}\n`).join(''));
    await succeeds(program);
  }
}

async function succeeds(program: Program): Promise<void> {
  const { code } = await program.ended;
  expect({ code, stderr: program.stderr }).toEqual({ code: 0, stderr: '' });
}

/**
 * Waits until a program that has printed what it had to sleeps again. `mosquitto_sub` says DISCONNECT within its signal handler, and
 * locks itself up for good where the signal finds it at anything but waiting.
 */
async function sleeps({ child }: Program): Promise<void> {
  await until(async () => expect(await readFile(`/proc/${child.pid}/stat`, 'utf8')).toMatch(/\) S /));
}

async function fileWith(content: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'slipway-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const path = join(folder, 'payload');
  await writeFile(path, content);
  return path;
}

describeWithTools(['mosquitto_pub', 'mosquitto_sub', 'mosquitto_rr'], "mosquitto's clients", () => {
  describe.each(VERSIONS)('at %s', (version) => {
    it('hear what a native client emits, and it hears them', async () => {
      const mosquitto = await Mosquitto.start(version);
      const sub = await mosquitto.sub('-t', 'greenhouse/#', '-v');
      const native = await connectTo(mosquitto.running.tcp);
      const heard: string[] = [];
      await native.subscribe('house/+', ({ channel, text }) => void heard.push(`${channel} ${text}`));
      await native.emit('greenhouse/3/temperature', '21.5');
      await sub.prints(/^greenhouse\/3\/temperature 21\.5\n$/);
      await mosquitto.pub(['-t', 'house/door', '-m', 'open', '-q', '1']);
      await until(() => expect(heard).toEqual(['house/door open']));
    });

    it.each(['0', '1', '2'])('pass on many messages in order, at QoS %s', async (qos) => {
      const mosquitto = await Mosquitto.start(version);
      const sub = await mosquitto.sub('-t', 'lines', '-q', qos, '-C', '1000');
      const lines = Array.from({ length: 1000 }, (_, i) => `line ${i}`);
      await mosquitto.pub(['-t', 'lines', '-q', qos, '-l'], lines);
      await succeeds(sub);
      expect(sub.lines).toEqual(lines);
    });

    it('get last values, and clear them', async () => {
      const mosquitto = await Mosquitto.start(version);
      await mosquitto.pub(['-t', 'state/1', '-m', 'on', '-r', '-q', '1']);
      await mosquitto.pub(['-t', 'state/2', '-m', 'off', '-r', '-q', '1']);
      const sub = mosquitto.start('mosquitto_sub', '-t', 'state/+', '-F', '%t %p %r', '-C', '2');
      await succeeds(sub);
      expect(sub.lines.sort()).toEqual(['state/1 on 1', 'state/2 off 1']);
      await mosquitto.pub(['-t', 'state/1', '-n', '-r', '-q', '1']);
      // Were the first one still there, it would come first.
      const later = mosquitto.start('mosquitto_sub', '-t', 'state/1', '-t', 'state/2', '-v', '-C', '1');
      await succeeds(later);
      expect(later.lines).toEqual(['state/2 off']);
    });

    it('get what they missed when they come back to their session', async () => {
      const mosquitto = await Mosquitto.start(version);
      const session = ['-t', 'missed', '-q', '1', '-c', '-i', 'sleeper'];
      if (version === 'mqttv5') session.push('-x', '600');
      await succeeds(mosquitto.start('mosquitto_sub', ...session, '-E'));
      await mosquitto.pub(['-t', 'missed', '-m', 'one', '-q', '1']);
      await mosquitto.pub(['-t', 'missed', '-m', 'two', '-q', '2']);
      const sub = mosquitto.start('mosquitto_sub', ...session, '-C', '2');
      await succeeds(sub);
      expect(sub.lines).toEqual(['one', 'two']);
    });

    it('leave a will', async () => {
      const mosquitto = await Mosquitto.start(version);
      const native = await connectTo(mosquitto.running.tcp);
      const heard: string[] = [];
      await native.subscribe('wills/+', ({ channel, text }) => void heard.push(`${channel} ${text}`));
      const will = (name: string) => [
        '--will-topic',
        `wills/${name}`,
        '--will-payload',
        'gone',
        '--will-qos',
        '1',
      ];
      const killed = await mosquitto.sub('-t', 'a', ...will('killed'));
      const ended = await mosquitto.sub('-t', 'b', ...will('ended'));
      await native.emit('b', 'hello');
      await ended.prints(/^hello\n$/);
      await sleeps(ended);
      // SIGINT has it say DISCONNECT; in MQTT 5 one that asks for the will all the same.
      ended.child.kill('SIGINT');
      await ended.ended;
      const first = version === 'mqttv5' ? ['wills/ended gone'] : [];
      // The process may be gone before the gateway has read what it said last.
      await until(() => expect(heard).toEqual(first));
      killed.child.kill('SIGKILL');
      await until(() => expect(heard).toEqual([...first, 'wills/killed gone']));
    });

    it('pass on what is large', async () => {
      const mosquitto = await Mosquitto.start(version);
      const large = 'slipway '.repeat(100_000);
      const sub = await mosquitto.sub('-t', 'large', '-C', '1', '-N', '-q', '1');
      await mosquitto.pub(['-t', 'large', '-f', await fileWith(large), '-q', '1']);
      await succeeds(sub);
      expect(sub.stdout).toBe(large);
    });
  });

  it('of MQTT 5 see all properties that a message came with', async () => {
    const mosquitto = await Mosquitto.start('mqttv5');
    const sub = await mosquitto.sub(
      '-t',
      'with/properties',
      '-C',
      '1',
      '-F',
      '%A|%C|%D|%E|%F|%P|%R|%p',
      '-V',
      '5',
      '-D',
      'subscribe',
      'subscription-identifier',
      '7',
    );
    const properties: [string, ...string[]][] = [
      ['content-type', 'text/plain'],
      ['correlation-data', 'id'],
      ['message-expiry-interval', '60'],
      ['payload-format-indicator', '1'],
      ['response-topic', 'answers'],
      ['user-property', 'name', 'value'],
      ['user-property', 'name', 'other'],
    ];
    await mosquitto.pub([
      '-t',
      'with/properties',
      '-m',
      'x',
      ...properties.flatMap((each) => ['-D', 'publish', ...each]),
    ]);
    await succeeds(sub);
    expect(sub.lines).toEqual(['|text/plain|id|60|1|name:value name:other|answers|x']);
  });

  it('of MQTT 5 share a subscription', async () => {
    const mosquitto = await Mosquitto.start('mqttv5');
    const subs = [
      await mosquitto.sub('-t', '$share/group/jobs', '-q', '1'),
      await mosquitto.sub('-t', '$share/group/jobs', '-q', '1'),
    ];
    const lines = Array.from({ length: 100 }, (_, i) => `job ${i}`);
    await mosquitto.pub(['-t', 'jobs', '-q', '1', '-l'], lines);
    const done = () => subs.flatMap((sub) => sub.lines);
    await until(() => expect(done().toSorted()).toEqual(lines.toSorted()));
    for (const sub of subs) expect(sub.lines.length).toBeGreaterThan(0);
  });

  it('of MQTT 5 ask, and are answered', async () => {
    const mosquitto = await Mosquitto.start('mqttv5');
    const native = await connectTo(mosquitto.running.tcp);
    await native.subscribe('ask', ({ text }) => void native.emit('answer', `${text} yourself`));
    const rr = mosquitto.start('mosquitto_rr', '-t', 'ask', '-e', 'answer', '-m', 'hello');
    await succeeds(rr);
    expect(rr.lines).toEqual(['hello yourself']);
  });

  it('are told when a topic is not theirs to publish on', async () => {
    const mosquitto = await Mosquitto.start('mqttv5');
    const pub = mosquitto.start('mosquitto_pub', '-t', '$slipway/devices/x/state', '-m', 'x', '-q', '1');
    await pub.ended;
    expect(pub.stderr).toMatch(/Not authorized/);
  });
});
