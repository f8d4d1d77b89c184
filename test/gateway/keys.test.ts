import { beforeEach, describe, expect, it } from 'vitest';
import type { Refuse } from '../../src/wire/messages.js';
import { gatewayProof, peerProof } from '../../src/wire/proof.js';
import { type RunningGateway, startGateway, until } from '../support/gateways.js';
import { hello, RawUdp } from '../support/raw-peers.js';
import { usersFile } from '../support/users-file.js';

const KEY = Buffer.from('202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f', 'hex');
const NONE = new Uint8Array();

let running: RunningGateway;

beforeEach(async () => {
  const file = await usersFile({}, { pump: KEY });
  running = await startGateway({ access: { users: { file }, rules: [{ who: 'device:pump', emit: '#' }] } });
});

async function refusal(peer: RawUdp, reason: Refuse['reason'], count = 1): Promise<Refuse> {
  const found = () => peer.all('refuse').filter((refuse) => refuse.reason === reason);
  await until(() => expect(found()).toHaveLength(count));
  return found().at(-1) as Refuse;
}

describe('a device with a key on UDP (PROTOCOL.md §4.8)', () => {
  it('proves its address, then its key; nothing is remembered of it before, and nothing sent that is longer', async () => {
    const peer = await RawUdp.open(running.udp);
    peer.send(hello('pump', { proof: NONE }));
    const cookie = Buffer.from((await refusal(peer, 'prove_address')).detail).readUInt32BE();
    expect(running.count('session.refused.prove_identity')).toBe(0);
    peer.send(hello('pump', { proof: NONE, cookie }));
    const { detail } = await refusal(peer, 'prove_identity');
    const answer = hello('pump', { cookie });
    const proof = peerProof(KEY, detail, answer);
    peer.send({ ...answer, proof });
    await until(() => expect(peer.all('welcome')).toHaveLength(1));
    const [welcome] = peer.all('welcome');
    expect(Buffer.from(welcome?.proof ?? [])).toEqual(gatewayProof(KEY, proof, welcome?.token ?? 0));
    peer.send({ type: 'begin', token: welcome?.token ?? 0 });
    await until(() => expect(peer.all('ack')).toHaveLength(1));
    expect(running.gateway.statistics().sessions.open).toBe(1);
  });

  it('is not the one who repeats from elsewhere what it said', async () => {
    const peer = await RawUdp.open(running.udp);
    const thief = await RawUdp.open(running.udp);
    await peer.hail('pump', { proof: NONE });
    const proof = peerProof(KEY, (await refusal(peer, 'prove_identity')).detail, hello('pump'));
    await thief.hail('pump', { proof });
    await refusal(thief, 'prove_identity');
    thief.send(hello('pump', { proof }));
    await refusal(thief, 'bad_credentials');
    expect(thief.all('welcome')).toEqual([]);
    peer.send(hello('pump', { proof }));
    await until(() => expect(peer.all('welcome')).toHaveLength(1));
  });
});
