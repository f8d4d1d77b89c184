import { Helper } from '../helper.js';
import { CProgram } from '../load/c-program.js';
import { pinToOneCore } from '../pin.js';
import type { BenchContext, Contender, Row, Running } from '../row.js';
import { startGateway } from '../servers/gateway.js';
import { BARE_UDP, type SamplesReport, type Stoppable, together } from './udp.js';

/** Datagrams a second from other devices to another subscriber: half of what a gateway has to take without any loss. */
const HALF_LOAD = 25_000;
const LOAD_DEVICES = 10;

interface Ports {
  readonly udp: number;
  readonly tcp: number;
}

/** A server with a way from `pty`, or from UDP, to TCP, and another from UDP to TCP for the load. */
interface Server extends Stoppable {
  readonly measured: Ports;
  readonly load: Ports;
  readonly pid: number;
}

type StartServer = (context: BenchContext, pty: string | undefined) => Promise<Server>;

async function gateway(context: BenchContext, pty: string | undefined): Promise<Server> {
  const serial = pty === undefined ? [] : [{ name: 'bench', path: pty }];
  const started = await startGateway(context, { config: { serial } });
  return { measured: started, load: started, pid: started.process.pid, stop: () => started.stop() };
}

async function relay(_: BenchContext, pty: string | undefined): Promise<Server> {
  const helper = new Helper(BARE_UDP);
  const datagrams = () => helper.ask<Ports>('relayDatagrams');
  const measured =
    pty === undefined ? await datagrams() : { udp: 0, tcp: (await helper.ask<Ports>('relayPort', pty)).tcp };
  return { measured, load: await datagrams(), pid: helper.pid, stop: () => helper.stop() };
}

function start(
  from: 'udp' | 'uart',
  mode: 'gateway' | 'relay',
  startServer: StartServer,
  loaded: boolean,
): Contender['start'] {
  return (context) =>
    together(async (parts): Promise<Pick<Running, 'round'>> => {
      const probe = await CProgram.start('latency', [from, mode]);
      parts.push(probe);
      const pty = from === 'uart' ? (await probe.hear<{ pty: string }>()).pty : undefined;
      const server = await startServer(context, pty);
      parts.push(server);
      await probe.ask(`${server.measured.udp} ${server.measured.tcp}`);
      pinToOneCore(server.pid, probe.pid);
      const load = loaded
        ? await CProgram.start('udp-in', [mode, server.load.udp, server.load.tcp, LOAD_DEVICES])
        : undefined;
      if (load) {
        parts.push(load);
        await load.hear();
      }
      return {
        async round(ms) {
          const over = load?.ask(`${HALF_LOAD} ${Math.ceil(ms)}`);
          const { p50, p99, count } = await probe.ask<SamplesReport>(String(ms));
          await over;
          return { value: p50, also: { 'p99 µs': p99, messages: count } };
        },
      };
    });
}

function row(from: 'udp' | 'uart', loaded: boolean): Row {
  const way = from === 'udp' ? 'a datagram sent' : 'the last byte of a frame written to a pty';
  const meanwhile = loaded ? `, while ${HALF_LOAD / 1000} k/s come over UDP besides` : ', at rest';
  return {
    name: `latency-${from}${loaded ? '-loaded' : ''}`,
    unit: 'µs',
    work: `from ${way} to the message read from TCP, both ends on one core, p50${meanwhile}`,
    contenders: [
      { name: 'slipway', role: 'ours', start: start(from, 'gateway', gateway, loaded) },
      { name: 'bare relay', role: 'ceiling', start: start(from, 'relay', relay, loaded) },
    ],
    targets: [
      { against: 'bare relay', ratio: { atMost: 1.5 } },
      { figure: 'p99 µs', against: 'bare relay', ratio: { atMost: 1.5 } },
    ],
  };
}

export const LATENCY_ROWS: readonly Row[] = [
  row('udp', false),
  row('udp', true),
  row('uart', false),
  row('uart', true),
];
