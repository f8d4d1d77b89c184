// biome-ignore-all lint/suspicious/noTemplateCurlyInString: these are references of the config, not of JavaScript
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { defaultConfig, loadConfig, parseConfig } from '../../src/config/load.js';
import { ConfigError } from '../../src/config/problems.js';
import { DEFAULT_MAX_EXPIRY_S, DEFAULT_MAX_PACKET_BYTES, DEFAULT_WINDOW } from '../../src/wire/limits.js';
import { problemsIn } from './problems-in.js';

describe('defaults', () => {
  it('listens on this machine only, for TCP and UDP', () => {
    const { listen, serial } = defaultConfig();
    expect([listen.mqtt, listen.ws]).toEqual([[], []]);
    expect(listen.tcp).toEqual([{ host: '127.0.0.1', port: 7770, max_connections: 1000, tls: false }]);
    expect(listen.udp).toEqual([{ host: '127.0.0.1', port: 7770, one_shot: false }]);
    expect(serial).toEqual([]);
  });

  it('are those of the protocol', () => {
    const { limits, sessions } = defaultConfig();
    expect(limits.packet).toEqual(DEFAULT_MAX_PACKET_BYTES);
    expect(limits.window).toEqual(DEFAULT_WINDOW);
    expect(sessions.expiry).toBe(DEFAULT_MAX_EXPIRY_S * 1000);
  });

  it('fill in a file that says only its version, or has sections with nothing in them', () => {
    expect(parseConfig('version: 1', 'FILE', {})).toEqual(defaultConfig());
    expect(parseConfig('version: 1\nlisten:\nserial:\nlimits:\n  queue:\nlog:\n', 'FILE', {})).toEqual(
      defaultConfig(),
    );
  });

  it('are not shared between configs', () => {
    const first = defaultConfig();
    first.listen.tcp.push({ host: '::1', port: 1, max_connections: 1, tls: false });
    expect(defaultConfig().listen.tcp).toHaveLength(1);
  });
});

describe('access', () => {
  it.each([
    ['{}', '2:1'],
    ['{ rules: [] }', '2:11'],
    ['{ users: { file: users.yaml }, rules: }', '2:40'],
  ])('that says %s would lock everybody out', (access, place) => {
    const mend =
      "give it rules, as - { who: [serial, loopback], emit: '#', subscribe: ['#', $slipway/#] }, or delete access";
    const [problem, ...others] = problemsIn(`version: 1\naccess: ${access}\n`);
    expect(problem).toBe(`${place}: access.rules: allows nobody anything: ${mend}`);
    expect(others).toEqual([]);
  });
});

