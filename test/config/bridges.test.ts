import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { defaultConfig, loadConfig, parseConfig } from '../../src/config/load.js';
import { problemsIn } from './problems-in.js';

const HEAD = 'version: 1\ngateway: site1\n';
const bridges = (yaml: string) => parseConfig(`${HEAD}bridges:\n${yaml}`, 'FILE', {}).bridges;
const problems = (yaml: string) => problemsIn(`${HEAD}bridges:\n${yaml}`);

/** Problems of the settings of one upstream, without their positions. */
const upstreamProblems = (upstream: string) =>
  problems(`  - { name: a, ${upstream}, rules: [{ pattern: a, direction: out }] }\n`).map(withoutPlace);
/** Problems of the rules of a bridge, without their positions. */
const ruleProblems = (...rules: string[]) =>
  problems(`  - { name: a, mqtt: { url: mqtt://b }, rules: [${rules.join(', ')}] }\n`).map(withoutPlace);

function withoutPlace(problem: string): string {
  return problem.replace(/^\d+:\d+: bridges\[0\]\.?/, '');
}

describe('bridges', () => {
  it('are none by default, and then the gateway needs no name', () => {
    expect(defaultConfig().bridges).toEqual([]);
    expect(defaultConfig()).not.toHaveProperty('gateway');
    expect(bridges('  []')).toEqual([]);
  });

  it('to NATS need a name, a server and something to carry; the rest has defaults', () => {
    const yaml = `  - name: plant
    nats: { servers: nats://n1:4222 }
    rules: [{ pattern: 'greenhouse/#', direction: out }, { pattern: c, direction: in, remote: s/c, qos: 0 }]
`;
    expect(bridges(yaml)).toEqual([
      {
        name: 'plant',
        nats: {
          servers: ['nats://n1:4222'],
          stream: 'slipway',
          last_values: 'slipway',
          replicas: 1,
          max_age: 7 * 86_400_000,
          max_bytes: 2 ** 30,
          duplicate_window: 600_000,
        },
        rules: [
          { pattern: 'greenhouse/#', direction: 'out', qos: 1, remote: 'greenhouse/#' },
          { pattern: 'c', direction: 'in', qos: 0, remote: 's/c' },
        ],
        queue: { messages: 1_000_000, bytes: 2 ** 30, age: 7 * 86_400_000, when_full: 'refuse' },
        in_flight: 1000,
      },
    ]);
  });

  it('to MQTT need a URL', () => {
    const yaml = `  - name: cloud
    mqtt: { url: 'wss://broker:443/mqtt?a=b', version: 3.1.1 }
    presence: { direction: both, remote: fleet/devices }
    broadcast: { direction: in, remote: fleet/broadcast }
`;
    expect(bridges(yaml)).toMatchObject([
      {
        mqtt: {
          url: 'wss://broker:443/mqtt?a=b',
          version: '3.1.1',
          keep_alive: 30_000,
          session_expiry: 7 * 86_400_000,
        },
        rules: [],
        presence: { direction: 'both', remote: 'fleet/devices' },
        broadcast: { direction: 'in', remote: 'fleet/broadcast' },
      },
    ]);
  });

  it('need a name of the gateway', () => {
    const yaml =
      "bridges: [{ name: a, mqtt: { url: mqtt://b }, rules: [{ pattern: 'a', direction: out }] }]\n";
    expect(problemsIn(`version: 1\n${yaml}`)).toEqual([
      '1:1: gateway: is missing: bridges need a name for this gateway that no other has: write "gateway: site1"',
    ]);
    expect(problemsIn('version: 1\ngateway: site/1\n')).toEqual([
      '2:10: gateway: must be 1 to 63 of the characters A-Z a-z 0-9 _ -',
    ]);
    expect(problemsIn(`version: 1\ngateway: ${'x'.repeat(64)}\n`)).toHaveLength(1);
  });

  it('lead somewhere, to one place, and carry something; all of it is said at once', () => {
    expect(
      problems('  - name: A b\n    rule: x\n  - { name: a, mqtt: { url: mqtt://b }, nats: {} }\n'),
    ).toEqual([
      '4:5: bridges[0]: needs nats or mqtt, to say where it leads',
      "4:5: bridges[0]: carries nothing: give it rules, as rules: [{ pattern: 'greenhouse/#', direction: out }]",
      '4:11: bridges[0].name: must be 1 to 32 of the characters a-z 0-9 _ -',
      '5:5: bridges[0].rule: unknown key (did you mean "rules"?)',
      '6:5: bridges[1]: has both nats and mqtt: keep one',
      "6:5: bridges[1]: carries nothing: give it rules, as rules: [{ pattern: 'greenhouse/#', direction: out }]",
      '6:41: bridges[1].nats.servers: is missing',
    ]);
  });

  it('do not share names, nor sessions at a broker', () => {
    const yaml = (name: string, id: string) =>
      `  - { name: ${name}, mqtt: { url: mqtt://b, client_id: ${id} }, rules: [{ pattern: a, direction: out }] }\n`;
    expect(problems(yaml('a', 'x') + yaml('b', 'y') + yaml('a', 'y'))).toEqual([
      '6:5: bridges[2]: has the client_id of bridges[1] (line 5)',
      '6:13: bridges[2].name: is also the name of bridges[0] (line 4)',
    ]);
  });
});

