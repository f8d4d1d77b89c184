import { readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { parseConfig } from '../../src/config/load.js';
import { slipway } from '../support/programs.js';
import { describeWithTools } from '../support/tools.js';

const CONFIG = new URL('../../config/fleet.example.yaml', import.meta.url);

describeWithTools(['nats-server'], 'slipway demo --fleet', () => {
  it('shows at the third gateway what a board at the first measures, and switches its LED from there', async () => {
    const program = slipway(['demo', '--fleet']);
    await program.prints(
      /^Three gateways of config\/fleet\.example\.yaml on 127\.0\.0\.1: site1 on port \d+/m,
    );
    await program.prints(/^site3 +sites\/site1\/greenhouse\/temperature +\d\d\.\d\d$/m);
    // The order went there, the board heard it and says so.
    await program.prints(/^site3 +sites\/site1\/greenhouse\/led\/state +on$/m);
    program.child.kill('SIGINT');
    expect(await program.ended).toEqual({ code: 0, signal: null });
    // Nothing worse than a reading of QoS 0 from before there was a connection.
    expect(program.stdout + program.stderr).not.toMatch(/"level":[56]0|waiting for|slipway:/);
  });

  it('says what is missing where there is no nats-server', async () => {
    const program = slipway(['demo', '--fleet'], undefined, { PATH: '/nowhere' });
    expect(await program.ended).toEqual({ code: 1, signal: null });
    expect(program.stderr).toMatch(
      /^slipway: the fleet needs nats-server: it is not on this machine; install it/m,
    );
  });
});

it('the README has the command, and npm knows it', async () => {
  const read = (file: string) => readFile(new URL(`../../${file}`, import.meta.url), 'utf8');
  expect(await read('README.md')).toContain('\n```sh\nnpm ci && npm run fleet\n```\n');
  const { scripts } = JSON.parse(await read('package.json')) as { scripts: Record<string, string> };
  expect(scripts).toMatchObject({ prefleet: 'tsc --build', fleet: 'node dist/cli/main.js demo --fleet' });
});

it('the config of a fleet differs between gateways by their environment only', async () => {
  const text = await readFile(CONFIG, 'utf8');
  const config = parseConfig(text, 'fleet.example.yaml', { GATEWAY: 'site7' });
  expect(config.gateway).toBe('site7');
  expect(config.bridges[0]?.rules[0]).toMatchObject({ direction: 'out', remote: 'sites/site7/greenhouse/#' });
  expect(() => parseConfig(text, 'fleet.example.yaml', {})).toThrow(/GATEWAY/);
});
