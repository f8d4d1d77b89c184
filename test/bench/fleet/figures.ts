/** A figure that was measured: on two cores of an AMD EPYC, which other work shared, all parts on one machine. */
export interface Figure {
  readonly value: number;
  /** The command that measures it. */
  readonly from: string;
}

const ROWS = 'npm run bench -- --only';
const LIMITS = 'npm run bench:nats-limits';
const SESSIONS = 'npm run bench:sessions';

const measured = (value: number, from: string): Figure => ({ value, from });

/** What `fleet-scale` computes from; times in seconds on a core, memory in bytes. */
export const FIGURES = {
  gatewayBytes: measured(70 * 2 ** 20, `${ROWS} memory`),
  bridgeBytes: measured(6 * 2 ** 20, `${ROWS} bridge-memory`),
  sessionBytes: measured(2800, SESSIONS),
  storedSessionBytes: measured(1000, SESSIONS),
  /** A PING of a board that is idle, and its answer. */
  pingSeconds: measured(0.045 / 2000, SESSIONS),
  /** A message of a board over UDP that comes alone. */
  udpSeconds: measured(1 / 189e3, `${ROWS} udp-in`),
  /** A delivery to a board. */
  deliverySeconds: measured(4e-6, SESSIONS),
  channelBytes: measured(595, `${ROWS} memory`),
  /** One message a packet; the store included. */
  bridgeQos1Seconds: measured(14.8e-6, `${ROWS} bridge-jetstream-store`),
  /** A second. */
  drainRate: measured(24_400, `${ROWS} bridge-drain`),

  connectionBytes: measured(22_000, LIMITS),
  interestBytes: measured(912, LIMITS),
  interestSeconds: measured(5.7e-6, LIMITS),
  /** A message of QoS 0 that comes alone: batches are cheaper. */
  natsMessageSeconds: measured(8.8e-6, LIMITS),
  natsDeliverySeconds: measured(10.4e-6, LIMITS),
  storedSeconds: measured(6.6e-6, LIMITS),
  /** Three replicas, all servers together. */
  replicatedSeconds: measured(22.1e-6, LIMITS),
  messageIdBytes: measured(207, LIMITS),
  subjectBytes: measured(331, LIMITS),
  consumerBytes: measured(32_400, LIMITS),
  consumersPerSecond: measured(2400, LIMITS),
} as const satisfies Record<string, Figure>;

/** What others say of their servers; the page has the links. */
export const CITED = {
  /** Synadia calls it a problem where one stream has more names than this. */
  subjectsOfStream: 1e6,
  /** EMQ's test of EMQX 5.0 with 23 nodes: messages a second, at their peak. */
  emqxMessages: 1e6,
} as const;