describe('the URL of a server', () => {
  const ofNats = (url: string) => upstreamProblems(`nats: { servers: ["${url}"] }`);
  const ofMqtt = (url: string) => upstreamProblems(`mqtt: { url: "${url}" }`);

  it.each(['nats://n1', 'tls://n1:4222', 'nats://[::1]:4222', 'nats://n1:4222/'])('can be %s', (url) => {
    expect(ofNats(url)).toEqual([]);
  });

  it('says how, where, and nothing else', () => {
    expect(ofNats('n1:4222')).toEqual([
      'nats.servers[0]: must begin with one of nats://, tls://, as nats://127.0.0.1:4222; not "n1:4222"',
    ]);
    expect(ofMqtt('tcp://b:1883')).toEqual([
      'mqtt.url: must begin with one of mqtt://, mqtts://, ws://, wss://, as mqtt://127.0.0.1:1883; not "tcp://b:1883"',
    ]);
    for (const port of ['99999', '0'])
      expect(ofMqtt(`mqtt://b:${port}`)).toEqual([
        `mqtt.url: has the port ${port}: it must be one from 1 to 65535`,
      ]);
    expect(ofMqtt('mqtt://:1883')).toEqual([
      'mqtt.url: names no host: write it as mqtt://127.0.0.1:1883; not "mqtt://:1883"',
    ]);
    expect(ofMqtt('mqtt://b,c')).toEqual([
      'mqtt.url: names several servers: a bridge has one, so give each a bridge of its own',
    ]);
    expect(ofNats('nats://n1:4222,nats://n2:4222')).toEqual([
      'nats.servers[0]: names several servers: write them as a list, [nats://n1:4222, nats://n2:4222]',
    ]);
    expect(ofMqtt('mqtt://b:1883/topic')).toEqual([
      'mqtt.url: must end with the host and its port, as mqtt://127.0.0.1:1883; not "mqtt://b:1883/topic"',
    ]);
  });

  it('holds no secret, and shows none', () => {
    const message =
      'must have no user and password in it: they have settings of their own, and secrets have files';
    expect(ofNats('nats://ada:hunter2@n1')).toEqual([`nats.servers[0]: ${message}`]);
    expect(ofMqtt('mqtts://hunter2@b')).toEqual([`mqtt.url: ${message}`]);
    for (const url of ['ada:hunter2@b', 'tcp://ada:hunter2@b', 'mqtt://ada:hunter2@b:99999'])
      expect(ofMqtt(url)).toEqual([expect.not.stringContaining('hunter2')]);
  });
});

describe('how a bridge logs in', () => {
  it('is said once and in full', () => {
    expect(upstreamProblems('nats: { servers: nats://b, user: a, token_file: t, cert: c }')).toEqual([
      'nats.password_file: is missing: user needs it',
      'nats: logs in with user and token_file: keep one',
      'nats.key: is missing: cert needs it',
    ]);
    expect(upstreamProblems('mqtt: { url: mqtts://b, password_file: p, key: k, ca: "" }')).toEqual([
      'mqtt.cert: is missing: key needs it',
      'mqtt.username: is missing: password_file needs it',
      'mqtt.ca: cannot be empty: name the file of the authority (PEM)',
    ]);
  });

  it('has certificates only where the connection is encrypted', () => {
    expect(upstreamProblems('mqtt: { url: ws://b/x, servername: y }')).toEqual([
      'mqtt.servername: is for an encrypted connection: write wss://b/x as url, or leave this out',
    ]);
    expect(upstreamProblems('nats: { servers: nats://b, ca: c }')).toEqual([]);
  });

  it('has no secret in the config itself', () => {
    expect(upstreamProblems('mqtt: { url: mqtt://b, username: a, password: p }')).toEqual([
      'mqtt.password: unknown key (did you mean "password_file"?)',
    ]);
    expect(upstreamProblems('nats: { servers: nats://b, token: p }')).toEqual([
      'nats.token: unknown key (did you mean "token_file"?)',
    ]);
  });

  it('has keys that are nearly the same for both kinds of brokers', () => {
    expect(upstreamProblems('mqtt: { url: mqtt://b, user: a, expiry: 1d }')).toEqual([
      'mqtt.user: unknown key (did you mean "username"?)',
      'mqtt.expiry: unknown key (did you mean "session_expiry"?)',
    ]);
    expect(upstreamProblems('nats: { servers: nats://b, username: a, credentials_file: c }')).toEqual([
      'nats.username: unknown key (did you mean "user"?)',
      'nats.credentials_file: unknown key (did you mean "credentials"?)',
    ]);
  });
});

