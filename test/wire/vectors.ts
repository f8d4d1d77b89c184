import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../firmware/build.js';

/** The files of firmware-protocol/vectors; its README says what the fields mean. */
export interface PacketVector {
  readonly name: string;
  readonly from: 'peer' | 'gateway';
  readonly hex: string;
  readonly messages?: readonly ({ readonly type: string } & Record<string, unknown>)[];
  readonly canonical?: false;
  readonly error?: 'malformed' | 'unsupported' | 'version';
}

export interface SerialVector {
  readonly name: string;
  readonly hex: string;
  readonly maxPacket: number;
  readonly packets: readonly string[];
  readonly text: readonly string[];
  readonly drops: boolean;
}

export interface TcpVector {
  readonly name: string;
  readonly hex: string;
  readonly maxPacket: number;
  readonly packets: readonly string[];
  readonly error?: 'malformed' | 'oversize';
}

export interface DatagramVector {
  readonly name: string;
  readonly from: 'peer' | 'gateway';
  readonly hex: string;
  readonly valid: boolean;
  readonly oneShot: boolean;
}

export interface ProofVector {
  readonly name: string;
  readonly key: string;
  readonly challenge: string;
  readonly nonce: number;
  readonly token: number;
  readonly identity: string;
  readonly proof: string;
  readonly welcomeToken: number;
  readonly gatewayProof: string;
}

interface Files {
  packets: PacketVector;
  'serial-frames': SerialVector;
  'tcp-frames': TcpVector;
  datagrams: DatagramVector;
  proofs: ProofVector;
}

export function vectors<F extends keyof Files>(file: F): readonly Files[F][] {
  return JSON.parse(readFileSync(join(ROOT, `firmware-protocol/vectors/${file}.json`), 'utf8')) as Files[F][];
}

/** Bytes in messages stand in vectors as hex. */
export function withHexBytes(messages: readonly object[]): unknown[] {
  return messages.map((message) =>
    Object.fromEntries(
      Object.entries(message).map(([key, value]) => [
        key,
        value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value,
      ]),
    ),
  );
}

const BYTES = new Set(['payload', 'bitmap', 'detail', 'body', 'taken', 'proof', 'secret']);

export function withRealBytes<T>(messages: readonly Record<string, unknown>[]): T[] {
  return messages.map(
    (message) =>
      Object.fromEntries(
        Object.entries(message).map(([key, value]) => [
          key,
          BYTES.has(key) ? Buffer.from(value as string, 'hex') : value,
        ]),
      ) as T,
  );
}
