import { expect, test } from 'vitest';
import { until } from '../../support/gateways.js';
import { FakeNats } from './fake-nats.js';
import { Side } from './upstreams.js';

test('a server that takes less than it said: what is too large is refused', async () => {
  const fake = await FakeNats.start();
  const side = await new Side(fake.url).connect();
  side.publish('site/a', 'small');
  await until(() => expect(side.settledRecords.length).toBe(1));
  fake.sayInfo({ max_payload: 10 });
  // What is answered to this comes after that.
  fake.say('PING\r\n');
  await until(() => expect(fake.pongs).toBe(1));
  const record = side.publish('site/a', 'now too large');
  side.send('site/a', 'also too large');
  await until(() => expect(side.refusals.length).toBe(2));
  expect(side.refusals.map(([what, reason]) => [what, reason])).toEqual([
    [record, 'too_large'],
    ['site/a', 'too_large'],
  ]);
});

test('a server without headers', async () => {
  const fake = await FakeNats.start();
  fake.info = { ...fake.info, headers: false };
  const side = new Side(fake.url);
  await expect(side.connect()).rejects.toMatchObject({ code: 'unsuitable' });
});

test('a server that takes nothing', async () => {
  const fake = await FakeNats.start();
  fake.info = { ...fake.info, max_payload: 0 };
  await expect(new Side(fake.url).connect()).rejects.toMatchObject({ code: 'unsuitable' });
});

test.each([
  'NATS/1.0\r\nSlipway-Via: a\nb\r\n\r\n',
  'NATS/1.0\r\nSlipway-Retain: \r1\r\n\r\n',
  'NATS/1.0\r\n: \r\n\r\n',
  'NATS/1.0 -1 \xff\r\n\r\n',
  'junk',
  '\0',
])('a message with the headers %j', async (headers) => {
  const fake = await FakeNats.start();
  const side = await new Side(fake.url).connect();
  side.want(0, 'site/+');
  await until(() => expect(fake.subscriptions.has('site.*')).toBe(true));
  fake.send('site.a', 'odd', headers);
  fake.send('site.b', 'next');
  await until(() => expect(side.texts).toEqual(['odd', 'next']));
  expect(side.problems).toEqual([]);
});

const JUNK = [
  'junk',
  '{"error":null}',
  '{"error":"x"}',
  '{"error":{}}',
  '{"error":[]}',
  '{"error":{"code":"400","err_code":{},"description":7}}',
  'null',
  '[]',
  '7',
  '{}',
  '',
];

test('answers that JetStream does not give do not settle a message, nor drop it', async () => {
  const settles = async (answer: string) => {
    const fake = await FakeNats.start();
    let junk = 2;
    fake.onMessage = (message) => fake.acknowledge(message, junk-- > 0 ? answer : undefined);
    const side = await new Side(fake.url).connect();
    const record = side.publish('site/a', 'kept');
    await until(() => expect(side.settledRecords).toEqual([record]));
    expect(junk).toBe(-1);
    expect(side.refusals).toEqual([]);
  };
  await Promise.all(JUNK.map(settles));
});

test.each(['MSG a 1 -5', 'HMSG a 1 5 3', 'INFO null', 'junk'])(
  'a server that says %j is left at once',
  async (line) => {
    const fake = await FakeNats.start();
    const side = await new Side(fake.url).connect();
    fake.say(`${line}\r\n`);
    await until(() => expect(side.problems).toMatchObject([{ code: 'unreachable' }]));
    expect(side.problems[0]?.message).toBe(`${fake.url}: it says what no NATS server says`);
  },
);