describe('what a bridge makes in JetStream', () => {
  it('has names and bounds that the server takes', () => {
    expect(
      upstreamProblems('nats: { servers: nats://b, stream: a.b, last_values: true, replicas: 6 }'),
    ).toEqual([
      'nats.stream: must be the name of the stream: 1 to 64 of the characters A-Z a-z 0-9 _ -',
      'nats.last_values: must be the name of a bucket, or false for none',
      'nats.replicas: must be 1 to 5; not 6',
    ]);
    expect(upstreamProblems('nats: { servers: nats://b, last_values: "a b" }')).toEqual([
      expect.stringMatching(/^nats\.last_values: must be the name of/),
    ]);
    expect(upstreamProblems('nats: { servers: nats://b, last_values: false, max_age: 5m }')).toEqual([
      'nats.duplicate_window: cannot be longer than max_age: a message that is gone is not known any more',
    ]);
    expect(upstreamProblems('nats: { servers: nats://b, max_age: 0, duplicate_window: 1h }')).toEqual([]);
  });
});

describe('rules of NATS', () => {
  it('at QoS 1 and 2 have a first level of their own', () => {
    const rules = `    rules:
      - { pattern: '#', direction: out }
      - { pattern: '$slipway/+/#', direction: out, remote: '+/#' }
      - { pattern: '+/state', direction: in }
      - { pattern: '#', direction: in, remote: 'site2/#' }
      - { pattern: '#', direction: in, qos: 0 }
`;
    const message =
      'needs a first level of its own, as "site1/#": JetStream would keep all that passes there; or write qos: 0';
    expect(problems(`  - name: a\n    nats: { servers: nats://b }\n${rules}`)).toEqual([
      `7:9: bridges[0].rules[0].remote: ${message}`,
      `8:60: bridges[0].rules[1].remote: ${message}`,
    ]);
    expect(problems(`  - name: a\n    mqtt: { url: mqtt://b }\n${rules}`)).toEqual([]);
  });
});

