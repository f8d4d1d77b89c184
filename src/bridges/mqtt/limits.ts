import type { IConnackPacket } from 'mqtt';

/** What a broker takes, as its CONNACK says (MQTT 5, 3.2.2.3); in 3.1.1 it says nothing, and takes what MQTT allows. */
export interface BrokerLimits {
  /** How many messages of QoS 1 and 2 it takes unacknowledged. */
  readonly receiveMaximum: number;
  /** How many of QoS 2 among them. */
  readonly unfinished: number;
  /** The largest packet, bytes. */
  readonly maximumPacketSize: number;
  readonly maximumQos: 0 | 1 | 2;
  readonly retainAvailable: boolean;
}

/**
 * Half of what mosquitto takes by itself (max_inflight_messages): it ends the connection of who sends one more, of QoS 1 too, while so many of
 * QoS 2 are not finished, and in 3.1.1 cannot say how many that is.
 */
const UNTOLD_UNFINISHED = 10;
const UNTOLD_MAXIMUM = 65_535;

export function limitsOf({ properties = {} }: IConnackPacket, level: 4 | 5): BrokerLimits {
  const receiveMaximum = properties.receiveMaximum ?? UNTOLD_MAXIMUM;
  return {
    receiveMaximum,
    unfinished: level === 5 ? receiveMaximum : UNTOLD_UNFINISHED,
    maximumPacketSize: properties.maximumPacketSize ?? Number.POSITIVE_INFINITY,
    maximumQos: (properties.maximumQoS ?? 2) as BrokerLimits['maximumQos'],
    retainAvailable: properties.retainAvailable ?? true,
  };
}
