import { Command } from 'commander';
import { connect } from '../client/client.js';
import { SlipwayError } from '../errors.js';
import { DEFAULT_MAX_PACKET_BYTES } from '../wire/limits.js';
import type { Qos } from '../wire/messages.js';
import { type ConnectionFlags, connectionOf, withConnectionOptions } from './connection.js';
import { qosLevel } from './options.js';

interface EmitOptions extends ConnectionFlags {
  readonly qos: Qos;
  readonly retain?: boolean;
  readonly raw?: boolean;
}

const EXAMPLES = `
Examples:
  $ slipway emit greenhouse/led on
  $ date | slipway emit clock --retain
  $ slipway emit clock '' --retain
      Clears the last value.`;

/** `slipway emit`: emits one message; ends when it is acknowledged. Throws as `connect` and `emit` do. */
export function emitCommand(): Command {
  return withConnectionOptions(
    new Command('emit')
      .description('emit one message on a channel')
      .argument('<channel>', 'the channel')
      .argument('[payload]', 'the message; read from standard input when left out')
      .option('--qos <qos>', '0: at most once, 1: at least once, 2: exactly once', qosLevel, 1)
      .option('--raw', 'standard input as it is; otherwise the line end at its end is left out')
      .option('--retain', "keep it as the channel's last value, for those who subscribe later"),
  )
    .addHelpText('after', EXAMPLES)
    .action(async (channel: string, text: string | undefined, options: EmitOptions) => {
      const payload = text ?? withoutLineEnd(await readInput(), options.raw ?? false);
      const client = await connect({ ...(await connectionOf(options)), expiry: 0 });
      try {
        await client.emit(channel, payload, { qos: options.qos, retain: options.retain ?? false });
      } finally {
        await client.close();
      }
    });
}

/** `slipway broadcast`: sends one message to everyone connected. */
export function broadcastCommand(): Command {
  return withConnectionOptions(
    new Command('broadcast')
      .description('send one message to everyone connected')
      .argument('<payload>', 'the message')
      .option('--qos <qos>', '0: at most once, 1: at least once, 2: exactly once', qosLevel, 1),
  )
    .addHelpText(
      'after',
      '\nExample:\n  $ slipway broadcast "maintenance in five minutes"\n\nPrograms hear it on $slipway/broadcast: slipway sub \'$slipway/broadcast\'. Boards hear it without subscribing.',
    )
    .action(async (payload: string, { qos, ...flags }: EmitOptions) => {
      const client = await connect({ ...(await connectionOf(flags)), expiry: 0 });
      try {
        await client.broadcast(payload, { qos });
      } finally {
        await client.close();
      }
    });
}

/** What programs print ends in a line end that is no part of what they say. */
function withoutLineEnd(input: Buffer, raw: boolean): Buffer {
  const end = raw ? '' : (/\r?\n$/.exec(input.toString('latin1'))?.[0] ?? '');
  return input.subarray(0, input.length - end.length);
}

async function readInput(): Promise<Buffer> {
  if (process.stdin.isTTY)
    process.stderr.write('slipway: reading the payload from standard input; Ctrl-D ends it\n');
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of process.stdin as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > DEFAULT_MAX_PACKET_BYTES.tcp) {
      throw new SlipwayError(
        'too_large',
        `standard input holds more than ${DEFAULT_MAX_PACKET_BYTES.tcp} bytes, which is the most that a message can`,
      );
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
