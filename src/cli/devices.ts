import { Command } from 'commander';
import { type Client, connect } from '../client/client.js';
import { type ConnectionFlags, connectionOf, withConnectionOptions } from './connection.js';

interface DevicesOptions extends ConnectionFlags {
  readonly json?: boolean;
}

const STATE_CHANNELS = '$slipway/devices/+/state';

/** `slipway devices`: every device that the gateway has seen, and whether it is there. Throws as `connect` does. */
export function devicesCommand(): Command {
  return withConnectionOptions(new Command('devices'))
    .description('list the devices that the gateway has seen: online, asleep or offline')
    .option('--json', 'print a JSON array instead')
    .addHelpText(
      'after',
      `\nExample:\n  $ slipway devices\n\nTo follow what changes: slipway sub '${STATE_CHANNELS}'`,
    )
    .action(async ({ json, ...flags }: DevicesOptions) => {
      const client = await connect({ ...(await connectionOf(flags)), expiry: 0 });
      try {
        const devices = await statesOf(client);
        process.stdout.write(`${json ? JSON.stringify(devices, null, 2) : asText(devices)}\n`);
      } finally {
        await client.close();
      }
    });
}

interface DeviceState {
  readonly identity: string;
  readonly state: string;
}

async function statesOf(client: Client): Promise<DeviceState[]> {
  const states = new Map<string, string>();
  await client.subscribe(STATE_CHANNELS, ({ channel, text }) => void states.set(channel, text));
  // They come in the order sent, and before the answer to what is asked after them: a question that none precedes is the last.
  for (let known = -1; known < states.size; ) {
    known = states.size;
    await client.time();
  }
  return Array.from(states, ([channel, state]) => ({
    identity: channel.split('/')[2] as string,
    state,
  })).sort((a, b) => a.identity.localeCompare(b.identity));
}

function asText(devices: readonly DeviceState[]): string {
  if (devices.length === 0) return 'No devices yet: the gateway knows of none.';
  const width = Math.max(...devices.map(({ identity }) => identity.length));
  return devices.map(({ identity, state }) => `${identity.padEnd(width)}  ${state}`).join('\n');
}
