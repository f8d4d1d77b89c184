import { connect, type NatsConnection } from '@nats-io/transport-node';
import { expect, it, onTestFinished } from 'vitest';
import { LineWriter } from '../../../src/bridges/nats/line-writer.js';
import { until } from '../../support/gateways.js';
import { startNats } from '../../support/nats-server.js';
import { Random } from '../../support/random.js';
import { forSeeds } from '../../support/seeds.js';
import { describeWithTools } from '../../support/tools.js';

describeWithTools(['nats-server'], 'what is written to a nats-server by lines', () => {
  it('arrives as messages, in order, whatever they are, among those that the library publishes', async () => {
    const { url } = await startNats({ jetstream: false });
    const connection = await connect({ servers: url });
    onTestFinished(() => connection.close());
    const heard: string[] = [];
    connection.subscribe('>', {
      callback: (_, { subject, headers, data }) => {
        heard.push(`${subject} ${headers?.get('Via')} ${Buffer.from(data).toString('latin1')}`);
      },
    });
    await connection.flush();
    const writer = new LineWriter(connection);
    const wanted: string[] = [];
    forSeeds(20, (seed) => {
      const random = new Random(seed);
      for (let n = 0; n < 50; n++) {
        const subject = ['a', 'a.b.c', '21=20°C.ω', 'long.'.repeat(200) + n][random.below(4)] as string;
        const via = 'x'.repeat(1 + random.below(60));
        const headers = Buffer.from(`NATS/1.0\r\nVia: ${via}\r\n\r\n`);
        const payloads = Array.from({ length: 1 + random.below(5) }, () =>
          Buffer.from(Array.from({ length: random.below(4) * 7 }, () => random.below(256))),
        );
        const written = writer.write(subject, headers, payloads);
        const sizes = payloads.map(({ length }) => length);
        expect(written).toBe(sizes.reduce((sum, size) => sum + sizeOf(subject, headers.length, size), 0));
        for (const payload of payloads) wanted.push(`${subject} ${via} ${payload.toString('latin1')}`);
        // It was copied.
        for (const payload of payloads) payload.fill(0);
        if (random.chance(0.2)) {
          connection.publish('of.the.library', 'x');
          wanted.push('of.the.library undefined x');
        }
      }
    });
    await connection.flush();
    await until(() => expect(heard.length).toBe(wanted.length));
    expect(heard).toEqual(wanted);
  });
});

function sizeOf(subject: string, headers: number, payload: number): number {
  const line = `HPUB ${subject} ${headers} ${headers + payload}\r\n`;
  return Buffer.byteLength(line) + headers + payload + 2;
}

it('is not for connections of others', () => {
  expect(() => new LineWriter({} as NatsConnection)).toThrow(TypeError);
});
