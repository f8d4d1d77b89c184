import type { FoundPort } from '../links/serial/discovery.js';
import { diagnoseLine } from '../links/serial/line-fault.js';
import { diagnoseOpenError } from '../links/serial/open-error.js';
import { type Finding, Findings } from './finding.js';
import type { Host } from './host.js';
import { type Heard, listenTo } from './listen.js';

/** Rates that sketches use, the common ones first. */
const USUAL_RATES = [115_200, 57_600, 9600, 38_400, 19_200, 230_400, 250_000, 74_880];

/**
 * Opens a port that nobody uses and says what its board does.
 * @param configured The rates of its entry in the config; undefined when it has none.
 */
export async function* checkLine(
  about: string,
  port: FoundPort,
  configured: readonly number[] | undefined,
  host: Host,
): AsyncGenerator<Finding> {
  const findings = new Findings('line', about);
  const rates = [...new Set([...(configured ?? []), ...USUAL_RATES])];
  let heard: Heard;
  try {
    heard = await listenTo(port, rates, host);
  } catch (error) {
    yield findings.problem(await diagnoseOpenError(error, port.path, rates[0] as number));
    return;
  }
  if (heard.what === 'lost') {
    const mend = 'look at its plug, its cable and its power';
    yield findings.problem({ problem: `${port.path} was lost while it was listened to`, mend });
  } else if (heard.what === 'packets' || heard.what === 'text') {
    const said = heard.what === 'packets' ? packets(heard.identity) : `the board prints, as "${heard.line}"`;
    const text = `${said}, at ${heard.baud} baud`;
    if (configured === undefined || configured.includes(heard.baud)) yield findings.ok(text);
    else
      yield findings.problem({
        problem: `${text}, and not at ${configured.join(' or ')}`,
        mend: mendOf(about, heard.baud),
      });
  } else {
    yield findings.problem(diagnoseLine(heard.what, rates));
  }
}

function packets(identity: string | undefined): string {
  return identity === undefined ? 'a board sends packets' : `${identity} waits for a gateway`;
}

function mendOf(about: string, baud: number): string {
  return `baud: ${baud} in the entry of ${about} in the config`;
}
