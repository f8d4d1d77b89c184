import type { LinkReport } from '../gateway/link-reports.js';
import type { Diagnosis } from '../links/serial/diagnosis.js';

/** What one look at one thing showed. */
export interface Finding {
  /** `ok`; `note`: worth knowing, and not wrong; `problem`: something to mend. */
  readonly level: 'ok' | 'note' | 'problem';
  /** What was looked at, for programs: stable. */
  readonly check:
    | 'config'
    | 'gateway'
    | 'store'
    | 'present'
    | 'permission'
    | 'group'
    | 'held'
    | 'modem_manager'
    | 'latency'
    | 'line'
    | 'link'
    | 'bridge';
  /** Whom it is about: `config`, `gateway`, a port by its name or path, a link, `bridge:` and its name. */
  readonly about: string;
  /** What was found. */
  readonly text: string;
  /** The command or the setting that mends it. */
  readonly mend?: string;
  /** Of a link: what the gateway said of it. */
  readonly report?: LinkReport;
}

/** Findings of one check about one thing. */
export class Findings {
  readonly #check: Finding['check'];
  readonly #about: string;

  constructor(check: Finding['check'], about: string) {
    this.#check = check;
    this.#about = about;
  }

  ok(text: string): Finding {
    return { level: 'ok', check: this.#check, about: this.#about, text };
  }

  note(text: string, mend?: string): Finding {
    return { level: 'note', check: this.#check, about: this.#about, text, ...(mend && { mend }) };
  }

  problem({ problem, mend }: Diagnosis): Finding {
    return {
      level: 'problem',
      check: this.#check,
      about: this.#about,
      text: problem,
      ...(mend && { mend }),
    };
  }
}
