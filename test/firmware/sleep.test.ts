import { expect, it } from 'vitest';
import { describeWithTools } from '../support/tools.js';
import { ascii, Bench, TOKEN } from './bench.js';

const BUILDS = [{ reliable: true }, { reliable: false }];
const MINUTES = 60_000;

/** A board that has gone to sleep for 300 s, and the number that the gateway expects next. */
function asleep(bench: Bench): void {
  expect(bench.client.sleep(300)).toBe('ok');
  const sent = bench.pass(1);
  expect(sent).toEqual([`be${bench.next.toString(16)}ac02`]);
  bench.next++;
  bench.ack();
  expect(bench.client.asleep).toBe(true);
}

describeWithTools(['clang', 'wasm-ld'], 'the C client sleeps (§4.7)', () => {
  it('says so when all is acknowledged, then is silent for as long as it likes', () => {
    for (const { reliable } of BUILDS) {
      const bench = new Bench({ reliable });
      const id = bench.client.declare('t');
      bench.connect();
      if (reliable) bench.client.emit(id, 'x', { qos: 1 });
      expect(bench.client.sleep(300)).toBe('ok');
      if (reliable) {
        expect(bench.pass(100)).toEqual([`90100201${ascii('x')}`]);
        bench.give('b8 1003');
      }
      const seq = reliable ? '1003' : '1001';
      expect(bench.pass(1)).toEqual([`be${seq}ac02`]);
      expect(bench.client.asleep).toBe(false);
      bench.give(reliable ? 'b8 1004' : 'b8 1002');
      expect(bench.client.asleep).toBe(true);
      expect(bench.client.events).toEqual([{ event: 'asleep', reason: 0, id: 0 }]);
      expect(bench.pass(10 * MINUTES)).toEqual([]);
      expect(bench.client.connected).toBe(true);
    }
  });

  it('repeats SLEEP until it is acknowledged, and says nothing else of its own accord meanwhile', () => {
    for (const { reliable } of BUILDS) {
      const bench = new Bench({ reliable });
      const led = bench.client.subscribe('led', 1);
      bench.connect();
      bench.client.sleep(5);
      const [sleep] = bench.pass(1);
      expect(sleep).toMatch(/^be10..05$/);
      expect(bench.until(1000).sent).toEqual([sleep]);
      // Answers wake nobody: what was under way is answered.
      bench.give('b5 2a');
      expect(bench.pass(1)).toEqual(['b62a']);
      if (!reliable) continue;
      bench.give(`90 2000 0${led} ${ascii('on')}`);
      expect(bench.client.received).toHaveLength(1);
      bench.next++;
      bench.ack();
      expect(bench.client.asleep).toBe(true);
      expect(bench.sent()).toEqual(['b82001']);
      expect(bench.pass(MINUTES)).toEqual([]);
    }
  });

  it('begins again when nobody acknowledges SLEEP, and then sleeps', () => {
    const bench = new Bench();
    bench.connect();
    bench.client.sleep(5);
    while (bench.client.connected && bench.now < 10 * MINUTES) bench.pass(1);
    bench.sent();
    expect(bench.until(20_000).sent[0]).toMatch(/^b0/);
    bench.welcome({ token: '22222222', nextIn: 0x9000 });
    bench.next = 0x9000;
    bench.ackAll(bench.pass(1));
    expect(bench.client.asleep).toBe(true);
  });

  it('subscribes anew before it sleeps when the gateway has lost its session', () => {
    const bench = new Bench();
    bench.client.subscribe('led');
    bench.connect();
    bench.client.sleep(5);
    bench.pass(1);
    bench.give('b3 03 be');
    bench.pass(1);
    bench.welcome({ token: '22222222', nextIn: 0x9000 });
    bench.next = 0x9000;
    const sent: string[] = [];
    for (let i = 0; i < 10 && !bench.client.asleep; i++) {
      const packets = bench.pass(1);
      sent.push(...packets);
      bench.next += packets.length;
      bench.ack();
    }
    expect(bench.client.asleep).toBe(true);
    expect(sent.some((packet) => packet.includes('ba'))).toBe(true);
    expect(sent.at(-1)).toBe('be900305');
  });

  it('wakes with SLEEP 0, as often as it takes, and keeps the line alive again', () => {
    for (const { reliable } of BUILDS) {
      const bench = new Bench({ reliable });
      bench.connect();
      asleep(bench);
      bench.pass(5 * MINUTES);
      bench.client.wake();
      const sent = bench.pass(1);
      expect(sent).toEqual([`be${bench.next.toString(16)}00`]);
      expect(bench.until(1000).sent).toEqual(sent);
      bench.next++;
      bench.ack();
      expect(bench.client.asleep).toBe(false);
      // Three quarters of the keep-alive, as if it had never slept, and the gateway is there.
      const { ms, sent: ping } = bench.until(15_000);
      expect(ping).toEqual(['b500']);
      expect(ms).toBeGreaterThan(11_000);
      bench.give('b6 00');
      expect(bench.client.events.filter(({ event }) => event === 'lost')).toEqual([]);
    }
  });

  it('wakes by an emit, at any quality, and by a new subscription', () => {
    for (const { reliable } of BUILDS) {
      for (const act of ['emit', 'reliable', 'subscribe', 'time'] as const) {
        if (act === 'reliable' && !reliable) continue;
        const bench = new Bench({ reliable });
        const id = bench.client.declare('t');
        bench.connect();
        asleep(bench);
        bench.pass(3 * MINUTES);
        if (act === 'emit') expect(bench.client.emit(id, 'x')).toBe('ok');
        if (act === 'reliable') expect(bench.client.emit(id, 'x', { qos: 1 })).toBe('ok');
        if (act === 'subscribe') bench.client.subscribe('led');
        if (act === 'time') bench.client.askTime();
        expect([...bench.sent(), ...bench.pass(1)], act).toHaveLength(1);
        expect(bench.client.asleep, act).toBe(false);
        expect(bench.client.connected, act).toBe(true);
      }
    }
  });

  it('lets what comes while it falls asleep go first', () => {
    const bench = new Bench();
    const id = bench.client.declare('t');
    bench.connect();
    bench.client.sleep(300);
    expect(bench.pass(1)).toEqual(['be1002ac02']);
    bench.client.emit(id, 'x', { qos: 1 });
    expect(bench.sent()).toEqual([`90100301${ascii('x')}`]);
    bench.give('b8 1004');
    expect(bench.client.asleep).toBe(false);
    expect(bench.pass(1)).toEqual(['be1004ac02']);
    bench.give('b8 1005');
    expect(bench.client.asleep).toBe(true);
  });

  it('may be asked again and again, and told otherwise', () => {
    const bench = new Bench();
    bench.connect();
    for (let i = 0; i < 5; i++) bench.client.sleep(300);
    expect(bench.pass(1)).toEqual(['be1001ac02']);
    for (let i = 0; i < 5; i++) bench.client.sleep(300);
    expect(bench.pass(1)).toEqual([]);
    bench.client.wake();
    bench.give('b8 1002');
    // The gateway holds it for asleep.
    expect(bench.client.asleep).toBe(false);
    expect(bench.pass(1)).toEqual(['be100200']);
    bench.give('b8 1003');
    expect(bench.pass(5000)).toEqual([]);
    bench.client.wake();
    expect(bench.pass(100)).toEqual([]);
    expect(bench.client.sleep(268_435_455)).toBe('ok');
    expect(bench.pass(1)).toEqual(['be1003ffffff7f']);
    expect(bench.client.sleep(268_435_456)).toBe('invalid');
  });

  it('is awake, and says why, when the gateway refuses', () => {
    for (const { reliable } of BUILDS) {
      const bench = new Bench({ reliable });
      bench.connect();
      bench.client.sleep(300);
      bench.pass(1);
      bench.give(reliable ? 'bc 2000 1001 0f' : 'f3 04 0f be 1000 b8 1001');
      expect(bench.client.events).toEqual([{ event: 'refused', reason: 15, id: 254 }]);
      if (reliable) expect(bench.until(20).sent).toEqual(['b82001']);
      bench.give('b8 1002');
      expect(bench.client.asleep).toBe(false);
      expect(bench.pass(10_000)).toEqual([]);
      expect(bench.until(5000).sent).toEqual(['b500']);
    }
  });

  it('introduces itself again when its link comes up, or the gateway says that it knows it no longer', () => {
    for (const reason of ['link', 'no_session']) {
      const bench = new Bench();
      bench.connect();
      asleep(bench);
      bench.pass(2 * MINUTES);
      if (reason === 'link') {
        bench.client.link(false);
        expect(bench.pass(1000)).toEqual([]);
        bench.client.link(true);
      } else bench.give('b3 03 80');
      expect(bench.pass(1)[0]).toMatch(/^b0/);
      bench.welcome({ flags: 7, nextIn: bench.next, received: bench.next });
      expect(bench.pass(1)).toEqual([`f204${TOKEN}`]);
      bench.ack();
      expect(bench.client.connected).toBe(true);
      expect(bench.client.asleep).toBe(false);
    }
  });

  it('resumes with another nonce when it lost its RAM', () => {
    const bench = new Bench();
    bench.client.subscribe('led', 1);
    bench.connect();
    asleep(bench);
    // The same board, after a deep sleep: nothing but its identity is left.
    const again = new Bench({ nonce: 0x08070605 });
    again.client.subscribe('led', 1);
    const [hello] = again.pass(1);
    expect(hello?.slice(6, 26)).toBe('0506070800000000' + '0000');
    again.welcome({ flags: 1, nonce: '05060708', token: '22222222', nextIn: 0x9000 });
    again.next = 0x9000;
    again.ackAll(again.pass(1));
    expect(again.client.connected).toBe(true);
  });
});
