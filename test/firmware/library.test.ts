import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { LIBRARY, ROOT } from './build.js';

const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');
const HEADERS = ['SlipwayArduino.h', 'slipway.h'].map((name) => readFileSync(join(LIBRARY, name), 'utf8'));

/** Without one of these the Arduino IDE takes the folder for no library; `url` may be empty. */
const MANDATORY = ['name', 'version', 'author', 'maintainer', 'sentence', 'paragraph', 'url'];

describe('firmware-protocol as a library', () => {
  const properties = new Map(
    read('firmware-protocol/library.properties')
      .trimEnd()
      .split('\n')
      .map((line) => line.split(/=(.*)/) as [string, string]),
  );

  it('has what the Arduino IDE asks of one', () => {
    expect([...properties.keys()]).toEqual(expect.arrayContaining(MANDATORY));
  });

  it('has one version, whoever asks', () => {
    const { version } = JSON.parse(read('package.json'));
    expect(properties.get('version')).toBe(version);
    expect(JSON.parse(read('firmware-protocol/library.json')).version).toBe(version);
  });

  it('has keywords that the IDE can read and that are in its headers', () => {
    for (const line of read('firmware-protocol/keywords.txt').trimEnd().split('\n')) {
      const [word, kind, ...more] = line.split('\t');
      expect(['KEYWORD1', 'KEYWORD2', 'LITERAL1'], line).toContain(kind);
      expect(more, line).toEqual([]);
      expect(HEADERS.join('\n')).toMatch(new RegExp(`\\b${word}\\b`));
    }
  });

  it('colours all that a sketch can call', () => {
    const keywords = read('firmware-protocol/keywords.txt');
    const [, board = ''] =
      /class SlipwayBoard \{\npublic:(.*?)\nprotected:/s.exec(HEADERS[0] as string) ?? [];
    const methods = [...board.matchAll(/^ {2}(?:template <.*?> )?\w+ (\w+)\(/gm)].map(([, name]) => name);
    expect(methods).toEqual(expect.arrayContaining(['subscribe', 'emit', 'pending', 'askTime', 'time']));
    for (const name of methods) expect(keywords).toContain(`${name}\tKEYWORD2\n`);
  });
});
