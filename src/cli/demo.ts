import { readFile } from 'node:fs/promises';
import { Command } from 'commander';
import { connect } from '../client/client.js';
import type { ReceivedMessage } from '../client/subscription.js';
import { parseConfig } from '../config/load.js';
import type { Config } from '../config/schema.js';
import { SlipwayError } from '../errors.js';
import { type Address, Gateway } from '../gateway/gateway.js';
import { listPorts } from '../links/serial/list-ports.js';
import { openSerialPort } from '../links/serial/port.js';
import { connectUdp } from '../links/udp/udp-connect.js';
import { parseIntelHex } from '../simulator/intel-hex.js';
import { VirtualPorts } from '../simulator/port-binding.js';
import { VirtualUno } from '../simulator/uno.js';
import { encodePacket } from '../wire/encode.js';
import { printMessages, startLedSwitch } from './demo-client.js';
import { runFleet } from './fleet.js';
import { createLogger } from './logger.js';
import { count } from './options.js';
import { ownCommand, print, stopRequest } from './process.js';

/** The example sketch as avr-gcc built it. */
const FIRMWARE = new URL('../../firmware-protocol/examples/SerialSensor/SerialSensor.hex', import.meta.url);
/** A port that exists only inside this process. */
const VIRTUAL_PORT = '/dev/virtual-uno';
const USUAL_PORT = 7770;
const USUAL_MQTT_PORT = 1883;
/** Where it listens if nobody else does, in this order: TCP and UDP, and MQTT. 0: anywhere. */
const USUAL_PORTS: readonly Ports[] = [
  { own: USUAL_PORT, mqtt: USUAL_MQTT_PORT },
  { own: USUAL_PORT, mqtt: 0 },
  { own: 0, mqtt: USUAL_MQTT_PORT },
];

interface Ports {
  readonly own: number;
  readonly mqtt: number;
}
const LED_CHANNEL = 'greenhouse/led';
const WATCHED = ['#', '$slipway/devices/#', '$slipway/ports/#'];
const SOIL_CHANNEL = 'garden/soil';
const SOIL_INTERVAL_MS = 2000;

const EXAMPLES = `
Examples:
  $ slipway demo
  $ slipway demo --port /dev/ttyACM0      with the example sketch on a real Uno too
  $ slipway demo --fleet                  three gateways, joined by NATS servers that it starts
  $ slipway demo --fleet --nats nats://n1.example:4222,nats://n2.example:4222,nats://n3.example:4222

It prints what to try from another terminal while it runs.

Ctrl-C ends it. No serial port is opened but the one that is named.`;

interface DemoOptions {
  readonly port?: string;
  readonly fleet?: boolean;
  readonly nats?: readonly string[];
  readonly count?: number;
}

/** `slipway demo`: a gateway, a virtual Uno, a UDP sensor and a subscriber, in one process. */
export function demoCommand(): Command {
  return new Command('demo')
    .description('show it all at work: a gateway, a virtual Arduino Uno, a UDP sensor and a subscriber')
    .option('--port <path>', 'open this serial port too, with a board that runs the example sketch')
    .option('--fleet', 'three gateways of config/fleet.example.yaml instead, joined by a NATS cluster')
    .option(
      '--nats <urls>',
      'servers that run already, for --fleet; without, it starts nats-server',
      (text) => text.split(','),
    )
    .option('--count <n>', 'end after so many messages', count)
    .addHelpText('after', EXAMPLES)
    .action(demo);
}

