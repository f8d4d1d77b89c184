import { describe, expect, it } from 'vitest';
import { Access } from '../../src/access/access.js';
import type { Admission, Admitted, Claim, Principal } from '../../src/access/principal.js';
import { UNKNOWN } from '../../src/access/principal.js';
import { Counters } from '../../src/counters.js';
import { policy, usersText } from '../support/policies.js';
import { VirtualClock } from '../support/virtual-clock.js';

const RULES = {
  rules: [
    { who: 'user:ada', emit: 'ada/#' },
    { who: 'user:bob', emit: 'bob/#' },
    { who: 'device:pump', emit: 'pump/#' },
    { who: 'loopback', emit: 'local/#' },
  ],
};
const KEY = Buffer.alloc(32, 9);
const USERS = usersText(
  {
    ada: { password: 'correct horse', tokens: { desk: 'slipway_desk' } },
    bob: { password: 'bobs own' },
    zoe: {},
  },
  { pump: KEY },
);
const OTHERS = '192.0.2.7';

/** An `Access` with these rules, what it counted and logged, and its clock. */
function start(access: object | null = RULES, users: string | null = USERS) {
  const clock = new VirtualClock();
  const counters = new Counters();
  const lines: string[] = [];
  const peerLog = {
    warn: (fields: object, text: string) => void lines.push(`${text} ${JSON.stringify(fields)}`),
  };
  const guard = new Access(access ? policy(access, users ?? undefined) : undefined, {
    clock,
    counters,
    peerLog,
  });
  const admit = (claim: Partial<Claim> & { password?: string }): Admission | Promise<Admission> => {
    const { password, ...rest } = claim;
    const party = 'party' in rest ? rest.party : OTHERS;
    return guard.admit({
      link: `tcp:${party}:4000`,
      serial: party === undefined,
      party,
      ...rest,
      ...(password !== undefined && { secret: Buffer.from(password) }),
    });
  };
  const admitted = async (claim: Parameters<typeof admit>[0]): Promise<Admitted> => {
    const admission = await admit(claim);
    if (admission.refused !== undefined) throw new Error(admission.refused);
    return admission;
  };
  const refusal = async (claim: Parameters<typeof admit>[0]) => (await admit(claim)).refused;
  return { guard, clock, counters, lines, admit, admitted, refusal };
}

describe('without rules', () => {
  it('everybody may do everything, and credentials are not looked at', () => {
    const { guard, admit } = start(null, null);
    expect(admit({ device: 'x', user: 'ada', password: 'whatever' })).toEqual({
      principal: { device: 'x', from: 'network' },
      rights: undefined,
    });
    expect(guard.enforced).toBe(false);
    expect(guard.review(UNKNOWN)).toEqual({ rights: undefined, admitted: true });
    expect(guard.deviceKey('pump')).toBeUndefined();
  });
});

