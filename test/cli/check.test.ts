// biome-ignore-all lint/suspicious/noTemplateCurlyInString: these are references of the config, not of JavaScript
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { checkCommand } from '../../src/cli/check.js';
import { ConfigError } from '../../src/config/problems.js';
import type { SlipwayError } from '../../src/errors.js';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'slipway-check-'));
});
afterEach(async () => {
  vi.restoreAllMocks();
  await rm(dir, { recursive: true });
});

async function check(config: string): Promise<{ file: string; written: string }> {
  const file = join(dir, 'slipway.yaml');
  await writeFile(file, config);
  const output = vi.spyOn(process.stdout, 'write').mockReturnValue(true);
  await checkCommand().parseAsync(['-c', file], { from: 'user' });
  return { file, written: output.mock.calls.map(([text]) => String(text)).join('') };
}

describe('slipway check', () => {
  it('says ok of a file that can be used', async () => {
    const { file, written } = await check('version: 1\nserial: [{ name: a, path: /dev/is-not-there }]\n');
    expect(written).toBe(`ok: ${file}\n`);
  });

  it('is given the file with -c or without, and only one', async () => {
    const { file } = await check('version: 1\n');
    const output = vi.spyOn(process.stdout, 'write').mockReturnValue(true);
    output.mockClear();
    await checkCommand().parseAsync([file], { from: 'user' });
    expect(output.mock.calls).toEqual([[`ok: ${file}\n`]]);
    await expect(checkCommand().parseAsync(['-c', file, 'other.yaml'], { from: 'user' })).rejects.toThrow(
      `which config file? Both "${file}" and "other.yaml" are named`,
    );
  });

  it('reports a file that cannot be used', async () => {
    await expect(check('version: 1\nlsten: {}\n')).rejects.toThrow(ConfigError);
    await expect(check('version: 1\nlsten: {}\n')).rejects.toThrow(
      /slipway\.yaml:2:1: lsten: unknown key \(did you mean "listen"\?\)$/,
    );
  });

  it('looks at the files that bridges name', async () => {
    const bridges = `version: 1
gateway: site1
bridges:
  - name: plant
    mqtt: { url: mqtt://broker, username: site1, password_file: plant.password }
    rules: [{ pattern: a, direction: out }]
`;
    await expect(check(bridges)).rejects.toThrow(
      `slipway.yaml:5:65: bridges[0].mqtt.password_file: ${join(dir, 'plant.password')}: there is no such file`,
    );
    await writeFile(join(dir, 'plant.password'), 'x', { mode: 0o600 });
    expect((await check(bridges)).written).toMatch(/^ok/);
  });

  it('says of every file that is named where that is, or what merges it in', async () => {
    const config = `version: 1
gateway: site1
listen:
  mqtt: { tls: { cert: gateway.pem, key: gateway.key } }
bridges:
  - name: plant
    mqtt: &login
      url: mqtts://broker
      username: site1
      password_file: plant.password
      ca: ca.pem
    rules: [{ pattern: a, direction: out }]
  - name: works
    mqtt: { <<: *login, url: mqtts://works }
    rules: [{ pattern: b, direction: out }]
`;
    const error = await check(config).catch((thrown: unknown) => thrown as SlipwayError);
    const none = (name: string) => `${join(dir, name)}: there is no such file`;
    const file = join(dir, 'slipway.yaml');
    expect(error).toMatchObject({ code: 'config_invalid' });
    expect((error as SlipwayError).message.split('\n')).toEqual([
      `${file}:4:24: listen.mqtt.tls.cert: ${none('gateway.pem')}`,
      `${file}:10:22: bridges[0].mqtt.password_file: ${none('plant.password')}`,
      `${file}:11:11: bridges[0].mqtt.ca: ${none('ca.pem')}`,
      `${file}:14:5: bridges[1].mqtt.password_file: ${none('plant.password')}`,
      `${file}:14:5: bridges[1].mqtt.ca: ${none('ca.pem')}`,
    ]);
  });

  it('reads variables of its environment', async () => {
    vi.stubEnv('SLIPWAY_TEST_LEVEL', 'loud');
    await expect(check('version: 1\nlog: { level: "${SLIPWAY_TEST_LEVEL}" }\n')).rejects.toThrow(
      'not "loud"',
    );
    vi.stubEnv('SLIPWAY_TEST_LEVEL', 'warn');
    expect((await check('version: 1\nlog: { level: "${SLIPWAY_TEST_LEVEL}" }\n')).written).toMatch(/^ok/);
    vi.unstubAllEnvs();
  });
});
