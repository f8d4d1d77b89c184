import { Helper } from '../helper.js';
import { CProgram } from '../load/c-program.js';
import { BenchFailure, type Contender, type Row, type Running } from '../row.js';
import { startGateway } from '../servers/gateway.js';
import { together } from './udp.js';

const FILLER = new URL('../load/filler.js', import.meta.url);
const ROOM = 2_000_000;
/** In a miniature there are fewer of everything. */
const SMOKE_DIVISOR = 1000;
/** Twice what emits.c goes through. */
const CYCLES = 2 ** 18;
const MICROSECONDS = 1e6;

interface Scale {
  readonly name: string;
  readonly role: Contender['role'];
  /** Subscriptions of another session, none of which match. */
  readonly subscriptions: number;
  /** Channels that are emitted on in turn. */
  readonly channels: number;
}

interface EmitsReport {
  readonly received: number;
  readonly seconds: number;
}

/** What an emit by name, and its delivery, cost the gateway: its time on a core, by the message. */
function contender({ name, role, subscriptions, channels }: Scale): Contender {
  return {
    name,
    role,
    start: (context) =>
      together(async (parts): Promise<Pick<Running, 'round'>> => {
        const many = (count: number) => (context.smoke ? Math.ceil(count / SMOKE_DIVISOR) : count);
        const gateway = await startGateway(context, {
          config: { limits: { subscriptions: ROOM, channels: ROOM } },
        });
        parts.push(gateway);
        const filler = new Helper(FILLER);
        parts.push(filler);
        await filler.ask('open', gateway.tcp);
        await filler.ask('subscriptions', many(subscriptions));
        const load = await CProgram.start('emits', [gateway.tcp, many(channels)]);
        parts.push(load);
        await load.hear();
        // The first time through all channels is not what it goes on with.
        for (let received = 0; received < many(CYCLES); )
          received += (await load.ask<EmitsReport>(String(context.roundMs))).received;
        return {
          async round(ms) {
            const before = gateway.process.cpu;
            const { received, seconds } = await load.ask<EmitsReport>(String(ms));
            if (received === 0) throw new BenchFailure('no message came');
            const cost = (gateway.process.cpu - before) / received;
            return { value: cost * MICROSECONDS, also: { 'msg/s': received / seconds } };
          },
        };
      }),
  };
}

const PATTERNS: Row = {
  name: 'patterns',
  unit: 'µs on a core',
  work: 'an emit and its delivery beside 10⁶ subscriptions that do not match',
  contenders: [
    { name: '10⁶ subscriptions', role: 'ours', subscriptions: 1_000_000, channels: 1 } as const,
    { name: '10³ subscriptions', role: 'reported', subscriptions: 1000, channels: 1 } as const,
    { name: '1 subscription', role: 'ceiling', subscriptions: 1, channels: 1 } as const,
  ].map(contender),
  targets: [{ against: '1 subscription', ratio: { atMost: 1.2 } }],
};

const CHANNELS: Row = {
  name: 'channels',
  unit: 'µs on a core',
  work: 'an emit by name, and its delivery, on 10⁵ channels in turn',
  contenders: [
    { name: '10⁵ channels', role: 'ours', subscriptions: 1, channels: 100_000 } as const,
    { name: '10 channels', role: 'ceiling', subscriptions: 1, channels: 10 } as const,
  ].map(contender),
  targets: [{ against: '10 channels', ratio: { atMost: 2 } }],
};

export const SCALING_ROWS: readonly Row[] = [PATTERNS, CHANNELS];
