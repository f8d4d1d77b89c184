import { beforeEach, describe, expect, it } from 'vitest';
import type { Rights } from '../../src/access/rights.js';
import type { Session } from '../../src/gateway/session.js';
import type { Hello, Message, Refuse } from '../../src/wire/messages.js';
import { gatewayProof, peerProof } from '../../src/wire/proof.js';
import { Doors } from '../support/doors.js';
import { hello, Line } from '../support/line.js';
import { Disk } from '../support/memory-backend.js';
import { Simulation } from '../support/simulation.js';

const KEY = Buffer.from('202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f', 'hex');
const NONE = new Uint8Array();

let doors: Doors;
let simulation: Simulation;

beforeEach(() => {
  doors = new Doors();
  simulation = new Simulation(1, { access: doors });
});

function refusals(answers: readonly Message[]): Refuse[] {
  return answers.filter((message) => message.type === 'refuse');
}

function reasons(answers: readonly Message[]): string[] {
  return answers.map((message) => (message.type === 'refuse' ? message.reason : message.type));
}

/** What the gateway wants proved. */
function challengeOn(line: Line, more: Partial<Hello> = {}): Uint8Array {
  const [refuse] = refusals(line.say(hello({ proof: NONE, ...more })));
  expect(refuse?.reason).toBe('prove_identity');
  return Uint8Array.from(refuse?.detail ?? []);
}

/** The HELLO that answers it. */
function proving(challenge: Uint8Array, more: Partial<Hello> = {}, key = KEY): Hello {
  const plain = hello(more);
  return { ...plain, proof: peerProof(key, challenge, plain) };
}

function beginProved(line: Line, more: Partial<Hello> = {}): void {
  line.begin(proving(challengeOn(line, more), more));
}

