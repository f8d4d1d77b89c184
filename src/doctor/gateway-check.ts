import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { BridgeReport } from '../bridges/report.js';
import { type Client, connect } from '../client/client.js';
import type { ConnectOptions } from '../client/options.js';
import { codeOf, SlipwayError } from '../errors.js';
import { LINK_REPORTS, type LinkReport } from '../gateway/link-reports.js';
import { describeHolders, findHolders } from '../links/serial/holders.js';
import { type Finding, Findings } from './finding.js';
import type { Host } from './host.js';
import { problemOf } from './store-check.js';

/** Below it, what each bridge says of itself (PROTOCOL.md §6.6). */
const BRIDGES = '$slipway/bridges';
/** How long the gateway may take to answer, ms. */
const ANSWER_MS = 2000;
/** How long its links are watched, ms: two reports of each, so that one that was asked has answered. */
const WATCH_MS = 2300;
/** What a gateway that runs says no with. */
const REFUSALS: ReadonlySet<string> = new Set([
  'not_stored',
  'bad_credentials',
  'not_allowed',
  'too_many_attempts',
  'limit_reached',
]);
const NAMES_OF_ALL: Readonly<Record<string, string>> = { '0.0.0.0': '127.0.0.1', '::': '::1' };

/** Where a gateway is, and what it is to be shown of who asks. */
export interface GatewayPlace
  extends Pick<ConnectOptions, 'user' | 'password' | 'token' | 'tls' | 'insecure'> {
  readonly host: string;
  readonly port: number;
}

/** What the gateway says of its links, by their names; undefined when it tells nothing of them. */
export type Reports = ReadonlyMap<string, LinkReport> | undefined;

/** What the gateway says of its bridges, by their names; undefined when it tells nothing of them. */
export type BridgeReports = ReadonlyMap<string, BridgeReport> | undefined;

export interface CheckedGateway {
  readonly running: boolean;
  readonly reports: Reports;
  readonly bridges: BridgeReports;
}

/**
 * Asks the gateway how its links do. Opens a connection to it and nothing else.
 * @param needed Whether it is wrong that none runs.
 * @param hasBridges Whether it is to be asked for its bridges, too.
 * @param storePath The folder of its store, if it has one: without it a gateway cannot answer.
 */
export async function* checkGateway(
  place: GatewayPlace | undefined,
  needed: boolean,
  hasBridges: boolean,
  storePath: string | undefined,
  host: Host,
): AsyncGenerator<Finding, CheckedGateway> {
  const findings = new Findings('gateway', 'gateway');
  if (place === undefined) {
    yield findings.note('the config has no TCP listener (listen.tcp), so a gateway cannot be asked');
    return { running: false, reports: undefined, bridges: undefined };
  }
  const address = { ...place, host: NAMES_OF_ALL[place.host] ?? place.host };
  const where = `${address.host} port ${address.port}`;
  let client: Client;
  try {
    client = await connect({ ...address, timeoutMs: ANSWER_MS });
  } catch (error) {
    if (!(error instanceof SlipwayError)) throw error;
    const waits = storePath !== undefined && (await problemOf(storePath)) !== undefined;
    yield await whyNot(error, where, address.port, needed, waits, findings, host);
    const running = REFUSALS.has(error.code) || (waits && isSilent(error));
    return { running, reports: undefined, bridges: undefined };
  }
  try {
    const bridges = hasBridges ? await hearBridges(client) : undefined;
    const reports = await watchLinks(client, host);
    yield findings.ok(`runs, at ${where}`);
    return { running: true, reports, bridges };
  } catch (error) {
    if (!(error instanceof SlipwayError)) throw error;
    yield findings.problem({
      problem: `answers at ${where}, but tells nothing of its links: ${error.message}`,
      ...(error.code === 'not_allowed' && {
        mend: `add a rule: { who: loopback, subscribe: ${LINK_REPORTS}/+ }`,
      }),
    });
    return { running: true, reports: undefined, bridges: undefined };
  } finally {
    await client.close();
  }
}

async function whyNot(
  error: SlipwayError,
  where: string,
  port: number,
  needed: boolean,
  storeIsBad: boolean,
  findings: Findings,
  host: Host,
): Promise<Finding> {
  if (error.code === 'not_stored')
    return findings.problem({
      problem: `runs, at ${where}, but cannot write its store`,
      mend: 'make room on the disk of store.path',
    });
  if (error.code === 'bad_credentials' || error.code === 'not_allowed')
    return findings.problem({
      problem: `runs, at ${where}, but does not let the doctor in: ${error.message}`,
      mend: 'say who asks, with --profile, or with --user and SLIPWAY_PASSWORD',
    });
  if (error.code !== 'connect_failed')
    return findings.problem({ problem: `refuses at ${where}: ${error.message}` });
  if (codeOf(error.cause) === 'ECONNREFUSED') {
    const problem = `does not run: nothing listens on ${where}`;
    const mend = 'start it with "slipway run", or name the place with --host and --port';
    return needed ? findings.problem({ problem, mend }) : findings.note(problem);
  }
  if (!isSilent(error)) return findings.problem({ problem: error.message });
  const holders = await findHolders(await socketOf(port, host.proc), host.proc);
  const who = holders.length > 0 ? describeHolders(holders) : 'another program';
  if (storeIsBad)
    return findings.problem({
      problem: `something listens on ${where} and does not answer: ${who}; if it is the gateway, it may be waiting for its store`,
      mend: 'mend the store, see below; if it is another program, stop it, or give listen.tcp another port',
    });
  return findings.problem({
    problem: `something that is no Slipway gateway listens on ${where}: ${who}`,
    mend: 'stop it, or give listen.tcp another port',
  });
}

function isSilent({ code, message }: SlipwayError): boolean {
  return code === 'connect_failed' && message.includes('took the connection');
}

/** `socket:[inode]` of whoever listens on a TCP port of this machine, as in /proc/PID/fd. */
async function socketOf(port: number, proc: string): Promise<string> {
  const ending = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  for (const table of ['net/tcp', 'net/tcp6']) {
    const lines = (await readFile(join(proc, table), 'utf8').catch(() => '')).split('\n');
    for (const line of lines) {
      const [, local, , state, , , , , , inode] = line.trim().split(/\s+/);
      if (local?.endsWith(ending) && state === '0A') return `socket:[${inode}]`;
    }
  }
  return 'socket:[]';
}

/** Filled while the links are watched. Undefined where that may not be asked for. */
async function hearBridges(client: Client): Promise<BridgeReports> {
  const reports = new Map<string, BridgeReport>();
  try {
    await client.subscribe(`${BRIDGES}/+/stats`, ({ channel, text }) => {
      const name = channel.slice(BRIDGES.length + 1, -'/stats'.length);
      reports.set(name, JSON.parse(text) as BridgeReport);
    });
    return reports;
  } catch (error) {
    if (error instanceof SlipwayError && error.code === 'not_allowed') return undefined;
    throw error;
  }
}

async function watchLinks(client: Client, host: Host): Promise<Map<string, LinkReport>> {
  const reports = new Map<string, LinkReport>();
  await client.subscribe(`${LINK_REPORTS}/+`, ({ text }) => {
    const report = JSON.parse(text) as LinkReport;
    // The doctor's own connection is nobody's business.
    if (report.identity !== client.identity) reports.set(report.link, report);
  });
  await new Promise<void>((resolve) => host.clock.schedule(WATCH_MS, resolve));
  return reports;
}
