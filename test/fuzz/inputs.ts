import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { ROOT } from '../firmware/build.js';

const HERE = join(ROOT, 'test/fuzz');

/** Where what a long run finds is kept until it is looked at. */
export const FINDINGS = join(ROOT, 'build/fuzz');

/** What reaches everything that was reached so far, as little of it as will do. */
export const corpusFile = (target: string): string => join(HERE, 'corpus', `${target}.hex`);

/** Inputs that once broke something, each with a word on what. */
export const foundFile = (target: string): string => join(HERE, 'found', `${target}.hex`);

/** The inputs of a file: one a line in hexadecimal, remarks behind `#`. None if there is no such file. */
export function readInputs(file: string): Uint8Array[] {
  if (!existsSync(file)) return [];
  return readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => fromHex(line.replace(/#.*/, '').trim()));
}

/** Shortest first, so that a change shows as little as there is. */
export function writeInputs(file: string, inputs: readonly Uint8Array[]): void {
  const lines = inputs
    .filter(({ length }) => length > 0)
    .map(toHex)
    .sort((a, b) => a.length - b.length || (a < b ? -1 : 1));
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${lines.join('\n')}\n`);
}

/** What is tried before anything new. */
export function knownInputs(target: string): Uint8Array[] {
  return [...readInputs(foundFile(target)), ...readInputs(corpusFile(target))];
}

export function toHex(input: Uint8Array): string {
  return Buffer.from(input).toString('hex');
}

/** @throws RangeError when `text` is not hexadecimal */
export function fromHex(text: string): Uint8Array {
  if (!/^([0-9a-f]{2})*$/i.test(text)) throw new RangeError(`not bytes in hexadecimal: ${text.slice(0, 40)}`);
  return Uint8Array.from(Buffer.from(text, 'hex'));
}

/** Inputs as files of a folder made anew, as libFuzzer wants them. */
export function writeFolder(folder: string, inputs: readonly Uint8Array[]): void {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const [index, input] of inputs.entries()) writeFileSync(join(folder, `${index}`), input);
}

export function readFolder(folder: string): Uint8Array[] {
  return readdirSync(folder).map((name) => Uint8Array.from(readFileSync(join(folder, name))));
}
