import { BlocksSpeaker } from './blocks-speaker.js';
import type { Connection } from './connection.js';
import { FramesSpeaker } from './frames-speaker.js';
import { MqttSpeaker } from './mqtt-speaker.js';
import { NatsSpeaker } from './nats-speaker.js';
import { SlipwaySpeaker } from './slipway-speaker.js';
import type { Part, Speaker } from './speaker.js';
import type { DialectName, TcpLoad } from './tcp-load.js';

const SPEAKERS: Record<DialectName, new (connection: Connection, load: TcpLoad, part: Part) => Speaker> = {
  slipway: SlipwaySpeaker,
  nats: NatsSpeaker,
  mqtt: MqttSpeaker,
  frames: FramesSpeaker,
  blocks: BlocksSpeaker,
};

export function speakerFor(connection: Connection, load: TcpLoad, part: Part): Speaker {
  return new SPEAKERS[load.dialect](connection, load, part);
}
