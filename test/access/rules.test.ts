import { describe, expect, it } from 'vitest';
import type { Principal } from '../../src/access/principal.js';
import type { Rights } from '../../src/access/rights.js';
import { Rules, sameRights } from '../../src/access/rules.js';
import { matches, overlap } from '../../src/wire/patterns.js';
import { accessConfig } from '../support/policies.js';
import { Random } from '../support/random.js';

const LEVELS = ['a', 'b', '', '$x'];

/** Every name of one to `depth` levels. */
function* names(depth: number): Generator<string[]> {
  for (const level of LEVELS) {
    yield [level];
    if (depth > 1) for (const rest of names(depth - 1)) yield [level, ...rest];
  }
}

/** PROTOCOL.md §6.2 word for word. */
function matchesNaively(pattern: string, name: string): boolean {
  if (/^[+#]/.test(pattern) && name.startsWith('$')) return false;
  const expression = pattern
    .split('/')
    .map((level) => (level === '+' ? '[^/]*' : level.replace('$', '\\$')))
    .join('/')
    .replace(/(^|\/)#$/, (_, slash: string) => (slash === '' ? '.*' : '(/.*)?'));
  return new RegExp(`^${expression}$`, 's').test(name);
}

function draw(random: Random): string[] {
  const levels = Array.from(
    { length: 1 + random.below(3) },
    () => [...LEVELS, '+'][random.below(5)] as string,
  );
  return random.chance(0.4) ? levels.with(-1, '#') : levels;
}

describe('patterns', () => {
  const all = [...names(4)];

  it('match, and overlap exactly where some channel matches both', () => {
    const random = new Random(5);
    let overlapping = 0;
    for (let i = 0; i < 500; i++) {
      const [one, other] = [draw(random), draw(random)];
      const [byOne, byOther] = [one, other].map((pattern) => all.map((name) => matches(pattern, name)));
      expect(byOne).toEqual(all.map((name) => matchesNaively(one.join('/'), name.join('/'))));
      const common = byOne?.some((does, index) => does && byOther?.[index]) ?? false;
      expect(overlap(one, other), `${one.join('/')} and ${other.join('/')}`).toBe(common);
      if (common) overlapping += 1;
    }
    expect(overlapping).toBeGreaterThan(50);
    expect(overlapping).toBeLessThan(450);
  });
});

const SERIAL: Principal = { from: 'serial' };
const LOCAL: Principal = { from: 'loopback' };
const REMOTE: Principal = { from: 'network' };

function rightsIn(rules: readonly object[], principal: Principal, more: object = {}): Rights | undefined {
  return new Rules(accessConfig({ rules, ...more })).rightsOf(principal);
}

/** On which of the channels of all who-words the principal may emit. */
function groupsOf(principal: Principal, more: object = {}): string[] {
  const groups = [
    'anyone',
    'authenticated',
    'serial',
    'loopback',
    'user:ada',
    'user:a*',
    'device:pump',
    'device:p*p',
  ];
  const rules = groups.map((who, index) => ({ who, emit: `group/${index}` }));
  const rights = rightsIn(rules, principal, more);
  return groups.filter((_, index) => rights?.mayEmit(`group/${index}`));
}

describe('a rule is for', () => {
  it.each<[string, Principal, string[]]>([
    ['anybody over the network', REMOTE, ['anyone']],
    ['anybody on this machine', LOCAL, ['anyone', 'loopback']],
    [
      'a board on a serial line',
      { ...SERIAL, device: 'pump' },
      ['anyone', 'serial', 'device:pump', 'device:p*p'],
    ],
    ['a name on this machine', { ...LOCAL, device: 'pp' }, ['anyone', 'loopback', 'device:p*p']],
    ['a name over the network', { ...REMOTE, device: 'pump' }, ['anyone']],
    [
      'a key',
      { ...REMOTE, device: 'pump', key: 'k' },
      ['anyone', 'authenticated', 'device:pump', 'device:p*p'],
    ],
    ['a user', { ...REMOTE, user: 'ada' }, ['anyone', 'authenticated', 'user:ada', 'user:a*']],
    ['a user of another name', { ...REMOTE, user: 'bada' }, ['anyone', 'authenticated']],
    ['a user called as a device', { ...REMOTE, user: 'pump' }, ['anyone', 'authenticated']],
  ])('%s', (_, principal, groups) => expect(groupsOf(principal)).toEqual(groups));

  it('a name over the network as well, if names are trusted', () => {
    expect(groupsOf({ ...REMOTE, device: 'pump' }, { trust_names: true })).toEqual([
      'anyone',
      'device:pump',
      'device:p*p',
    ]);
    expect(groupsOf({ ...REMOTE, device: `p${'x'.repeat(300)}p` }, { trust_names: true })).toEqual([
      'anyone',
    ]);
  });
});

describe('rights', () => {
  const rules = [
    { who: 'anyone', subscribe: ['public/#'] },
    {
      who: 'user:ada',
      emit: ['greenhouse/#', 'home/%u/+'],
      subscribe: ['greenhouse/+/temperature', 'home/%u/#'],
    },
    { who: 'user:ops', subscribe: ['#', '$slipway/devices/+/state'], emit: '#', broadcast: true },
    { who: 'device:*', emit: 'devices/%d/#' },
  ];
  const of = (user: string) => rightsIn(rules, { ...REMOTE, user });

  it('are those of all rules that apply', () => {
    const ada = of('ada');
    expect(ada?.mayEmit('greenhouse/3/led')).toBe(true);
    expect(ada?.mayEmit('public/x')).toBe(false);
    expect(ada?.mayReceive('public/x')).toBe(true);
    expect(ada?.mayReceive('greenhouse/3/led')).toBe(false);
    expect(ada?.mayReceive('greenhouse/3/temperature')).toBe(true);
    expect(ada?.mayBroadcast).toBe(false);
    expect(of('ops')?.mayBroadcast).toBe(true);
  });

  it('let a subscription be wider than what may be heard, but not pass it by', () => {
    const ada = of('ada');
    for (const pattern of ['#', '+/#', '+/+/temperature', 'greenhouse/3/+', 'home/ada', 'home/+/x/y'])
      expect(ada?.maySubscribe(pattern), pattern).toBe(true);
    for (const pattern of [
      'secret/#',
      'greenhouse/3',
      'greenhouse/+/led',
      'home/eve/#',
      '$slipway/#',
      '$SYS/#',
    ])
      expect(ada?.maySubscribe(pattern), pattern).toBe(false);
  });

  it("name the gateway's own channels, or leave them out", () => {
    const ops = of('ops');
    expect(ops?.mayReceive('$slipway/devices/pump/state')).toBe(true);
    for (const channel of ['$slipway/stats', '$slipway/devices/pump/log', '$slipway/devices', '$x'])
      expect(ops?.mayReceive(channel), channel).toBe(false);
    expect(ops?.maySubscribe('$slipway/#')).toBe(true);
    expect(ops?.maySubscribe('$slipway/stats')).toBe(false);
    expect(ops?.mayEmit('$slipway/devices/pump/state')).toBe(false);
    expect(ops?.mayEmit('$slipway/broadcast')).toBe(true);
  });

  it('do not keep anybody from hearing a broadcast', () => {
    const anyone = rightsIn(rules, REMOTE);
    expect(anyone?.maySubscribe('$slipway/broadcast')).toBe(true);
    expect(anyone?.mayReceive('$slipway/broadcast')).toBe(true);
    expect(anyone?.mayEmit('$slipway/broadcast')).toBe(false);
  });

  it('are none where no rule applies, or only for somebody who is not there', () => {
    expect(rightsIn([{ who: 'user:ada', emit: 'x' }], REMOTE)).toBeUndefined();
    expect(rightsIn([{ who: 'anyone', emit: ['x/%u', '%d'], subscribe: '%u/%d' }], REMOTE)).toBeUndefined();
    expect(rightsIn([{ who: 'serial', emit: 'x' }], LOCAL)).toBeUndefined();
  });

  it.each(['#', '+', 'a/b', '$slipway', '', 'a\0b', 'x+', '/'])(
    'of a name like %j are not those of others: it does not stand in a pattern',
    (name) => {
      const own = [{ who: 'anyone', emit: ['%u/x', 'home/%u/#', '%d'], subscribe: ['%d/#', 'at-%u'] }];
      const principal = { ...LOCAL, user: name, device: name };
      expect(rightsIn(own, principal)).toBeUndefined();
    },
  );

  it('of a name that only looks like a sign of String.replace are its own', () => {
    const rights = rightsIn([{ who: 'authenticated', emit: 'home/%u' }], { ...REMOTE, user: "a$&$'%d" });
    expect(rights?.mayEmit("home/a$&$'%d")).toBe(true);
    expect(rights?.mayEmit('home/a%u%d')).toBe(false);
  });

  it('are the same object for all who have the same, unless their names are in them', () => {
    const book = new Rules(accessConfig({ rules }));
    const user = (name: string) => book.rightsOf({ ...REMOTE, user: name });
    expect(user('eve')).toBe(user('mallory'));
    expect(user('ops')).not.toBe(user('eve'));
    const own = () => book.rightsOf({ ...REMOTE, user: 'ada' });
    expect(own()).not.toBe(own());
    expect(sameRights(own(), own())).toBe(true);
    expect(sameRights(own(), user('eve'))).toBe(false);
    expect([sameRights(undefined, undefined), sameRights(own(), undefined)]).toEqual([true, false]);
    const devices = ['one', 'two'].map((device) => book.rightsOf({ ...SERIAL, device }));
    expect(devices.map((rights) => rights?.mayEmit('devices/one/x'))).toEqual([true, false]);
  });
});
