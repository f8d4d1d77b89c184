import { describe, expect, it } from 'vitest';
import { GatewayTime, type TimeOfDay } from '../../src/client/gateway-time.js';
import { connectTo, startGateway, until } from '../support/gateways.js';
import { Random } from '../support/random.js';
import { Relay } from '../support/relay.js';
import { SkippingClock } from '../support/skipping-clock.js';
import { VirtualClock } from '../support/virtual-clock.js';

/** Asks a gateway whose answers take `there` and `back` ms, each anew, and returns what comes of it, with the truth. */
async function ask(
  delays: () => { there: number; back: number },
): Promise<{ told: TimeOfDay; truth: number; questions: number }> {
  const clock = new VirtualClock();
  // Not on a whole millisecond of the gateway's.
  clock.advance(0.37);
  const ahead = 123_456.25;
  const truth = () => 1_700_000_000_000 + clock.now() + ahead;
  let questions = 0;
  const time = new GatewayTime(clock, 5000, (token) => {
    const { there, back } = delays();
    questions++;
    clock.schedule(there, () => {
      const stamp = Math.floor(truth());
      clock.schedule(back, () => time.answered(token, stamp));
    });
  });
  let told: TimeOfDay | undefined;
  const asked = time.now().then((answer) => {
    told = answer;
  });
  while (!told) {
    clock.advance(1);
    await Promise.resolve();
    await Promise.resolve();
  }
  await asked;
  // It was told some turns ago, but on this clock no later than the last step.
  return { told, truth: truth(), questions };
}

describe("the gateway's time", () => {
  it('is right when both ways take the same time, however long that is', async () => {
    for (const way of [1, 20, 500]) {
      const { told, truth, questions } = await ask(() => ({ there: way, back: way }));
      expect(questions).toBe(5);
      expect(told.uncertainty).toBeCloseTo(way + 0.5, 6);
      // Half a millisecond of the stamp, and one of this test's steps.
      expect(Math.abs(told.time - truth)).toBeLessThanOrEqual(2);
    }
  });

  it('is never further off than it says, and is taken from the fastest answer', async () => {
    const random = new Random(7);
    for (let n = 0; n < 200; n++) {
      const ways: number[] = [];
      const { told, truth } = await ask(() => {
        const [there, back] = [random.next() * 100, random.next() * 100];
        ways.push(there + back);
        return { there, back };
      });
      expect(told.uncertainty).toBeCloseTo(Math.min(...ways) / 2 + 0.5, 3);
      expect(Math.abs(told.time - truth)).toBeLessThanOrEqual(told.uncertainty + 1);
    }
  });

  it('over TCP is the gateway’s, not this machine’s', async () => {
    const clock = new SkippingClock();
    const { tcp } = await startGateway({}, { clock });
    clock.skip(3_600_000);
    const client = await connectTo(tcp);
    const answers = await Promise.all([client.time(), client.time()]);
    for (const { time, uncertainty } of answers) {
      // The answer is as old as this line is late, which is no fault of its own.
      const late = clock.wallTime() + 1 - time;
      expect(late).toBeGreaterThanOrEqual(-uncertainty);
      expect(late).toBeLessThan(uncertainty + 1000);
    }
  });

  it('is not told without a session, nor by a gateway that does not answer', async () => {
    const { tcp } = await startGateway();
    const relay = await Relay.to(tcp);
    const silent = await connectTo(relay.address, { timeoutMs: 300 });
    const [cut, closed] = [await connectTo(relay.address), await connectTo(relay.address)];
    relay.freeze();
    await expect(silent.time()).rejects.toMatchObject({ code: 'timeout' });
    const unanswered = [
      expect(closed.time()).rejects.toMatchObject({ code: 'end_session' }),
      expect(cut.time()).rejects.toMatchObject({ code: 'not_connected' }),
      closed.close(),
    ];
    relay.cut();
    await Promise.all(unanswered);
    await until(() => expect(cut.connected).toBe(false));
    await expect(cut.time()).rejects.toMatchObject({ code: 'not_connected' });
  });
});
