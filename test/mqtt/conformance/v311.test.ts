import { conformance } from './suite.js';

conformance('MQTT 3.1 and 3.1.1', [3, 4]);
