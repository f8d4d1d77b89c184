import { type Server, ServerProcess } from '../server-process.js';

/** Starts nats-server with its defaults on a loopback port that the system picks. */
export async function startNats(): Promise<Server> {
  let port = 0;
  const server = await ServerProcess.start({
    program: 'nats-server',
    arguments: ['--addr', '127.0.0.1', '--port', '-1'],
    remedy: 'apt-get install nats-server',
    ready: (line) => {
      port ||= Number(/Listening for client connections on [\d.]+:(\d+)/.exec(line)?.[1] ?? 0);
      return line.includes('Server is ready');
    },
  });
  return { port, cpu: () => server.cpu, stop: () => server.stop() };
}