describe('who is let in', () => {
  it('is a user with the password, from anywhere', async () => {
    const { admitted, lines } = start();
    const { principal, rights } = await admitted({ user: 'ada', password: 'correct horse', device: 'desk' });
    expect(principal).toMatchObject({ user: 'ada', device: 'desk', from: 'network' });
    expect(rights?.mayEmit('ada/x')).toBe(true);
    expect(rights?.mayEmit('bob/x')).toBe(false);
    expect(lines).toEqual([]);
  });

  it('is whoever has a token, with or without the name of its user, and at once', () => {
    const { admit } = start();
    for (const user of [undefined, 'ada'])
      expect(admit({ user, password: 'slipway_desk' })).toMatchObject({ principal: { user: 'ada' } });
  });

  it('is whom a certificate names, if it is a user', async () => {
    const { admit, refusal } = start();
    expect(admit({ certificate: 'ada' })).toMatchObject({ principal: { user: 'ada' } });
    expect(admit({ certificate: 'ada', user: 'ada' })).toMatchObject({ principal: { user: 'ada' } });
    expect(await refusal({ certificate: 'eve' })).toBe('bad_credentials');
    expect(await refusal({ certificate: 'ada', user: 'bob' })).toBe('bad_credentials');
    expect(await refusal({ certificate: 'bob', user: 'ada', password: 'wrong' })).toBe('bad_credentials');
    expect(
      (await admit({ certificate: 'bob', user: 'ada', password: 'correct horse' })).refused,
    ).toBeUndefined();
  });

  it('is whom any certificate names, where there is no file of users', () => {
    const { admit } = start({ rules: [{ who: 'user:*', emit: '%u' }] }, null);
    const admission = admit({ certificate: 'Ada Lovelace' }) as Admitted;
    expect(admission.rights?.mayEmit('Ada Lovelace')).toBe(true);
  });

  it('is a device that proved its key, and no other of its name', async () => {
    const { guard, admit, refusal } = start();
    expect(guard.deviceKey('pump')).toEqual(KEY);
    expect(admit({ device: 'pump', proved: true })).toMatchObject({ principal: { device: 'pump' } });
    for (const party of [undefined, OTHERS, '127.0.0.1'])
      expect(await refusal({ device: 'pump', party })).toBe('bad_credentials');
    expect(await refusal({ device: 'pump', user: 'ada', password: 'correct horse' })).toBe('bad_credentials');
  });

  it('is nobody whom no rule allows anything', async () => {
    const { admit, refusal, lines } = start();
    expect(admit({ party: '127.0.0.1' })).toMatchObject({ principal: { from: 'loopback' } });
    expect(await refusal({})).toBe('not_allowed');
    expect(await refusal({ party: undefined, link: 'serial:bench' })).toBe('not_allowed');
    expect(lines).toHaveLength(2);
    expect(await refusal({ party: undefined, serial: false })).toBe('not_allowed');
    expect(lines[1]).toContain('refused serial:bench: no rule allows it anything');
  });

  it.each([
    ['a wrong password', { user: 'ada', password: 'wrong' }],
    ['an empty one', { user: 'ada', password: '' }],
    ['none', { user: 'ada' }],
    ['one without a user', { password: 'correct horse' }],
    ['that of another user', { user: 'bob', password: 'correct horse' }],
    ['the token of another user', { user: 'bob', password: 'slipway_desk' }],
    ['a token that is none', { password: 'slipway_other' }],
    ['a user who does not exist', { user: 'eve', password: 'correct horse' }],
    ['a user who has no password', { user: 'zoe', password: '' }],
    ['one that is too long', { user: 'ada', password: 'x'.repeat(70_000) }],
    ['a name that is too long', { user: 'x'.repeat(70_000), password: 'x' }],
    ['a name of the language', { user: '__proto__', password: 'x' }],
  ])('is nobody with %s', async (_, claim) => {
    const { refusal, counters, lines } = start();
    expect(await refusal({ ...claim, party: '127.0.0.1' })).toBe('bad_credentials');
    expect(counters.snapshot()).toEqual({ 'access.refused.bad_credentials': 1 });
    expect(lines).toHaveLength(1);
    expect(lines[0]).not.toMatch(/correct|wrong|slipway_/);
    expect(lines[0]?.length).toBeLessThan(300);
  });

  it('is hashed for, whether or not there is such a user, or a password', () => {
    const { admit } = start();
    for (const user of ['ada', 'zoe', 'eve'])
      expect(admit({ user, password: 'x' }), user).toBeInstanceOf(Promise);
  });

  it('is told without a user where none is named', async () => {
    const { refusal, lines } = start();
    expect(await refusal({ password: 'slipway_revoked' })).toBe('bad_credentials');
    expect(lines[0]).toMatch(
      /^refused tcp:192\.0\.2\.7:4000: bad credentials for nobody: it names no user, and has no token of one \{/,
    );
    expect(lines[0]).not.toContain('slipway_');
  });

  it('is told in lines that nobody can forge', async () => {
    const { refusal, lines } = start();
    await refusal({ user: 'x"\nrefused tcp:198.51.100.1:1: bad credentials\u202e', password: 'x' });
    expect(
      lines[0]?.startsWith('refused tcp:192.0.2.7:4000: bad credentials for user "x\\u{22}\\u{a}refused'),
    ).toBe(true);
    expect(lines[0]).not.toMatch(/\n|\u202e/);
  });
});

describe('attempts', () => {
  it('have pauses, by user wherever they come from and by address whoever it is', async () => {
    const { refusal, clock, admit } = start();
    for (let i = 0; i < 5; i++) await refusal({ user: 'ada', password: 'x', party: `198.51.100.${i}` });
    expect(await admit({ user: 'ada', password: 'correct horse' })).toEqual({
      refused: 'too_many_attempts',
      retryMs: 1000,
    });
    for (let i = 0; i < 5; i++) await refusal({ user: `user ${i}`, password: 'x', party: '203.0.113.1' });
    expect(await refusal({ user: 'bob', password: 'bobs own', party: '203.0.113.1' })).toBe(
      'too_many_attempts',
    );
    expect(await refusal({ user: 'bob', password: 'bobs own' })).toBeUndefined();
    clock.advance(1000);
    expect(await refusal({ user: 'ada', password: 'correct horse' })).toBeUndefined();
  });

  it('do not keep out whoever got in from there before, nor tokens, certificates and keys', async () => {
    const { refusal } = start();
    expect(await refusal({ user: 'ada', password: 'correct horse' })).toBeUndefined();
    for (let i = 0; i < 20; i++) await refusal({ user: 'bob', password: 'x' });
    for (let i = 0; i < 20; i++) await refusal({ user: 'ada', password: 'x', party: '198.51.100.1' });
    expect(await refusal({ user: 'bob', password: 'bobs own' })).toBe('too_many_attempts');
    expect(await refusal({ user: 'ada', password: 'correct horse' })).toBeUndefined();
    expect(await refusal({ password: 'slipway_desk' })).toBeUndefined();
    expect(await refusal({ certificate: 'bob' })).toBeUndefined();
    expect(await refusal({ device: 'pump', proved: true })).toBeUndefined();
    // But those have their own.
    for (let i = 0; i < 20; i++) await refusal({ user: 'ada', password: 'x' });
    expect(await refusal({ user: 'ada', password: 'correct horse' })).toBe('too_many_attempts');
  });

  it('that come at once gain nothing by it', async () => {
    const { refusal, counters } = start();
    const guesses = Array.from({ length: 200 }, (_, i) => refusal({ user: 'ada', password: `guess ${i}` }));
    const [right] = [refusal({ user: 'ada', password: 'correct horse' })];
    await Promise.all(guesses);
    expect(await right).toBe('too_many_attempts');
    expect(counters.get('access.refused.bad_credentials')).toBeLessThanOrEqual(6);
  });
});

describe('a password that was right', () => {
  it('is not hashed again for a while', async () => {
    const { admit, clock } = start();
    const claim = { user: 'ada', password: 'correct horse' };
    expect(admit(claim)).toBeInstanceOf(Promise);
    await admit(claim);
    expect(admit(claim)).toMatchObject({ principal: { user: 'ada' } });
    expect(admit({ ...claim, password: 'correct Horse' })).toBeInstanceOf(Promise);
    clock.advance(5 * 60_000);
    expect(admit(claim)).toBeInstanceOf(Promise);
  });

  it('is not right any more once it was changed, not even one that is being hashed', async () => {
    const { admit, guard, refusal } = start();
    const claim = { user: 'ada', password: 'correct horse' };
    await admit(claim);
    const fromBob = refusal({ user: 'bob', password: 'bobs own' });
    guard.change(policy(RULES, usersText({ ada: { password: 'battery staple' } })));
    expect(await refusal(claim)).toBe('bad_credentials');
    expect(await refusal({ ...claim, password: 'battery staple' })).toBeUndefined();
    expect(await fromBob).toBe('bad_credentials');
  });
});

describe('after a change', () => {
  const changed = async (claim: Partial<Claim> & { password?: string }, access: object, users: string) => {
    const { guard, admitted } = start();
    const { principal } = await admitted(claim);
    let told = 0;
    const stop = guard.watch(() => void told++);
    guard.change(policy(access, users));
    stop();
    guard.change(policy(access, users));
    expect(told).toBe(1);
    // As it comes back from the store.
    const { rights, admitted: stays } = guard.review(JSON.parse(JSON.stringify(principal)));
    return { rights, stays };
  };
  const ADA = { user: 'ada', password: 'correct horse' };

  it('who is still there has the rights of the new rules', async () => {
    const { rights, stays } = await changed(ADA, { rules: [{ who: 'anyone', emit: 'new' }] }, USERS);
    expect(stays).toBe(true);
    expect([rights?.mayEmit('ada/x'), rights?.mayEmit('new')]).toEqual([false, true]);
  });

  it.each<[string, Partial<Claim> & { password?: string }, string]>([
    ['whose password was changed', ADA, usersText({ ada: { password: 'other' } })],
    [
      'whose token was revoked',
      { password: 'slipway_desk' },
      usersText({ ada: { password: 'correct horse' } }),
    ],
    ['whose key was changed', { device: 'pump', proved: true }, usersText({}, { pump: Buffer.alloc(32, 1) })],
    [
      'who has to prove a key now',
      { device: 'pump', party: '127.0.0.1', proved: true },
      usersText({}, { pump: Buffer.alloc(32, 1) }),
    ],
  ])('whoever it is %s has to go, and may come back to what was', async (_, claim, users) => {
    const { rights, stays } = await changed(claim, RULES, users);
    expect(stays).toBe(false);
    expect(rights?.mayEmit(claim.device ? 'pump/x' : 'ada/x')).toBe(true);
  });

  it.each<[string, Partial<Claim> & { password?: string }, string]>([
    ['whose user was removed', ADA, usersText({ bob: {} })],
    ['whose certificate names nobody', { certificate: 'ada' }, usersText({ bob: {} })],
    ['who has lost the key', { device: 'pump', proved: true }, usersText({})],
  ])('whoever it is %s has no rights, and has to go', async (_, claim, users) => {
    const { rights, stays } = await changed(claim, RULES, users);
    expect(stays).toBe(false);
    expect([rights?.mayEmit('ada/x'), rights?.mayEmit('pump/x')]).toEqual([false, false]);
    expect([rights?.maySubscribe('#'), rights?.mayBroadcast]).toEqual([false, false]);
  });

  it('all is as before where the rules are taken away', async () => {
    const { guard, admitted } = start();
    const { principal } = await admitted({ user: 'ada', password: 'correct horse' });
    guard.change(undefined);
    expect(guard.review(principal)).toEqual({ rights: undefined, admitted: true });
  });
});

describe('a session goes on', () => {
  const ada: Principal = { user: 'ada', from: 'network' };
  const serial: Principal = { device: 'pump', from: 'serial' };
  const local: Principal = { device: 'pump', from: 'loopback' };
  const remote: Principal = { device: 'pump', from: 'network' };
  const keyed: Principal = { ...remote, key: 'k' };
  const bob: Principal = { ...remote, user: 'bob' };

  it.each<[string, Principal, Principal, boolean]>([
    ['of a user with that user, wherever', ada, { ...ada, from: 'loopback' }, true],
    ['of a user with no other', ada, bob, false],
    ['of a user with nobody', ada, local, false],
    ['of a board with a program on this machine', serial, local, true],
    ['of a board with who proves its key', serial, keyed, true],
    ['of a board with nobody over the network', serial, remote, false],
    ['of a board with no user over the network', serial, bob, false],
    ['of a key with nobody over the network', keyed, remote, false],
    ['of a mere name with a mere name', remote, remote, true],
    ['of a mere name with a user', remote, bob, true],
    ['of nobody known with anybody', UNKNOWN, remote, true],
  ])('%s', (_, owner, newcomer, may) => expect(start().guard.mayTakeOver(owner, newcomer)).toBe(may));

  it('with anybody where there are no rules, or names are trusted', () => {
    expect(start(null, null).guard.mayTakeOver(ada, remote)).toBe(true);
    expect(start({ ...RULES, trust_names: true }).guard.mayTakeOver(serial, remote)).toBe(true);
  });
});
