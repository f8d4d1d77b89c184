import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { Program } from '../../support/programs.js';
import { describeUnlessMissing } from '../../support/tools.js';
import { startMqttGateway } from './mqtt-gateway.js';

/** Debian's own Python, for which Debian's packages are. */
const PYTHON = '/usr/bin/python3';
const PAHO = '/usr/lib/python3/dist-packages/paho/mqtt/client.py';
const SCRIPT = fileURLToPath(new URL('paho_cases.py', import.meta.url));

const missing = [PYTHON, PAHO].find((path) => !existsSync(path));
const OF_ALL = [3, 4, 5].flatMap((version) =>
  ['flows', 'retained', 'sessions', 'wills'].map((name) => [name, version] as const),
);
const OF_5 = ['properties', 'options', 'limits'].map((name) => [name, 5] as const);

describeUnlessMissing(missing, "Python's paho-mqtt", () => {
  it.each([...OF_ALL, ...OF_5])('%s, at protocol level %i', async (name, version) => {
    const { mqtt } = await startMqttGateway();
    const python = new Program(PYTHON, [SCRIPT, String(mqtt.port), String(version), name]);
    const { code } = await python.ended;
    expect({ code, stderr: python.stderr, lines: python.lines }).toEqual({
      code: 0,
      stderr: '',
      lines: ['done'],
    });
  });
});