describe('listeners', () => {
  const listen = (yaml: string) =>
    parseConfig(`version: 1\naccess: { rules: [{ who: anyone, emit: a }] }\nlisten: ${yaml}`, 'FILE', {})
      .listen;

  it.each(['false', 'null', '', '[]'])('are off when written as "%s"', (off) => {
    expect(listen(`\n  tcp: ${off}\n`)).toEqual({ ...defaultConfig().listen, tcp: [] });
  });

  it('are one entry or a list of them', () => {
    expect(listen('{ tcp: { port: 1 } }').tcp).toMatchObject([{ host: '127.0.0.1', port: 1 }]);
    expect(listen('{ tcp: [{ port: 1 }, { host: "::" }] }').tcp).toMatchObject([
      { host: '127.0.0.1', port: 1 },
      { host: '::', port: 7770 },
    ]);
  });

  it('say which keys go where a port, an address or true was written', () => {
    expect(problemsIn('version: 1\nlisten: { mqtt: true, ws: 9001, udp: "127.0.0.1:7770" }')).toEqual([
      '2:17: listen.mqtt: must be a mapping ("key: value" lines); known here: host, port, max_connections, tls',
      '2:27: listen.ws: must be a mapping ("key: value" lines); known here: host, port, max_connections, origins, tls',
      '2:38: listen.udp: must be a mapping ("key: value" lines); known here: host, port, one_shot',
    ]);
  });

  it('say what is wrong with a host, an address range or a word that YAML does not read as false', () => {
    const text =
      'version: 1\nlisten:\n  tcp: off\n  udp:\n    host: "[::1]"\n    one_shot:\n      channels: []\n';
    expect(problemsIn(`${text}      from: [10.0.0.0/8, 10.0.0.0/33, fe80::/10, nowhere]`)).toEqual([
      '3:8: listen.tcp: must be a mapping ("key: value" lines); YAML reads "off" as text: write false',
      '5:11: listen.udp.host: "[::1]" is neither an IP address nor a host name (0.0.0.0 or "::" listen on every address)',
      '7:7: listen.udp.one_shot.channels: needs at least one pattern',
      '8:26: listen.udp.one_shot.from[1]: "10.0.0.0/33" is neither an address (192.168.4.7) nor a range (192.168.4.0/24)',
      '8:50: listen.udp.one_shot.from[3]: "nowhere" is neither an address (192.168.4.7) nor a range (192.168.4.0/24)',
    ]);
  });

  it('have the ports that are usual for MQTT, with TLS and without', () => {
    const { mqtt, ws } = listen('{ mqtt: [{}, { tls: { cert: a, key: b } }, { port: 1 }], ws: {} }');
    expect(mqtt.map(({ port }) => port)).toEqual([1883, 8883, 1]);
    expect(ws).toEqual([{ host: '127.0.0.1', port: 9001, max_connections: 1000, origins: [], tls: false }]);
    expect(listen('{ mqtt: [{ port: 1883, tls: false }, { host: "::1" }] }').mqtt).toHaveLength(2);
  });

  it('say what is wrong with the files of TLS and the origins of pages', () => {
    const text =
      'version: 1\nlisten:\n  tcp: { tls: { cert: "" } }\n  mqtt: { tls: { certs: a, key: 5, cert: c } }\n';
    expect(
      problemsIn(
        `${text}  ws:\n    origins: [https://a.example/, a.example, "*", "null", http://b:80]\n  http: {}`,
      ),
    ).toEqual([
      '3:10: listen.tcp.tls.key: is missing: name the PEM file of the private key',
      '3:23: listen.tcp.tls.cert: cannot be empty: name the PEM file of the certificate',
      '4:18: listen.mqtt.tls.certs: unknown key (did you mean "cert"?)',
      '4:33: listen.mqtt.tls.key: must be text, and YAML reads this as a number: put it in quotes, "5"',
      '6:15: listen.ws.origins[0]: "https://a.example/" is not how a browser names a web site: https://dash.example or http://192.168.4.7:8080, without a path',
      '6:35: listen.ws.origins[1]: "a.example" is not how a browser names a web site: https://dash.example or http://192.168.4.7:8080, without a path',
      '6:59: listen.ws.origins[4]: "http://b:80" is not how a browser names a web site: https://dash.example or http://192.168.4.7:8080, without a path',
      '7:3: listen.http: unknown key (known here: tcp, udp, mqtt, ws)',
    ]);
    expect(problemsIn('version: 1\nlisten:\n  mqtt:\n    - {}\n    - { port: 1883 }')).toEqual([
      '5:7: listen.mqtt[1]: listens on the same address and port as listen.mqtt[0] (line 4)',
    ]);
  });

  it('of different protocols cannot share a port', () => {
    const text = 'version: 1\nlisten:\n  tcp: { port: 9001 }\n  mqtt:\n    - port: 9001\n    - { port: 0 }\n';
    expect(problemsIn(`${text}  ws: { host: 127.0.0.1 }\n  udp: { port: 9001, prt: 1 }`)).toEqual([
      '5:13: listen.mqtt[0].port: listen.tcp is on the same address and port: give one of them another',
      '7:3: listen.ws.port: listen.mqtt is on the same address and port: give one of them another',
      '8:22: listen.udp.prt: unknown key (did you mean "port"?)',
    ]);
    expect(
      listen('{ tcp: { port: 1 }, mqtt: { port: 2 }, udp: { port: 2 }, ws: { port: 1, host: "::1" } }').ws,
    ).toHaveLength(1);
  });

  it('take one-shots from anywhere unless told', () => {
    expect(listen('{ udp: { one_shot: { channels: ["a/#"] } } }').udp[0]?.one_shot).toEqual({
      channels: ['a/#'],
      from: ['0.0.0.0/0', '::/0'],
    });
  });
});

