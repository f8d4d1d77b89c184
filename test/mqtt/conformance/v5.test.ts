import { conformance } from './suite.js';

conformance('MQTT 5', [5]);
