import { Command } from 'commander';
import { stringify } from 'yaml';
import { boardName } from '../links/serial/boards.js';
import { type ListPorts, listPorts, type PortDescription } from '../links/serial/list-ports.js';

/**
 * `slipway ports`: which serial ports there are, and how to name them in the config. Opens none. `list` is what tells
 * them; the command fails as it fails.
 */
export function portsCommand(list: ListPorts = listPorts): Command {
  return new Command('ports')
    .description('list the serial ports, what is plugged in, and the line for the config')
    .option('--json', 'print a JSON array instead')
    .addHelpText('after', '\nExample:\n  $ slipway ports')
    .action(async (options: { json?: boolean }, command: Command) => {
      const ports = (await list()).map(explainPort);
      const text = options.json ? JSON.stringify(ports, null, 2) : portsAsText(ports);
      // Commander's own output, so that whoever redirects help and errors redirects this too.
      command.configureOutput().writeOut?.(`${text}\n`);
    });
}

interface ExplainedPort extends PortDescription {
  readonly board?: string;
  /** The entry of `serial:` in the config. */
  readonly config: string;
}

function explainPort(port: PortDescription): ExplainedPort {
  const board = boardName(port);
  const config = configLine(port);
  return board === undefined ? { ...port, config } : { ...port, board, config };
}

/** By what stays the same where there is such a thing: other names change when boards are plugged in another order. */
function configLine({ path, stablePath, serialNumber }: PortDescription): string {
  const name = (path.split(/[/\\]/).at(-1) ?? '').replace(/[^\w.-]/g, '_').toLowerCase();
  const byUsb = stablePath === undefined && serialNumber !== undefined;
  const entry = byUsb ? { name, usb: { serial_number: serialNumber } } : { name, path: stablePath ?? path };
  return `- ${stringify(entry, { collectionStyle: 'flow', lineWidth: 0 }).trim()}`;
}

function portsAsText(ports: readonly ExplainedPort[]): string {
  if (ports.length === 0) {
    return 'No serial ports: plug a board in. (A cable that only charges shows nothing; nor does a port that a container was not given.)';
  }
  return ports.map(portAsText).join('\n\n');
}

function portAsText(port: ExplainedPort): string {
  const usb = port.vendorId && `USB ${port.vendorId}:${port.productId ?? '????'}`;
  const facts = [usb, port.serialNumber && `serial number ${port.serialNumber}`, port.manufacturer];
  const lines = [
    `${port.path}  ${port.board ?? 'built-in port'}`,
    facts.filter(Boolean).join(', '),
    port.stablePath && `always ${port.stablePath}`,
    `in the config, under "serial:"   ${port.config}`,
  ];
  return lines.filter(Boolean).join('\n    ');
}
