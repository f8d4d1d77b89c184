import { Command } from 'commander';
import { type Client, connect } from '../client/client.js';
import { type ConnectionFlags, connectionOf, withConnectionOptions } from './connection.js';

interface DevicesOptions extends ConnectionFlags {
  readonly json?: boolean;
  readonly fleet?: boolean;
}

const STATE_CHANNELS = '$slipway/devices/+/state';
const FLEET_CHANNELS = '$slipway/fleet/devices/+';

/** `slipway devices`: every device that the gateway has seen, and whether it is there. Throws as `connect` does. */
export function devicesCommand(): Command {
  return withConnectionOptions(
    new Command('devices')
      .description('list the devices that the gateway has seen: online, asleep or offline')
      .option('--fleet', 'those of all gateways whose presence crosses bridges, and where they are')
      .option('--json', 'print a JSON array instead'),
  )
    .addHelpText(
      'after',
      `\nExamples:\n  $ slipway devices\n  $ slipway devices --fleet\n\nTo follow what changes: slipway sub '${STATE_CHANNELS}'`,
    )
    .action(async ({ json, fleet = false, ...flags }: DevicesOptions) => {
      const client = await connect({ ...(await connectionOf(flags)), expiry: 0 });
      try {
        const devices = await statesOf(client, fleet);
        process.stdout.write(`${json ? JSON.stringify(devices, null, 2) : asText(devices, fleet)}\n`);
      } finally {
        await client.close();
      }
    });
}

/** Of the fleet with where it is, and what waits for it elsewhere (PROTOCOL.md §6.6). */
interface DeviceState {
  readonly identity: string;
  readonly state: string;
  readonly gateway?: string;
  readonly was?: string;
  readonly held?: Readonly<Record<string, number>>;
}

async function statesOf(client: Client, fleet: boolean): Promise<DeviceState[]> {
  const states = new Map<string, string>();
  const pattern = fleet ? FLEET_CHANNELS : STATE_CHANNELS;
  await client.subscribe(pattern, ({ channel, text }) => void states.set(channel, text));
  // They come in the order sent, and before the answer to what is asked after them: a question that none precedes is the last.
  for (let known = -1; known < states.size; ) {
    known = states.size;
    await client.time();
  }
  return Array.from(states)
    .filter(([, text]) => text !== '')
    .map(([channel, text]) => (fleet ? ofFleet(channel, text) : ofGateway(channel, text)))
    .sort((a, b) => a.identity.localeCompare(b.identity));
}

function ofGateway(channel: string, state: string): DeviceState {
  return { identity: channel.split('/')[2] as string, state };
}

function ofFleet(channel: string, text: string): DeviceState {
  return {
    identity: channel.split('/')[3] as string,
    ...(JSON.parse(text) as Omit<DeviceState, 'identity'>),
  };
}

function asText(devices: readonly DeviceState[], fleet: boolean): string {
  if (devices.length === 0)
    return fleet
      ? 'No devices yet: the gateway knows of none. Those of others it knows where a bridge has "presence" (config/BRIDGES.md).'
      : 'No devices yet: the gateway knows of none.';
  const width = (of: (device: DeviceState) => string) => Math.max(...devices.map((each) => of(each).length));
  const [identities, states] = [width(({ identity }) => identity), width(({ state }) => state)];
  return devices
    .map((device) =>
      `${device.identity.padEnd(identities)}  ${device.state.padEnd(states)}${whereIs(device)}`.trimEnd(),
    )
    .join('\n');
}

function whereIs({ gateway, was, held = {} }: DeviceState): string {
  if (gateway === undefined) return '';
  const silent = was === undefined ? '' : ', which is silent';
  const waiting = Object.entries(held).map(([name, count]) => `; ${count} held at ${name}`);
  return `  at ${gateway}${silent}${waiting.join('')}`;
}
