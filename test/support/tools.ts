import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { describe } from 'vitest';

/** The first of the programs `names` that is not on the PATH; undefined when all are there. */
export function missingTool(...names: string[]): string | undefined {
  const folders = (process.env.PATH ?? '').split(delimiter);
  return names.find((name) => !folders.some((folder) => isProgram(join(folder, name))));
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