describe('rules', () => {
  it('have the same wildcards here and there', () => {
    expect(ruleProblems("{ pattern: 'a/+/b/#', direction: out, remote: 'x/+/#' }")).toEqual([]);
    expect(
      ruleProblems(
        "{ pattern: 'a/+/b/#', direction: out, remote: 'x/#' }",
        '{ pattern: a, direction: in, remote: b/+ }',
      ),
    ).toEqual([
      'rules[0].remote: needs the wildcards of the pattern in their order (+ #), so that each name has one there; it has #',
      'rules[1].remote: needs the wildcards of the pattern in their order (none), so that each name has one there; it has +',
    ]);
  });

  it('are not written with the wildcards of NATS, which would be names here', () => {
    const mend = (written: string) =>
      `the wildcards are + for one level and # for all below, with / between levels, for NATS, too: write "${written}"`;
    expect(
      ruleProblems(
        "{ pattern: 'a.*.b.>', direction: out }",
        "{ pattern: 'c/+', direction: out, remote: 'c/*' }",
        "{ pattern: 'd/#', direction: out, remote: '>' }",
        "{ pattern: 'v1.2/a*b/*.c*/>x', direction: out }",
      ),
    ).toEqual([
      `rules[0].pattern: ${mend('a/+/b/#')}`,
      `rules[1].remote: ${mend('c/+')}`,
      `rules[2].remote: ${mend('#')}`,
    ]);
  });

  it('send out names of the gateway itself, under others, and take none in', () => {
    const own = 'names that begin with "$" are the gateway\'s own: nothing else may emit on them';
    expect(
      ruleProblems(
        '{ pattern: $slipway/stats, direction: out, remote: site1/stats }',
        '{ pattern: $slipway/links/+, direction: out }',
        '{ pattern: $x, direction: both, remote: y }',
        "{ pattern: 'a', direction: in, remote: $SYS }",
      ),
    ).toEqual([
      'rules[1].remote: is missing: $slipway/links/+ has to be called something else there, as site1/stats',
      `rules[2].pattern: ${own}`,
      'rules[3].remote: names that begin with "$" are the other side\'s own: write another',
    ]);
  });

  it('are each used, which those behind a wider one would not be', () => {
    const yaml = `  - name: a
    mqtt: { url: mqtt://b }
    rules:
      - { pattern: 'a/#', direction: both, remote: 'x/#' }
      - { pattern: a/b, direction: out }
      - { pattern: a/b, direction: in }
      - { pattern: c/+, direction: in, remote: x/+ }
      - { pattern: 'd/#', direction: out, remote: 'x/#' }
      - { pattern: d, direction: both, qos: 5 }
`;
    expect(problems(yaml)).toEqual([
      '8:20: bridges[0].rules[1].pattern: is never used on the way out: put it before the rule that has all its names, bridges[0].rules[0] (line 7)',
      '10:48: bridges[0].rules[3].remote: is never used on the way in: put it before the rule that has all its names, bridges[0].rules[0] (line 7)',
      '12:20: bridges[0].rules[5].pattern: is never used on the way out: put it before the rule that has all its names, bridges[0].rules[4] (line 11)',
      '12:45: bridges[0].rules[5].qos: must be one of 0, 1, 2; not 5',
    ]);
    expect(ruleProblems('{ pattern: a/b, direction: out }', "{ pattern: 'a/#', direction: out }")).toEqual(
      [],
    );
  });

  it('share no subscription', () => {
    expect(ruleProblems('{ pattern: $share/g/a, direction: in, remote: $share/g/a }')).toEqual([
      'rules[0].pattern: a bridge shares no subscription: leave "$share/<group>/" out',
      'rules[0].remote: a bridge shares no subscription: leave "$share/<group>/" out',
      'rules[0].remote: names that begin with "$" are the other side\'s own: write another',
    ]);
  });

  it('say which way, and how well', () => {
    expect(ruleProblems('{ pattern: a/b#, direction: up, qos: 3 }')).toEqual([
      expect.stringMatching(/^rules\[0\]\.pattern: a wildcard must fill a whole level/),
      'rules[0].direction: must be one of out, in, both; not "up"',
      'rules[0].qos: must be one of 0, 1, 2; not 3',
    ]);
    expect(ruleProblems('{ pattern: a, qos: "1" }')).toEqual([
      'rules[0].direction: is missing: write one of out, in, both',
      'rules[0].qos: must be one of 0, 1, 2; not "1": leave the quotes out',
    ]);
  });

  it('of presence and broadcasts name one channel there', () => {
    const yaml = `  - name: a
    mqtt: { url: mqtt://b }
    presence: { direction: both, remote: fleet/# }
    broadcast: { remote: $x }
`;
    expect(problems(yaml)).toEqual([
      '6:42: bridges[0].presence.remote: a channel\'s name cannot contain "#": wildcards are for subscriptions',
      '7:5: bridges[0].broadcast.direction: is missing: write one of out, in, both',
      '7:26: bridges[0].broadcast.remote: names that begin with "$" are the other side\'s own: write another',
    ]);
  });
});

describe('files that a bridge names', () => {
  it('start at the folder of the config', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'slipway-bridges-'));
    onTestFinished(() => rm(dir, { recursive: true }));
    const file = join(dir, 'slipway.yaml');
    const rules = 'rules: [{ pattern: a, direction: out }]';
    await writeFile(
      file,
      `${HEAD}bridges:
  - { name: a, nats: { servers: nats://b, credentials: a.creds, ca: ../ca.pem }, ${rules} }
  - { name: b, nats: { servers: nats://b, token_file: t, cert: c, key: /k }, ${rules} }
  - { name: c, mqtt: { url: mqtts://b, username: u, password_file: p, ca: ca.pem }, ${rules} }
`,
    );
    expect((await loadConfig(file, {})).bridges).toMatchObject([
      { nats: { servers: ['nats://b'], credentials: join(dir, 'a.creds'), ca: join(dir, '../ca.pem') } },
      { nats: { token_file: join(dir, 't'), cert: join(dir, 'c'), key: '/k' } },
      { mqtt: { username: 'u', password_file: join(dir, 'p'), ca: join(dir, 'ca.pem') } },
    ]);
  });
});
