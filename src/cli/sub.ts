import { isUtf8 } from 'node:buffer';
import { Command, Option } from 'commander';
import { connect } from '../client/client.js';
import type { ReceivedMessage } from '../client/subscription.js';
import type { Qos } from '../wire/messages.js';
import { type ConnectionFlags, connectionOf, withConnectionOptions } from './connection.js';
import { count, qosLevel } from './options.js';
import { stopRequest } from './process.js';

interface SubOptions extends ConnectionFlags {
  readonly qos: Qos;
  readonly count?: number;
  readonly json?: boolean;
  readonly identity?: string;
  /** s */
  readonly expiry: number;
}

const EXAMPLES = `
Examples:
  $ slipway sub 'greenhouse/#'
  $ slipway sub '+/temperature' --count 1
  $ slipway sub '$slipway/devices/+/state' --json
  $ slipway sub 'alarms/#' --identity night-watch
      Gets what was emitted since it ran last, too.

Quote patterns: the shell has its own idea of # and $. Ctrl-C ends it.`;

/** `slipway sub`: prints messages as they arrive. Throws as `connect` and `subscribe` do. */
export function subCommand(): Command {
  return withConnectionOptions(
    new Command('sub')
      .description('print the messages of channels, one a line: channel, tab, payload')
      .argument(
        '<pattern...>',
        'channels to subscribe to; + stands for one level, # for the rest; $share/GROUP/PATTERN shares them with others',
      )
      .option('--qos <qos>', 'highest QoS to receive with: 0, 1 or 2', qosLevel, 2)
      .option('--count <n>', 'end after so many messages', count)
      .option(
        '--json',
        'one JSON object a line: channel, payload (or payload_base64 when it is no text), qos, retained',
      )
      .addOption(
        // What comes behind the last one counted would be acknowledged, and shown by nobody.
        new Option(
          '--identity <name>',
          'a name under which messages are held while it does not run',
        ).conflicts('count'),
      )
      .option(
        '--expiry <s>',
        'for how many seconds they are held, as far as the gateway allows',
        count,
        86_400,
      ),
  )
    .addHelpText('after', EXAMPLES)
    .action(subscribe);
}

async function subscribe(
  patterns: string[],
  { qos, count: limit, json, identity, expiry, ...flags }: SubOptions,
): Promise<void> {
  const client = await connect({
    ...(await connectionOf(flags)),
    ...(identity !== undefined && { identity, expiry }),
  });
  const stop = stopRequest();
  client.on('disconnected', ({ reason }) => say(`connection lost (${reason}), trying again`));
  client.on('connected', ({ resumed }) =>
    say(`connected again${resumed ? '' : '; messages may have been missed'}`),
  );
  client.on('refused', (error) => say(error.message));
  let last: ReceivedMessage | undefined;
  let left = limit ?? Number.POSITIVE_INFINITY;
  try {
    await new Promise<void>((resolve, reject) => {
      const take = (message: ReceivedMessage): void => {
        // Patterns may overlap: each then hands over the same message.
        if (message === last || left === 0) return;
        last = message;
        process.stdout.write(json ? `${JSON.stringify(toJson(message))}\n` : toLine(message));
        if (--left === 0) resolve();
      };
      stop.then(resolve, reject);
      Promise.all(patterns.map((pattern) => client.subscribe(pattern, take, { qos }))).catch(reject);
    });
  } finally {
    await client.close();
  }
}

function say(text: string): void {
  process.stderr.write(`slipway: ${text}\n`);
}

/** The payload as it is: it may be no text. */
function toLine({ channel, payload }: ReceivedMessage): Buffer {
  return Buffer.concat([Buffer.from(`${channel}\t`), payload, Buffer.from('\n')]);
}

function toJson({ channel, payload, qos, retained }: ReceivedMessage): object {
  const content = isUtf8(payload)
    ? { payload: Buffer.from(payload).toString() }
    : { payload_base64: Buffer.from(payload).toString('base64') };
  return { channel, ...content, qos, retained };
}
