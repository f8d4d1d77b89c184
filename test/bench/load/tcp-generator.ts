// The load generator for TCP: publishers and subscribers in one process, none of which uses a library.
import { openTraffic } from './raw-traffic.js';
import { serveTraffic } from './serve-traffic.js';
import type { TcpLoad, TcpTarget } from './tcp-load.js';

serveTraffic(({ load, target }: { load: TcpLoad; target: TcpTarget }) => openTraffic(load, target));
