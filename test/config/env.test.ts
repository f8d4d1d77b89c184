// biome-ignore-all lint/suspicious/noTemplateCurlyInString: these are references of the config, not of JavaScript
import { describe, expect, it } from 'vitest';
import { parseConfig } from '../../src/config/load.js';
import { problemsIn } from './problems-in.js';

const config = (yaml: string, env: Record<string, string> = {}) =>
  parseConfig(`version: 1\n${yaml}`, 'FILE', env);

describe('variables of the environment', () => {
  it('are typed as if their value had been written', () => {
    const yaml =
      'listen:\n  tcp:\n    host: ${HOST}\n    port: ${PORT}\nserial:\n  - name: p-${PORT}\n    path: /dev/${TTY:-ttyS0}\n    low_latency: ${LOW}\n';
    const read = config(yaml, { HOST: '::1', PORT: '8', LOW: 'false' });
    expect(read.listen.tcp).toMatchObject([{ host: '::1', port: 8 }]);
    expect(read.serial).toMatchObject([{ name: 'p-8', path: '/dev/ttyS0', low_latency: false }]);
  });

  it('stay text in quotes, which counts, sizes and durations take', () => {
    expect(config('listen: { tcp: { port: "${PORT}" } }', { PORT: '8' }).listen.tcp[0]?.port).toBe(8);
    expect(config('stats: { interval: "${EVERY:-0}" }').stats.interval).toBe(0);
    expect(problemsIn('version: "${V}"', { V: '1' })).toEqual([
      expect.stringContaining('version: must be 1'),
    ]);
  });

  it.each([
    [{}, 'info'],
    [{ LEVEL: '' }, 'info'],
    [{ LEVEL: 'warn' }, 'warn'],
  ])('fall back when unset or empty: %j', (env: Record<string, string>, level) => {
    expect(config('log:\n  level: ${LEVEL:-info}\n', env).log.level).toBe(level);
  });

  it('cannot bring in YAML of their own', () => {
    expect(problemsIn('version: 1\nlog:\n  level: ${L}', { L: 'info\n  format: json' })).toEqual([
      '3:10: log.level: must be one of trace, debug, info, warn, error, fatal, silent; not "info\\n  format: json"',
    ]);
    expect(problemsIn('version: 1\nlog: ${L}', { L: '{level: warn}' })).toEqual([
      '2:6: log: must be a mapping ("key: value" lines); known here: level, format',
    ]);
  });

  it('can be kept from being read, and are not read twice', () => {
    const path = (text: string, env = {}) =>
      config(`serial: [{ name: a, path: '${text}' }]`, env).serial[0]?.path;
    expect(path('/x/$${NAME}')).toBe('/x/${NAME}');
    expect(path('/x/$NAME/$$')).toBe('/x/$NAME/$$');
    expect(path('/${A}', { A: '${B}', B: 'no' })).toBe('/${B}');
  });

  it('that are not set are reported once each, and nothing else of their value', () => {
    const text =
      'version: ${VERSION}\nlisten:\n  tcp: &a\n    host: ${HOST}:${OTHER}\n    port: ${PORT}\n  udp:\n    host: ${HOST}\n    prot: 1\n';
    expect(problemsIn(text)).toEqual([
      '1:10: version: the environment has no VERSION: set it, or write ${VERSION:-default}',
      '4:11: listen.tcp.host: the environment has no HOST: set it, or write ${HOST:-default}',
      '4:11: listen.tcp.host: the environment has no OTHER: set it, or write ${OTHER:-default}',
      '5:11: listen.tcp.port: the environment has no PORT: set it, or write ${PORT:-default}',
      '7:11: listen.udp.host: the environment has no HOST: set it, or write ${HOST:-default}',
      '8:5: listen.udp.prot: unknown key (did you mean "port"?)',
    ]);
  });

  it('that are used through an alias are reported where they stand', () => {
    expect(problemsIn('version: 1\nlisten:\n  tcp: &a\n    port: ${PORT}\n  udp: *a\n')).toEqual([
      '4:11: listen.tcp.port: the environment has no PORT: set it, or write ${PORT:-default}',
    ]);
  });

  it.each(['${', '${}', '${9A}', '${A b}', '${A:+x}', '${A'])('written as %s are no references', (text) => {
    expect(problemsIn(`version: 1\nserial: [{ name: a, path: '${text}' }]`, { A: 'x' })).toEqual([
      `2:27: serial[0].path: ${text} is not a reference to the environment: write \${NAME}, \${NAME:-default}, or $\${ for a plain "\${"`,
    ]);
  });

  it('are not looked for where objects are born with things', () => {
    expect(problemsIn('version: 1\nlog:\n  level: ${constructor}')).toEqual([
      '3:10: log.level: the environment has no constructor: set it, or write ${constructor:-default}',
    ]);
  });
});
