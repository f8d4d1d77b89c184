import type { LinkReport } from '../gateway/link-reports.js';
import { type Finding, Findings } from './finding.js';

/** Fewer than this, or a smaller part than this, happens on every line. */
const FEW = 5;
const SMALL_PART = 0.01;

const CABLE =
  'use a shorter or shielded cable, connect the grounds, keep away from motors, or lower the rate';

/** Judges what the gateway says of one link. */
export function* checkLink(report: LinkReport): Generator<Finding> {
  const findings = new Findings('link', report.link);
  const { port } = report;
  if (port && port.state !== 'open') {
    yield findings.problem({ problem: `is not open: ${port.problem ?? 'the gateway is opening it'}` });
    return;
  }
  yield { ...findings.ok(summary(report)), report };
  if (port?.problem !== undefined) yield findings.problem({ problem: port.problem });
  const count = (name: string) => port?.counters[`serial.${name}`] ?? 0;

  const { sent = 0, resent = 0, resets = 0 } = report;
  if (resent >= FEW && resent / sent > SMALL_PART) {
    const problem = `${percent(resent, sent)} of what was sent had to be sent again`;
    yield findings.problem({
      problem,
      mend: `${port ? CABLE : 'look at the network between'}; a sketch must not block in its loop`,
    });
  }
  const spoiled = count('drop.crc') + count('drop.escape');
  if (spoiled >= FEW && spoiled / (spoiled + count('rx.packets')) > SMALL_PART) {
    const problem = `${percent(spoiled, spoiled + count('rx.packets'))} of the packets came spoiled (CRC)`;
    yield findings.problem({ problem, mend: CABLE });
  }
  if (resets >= FEW) {
    const problem = `the board was reset ${resets} times`;
    yield findings.problem({
      problem,
      mend: 'look at its power supply, and at what its watchdog or its stack may do',
    });
  }
  if (count('lost') >= FEW) {
    const problem = `the port was lost ${count('lost')} times since the gateway started`;
    yield findings.problem({ problem, mend: 'look at its plug, its cable and its power' });
  }
}

/** Everything that is known of a link, on one line. */
function summary({
  identity,
  round_trip_ms,
  sent = 0,
  resent = 0,
  resets = 0,
  begins = 0,
  port,
}: LinkReport): string {
  const facts = [identity ?? 'nobody has introduced itself'];
  if (port?.baud !== undefined) facts.push(`${port.baud} baud`);
  if (round_trip_ms !== undefined) facts.push(`round trip ${round_trip_ms} ms`);
  if (identity !== undefined) {
    facts.push(
      `${resent} of ${sent} resent`,
      many(resets, 'reset'),
      many(Math.max(0, begins - 1 - resets), 'resume'),
    );
  }
  if (port) {
    const count = (name: string) => port.counters[`serial.${name}`] ?? 0;
    facts.push(
      `${count('drop.crc')} CRC errors in ${many(count('rx.packets'), 'packet')}`,
      many(count('text.lines'), 'text line'),
      many(Math.max(0, count('opened') - 1), 'reconnect'),
    );
  }
  return facts.join(', ');
}

function many(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}

function percent(part: number, whole: number): string {
  return `${((part / whole) * 100).toFixed(1)} %`;
}