describe('problems', () => {
  it('are all reported at once, in the order of the file', () => {
    const text = `version: 1
listen:
  tcp: { prot: 1, port: 70000 }
log:
  level: inof
  format: true
stats:
  interval: 10
limits:
  window: { tcp: 0 }
  backlog:
lissen: 3
`;
    expect(problemsIn(text)).toEqual([
      '3:10: listen.tcp.prot: unknown key (did you mean "port"?)',
      '3:25: listen.tcp.port: must be 0 to 65535; not 70000',
      '5:10: log.level: must be one of trace, debug, info, warn, error, fatal, silent; not "inof" (did you mean "info"?)',
      '6:11: log.format: must be one of auto, pretty, json; not true',
      '8:13: stats.interval: must be a duration with its unit, like 250ms, 10s, 5m, 1h or 7d; not 10',
      '10:18: limits.window.tcp: must be 1 to 16383; not 0',
      '11:3: limits.backlog: is empty: give it a value, or delete the line',
      '12:1: lissen: unknown key (did you mean "listen"?)',
    ]);
  });

  it.each(['', '\n', '# nothing but a remark\r\n', 'log: {}\n'])('name the missing version of %j', (text) => {
    expect(problemsIn(text)).toEqual(['1:1: version: is missing: write "version: 1" as the first line']);
  });

  it.each(['2', '"1"', '0.1', 'latest'])('refuse version %s', (version) => {
    expect(problemsIn(`version: ${version}`)).toEqual([
      '1:10: version: must be 1, the only version of the config that this Slipway knows',
    ]);
  });

  it.each(['hello', '- version: 1', '42'])('say that %j is no mapping', (text) => {
    expect(problemsIn(text)).toEqual(['1:1: must be a mapping ("key: value" lines)']);
  });

  it('list the keys that are known where no near one is', () => {
    expect(problemsIn('version: 1\nlisten:\n  websocket: {}')).toEqual([
      '3:3: listen.websocket: unknown key (known here: tcp, udp, mqtt, ws)',
    ]);
  });

  it('cover keys that objects are born with', () => {
    expect(problemsIn('version: 1\nlog: {__proto__: 1, constructor: 2}')).toEqual([
      '2:7: log.__proto__: unknown key (known here: level, format)',
      '2:21: log.constructor: unknown key (known here: level, format)',
    ]);
  });

  it('are kept apart for programs', () => {
    const parse = () => parseConfig('version: 1\nlog:\n  levle: info\n', 'FILE', {});
    expect(parse).toThrow(ConfigError);
    expect(parse).toThrow(
      expect.objectContaining({
        code: 'config_invalid',
        file: 'FILE',
        problems: [{ line: 3, column: 3, key: 'log.levle', message: 'unknown key (did you mean "level"?)' }],
      }),
    );
  });
});

describe('files', () => {
  let dir: string;
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'slipway-config-'));
  });
  afterAll(() => rm(dir, { recursive: true }));

  const failure = async (file: string) =>
    loadConfig(file, {}).then(
      () => 'loaded',
      (error: unknown) => (error instanceof ConfigError ? error.message : error),
    );

  it('are read, with or without a byte order mark', async () => {
    const file = join(dir, 'bom.yaml');
    await writeFile(file, '\uFEFFversion: 1\nlog: { level: "${LEVEL}" }\n');
    expect((await loadConfig(file, { LEVEL: 'warn' })).log.level).toBe('warn');
  });

  it('start relative paths at their folder', async () => {
    const file = join(dir, 'paths.yaml');
    const tls = 'tls: { cert: a.pem, key: ../b.key, client_ca: /c.pem }';
    await writeFile(
      file,
      `version: 1\nstore: { path: store }\nlisten: { tcp: { ${tls} }, mqtt: { ${tls} }, ws: [{ ${tls} }] }`,
    );
    const { store, listen } = await loadConfig(file, {});
    const full = { cert: join(dir, 'a.pem'), key: join(dir, '../b.key'), client_ca: '/c.pem' };
    expect(store).toEqual({ path: join(dir, 'store') });
    expect([listen.tcp, listen.mqtt, listen.ws].map(([entry]) => entry?.tls)).toEqual([full, full, full]);
  });

  it('that are missing are one line', async () => {
    const file = join(dir, 'missing.yaml');
    expect(await failure(file)).toBe(`${file}: there is no such file`);
    expect(await failure(join(dir, 'bom.yaml', 'x.yaml'))).toContain('there is no such file');
  });

  it('that are directories are one line', async () => {
    expect(await failure(dir)).toBe(`${dir}: is a directory, not a config file`);
  });

  it('that cannot be read are one line', async () => {
    const file = join(dir, 'loop.yaml');
    await symlink(file, file);
    expect(await failure(file)).toMatch(/loop\.yaml: cannot be read: ELOOP/);
  });

  it('that may not be read are one line', async () => {
    const file = join(dir, 'secret.yaml');
    await writeFile(file, 'version: 1', { mode: 0o000 });
    // The permissions of a file do not hold root back: for a moment it is someone else.
    const root = process.getuid?.() === 0;
    if (root) process.seteuid?.(65534);
    const said = await failure(file).finally(() => root && process.seteuid?.(0));
    expect(said).toBe(`${file}: permission denied: it must be readable by the user that runs slipway`);
  });

  it('that are not UTF-8 are one line', async () => {
    const file = join(dir, 'utf16.yaml');
    await writeFile(file, '\uFEFFversion: 1', 'utf16le');
    expect(await failure(file)).toBe(`${file}: is not UTF-8 text: save it as UTF-8`);
  });
});
