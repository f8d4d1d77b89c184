import { z } from 'zod';
import { channelProblem } from '../wire/channels.js';
import { list, oneOrMany, section } from './forms.js';
import { count } from './quantities.js';
import { noRepeats, notTheGateways, textOf } from './rules.js';

const NAME = /^[A-Za-z0-9._-]{1,64}$/;

/** Each is listened to for ten seconds: with more, a board would not be found in any time that somebody waits. */
const MAX_RATES = 12;

/** Absolute, or a port of Windows. */
const PORT_PATH = /^(\/|\\\\|COM\d)/i;

const usbNumber = z
  .string()
  .regex(/^[0-9A-Fa-f]{4}$/, {
    error: ({ input }) => `must be four hex digits in quotes, like "2341"; not ${JSON.stringify(input)}`,
  })
  .toLowerCase();

const usb = z
  .strictObject({
    serial_number: z
      .string()
      .min(1, { error: 'cannot be empty' })
      .exactOptional()
      .describe('The serial number of the USB device.'),
    vendor_id: usbNumber.exactOptional().describe('USB vendor id, four hex digits in quotes.'),
    product_id: usbNumber.exactOptional().describe('USB product id, four hex digits in quotes.'),
  })
  .superRefine((read, context) => {
    if (Object.keys(read).length > 0) return;
    context.addIssue({
      code: 'custom',
      message: 'needs serial_number, vendor_id or product_id: with none, any USB port would do',
    });
  });

const lines = section('Plain text on the port, for boards that have no Slipway firmware.', {
  emit: textOf(channelProblem)
    .superRefine(notTheGateways)
    .exactOptional()
    .describe('Channel on which each line that the board prints is emitted.'),
  listen: textOf(channelProblem)
    .exactOptional()
    .describe('Channel whose messages are written to the board, each as a line.'),
});

const entry = z
  .strictObject({
    name: z
      .string()
      .regex(NAME, { error: 'must be 1 to 64 of the characters A-Z a-z 0-9 . _ -' })
      .describe('Name of the port in channels, logs and counters.'),
    path: z
      .string()
      .min(1, { error: 'cannot be empty' })
      .regex(PORT_PATH, {
        error: ({ input }) => `must be an absolute path, like "/dev/${String(input).replace(/^.*\//, '')}"`,
      })
      .exactOptional()
      .describe('Path of the port, or a glob like /dev/serial/by-id/usb-Arduino*; either this or usb.'),
    usb: usb.exactOptional().describe('Which USB device the port belongs to; either this or path.'),
    baud: oneOrMany(
      'Bits a second, or several rates to try until the board is understood, the likeliest first. 8 data bits, no parity, 1 stop bit.',
      count(50, 20_000_000, 'a rate, like 115200, or a list of rates to try, like [115200, 9600]'),
      MAX_RATES,
    ).prefault(115_200),
    dtr: z
      .enum(['never', 'always'])
      .prefault('never')
      .describe(
        'Whether opening the port should reset the board by its DTR line. With never a board goes on running when the gateway stops and starts; the first open after the board was plugged in may still reset it, because the system raises DTR by itself.',
      ),
    low_latency: z
      .boolean()
      .prefault(true)
      .describe('Ask the driver to hand over bytes at once; FTDI adapters hold them for 16 ms otherwise.'),
    lines,
  })
  .superRefine(
    (read, context) => {
      if ((read.path === undefined) !== (read.usb === undefined)) return;
      const message =
        read.path === undefined
          ? 'needs path or usb, to say which port it is'
          : 'has both path and usb: keep one';
      context.addIssue({ code: 'custom', message });
    },
    // Unlike a check's default, run when a setting of the entry is wrong too: all problems are reported at once.
    { when: ({ value }) => typeof value === 'object' && value !== null && !Array.isArray(value) },
  );

type Entry = z.output<typeof entry>;

export const serial = list(
  'Serial ports. A port that is not there is waited for.',
  entry,
  noRepeats((port: Entry) => port.name, 'is also the name of', 'name'),
  noRepeats((port: Entry) => port.path, 'is also the port of', 'path'),
  noRepeats((port: Entry) => port.usb && JSON.stringify(port.usb), 'is also the device of', 'usb'),
);
