// Fills a gateway with what takes its memory, or its time: sessions, subscriptions, channels.
import { serve } from '../helper.js';
import { RawSession } from './raw-session.js';

/** Handshakes at a time. */
const AT_ONCE = 20;

let port = 0;
const sessions: RawSession[] = [];

async function clients(count: number): Promise<void> {
  let next = 0;
  const open = async (): Promise<void> => {
    for (let n = next++; n < count; n = next++) sessions.push(await RawSession.open(port, `client-${n}`));
  };
  await Promise.all(Array.from({ length: AT_ONCE }, open));
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
  subscriptions,
  channels,
});
