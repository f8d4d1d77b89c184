import { X509Certificate } from 'node:crypto';
import { readFile, realpath, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { rootCertificates } from 'node:tls';
import type { TlsOptions } from '../client/options.js';
import { nearest } from '../config/nearest.js';
import type { Config, SerialConfig } from '../config/schema.js';
import { SlipwayError } from '../errors.js';
import { describeMissing, findPorts, isPresent } from '../links/serial/discovery.js';
import { serialLinkName } from '../links/serial/serial-link.js';
import { checkBridges } from './bridge-check.js';
import { type CheckedConfig, checkConfig } from './config-check.js';
import { type Finding, Findings } from './finding.js';
import { checkGateway, type GatewayPlace, type Reports } from './gateway-check.js';
import { checkGroup } from './group-check.js';
import type { Host } from './host.js';
import { checkLine } from './line-check.js';
import { checkLink } from './link-check.js';
import { checkPort, type Examined } from './port-check.js';
import { checkStore } from './store-check.js';

export interface DoctorRequest {
  /** A port by its name in the config or its path; all of the config unless given. Only such a one is opened. */
  readonly port?: string;
  readonly config?: string;
  /** Where the gateway is; as the config says unless given. */
  readonly gateway?: Partial<GatewayPlace>;
}

/** What is known of one port beforehand. */
interface Patient extends Examined {
  readonly entry: SerialConfig | undefined;
}

const NO_PORTS = 'it has none; name one by its path: "slipway ports" shows what there is';
/** Links that are no serial ports are many, perhaps: more than so many are not listed one by one. */
const MAX_LISTED_LINKS = 50;

/**
 * Looks at everything between a board and its gateway, and tells what it finds as it finds it. A running gateway is asked,
 * and not disturbed: what it uses, or any other program does, is not opened.
 * @throws SlipwayError `usage`, before anything is told, when the port is neither in the config nor a path, or a file
 */
export async function* examine(request: DoctorRequest, host: Host): AsyncGenerator<Finding> {
  const checked = await checkConfig(request.config, host);
  const { config } = checked;
  const patients =
    request.port === undefined ? config.serial.map(patientOf) : await named(request.port, checked, host);
  yield* checked.findings;
  const place = await placeOf(config, request.gateway);
  const storePath = config.store ? config.store.path : undefined;
  const everything = request.port === undefined;
  const hasBridges = everything && config.bridges.length > 0;
  const gateway = yield* checkGateway(place, everything, hasBridges, storePath, host);
  const { running, reports } = gateway;
  yield* checkStore(storePath, running, host);
  if (config.serial.length > 0) yield* checkGroup();
  for (const patient of patients) yield* checkPatient(patient, reports, request, host);
  if (everything) yield* checkOthers(patients, reports);
  if (hasBridges) yield* checkBridges(config, gateway, host);
}

async function* checkPatient(
  patient: Patient,
  reports: Reports,
  request: DoctorRequest,
  host: Host,
): AsyncGenerator<Finding> {
  const report = await reportOn(patient, reports, host);
  // What is not plugged in is told in the same words whether a gateway runs or not, unless its ports are those of another machine.
  const isMissing =
    report?.port?.state === 'waiting' &&
    request.gateway?.host === undefined &&
    (await findPorts(patient, host.listPorts)).length === 0;
  if (report && !isMissing) {
    yield* checkLink(report);
    return;
  }
  if (reports && patient.entry && !report) {
    const text = 'the gateway that runs does not know this port: restart it if it should';
    yield new Findings('gateway', patient.about).note(text);
  }
  const free = yield* checkPort(patient, host);
  const said = report?.port?.problem;
  if (report && said !== undefined && said !== describeMissing(patient))
    yield new Findings('link', report.link).note(`the gateway says: ${said}`);
  if (free && request.port !== undefined) yield* checkLine(patient.about, free, patient.entry?.baud, host);
}

/** What the gateway says of that port: by its name in the config, or because it has the same device open. */
async function reportOn({ entry, path, usb }: Patient, reports: Reports, host: Host) {
  const known = entry && reports?.get(serialLinkName(entry.name));
  if (known || !reports) return known;
  const [found] = await findPorts({ path, usb }, host.listPorts);
  return [...reports.values()].find(
    ({ port }) => port?.device !== undefined && port.device === found?.device,
  );
}

/** The links that the gateway has besides. */
function* checkOthers(patients: readonly Patient[], reports: Reports): Generator<Finding> {
  const seen = new Set(patients.map(({ entry }) => entry && serialLinkName(entry.name)));
  const others = [...(reports?.values() ?? [])].filter(({ link }) => !seen.has(link));
  for (const report of others.slice(0, MAX_LISTED_LINKS)) yield* checkLink(report);
  for (const report of others.slice(MAX_LISTED_LINKS)) {
    for (const finding of checkLink(report)) if (finding.level === 'problem') yield finding;
  }
}

/** The port that somebody named: one of the config, or any other. */
async function named(name: string, { config, file, usable }: CheckedConfig, host: Host): Promise<Patient[]> {
  const byName = config.serial.find((entry) => entry.name === name);
  if (byName) return [patientOf(byName)];
  const path = process.platform === 'win32' ? name : resolve(name);
  if ((await stat(path).catch(() => undefined))?.isFile()) throw notPort(name);
  if (!/[/\\]/.test(name) && !(await isPresent(path, host.listPorts))) {
    // Which names a config has that cannot be read, nobody knows.
    if (!usable) return [];
    throw noSuchPort(name, config, file);
  }
  const device = await realpath(path).catch(() => path);
  for (const entry of config.serial) {
    const found = await findPorts(entry, host.listPorts);
    if (found.some((port) => port.device === device)) return [{ ...patientOf(entry), path, usb: undefined }];
  }
  return [{ about: path, path, low_latency: true, entry: undefined }];
}

function notPort(name: string): SlipwayError {
  return new SlipwayError(
    'usage',
    `"${name}" is a file, not a serial port; if it is the config: slipway doctor -c ${name}`,
  );
}

function noSuchPort(name: string, { serial }: Config, file: string | undefined): SlipwayError {
  const names = serial.map((entry) => entry.name);
  const meant = nearest(name, names);
  const known = names.length === 0 ? NO_PORTS : `it has: ${names.join(', ')}`;
  const mend = `${meant === undefined ? '' : `did you mean "${meant}"? `}${known}`;
  return new SlipwayError('usage', `no port "${name}" in ${file ?? 'the default config'} (${mend})`);
}

function patientOf(entry: SerialConfig): Patient {
  const { name, path, usb, low_latency } = entry;
  return { about: name, path, usb, low_latency, entry };
}

async function placeOf(config: Config, given: Partial<GatewayPlace> = {}): Promise<GatewayPlace | undefined> {
  const { tcp } = config.listen;
  const listener = tcp.find(({ tls }) => !tls) ?? tcp[0];
  if (listener === undefined && given.host === undefined && given.port === undefined) return undefined;
  return {
    ...(listener?.tls && { tls: await trusting(listener.tls.cert) }),
    ...given,
    host: given.host ?? listener?.host ?? '127.0.0.1',
    port: given.port ?? listener?.port ?? 7770,
  };
}

/** What is needed to believe the gateway of this machine, which has that certificate. One that cannot be read was reported. */
async function trusting(file: string): Promise<TlsOptions> {
  try {
    const cert = await readFile(file, 'utf8');
    const [, name] = /DNS:([^,*]+)/.exec(new X509Certificate(cert).subjectAltName ?? '') ?? [];
    return { ca: [...rootCertificates, cert].join('\n'), ...(name !== undefined && { servername: name }) };
  } catch {
    return {};
  }
}
