import { expect } from 'vitest';
import type { UpstreamError } from '../../../src/bridges/upstream.js';
import { Rig, type RigOptions } from './rig.js';

/** What `connect` says, with the address left out. */
export async function problemOf(url: string, options: RigOptions = {}): Promise<string> {
  const rig = new Rig(url, options);
  const error: unknown = await rig.connect().then(
    () => 'it connected',
    (reason: unknown) => reason,
  );
  const { code, message } = error as UpstreamError;
  expect(message).not.toContain('\n');
  expect(rig.problems).toEqual([]);
  return `${code}: ${message.replace(url, 'URL')}`;
}
