import type { GatewayConfig } from './gateway-host.js';
import type { RunResult } from './run.js';
import type { BoardSpec, Scenario } from './scenario.js';

/** More lines of a history are not told. */
const MAX_LINES = 400;

/** A failed run in words: who took part, what happened when, and what was wrong. `result` is of a run with tracing. */
export function tellHistory({ seed, boards, gateway }: Scenario, { trace, violations }: RunResult): string {
  const left = Math.max(0, trace.length - MAX_LINES);
  const lines = trace.slice(left).map(({ at, text }) => `${seconds(at)}  ${text}`);
  return [
    `seed ${seed}, as short as it gets:`,
    describeGateway(gateway),
    ...boards.map(describeBoard),
    ...(left > 0 ? [`… ${left} lines left out`] : []),
    ...lines,
    ...violations.map(({ at, what }) => `${seconds(at)}  WRONG: ${what}`),
  ].join('\n');
}

function describeGateway({ storeMs, queue, endFull }: GatewayConfig): string {
  const store = storeMs === undefined ? 'no store' : `a store, whose writes take ${storeMs} ms at most`;
  return `  gateway: ${store}, queues of ${queue}${endFull ? ', ending sessions that have more' : ''}`;
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(4).padStart(9)} s`;
}

function describeBoard({
  name,
  engine,
  kind,
  wishes,
  window,
  inFlight,
  maxPacket,
  buffer,
  ids,
  loopMs,
  keepAlive,
  expiry,
}: BoardSpec): string {
  const subscriptions = wishes.map(
    ({ pattern, qos, noLocal }) => `${pattern} at QoS ${qos}${noLocal ? ' (no local)' : ''}`,
  );
  const client =
    engine === 'c' ? `C client, loop of ${loopMs} ms` : `TypeScript session, buffer ${buffer}, ids ${ids}`;
  return `  ${name}: ${client}, on ${kind}, window ${window}, ${inFlight} in flight, packets of ${maxPacket}, keep-alive ${keepAlive} s, expiry ${expiry} s, subscribed to ${subscriptions.join(', ') || 'nothing'}`;
}
