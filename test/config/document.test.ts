// biome-ignore-all lint/suspicious/noTemplateCurlyInString: these are references of the config, not of JavaScript
import { describe, expect, it } from 'vitest';
import { parseConfig } from '../../src/config/load.js';
import { problemsIn } from './problems-in.js';

describe('YAML', () => {
  it('has the same positions with Windows line endings', () => {
    const text = 'version: 1\nlog:\n  # a remark\n  levle: info\n  format: 3\nlog: {}\n';
    const expected = [
      '4:3: log.levle: unknown key (did you mean "level"?)',
      '5:11: log.format: must be one of auto, pretty, json; not 3',
      '6:1: log: is given twice: the first is on line 2',
    ];
    // The last of two equal keys counts, so the first's mistakes only show once it stands alone.
    expect(problemsIn(text)).toEqual(expected.slice(2));
    expect(problemsIn(text.replaceAll('\n', '\r\n'))).toEqual(expected.slice(2));
    const once = text.replace('log: {}\n', '');
    expect(problemsIn(once)).toEqual(expected.slice(0, 2));
    expect(problemsIn(once.replaceAll('\n', '\r\n'))).toEqual(expected.slice(0, 2));
  });

  it('is reported with every line that breaks its rules, and the keys given twice beside', () => {
    const text = 'version: 1\nversion: 1\nlog:\n\tlevel: info\nstats: {interval: 1s}}\n';
    expect(problemsIn(text)).toEqual([
      '2:1: version: is given twice: the first is on line 1',
      '4:1: not valid YAML: tabs are not allowed as indentation',
      expect.stringMatching(/^5:22: not valid YAML: unexpected flow-map-end token/),
    ]);
  });

  it.each([
    ['log: {level: info\n', /^2:1: not valid YAML: flow map .* end with a \}$/],
    ['log: "info\n', /not valid YAML: missing closing "quote/],
    ['version: 1\n---\nversion: 1\n', /^2:1: not valid YAML: .*multiple documents/],
    ['version: !secret 1\n', /^1:10: not valid YAML: unresolved tag: !secret/],
    ['? [a]\n: 1\n', /^1:3: not valid YAML: with stringKeys, all keys must be strings/],
    ['version: 1\nlog: *nope\n', /^2:6: log: \*nope names nothing: no anchor &nope stands before it$/],
    ['version: 1\nlog:\n  <<: 3\n', /not valid YAML: merge sources must be maps/i],
  ])('%j is refused', (text, message) => {
    expect(problemsIn(text)).toEqual([expect.stringMatching(message)]);
  });

  it('names what a stray bracket leaves open', () => {
    expect(problemsIn('a: {}}\nb: {\n')).toEqual([
      expect.stringMatching(/^1:6: not valid YAML: unexpected flow-map-end token/),
      expect.stringMatching(/^2:1: not valid YAML/),
      '3:1: not valid YAML: a { or [ before this is not closed',
    ]);
  });

  it('is told apart from its comments where a # is not in quotes', () => {
    const hint = (line: number) =>
      ` (in line ${line} what follows # is a comment, unless it is in quotes, "#")`;
    expect(problemsIn('version: 1\na:\n  - { pattern: #, direction: in }\n  - { b: "#" }\n')).toEqual([
      expect.stringMatching(/^4:3: not valid YAML: flow map .* end with a \} \(/),
    ]);
    expect(problemsIn('a:\n  - { pattern: #, b: c }\n')[0]).toContain(hint(2));
    expect(problemsIn('a:\n  - [x, a/ #, b\n\n')[0]).toContain(hint(2));
    expect(problemsIn("a:\n  - { pattern: '#', b: c\n")[0]).not.toContain('comment');
    expect(problemsIn('a:\n  - { pattern: b } # all\n  - { c\n')[0]).not.toContain('comment');

    const text = (pattern: string) =>
      `version: 1\nbridges:\n  - name: a\n    rules:\n      - direction: out\n        pattern: ${pattern}\n`;
    expect(problemsIn(text('#'))).toContain(
      '6:9: bridges[0].rules[0].pattern: is empty: what follows # is a comment, unless it is in quotes, "#"',
    );
    expect(problemsIn(text(''))).toContain(
      '6:9: bridges[0].rules[0].pattern: is empty: give it a value, or delete the line',
    );
    expect(
      problemsIn('version: 1\naccess:\n  rules:\n    - who: anyone\n      emit:\n        - #\n'),
    ).toEqual([
      '6:11: access.rules[0].emit[0]: is empty: what follows # is a comment, unless it is in quotes, "#"',
    ]);
  });

  it('that is indented like nothing before it is told so', () => {
    expect(problemsIn('bridges:\n  - name: a\n   rules: []\n')).toEqual([
      '3:1: not valid YAML: this line is indented like no line above it, and is no entry of a list ("- ")',
    ]);
  });

  it('with references between { } says how they are written there', () => {
    expect(problemsIn('version: 1\nlog: {level: ${LEVEL}}\n')[0]).toMatch(
      /^2:15: not valid YAML: .*\(between \{ \} or \[ \] write "\$\{NAME\}", in quotes\)$/,
    );
  });

  it('that unfolds to an enormous one is refused', () => {
    const rows = ['a: &a [1,1,1,1,1,1,1,1,1]'];
    for (const [from, to] of ['ab', 'bc', 'cd', 'de', 'ef']) {
      rows.push(`${to}: &${to} [${Array.from({ length: 9 }, () => `*${from}`).join()}]`);
    }
    expect(problemsIn(rows.join('\n'))).toEqual([expect.stringContaining('alias count')]);
  });

  it('that holds itself is refused like any other mistake', () => {
    expect(problemsIn('version: 1\nserial: &all [*all]')).toEqual([
      '2:15: serial[0]: must be a mapping ("key: value" lines)',
    ]);
  });
});

describe('anchors', () => {
  const text = `version: 1
listen:
  tcp:
    - &local
      host: 127.0.0.1
      port: 1000
    - <<: *local
      port: 1001
  udp: *udp
`;

  it('and merged mappings are followed', () => {
    const { listen } = parseConfig(
      'version: 1\nlisten: { udp: [&a { port: 9 }, { <<: *a, host: "::1" }], tcp: *a }',
      'FILE',
      {},
    );
    expect(listen.udp).toMatchObject([
      { host: '127.0.0.1', port: 9 },
      { host: '::1', port: 9 },
    ]);
    expect(listen.tcp).toMatchObject([{ host: '127.0.0.1', port: 9 }]);
  });

  it('lead a problem to the line of the value, or of the entry that merges it in', () => {
    const broken = text.replace('127.0.0.1', 'a b').replace('  udp: *udp\n', '');
    const message =
      '"a b" is neither an IP address nor a host name (0.0.0.0 or "::" listen on every address)';
    expect(problemsIn(broken)).toEqual([
      `5:13: listen.tcp[0].host: ${message}`,
      `7:7: listen.tcp[1].host: ${message}`,
    ]);
  });

  it('that are not there are named', () => {
    expect(problemsIn(text)).toEqual([
      '9:8: listen.udp: *udp names nothing: no anchor &udp stands before it',
    ]);
  });
});
