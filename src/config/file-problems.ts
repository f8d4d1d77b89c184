import { SlipwayError } from '../errors.js';

/** What is wrong with the files that a config names, a line each. */
export class FileProblems {
  /** What keeps the config from being used. */
  readonly problems: string[] = [];
  /** What does not. */
  readonly warnings: string[] = [];

  /** Adds what reading some of them showed. @throws what is no problem of a file */
  async add(reading: Promise<{ readonly warnings: readonly string[] }>): Promise<void> {
    try {
      this.warnings.push(...(await reading).warnings);
    } catch (error) {
      if (!(error instanceof SlipwayError)) throw error;
      this.problems.push(...error.message.split('\n'));
    }
  }
}
