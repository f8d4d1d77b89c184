// Loaded into a gateway by udp-sessions.mjs: tells it, when asked, what the process takes.
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { writeHeapSnapshot } from 'node:v8';

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
  snapshot: (file) => writeHeapSnapshot(file),
};

process.on('message', ([question, argument]) => process.send(answers[question](argument)));
// A gateway is not to stay for this.
process.channel.unref();
