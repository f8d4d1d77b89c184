import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { describe } from 'vitest';

/** Debian puts servers where only root's PATH leads. */
const FOLDERS = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin'];

/** Where the program `name` is; undefined when it is not there. */
export function findTool(name: string): string | undefined {
  return FOLDERS.map((folder) => join(folder, name)).find(isProgram);
}

/** The first of the programs `names` that is not there; undefined when all are. */
export function missingTool(...names: string[]): string | undefined {
  return names.find((name) => findTool(name) === undefined);
}

/**
 * A `describe` that needs the programs `names`. Where one is missing it is skipped and says which; in CI, where
 * nothing may be missing, it fails instead.
 */
export function describeWithTools(names: string[], title: string, body: () => void): void {
  describeUnlessMissing(missingTool(...names), title, body);
}

/** The same for whatever else may be missing; `missing` names it, undefined when it is there. */
export function describeUnlessMissing(missing: string | undefined, title: string, body: () => void): void {
  if (missing === undefined || process.env.CI === 'true') {
    describe(title, () => {
      if (missing !== undefined) throw new Error(`${missing} is not installed, and CI must not skip this`);
      body();
    });
  } else {
    describe.skip(`${title} (skipped: ${missing} is not installed)`, body);
  }
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