async function demo({
  port,
  fleet,
  nats: servers,
  count: limit = Number.POSITIVE_INFINITY,
}: DemoOptions): Promise<void> {
  const stop = stopRequest();
  const uno = new VirtualUno(parseIntelHex(await readFile(FIRMWARE, 'latin1')));
  const ports = new VirtualPorts();
  ports.plug(VIRTUAL_PORT, uno);
  if (fleet) {
    try {
      return await runFleet({ servers, ports, port: VIRTUAL_PORT, limit, stop });
    } finally {
      ports.unplug(VIRTUAL_PORT);
    }
  }
  const gateway = await startGateway(ports, port);
  const [tcp] = gateway.addresses.tcp as [Address];
  const [udp] = gateway.addresses.udp as [Address];
  const [mqtt] = gateway.addresses.mqtt as [Address];
  print(
    `Gateway on TCP and UDP ${tcp.host}, port ${tcp.port === udp.port ? tcp.port : `${tcp.port} and ${udp.port}`}.`,
  );
  print('A virtual Arduino Uno runs the example sketch on a serial port; a UDP sensor sends datagrams.');
  print('This program is subscribed over TCP, and switches the LED now and then. Ctrl-C ends it.');
  const elsewhere = tcp.port === USUAL_PORT ? '' : ` --port ${tcp.port}`;
  const slipway = ownCommand();
  print(
    `From another terminal: ${slipway} sub '#'${elsewhere}, or ${slipway} emit ${LED_CHANNEL} on${elsewhere}`,
  );
  const mqttElsewhere = mqtt.port === USUAL_MQTT_PORT ? '' : ` -p ${mqtt.port}`;
  print(`or with any client of MQTT: mosquitto_sub -v -t 'greenhouse/#'${mqttElsewhere}\n`);

  const client = await connect(tcp);
  const soil = await startSoilSensor(udp);
  const led = startLedSwitch(client, LED_CHANNEL);
  try {
    await Promise.race([stop, printMessages(client, WATCHED, limit, asText)]);
  } finally {
    clearInterval(led);
    await soil.stop();
    await client.close();
    await gateway.stop();
    ports.unplug(VIRTUAL_PORT);
  }
}

/** On the usual ports as far as they are free, else on any: a gateway or a broker may be running here. */
async function startGateway(ports: VirtualPorts, realPort: string | undefined): Promise<Gateway> {
  const logger = await createLogger({ level: 'warn', format: 'auto' });
  const start = (at: Ports) =>
    Gateway.start({
      config: demoConfig(at, realPort),
      logger,
      openPort: (options) =>
        options.path === VIRTUAL_PORT ? ports.serialPort(options) : openSerialPort(options),
      listPorts: async () => [...(realPort === undefined ? [] : await listPorts()), ...(await ports.list())],
    });
  for (const at of USUAL_PORTS) {
    try {
      return await start(at);
    } catch (error) {
      if (!(error instanceof SlipwayError) || error.code !== 'listen_failed') throw error;
    }
  }
  return start({ own: 0, mqtt: 0 });
}

function demoConfig({ own, mqtt }: Ports, realPort: string | undefined): Config {
  const listen = {
    tcp: { port: own },
    udp: { port: own, one_shot: { channels: [SOIL_CHANNEL] } },
    mqtt: { port: mqtt },
  };
  const serial = [
    { name: 'virtual-uno', path: VIRTUAL_PORT },
    ...(realPort === undefined ? [] : [{ name: 'real-board', path: realPort }]),
  ];
  return parseConfig(JSON.stringify({ version: 1, listen, serial }), 'demo', {});
}

/** A sensor of the simplest kind: a datagram now and then, no session (PROTOCOL.md §5.5). */
async function startSoilSensor(gateway: Address): Promise<{ stop(): Promise<void> }> {
  const link = await connectUdp({ ...gateway, maxPacket: 512 }, () => ({
    packet: () => {},
    closed: () => {},
  }));
  const send = (): void => {
    const percent = 40 + 5 * Math.sin(Date.now() / 20_000);
    const payload = Buffer.from(`${percent.toFixed(1)} %`);
    link.send(encodePacket([{ type: 'emit', qos: 0, retain: false, name: SOIL_CHANNEL, payload }]));
  };
  send();
  const timer = setInterval(send, SOIL_INTERVAL_MS);
  return {
    stop() {
      clearInterval(timer);
      return link.close();
    },
  };
}

function asText({ channel, text }: ReceivedMessage): string {
  return `${linkOf(channel).padEnd(6)}  ${channel.padEnd(38)}  ${text}`;
}

/** The link that a message of this demo came over: each of its senders has channels of its own. */
function linkOf(channel: string): 'serial' | 'udp' | 'tcp' {
  if (channel === SOIL_CHANNEL) return 'udp';
  return channel === LED_CHANNEL ? 'tcp' : 'serial';
}
