import { Helper } from '../helper.js';
import { CProgram } from '../load/c-program.js';
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

/** Half of each round as fast as can be, half at a gentle pace, at which nothing may be lost. */
function startInput(
  mode: 'gateway' | 'relay' | 'receiver',
  server: (context: BenchContext) => Promise<{ udp: number; tcp: number; count?: Helper } & Stoppable>,
): Contender['start'] {
  return (context) =>
    together(async (parts): Promise<Pick<Running, 'round'>> => {
      const { udp, tcp, count, ...part } = await server(context);
      parts.push(part);
      const load = await CProgram.start('udp-in', [mode, udp, tcp, DEVICES]);
      parts.push(load);
      await load.hear();
      const offer = async (rate: number, ms: number): Promise<UdpInReport> => {
        const report = await load.ask<UdpInReport>(`${rate} ${ms}`);
        const counted = count && (await count.ask<ReceiverReport>('count'));
        const { wrong } = counted ?? report;
        if (wrong > 0)
          throw new BenchFailure(`${wrong} of ${report.received} messages were repeated or changed`);
        return counted ? { ...report, received: counted.received } : report;
      };
      return {
        async round(ms) {
          const gentle = await offer(GENTLE, Math.ceil(ms / 2));
          const flood = await offer(FLOOD, Math.ceil(ms / 2));
          return {
            value: flood.received / flood.seconds,
            also: {
              offered: flood.sent / flood.seconds,
              [LOSS]: (gentle.sent - gentle.received) / gentle.sent,
            },
          };
        },
      };
    });
}

async function startGatewayHere(context: BenchContext): Promise<{ udp: number; tcp: number } & Stoppable> {
  const gateway = await startGateway(context);
  return { udp: gateway.udp, tcp: gateway.tcp, stop: () => gateway.stop() };
}

function udpIn(): Row {
  return {
    name: 'udp-in',
    unit: 'msg/s',
    work: `${DEVICES} UDP devices to one TCP subscriber, 16 B, QoS 0, one message a datagram`,
    contenders: [
      { name: 'slipway', role: 'ours', start: startInput('gateway', startGatewayHere) },
      {
        name: 'bare receive loop',
        role: 'ceiling',
        start: startInput('receiver', async () => {
          const count = new Helper(BARE_UDP);
          const { udp } = await count.ask<{ udp: number }>('receive');
          return { udp, tcp: 0, count, stop: () => count.stop() };
        }),
      },
      {
        name: 'bare relay, UDP to TCP',
        role: 'ceiling',
        start: startInput('relay', async () => {
          const relay = new Helper(BARE_UDP);
          const ports = await relay.ask<{ udp: number; tcp: number }>('relayDatagrams');
          return { ...ports, stop: () => relay.stop() };
        }),
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
  server: (context: BenchContext) => Promise<{ udp: number } & Stoppable>,
): Contender['start'] {
  return (context) =>
    together(async (parts): Promise<Pick<Running, 'round'>> => {
      const part = await server(context);
      parts.push(part);
      const load = await CProgram.start('udp-rtt', [mode, part.udp]);
      parts.push(load);
      await load.hear();
      return {
        async round(ms) {
          const { count, seconds, p50, p99 } = await load.ask<SamplesReport>(String(ms));
          return { value: count / seconds, also: { 'p50 µs': p50, 'p99 µs': p99 } };
        },
      };
    });
}

function udpRoundTrip(): Row {
  return {
    name: 'udp-rtt',
    unit: 'msg/s',
    work: 'a UDP device, 16 B, QoS 1, one in flight, until it is acknowledged',
    contenders: [
      { name: 'slipway', role: 'ours', start: startRoundTrips('gateway', startGatewayHere) },
      {
        name: 'bare echo',
        role: 'ceiling',
        start: startRoundTrips('echo', async () => {
          const echo = new Helper(BARE_UDP);
          const { udp } = await echo.ask<{ udp: number }>('echo');
          return { udp, stop: () => echo.stop() };
        }),
      },
    ],
    targets: [{ against: 'bare echo', ratio: { atLeast: 0.7 } }],
  };
}

export const UDP_ROWS: readonly Row[] = [udpIn(), udpRoundTrip()];
