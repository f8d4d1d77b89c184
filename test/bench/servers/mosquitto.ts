import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { freePort } from '../free-port.js';
import { type Server, ServerProcess } from '../server-process.js';
import { makeFolder, removeFolder } from '../temporary-folder.js';

/** Debian puts it where only root's PATH leads. */
const IN_DEBIAN = '/usr/sbin/mosquitto';

/** Starts mosquitto on a free loopback port, with nothing that bounds how much is on its way. */
export async function startMosquitto(): Promise<Server> {
  const folder = makeFolder();
  const file = join(folder, 'mosquitto.conf');
  const port = await freePort();
  const settings = [
    `listener ${port} 127.0.0.1`,
    'allow_anonymous true',
    'persistence false',
    'set_tcp_nodelay true',
    'max_inflight_messages 0',
    'max_queued_messages 0',
    'log_dest stderr',
  ];
  await writeFile(file, `${settings.join('\n')}\n`);
  const server = await ServerProcess.start({
    program: existsSync(IN_DEBIAN) ? IN_DEBIAN : 'mosquitto',
    arguments: ['-c', file],
    remedy: 'apt-get install mosquitto',
    ready: (line) => line.endsWith('running'),
  });
  return {
    port,
    cpu: () => server.cpu,
    async stop() {
      await server.stop();
      removeFolder(folder);
    },
  };
}
