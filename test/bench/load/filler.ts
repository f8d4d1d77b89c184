// Fills a gateway with what takes its memory, or its time: sessions, subscriptions, channels.
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { serve } from '../helper.js';
import { BenchFailure } from '../row.js';
import { RawSession } from './raw-session.js';

/** Handshakes at a time. */
const AT_ONCE = 20;
/** CONNACK: no session was there, and all is well. */
const ACCEPTED = Buffer.from([0x20, 2, 0, 0]);

let port = 0;
const sessions: RawSession[] = [];
const sockets: Socket[] = [];

async function clients(count: number): Promise<void> {
  await someAtOnce(count, async (n) => void sessions.push(await RawSession.open(port, `client-${n}`)));
}

/** Idle ones of MQTT 3.1.1. */
async function mqttClients(count: number): Promise<void> {
  await someAtOnce(count, async (n) => {
    const socket = connect({ host: '127.0.0.1', port });
    const id = Buffer.from(`client-${n}`);
    // Protocol level 4, a clean session, no keep-alive.
    const header = Buffer.from([0, 4, ...Buffer.from('MQTT'), 4, 2, 0, 0, 0, id.length]);
    socket.write(Buffer.concat([Buffer.from([0x10, header.length + id.length]), header, id]));
    const [answer] = (await once(socket, 'data')) as [Buffer];
    if (!answer.equals(ACCEPTED)) throw new BenchFailure(`the gateway answered ${answer.toString('hex')}`);
    sockets.push(socket);
  });
}

async function someAtOnce(count: number, open: (n: number) => Promise<void>): Promise<void> {
  let next = 0;
  const work = async (): Promise<void> => {
    for (let n = next++; n < count; n = next++) await open(n);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
}

/** Patterns of one session, with a wildcard each; they part at the second level. */
async function subscriptions(count: number): Promise<void> {
  const session = await RawSession.open(port, 'subscriber');
  sessions.push(session);
  const options = { qos: 0, noLocal: false, noLastValue: true, id: 0 } as const;
  await session.reliably(count, (n, seq) => ({
    type: 'subscribe',
    seq,
    pattern: `fill/${n}/+/value`,
    ...options,
  }));
}

/** Channels on which nobody has anything to say, and of which the router knows. */
async function channels(count: number): Promise<void> {
  const session = await RawSession.open(port, 'publisher');
  sessions.push(session);
  const payload = Buffer.from('0');
  await session.reliably(count, (n, seq) => ({
    type: 'emit',
    seq,
    qos: 1,
    retain: false,
    name: `fill/${n}/value`,
    payload,
  }));
}

serve({
  open: (at: number) => {
    port = at;
  },
  clients,
  mqttClients,
  subscriptions,
  channels,
});
