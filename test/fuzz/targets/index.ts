import type { Target } from '../target.js';
import { config } from './config.js';
import { decoders } from './decoders.js';
import { gateway } from './gateway.js';
import { mqtt } from './mqtt.js';
import { packet } from './packet.js';
import { peer } from './peer.js';
import { splitter } from './splitter.js';
import { stream } from './stream.js';

export const TARGETS: readonly Target[] = [packet, mqtt, decoders, splitter, stream, config, peer, gateway];