describe('a device with a key (PROTOCOL.md §4.8)', () => {
  beforeEach(() => doors.keys.set('uno', KEY));

  it.each(['serial', 'udp', 'tcp'] as const)('proves it on %s, and so does the gateway', (kind) => {
    const line = new Line(simulation, kind);
    const challenge = challengeOn(line);
    expect(challenge).toHaveLength(8);
    const proved = proving(challenge);
    const welcome = line.begin(proved);
    expect(Buffer.from(welcome.proof ?? [])).toEqual(
      gatewayProof(KEY, proved.proof as Uint8Array, welcome.token),
    );
    expect(simulation.hub.stateOf('uno')).toBe('online');
    expect(doors.claims.map(({ proved }) => proved)).toEqual([true]);
  });

  it('is given the same challenge, and the same WELCOME, when it repeats itself', () => {
    const line = new Line(simulation, 'udp');
    const challenge = challengeOn(line);
    expect(challengeOn(line)).toEqual(challenge);
    const welcome = line.welcome(proving(challenge));
    expect(line.welcome(proving(challenge))).toEqual(welcome);
  });

  it('is refused without a proof, and with a wrong one', () => {
    const line = new Line(simulation, 'serial');
    expect(reasons(line.say(hello()))).toEqual(['bad_credentials']);
    const challenge = challengeOn(line);
    expect(reasons(line.say(proving(challenge, {}, Buffer.alloc(32))))).toEqual(['bad_credentials']);
    // Nobody guesses at one challenge twice.
    expect(reasons(line.say(proving(challenge)))).toEqual(['prove_identity']);
    expect(challengeOn(line)).not.toEqual(challenge);
    expect(doors.claims.map(({ proved }) => proved)).toEqual([false, false]);
    expect(simulation.counters.get('session.refused.bad_credentials')).toBe(2);
  });

  it.each([
    ['another boot', { nonce: 2 }],
    ['another epoch', { token: 7 }],
  ])('proves itself for one HELLO alone: not for %s', (_, more) => {
    const line = new Line(simulation, 'serial');
    const { proof } = proving(challengeOn(line));
    expect(reasons(line.say({ ...hello(more), proof } as Hello))).toEqual(['bad_credentials']);
  });

  it('proves itself on one link alone: what was heard elsewhere is worth nothing', () => {
    const line = new Line(simulation, 'udp');
    const said = proving(challengeOn(line));
    const other = new Line(simulation, 'udp');
    expect(reasons(other.say(said))).toEqual(['prove_identity']);
    expect(reasons(other.say(said))).toEqual(['bad_credentials']);
  });

  it('proves itself anew at each handshake, also on the same link', () => {
    const line = new Line(simulation, 'serial');
    const said = proving(challengeOn(line));
    line.begin(said);
    const { token } = simulation.hub.sessions.get('uno') as { token: number };
    expect(reasons(line.say(said))).toEqual(['prove_identity']);
    const again = proving(challengeOn(line, { token }), { token });
    expect(line.begin(again)).toMatchObject({ continues: true, token });
  });

  it('keeps its challenge while the gateway asks an older link whether it is still there', () => {
    beginProved(new Line(simulation, 'serial'));
    const line = new Line(simulation, 'serial');
    const challenge = challengeOn(line, { nonce: 2 });
    const said = proving(challenge, { nonce: 2 });
    expect(line.say(said)).toEqual([]);
    expect(line.say(said)).toEqual([]);
    simulation.clock.advance(1100);
    const [welcome] = line.received;
    if (welcome?.type !== 'welcome') throw new Error(`${welcome?.type} in place of a WELCOME`);
    expect(Buffer.from(welcome.proof ?? [])).toEqual(
      gatewayProof(KEY, said.proof as Uint8Array, welcome.token),
    );
  });

  it('is not disturbed by a peer that has no key', () => {
    const line = new Line(simulation, 'serial');
    beginProved(line);
    line.received.length = 0;
    const thief = new Line(simulation, 'tcp');
    expect(reasons(thief.say(hello({ nonce: 2 })))).toEqual(['bad_credentials']);
    expect(reasons(thief.say(hello({ nonce: 1 })))).toEqual(['bad_credentials']);
    simulation.clock.advance(5000);
    // Not even asked whether it is there.
    expect(line.received).toEqual([]);
    expect(simulation.hub.sessions.get('uno')?.link?.kind).toBe('serial');
  });

  it('has room for its proof in the smallest packet, whatever else there is to tell', () => {
    const line = new Line(simulation, 'serial');
    beginProved(line, { maxPacket: 48 });
    const welcome = line.welcome(proving(challengeOn(line, { maxPacket: 48 }), { maxPacket: 48 }));
    expect(welcome.proof).toHaveLength(8);
  });

  it('is told when the gateway has no key for it, and the log says what to do', () => {
    doors.keys.clear();
    const line = new Line(simulation, 'serial');
    expect(reasons(line.say(hello({ proof: NONE })))).toEqual(['bad_credentials']);
    expect(doors.claims).toEqual([]);
  });

  it('loses its link when it is given a key and has proved none', () => {
    doors.keys.clear();
    const line = new Line(simulation, 'serial');
    line.begin(hello());
    line.received.length = 0;
    doors.keys.set('uno', KEY);
    doors.change();
    expect(line.received).toEqual([{ type: 'bye', reason: 'not_allowed' }]);
    expect(reasons(line.say(hello()))).toEqual(['bad_credentials']);
    // Its session waits for the one with the key.
    expect(line.begin(proving(challengeOn(line)))).toMatchObject({ resumed: true });
  });

  it('does not begin what was offered before the rules changed', () => {
    const line = new Line(simulation, 'serial');
    const { token } = line.welcome(proving(challengeOn(line)));
    doors.change();
    expect(reasons(line.say({ type: 'begin', token }))).toEqual(['no_session']);
  });
});

