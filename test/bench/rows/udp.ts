import { Helper } from '../helper.js';
import { CProgram } from '../load/c-program.js';
import { pinToOneCore } from '../pin.js';
import { type BenchContext, BenchFailure, type Contender, type Row, type Running } from '../row.js';
import type { ReceiverReport } from '../servers/bare-udp.js';
import { startGateway } from '../servers/gateway.js';

export const BARE_UDP = new URL('../servers/bare-udp.js', import.meta.url);

const DEVICES = 10;
/** Datagrams a second of which none may be lost. */
const GENTLE = 50_000;
/** All that the generator can send. */
const FLOOD = 0;
/** What this row is about, and how it is called where it is compared. */
const LOSS = `lost of ${GENTLE / 1000} k/s`;

/** What udp-in.c reports of a round. */
interface UdpInReport {
  readonly sent: number;
  readonly received: number;
  readonly wrong: number;
  readonly seconds: number;
}

/** What udp-rtt.c and latency.c report: times in microseconds. */
export interface SamplesReport {
  readonly count: number;
  readonly seconds: number;
  readonly p50: number;
  readonly p99: number;
}

export interface Stoppable {
  stop(): Promise<void>;
}

/** Stops all, the last one first, when something could not be started; else returns what was made of them. */
export async function together<T>(start: (parts: Stoppable[]) => Promise<T>): Promise<T & Stoppable> {
  const parts: Stoppable[] = [];
  const stop = async (): Promise<void> => {
    for (const part of parts.reverse()) await part.stop();
  };
  try {
    return { ...(await start(parts)), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** What is measured, in a process of its own. */
interface Server extends Stoppable {
  readonly udp: number;
  readonly tcp: number;
  readonly pid: number;
  /** A bare program. */
  readonly helper?: Helper;
  /** Its time on a core so far, s. */
  cpu(): number | Promise<number>;
}

/** What a message took of a core, for on a busy machine that is more telling than how many there were. */
const ON_A_CORE = 'µs on a core';

async function bare(question: 'receive' | 'echo' | 'relayDatagrams'): Promise<Server> {
  const helper = new Helper(BARE_UDP);
  const ports = await helper.ask<{ udp: number; tcp?: number }>(question);
  return { tcp: 0, ...ports, pid: helper.pid, helper, cpu: () => helper.cpu(), stop: () => helper.stop() };
}

async function slipway(context: BenchContext): Promise<Server> {
  const gateway = await startGateway(context);
  return {
    udp: gateway.udp,
    tcp: gateway.tcp,
    pid: gateway.process.pid,
    cpu: () => gateway.process.cpu,
    stop: () => gateway.stop(),
  };
}

/** Half of each round as fast as can be, half at a gentle pace, at which nothing may be lost. */
function startInput(
  mode: 'gateway' | 'relay' | 'receiver',
  startServer: (context: BenchContext) => Promise<Server>,
): Contender['start'] {
  return (context) =>
    together(async (parts): Promise<Pick<Running, 'round'>> => {
      const server = await startServer(context);
      parts.push(server);
      const load = await CProgram.start('udp-in', [mode, server.udp, server.tcp, DEVICES]);
      parts.push(load);
      await load.hear();
      const offer = async (rate: number, ms: number): Promise<UdpInReport> => {
        const report = await load.ask<UdpInReport>(`${rate} ${ms}`);
        const counted = mode === 'receiver' ? await server.helper?.ask<ReceiverReport>('count') : undefined;
        const { wrong } = counted ?? report;
        if (wrong > 0)
          throw new BenchFailure(`${wrong} of ${report.received} messages were repeated or changed`);
        return counted ? { ...report, received: counted.received } : report;
      };
      return {
        async round(ms) {
          const gentle = await offer(GENTLE, Math.ceil(ms / 2));
          const cpu = await server.cpu();
          const flood = await offer(FLOOD, Math.ceil(ms / 2));
          return {
            // Not what came in a second: nothing that sends through the same system is faster than the bare loop.
            value: flood.received / ((await server.cpu()) - cpu),
            also: {
              offered: flood.sent / flood.seconds,
              received: flood.received / flood.seconds,
              [LOSS]: (gentle.sent - gentle.received) / gentle.sent,
            },
          };
        },
      };
    });
}

function udpIn(): Row {
  return {
    name: 'udp-in',
    unit: 'msg/s of a core',
    work: `${DEVICES} UDP devices to one TCP subscriber, 16 B, QoS 0, one message a datagram`,
    contenders: [
      { name: 'slipway', role: 'ours', start: startInput('gateway', slipway) },
      {
        name: 'bare receive loop',
        role: 'ceiling',
        start: startInput('receiver', () => bare('receive')),
      },
      {
        name: 'bare relay, UDP to TCP',
        role: 'ceiling',
        start: startInput('relay', () => bare('relayDatagrams')),
      },
    ],
    targets: [
      { against: 'bare receive loop', ratio: { atLeast: 0.8 } },
      { figure: LOSS, value: { atMost: 0 } },
    ],
  };
}

function startRoundTrips(
  mode: 'gateway' | 'echo',
  startServer: (context: BenchContext) => Promise<Server>,
): Contender['start'] {
  return (context) =>
    together(async (parts): Promise<Pick<Running, 'round'>> => {
      const server = await startServer(context);
      parts.push(server);
      const load = await CProgram.start('udp-rtt', [mode, server.udp]);
      parts.push(load);
      await load.hear();
      pinToOneCore(server.pid, load.pid);
      return {
        async round(ms) {
          const cpu = await server.cpu();
          const { count, seconds, p50, p99 } = await load.ask<SamplesReport>(String(ms));
          const cost = (((await server.cpu()) - cpu) / count) * 1e6;
          return { value: count / seconds, also: { 'p50 µs': p50, 'p99 µs': p99, [ON_A_CORE]: cost } };
        },
      };
    });
}

function udpRoundTrip(): Row {
  return {
    name: 'udp-rtt',
    unit: 'msg/s',
    work: 'a UDP device, 16 B, QoS 1, one in flight, until it is acknowledged; both on one core',
    contenders: [
      { name: 'slipway', role: 'ours', start: startRoundTrips('gateway', slipway) },
      { name: 'bare echo', role: 'ceiling', start: startRoundTrips('echo', () => bare('echo')) },
    ],
    targets: [{ against: 'bare echo', ratio: { atLeast: 0.7 } }],
  };
}

export const UDP_ROWS: readonly Row[] = [udpIn(), udpRoundTrip()];
