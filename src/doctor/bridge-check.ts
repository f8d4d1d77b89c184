import type { BridgeReport } from '../bridges/report.js';
import { UpstreamError } from '../bridges/upstream.js';
import { readUpstreamFiles } from '../bridges/upstream-files.js';
import type { BridgeConfig, Config } from '../config/schema.js';
import { type Finding, Findings } from './finding.js';
import type { CheckedGateway } from './gateway-check.js';
import type { Host } from './host.js';

/** How long a broker may take to let somebody in, ms. */
const ANSWER_MS = 10_000;

/**
 * How the bridges of the config do: a gateway that runs is asked. Where none does, each broker is tried once, in the name of the bridge: it is
 * connected to and left again, and nothing is changed there.
 */
export async function* checkBridges(
  { bridges, gateway = '' }: Config,
  { running, bridges: reports }: Pick<CheckedGateway, 'running' | 'bridges'>,
  host: Host,
): AsyncGenerator<Finding> {
  for (const bridge of bridges) {
    const findings = new Findings('bridge', `bridge:${bridge.name}`);
    const report = reports?.get(bridge.name);
    if (report) yield* judged(report, findings);
    else if (!running) yield* tried(bridge, gateway, findings, host);
    else if (reports)
      yield findings.note('the gateway that runs does not know this bridge: restart it if it should');
  }
}

function* judged(report: BridgeReport, findings: Findings): Generator<Finding> {
  const { state, server, problem = 'the gateway is connecting it', full } = report;
  const { waits_for: waitsFor, held_up: heldUp } = report;
  const waiting = waitingOf(report);
  if (state === 'up') yield findings.ok(`connected to ${server}${waiting}${droppedOf(report)}`);
  else yield findings.problem({ problem: `is not connected: ${problem}${waiting}` });
  if (heldUp !== undefined) {
    const text = `the connection ended ${heldUp.cuts} times with a message of ${heldUp.bytes} bytes on ${JSON.stringify(heldUp.name)}: what is behind it waits until it is known whether that is why`;
    yield findings.problem({
      problem: text,
      mend: 'let the broker take packets of that size, and this bridge publish there, or change the rule',
    });
  }
  if (full) {
    const text =
      'its queue is full: reliable messages for it are refused, or older ones dropped (queue.when_full)';
    yield findings.problem({
      problem: text,
      mend: 'give its queue more messages and bytes, or see to it that it is connected',
    });
  }
  if (waitsFor !== undefined) {
    const text = `what comes in waits, for there is no room for it here: ${waitsFor}`;
    yield findings.problem({ problem: text, mend: 'see which sessions hold so much, or raise limits.queue' });
  }
}

function waitingOf({ queue }: BridgeReport): string {
  if (queue.messages === 0) return '';
  if (queue.messages === 1) return `; 1 message waits, for ${queue.oldest_s} s`;
  return `; ${queue.messages} messages wait, the oldest for ${queue.oldest_s} s`;
}

function droppedOf({ drops }: BridgeReport): string {
  const reasons = Object.entries(drops).map(([reason, count]) => `${count} ${reason}`);
  return reasons.length === 0 ? '' : `; dropped: ${reasons.join(', ')}`;
}

async function* tried(
  bridge: BridgeConfig,
  gateway: string,
  findings: Findings,
  host: Host,
): AsyncGenerator<Finding> {
  const files = bridge.nats ?? bridge.mqtt ?? {};
  // What is wrong with them was told.
  const usable = await readUpstreamFiles(files).then(
    () => true,
    () => false,
  );
  if (!usable) return;
  host.progress(`connecting to the broker of ${bridge.name}`);
  const abort = new AbortController();
  const cancel = host.clock.schedule(ANSWER_MS, () => abort.abort());
  try {
    const server = await letIn(bridge, gateway, host, abort.signal);
    yield findings.ok(`${server} can be reached, and lets it in`);
  } catch (error) {
    if (!(error instanceof UpstreamError)) throw error;
    const where = bridge.mqtt?.url ?? bridge.nats?.servers.join(', ');
    const silent = `${where}: does not let it in within ${ANSWER_MS / 1000} s: check host and port`;
    yield findings.problem({ problem: abort.signal.aborted ? silent : error.message });
  } finally {
    cancel();
  }
}

/** Only the library that is needed is loaded. */
async function letIn(
  { name: bridge, nats, mqtt, rules, presence, broadcast }: BridgeConfig,
  gateway: string,
  { clock }: Host,
  signal: AbortSignal,
): Promise<string> {
  if (nats) {
    const { probeNats } = await import('../bridges/nats/probe.js');
    const jetStream = rules.some(({ qos }) => qos > 0) || presence !== undefined || broadcast !== undefined;
    return probeNats({ config: nats, gateway, bridge, jetStream }, signal);
  }
  if (!mqtt) throw new RangeError(`The bridge ${bridge} has no upstream.`);
  const { probeMqtt } = await import('../bridges/mqtt/probe.js');
  return probeMqtt({ config: mqtt, gateway, bridge, clock }, signal);
}