describe('a program with a password (PROTOCOL.md §4.8)', () => {
  const ada = { identity: 'reports', user: 'ada', secret: Buffer.from('secret') } as const;

  beforeEach(() => doors.passwords.set('ada', 'secret'));

  async function beginAs(line: Line, more: Partial<Hello>): Promise<void> {
    line.say(hello(more));
    await doors.look();
    line.begin(hello(more));
  }

  it('waits until it has been looked at, once however often it asks', async () => {
    const line = new Line(simulation, 'tcp');
    for (let i = 0; i < 5; i++) expect(line.say(hello(ada))).toEqual([]);
    expect(doors.claims).toHaveLength(1);
    expect(simulation.counters.get('session.drop.hello_in_judgement')).toBe(4);
    await doors.look();
    expect(reasons(line.received)).toEqual(['welcome']);
    line.begin(hello(ada));
    const session = simulation.hub.sessions.get('reports');
    expect(session?.principal.user).toBe('ada');
    expect(session?.rights).toBeDefined();
  });

  it('is refused with the wrong one', async () => {
    const line = new Line(simulation, 'tcp');
    line.say(hello({ ...ada, secret: Buffer.from('guess') }));
    await doors.look();
    expect(reasons(line.received)).toEqual(['bad_credentials']);
  });

  it('is looked at as it was said, whatever becomes of the bytes of its packet', async () => {
    const line = new Line(simulation, 'tcp');
    const secret = Buffer.from('secret');
    line.say(hello({ ...ada, secret }));
    secret.fill(0);
    expect(Buffer.from(doors.claims[0]?.secret ?? []).toString()).toBe('secret');
    await doors.look();
  });

  it('is not answered when it has gone meanwhile, or the rules have changed', async () => {
    const gone = new Line(simulation, 'tcp');
    gone.say(hello(ada));
    gone.events.closed('reset');
    await doors.look();
    expect(gone.received).toEqual([]);
    const line = new Line(simulation, 'tcp');
    line.say(hello(ada));
    doors.change();
    await doors.look();
    expect(line.received).toEqual([]);
    await beginAs(line, ada);
    expect(simulation.hub.stateOf('reports')).toBe('online');
  });

  it('has a session that nobody else gets', async () => {
    await beginAs(new Line(simulation, 'tcp'), ada);
    doors.passwords.set('bob', 'secret');
    const other = new Line(simulation, 'tcp');
    other.say(hello({ ...ada, user: 'bob' }));
    await doors.look();
    expect(reasons(other.received)).toEqual(['not_allowed']);
    expect(reasons(other.say(hello({ identity: 'reports' })))).toEqual(['not_allowed']);
    // Clean or not: it is not for others to end, either.
    expect(reasons(other.say(hello({ identity: 'reports', clean: true })))).toEqual(['not_allowed']);
    expect(simulation.hub.stateOf('reports')).toBe('online');
  });

  it('loses its link when its user is gone, and its session comes back with it', async () => {
    const line = new Line(simulation, 'tcp');
    await beginAs(line, ada);
    line.received.length = 0;
    doors.passwords.clear();
    doors.change();
    expect(line.received).toEqual([{ type: 'bye', reason: 'not_allowed' }]);
    expect(line.closed).toBe(true);
    doors.passwords.set('ada', 'another');
    const later = new Line(simulation, 'tcp');
    later.say(hello({ ...ada, nonce: 2, secret: Buffer.from('another') }));
    await doors.look();
    expect(later.received).toMatchObject([{ type: 'welcome', resumed: true }]);
  });
});

