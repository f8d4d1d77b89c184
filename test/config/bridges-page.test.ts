import { readFile } from 'node:fs/promises';
import { beforeAll, describe, expect, it } from 'vitest';
import { toName, toSubject, toSubjects } from '../../src/bridges/nats/subjects.js';
import { hasWildcard } from '../../src/wire/channels.js';
import { problemsIn } from './problems-in.js';

const read = (path: string) => readFile(new URL(`../../${path}`, import.meta.url), 'utf8');

let page: string;
beforeAll(async () => {
  page = await read('config/BRIDGES.md');
});

describe('what is written about bridges', () => {
  it.each(['config/BRIDGES.md', 'README.md'])('has configs that can be used: %s', async (path) => {
    const blocks = (await read(path)).matchAll(/```yaml\n(.*?)```/gs);
    const configs = [...blocks].map(([, text = '']) => text).filter((text) => text.includes('bridges:'));
    expect(configs.length).toBeGreaterThan(0);
    for (const text of configs) {
      const whole = text.includes('version:') ? text : `version: 1\n${text}`;
      expect(problemsIn(whole)).toEqual([]);
      const other = whole.replace(/^ +nats: .*\n/m, '').replace('# or mqtt:', 'mqtt:');
      expect(problemsIn(other)).toEqual([]);
    }
  });

  it('spells names as they are spelt', () => {
    const [, section = ''] = /\n## How names are spelt\n(.*?)\n## /s.exec(`${page}\n## `) ?? [];
    const rows = [...section.matchAll(/^\| `([^`|]+)` \| (`[^|]+) \|/gm)];
    expect(rows.length).toBeGreaterThan(6);
    for (const [, here = '', there = ''] of rows) {
      const subjects = [...there.matchAll(/`([^`]+)`/g)].map(([, subject = '']) => subject);
      expect(toSubjects(here)).toEqual(subjects);
      if (!hasWildcard(here)) expect(toName(toSubject(here))).toBe(here);
    }
  });
});
