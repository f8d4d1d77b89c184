import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseConfig } from '../../../src/config/load.js';
import { ConfigError } from '../../../src/config/problems.js';
import { ROOT } from '../../firmware/build.js';
import { must, type Target } from '../target.js';

const ENVIRONMENT = { PORT: '7770', EMPTY: '', LINES: 'a: 1\nb: 2' };

const WORDS = [
  'version: 1',
  'listen:',
  'tcp:',
  'udp: { port: 7770 }',
  'serial:',
  '- name: x',
  'path: /dev/x',
  `\${PORT}`,
  `\${EMPTY}`,
  `\${LINES:-x}`,
  '&a',
  '*a',
  '<<: *a',
  '!!binary',
  '? ',
  '|-',
  '{ ',
  '[',
  '1e999',
  '.nan',
  '__proto__: 1',
  '"\\u0000"',
  '---\n',
  '\t',
];

const SMALL = [
  'version: 1\n',
  `version: 1\nlisten:\n  tcp: { host: 127.0.0.1, port: \${PORT} }\n  udp: 7770\n`,
  'version: 1\nserial:\n  - name: bench\n    path: /dev/ttyACM0\n    baud: 9600\n    lines: { emit: a/b, listen: c }\n',
  'x: &a { port: 1 }\nversion: 1\nlisten: { tcp: [{ <<: *a }, *a] }\n',
];

/** A config file: it is taken, or every problem is named with its place. Nothing else is thrown. */
export const config: Target = {
  name: 'config',
  maxBytes: 8000,
  dictionary: WORDS.map((word) => Uint8Array.from(Buffer.from(word))),
  seeds: () =>
    [...SMALL, readFileSync(join(ROOT, 'config/slipway.example.yaml'), 'utf8')].map((text) =>
      Uint8Array.from(Buffer.from(text)),
    ),
  run(input) {
    const text = Buffer.from(input).toString('utf8');
    try {
      parseConfig(text, 'FILE', ENVIRONMENT);
      return ['taken'];
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      must(error.problems.length > 0, 'a config that is not taken has a problem');
      // Every character that ends a line somewhere counts.
      const lines = text.split(/\r\n|\r|\n/).length + 1;
      for (const { line, column, message } of error.problems) {
        must(message !== '', 'a problem says what is wrong');
        must(
          line === undefined || (line >= 1 && line <= lines),
          `a problem is on a line of the file: ${line} of ${lines}`,
        );
        must(column === undefined || column >= 1, 'a problem is in a column');
      }
      return [`${Math.min(error.problems.length, 5)} problems`];
    }
  },
};
