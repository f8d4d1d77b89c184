import { Helper } from '../helper.js';
import type { DialectName } from '../load/tcp-load.js';
import type { BenchContext } from '../row.js';
import type { Server } from '../server-process.js';
import { type GatewaySettings, startGateway } from '../servers/gateway.js';
import { startMosquitto } from '../servers/mosquitto.js';
import { startNats } from '../servers/nats.js';

const BARE_ROUTER = new URL('../servers/bare-router.js', import.meta.url);
const AEDES = new URL('../servers/aedes.js', import.meta.url);

/** A server that can be started, and what it speaks. */
export interface ServerKind {
  readonly dialect: DialectName;
  start(context: BenchContext): Promise<Server>;
}

export function gateway(settings?: GatewaySettings): ServerKind {
  return {
    dialect: 'slipway',
    async start(context) {
      const started = await startGateway(context, settings);
      return { port: started.tcp, cpu: () => started.process.cpu, stop: () => started.stop() };
    },
  };
}

/** The gateway as an MQTT broker. */
export function mqttGateway(settings?: GatewaySettings): ServerKind {
  return {
    dialect: 'mqtt',
    async start(context) {
      const started = await startGateway(context, { ...settings, mqtt: true });
      return { port: started.mqtt, cpu: () => started.process.cpu, stop: () => started.stop() };
    },
  };
}

export const NATS: ServerKind = { dialect: 'nats', start: () => startNats() };
export const MOSQUITTO: ServerKind = { dialect: 'mqtt', start: startMosquitto };
/** With JetStream on. */
export const JETSTREAM: ServerKind = { dialect: 'nats', start: () => startNats({ jetStream: true }) };
export const AEDES_BROKER: ServerKind = { dialect: 'mqtt', start: () => startHelper(AEDES) };
export const BARE: ServerKind = { dialect: 'frames', start: () => startHelper(BARE_ROUTER) };

/** Starts a module of the benchmark that can be asked to `listen`. */
export async function startHelper(module: URL, argument?: unknown): Promise<Server> {
  const helper = new Helper(module);
  try {
    const { port } = await helper.ask<{ port: number }>('listen', argument);
    return { port, cpu: () => helper.cpu(), stop: () => helper.stop() };
  } catch (error) {
    await helper.stop();
    throw error;
  }
}