describe('rules that change', () => {
  const wish = (seq: number, pattern: string): Message => ({
    type: 'subscribe',
    seq,
    qos: 1,
    noLocal: false,
    noLastValue: false,
    id: 0,
    pattern,
  });
  const withoutB: Rights = {
    mayEmit: () => true,
    maySubscribe: (pattern) => pattern !== 'b',
    mayReceive: (channel) => channel !== 'b',
    mayBroadcast: true,
  };

  it('end a subscription: its peer comes back, says what it wants, and hears what it cannot have', () => {
    const line = new Line(simulation, 'serial');
    const { nextIn, token } = line.begin(hello());
    line.say(wish(nextIn, 'a'), wish(nextIn + 1, 'b'));
    const { router, hub } = simulation;
    const session = hub.sessions.get('uno') as Session;
    expect([...router.subscriptionsOf(session).keys()]).toEqual(['a', 'b']);
    line.received.length = 0;
    doors.rights = withoutB;
    doors.change();
    expect(line.received).toEqual([{ type: 'bye', reason: 'not_allowed' }]);
    expect([...router.subscriptionsOf(session).keys()]).toEqual(['a']);
    // What is held for it meanwhile is not lost.
    router.emit('a', Buffer.from('held'), { qos: 1, retain: false });
    const again = line.begin(hello({ token, received: 0 }));
    const held = line.received.flatMap((message) =>
      message.type === 'emit' ? [Buffer.from(message.payload).toString()] : [],
    );
    expect(again).toMatchObject({ resumed: true, continues: false, known: true });
    const answers = line.say(wish(again.nextIn, 'a'), wish(again.nextIn + 1, 'b'));
    expect(answers.filter(({ type }) => type === 'reject')).toMatchObject([
      { of: again.nextIn + 1, reason: 'not_allowed' },
    ]);
    expect(held).toEqual(['held']);
  });

  it('leave alone whom they take nothing from', () => {
    const line = new Line(simulation, 'serial');
    const { nextIn } = line.begin(hello());
    line.say(wish(nextIn, 'a'));
    line.received.length = 0;
    doors.rights = withoutB;
    doors.change();
    expect(line.received).toEqual([]);
    expect(simulation.hub.sessions.get('uno')?.open).toBe(true);
  });

  it('have a peer say again what it wants that comes back as somebody else', async () => {
    doors.passwords.set('ada', 'secret');
    const line = new Line(simulation, 'serial');
    const { token } = line.begin(hello());
    line.events.closed('pulled');
    const other = new Line(simulation, 'serial');
    other.say(hello({ token, user: 'ada', secret: Buffer.from('secret') }));
    await doors.look();
    expect(other.received).toMatchObject([{ type: 'welcome', resumed: true, continues: false }]);
  });
});

describe('a name that two boards have (PROTOCOL.md §4.4)', () => {
  it('is not given to one that may not have it any more when the other has not answered', () => {
    const line = new Line(simulation, 'serial');
    line.begin(hello());
    const other = new Line(simulation, 'udp');
    expect(other.say(hello({ nonce: 2 }))).toEqual([]);
    doors.mayTakeOver = () => false;
    simulation.clock.advance(2000);
    expect(reasons(other.received)).toEqual(['not_allowed']);
  });
});

describe('a gateway that was restarted', () => {
  it('remembers whose a session is', async () => {
    doors.passwords.set('ada', 'secret');
    doors.passwords.set('bob', 'secret');
    const disk = new Disk();
    simulation.startGateway(disk);
    const line = new Line(simulation, 'tcp');
    const ada = hello({ identity: 'reports', user: 'ada', secret: Buffer.from('secret') });
    line.say(ada);
    await doors.look();
    simulation.clock.advance(100);
    const [welcome] = line.received;
    if (welcome?.type !== 'welcome') throw new Error(`${welcome?.type} in place of a WELCOME`);
    line.say({ type: 'begin', token: welcome.token });
    simulation.clock.advance(100);
    simulation.startGateway(disk);
    expect(simulation.hub.sessions.get('reports')?.principal).toEqual({
      device: 'reports',
      user: 'ada',
      from: 'loopback',
    });
    const other = new Line(simulation, 'tcp');
    other.say({ ...ada, user: 'bob' });
    await doors.look();
    simulation.clock.advance(100);
    expect(reasons(other.received)).toEqual(['not_allowed']);
  });
});
