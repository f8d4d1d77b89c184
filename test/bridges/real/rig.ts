import { expect } from 'vitest';
import type { Client } from '../../../src/client/client.js';
import type { Random } from '../../support/random.js';
import { aWhile, type Fault, type Load } from './faults.js';
import { Ledger, type Promises, report } from './ledger.js';
import type { Sender, UnoSender } from './senders.js';
import { holds, Site } from './site.js';

/** Messages a second of one sender. */
const RATE = 60;
const EVERY_MS = 50;
/** Messages that one sender sends at once. */
const BURST = 150;
const OUT = { pattern: 'load/#', direction: 'out', qos: 2, remote: 'site/load/#' };
const IN = { pattern: 'load/#', direction: 'in', qos: 2, remote: 'site/load/#' };

/** All kinds of senders at one gateway, and a program at another that hears them through the broker. */
export interface Rig {
  readonly near: Site;
  readonly far: Site;
  readonly upstream: Ledger;
  readonly beyond: Ledger;
  readonly program: Client;
  readonly senders: readonly Sender[];
  readonly boards: readonly UnoSender[];
}

/** `hear`: begins to write down what arrives at the broker, where that has to be heard as it comes. */
export async function startRig(
  random: Random,
  upstreamConfig: object,
  hear?: (upstream: Ledger) => Promise<unknown>,
): Promise<Rig> {
  const boardNames = ['uno-1', 'uno-2'] as const;
  const site = (name: string, rule: object, ports: readonly string[]) =>
    Site.start(name, { ports, bridges: [{ name: 'plant', ...upstreamConfig, rules: [rule] }] });
  const near = await site('near', OUT, boardNames);
  const far = await site('far', IN, []);
  const upstream = new Ledger();
  await hear?.(upstream);
  const beyond = new Ledger(upstream);
  const hearer = await far.client('hearer');
  await hearer.subscribe('load/#', ({ text }) => beyond.arrived(text), { qos: 2 });
  const program = await near.client('program');
  await untilHeard(program, 'load/probe', upstream, beyond);
  const senders = [
    await near.tcpSender(upstream, 'tcp-1', 1, RATE),
    await near.tcpSender(upstream, 'tcp-2', 2, RATE),
    await near.udpSender(upstream, 'udp-1', 1, random, RATE),
    await near.udpSender(upstream, 'udp-2', 2, random, RATE),
  ];
  const boards = [
    await near.unoSender(upstream, 'uno-1', 1, EVERY_MS),
    await near.unoSender(upstream, 'uno-2', 2, EVERY_MS),
  ];
  return { near, far, upstream, beyond, program, senders, boards };
}

/** Sends, and nobody wants to know what becomes of it, until something arrives: the way stands. */
async function untilHeard(program: Client, channel: string, from: Ledger, to: Ledger): Promise<void> {
  const probe = from.sender('probe', 1);
  const timer = setInterval(() => void program.emit(channel, probe.next().text), 100);
  await holds(
    () => to.arrivals > 0,
    () => 'nothing gets from one gateway to the other',
  ).finally(() => clearInterval(timer));
}

/** Stops the load; resolves when all that was acknowledged has reached the program beyond. */
export async function finish({ senders, boards, upstream, beyond, program }: Rig): Promise<void> {
  await Promise.all([
    ...senders.map((sender) => sender.finish()),
    ...boards.map((board) => board.finish(program)),
  ]);
  await holds(
    () => beyond.missing === 0,
    () =>
      `${beyond.missing} that were acknowledged have not arrived beyond the broker: ${beyond.verdict().faults.join('; ')}; at the broker: ${upstream.verdict().faults.join('; ')}`,
  );
}

/** Shows the counts of both ends, and fails unless everything arrived as it was promised. */
export function expectNoFaults({ upstream, beyond }: Rig, promises?: Promises): void {
  const ends = { upstream: upstream.verdict(promises), beyond: beyond.verdict(promises) };
  for (const [where, verdict] of Object.entries(ends)) console.log(`${where}:\n${report(verdict)}`);
  expect({ upstream: ends.upstream.faults, beyond: ends.beyond.faults }).toEqual({
    upstream: [],
    beyond: [],
  });
}

/** Kills the gateways, and stops one as one should. */
export function gatewayFaults({ near, far }: Rig, random: Random): Fault[] {
  const ways = [
    { name: 'gateway near killed', site: near, end: () => near.kill() },
    { name: 'gateway far killed', site: far, end: () => far.kill() },
    { name: 'gateway near stopped', site: near, end: () => near.stop() },
  ];
  return ways.map(({ name, site, end }) => ({
    name,
    run: async () => {
      await end();
      await aWhile(random);
      await site.start();
    },
  }));
}

/** What flows through the rig. */
export function loadOf({ upstream, beyond, senders }: Rig): Load {
  return {
    async flows() {
      const [sent, arrived] = [upstream.acknowledged, beyond.arrivals];
      await holds(
        () => upstream.acknowledged > sent && beyond.arrivals > arrived + RATE,
        () => `nothing flows: ${upstream.acknowledged} acknowledged, ${beyond.arrivals} arrived beyond`,
      );
    },
    burst() {
      for (const sender of senders) sender.burst(BURST);
    },
  };
}
