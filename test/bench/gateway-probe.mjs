// Loaded into a gateway by udp-sessions.mjs: tells it, when asked, what the process takes.
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { getHeapSpaceStatistics, writeHeapSnapshot } from 'node:v8';

const delay = monitorEventLoopDelay({ resolution: 5 });
delay.enable();

const answers = {
  /** Bytes, after a collection of garbage. */
  memory: () => {
    globalThis.gc?.();
    return process.memoryUsage();
  },
  /** Microseconds of CPU so far, and how long the event loop was held up since the last time, ms. */
  load: () => {
    const answer = {
      cpu: process.cpuUsage(),
      delay: { max: delay.max / 1e6, p99: delay.percentile(99) / 1e6 },
    };
    delay.reset();
    return answer;
  },
  /** MiB in memory and in use, by space. */
  spaces: () =>
    getHeapSpaceStatistics()
      .map((space) => [space.space_name, space.physical_space_size, space.space_used_size])
      .filter(([, size]) => size > 1_048_576)
      .map(
        ([name, size, used]) =>
          `${name} ${Math.round(size / 1_048_576)} (${Math.round(used / 1_048_576)} used)`,
      )
      .join(', '),
  snapshot: (file) => writeHeapSnapshot(file),
};

process.on('message', ([question, argument]) => process.send(answers[question](argument)));
// A gateway is not to stay for this.
process.channel.unref();
