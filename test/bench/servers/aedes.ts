// aedes, a broker in Node, with its defaults.
import { createServer } from 'node:net';
import { Aedes } from 'aedes';
import { serve } from '../helper.js';

serve({
  listen: async () => {
    const broker = await Aedes.createBroker();
    const server = createServer(broker.handle);
    return new Promise((resolve) => {
      server.listen(0, '127.0.0.1', () => resolve(server.address()));
    });
  },
});
