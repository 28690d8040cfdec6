// The order in which the module's parts start and stop, and nothing else.
//
// Start: whatever can lose nothing comes first, what produces readings last. Nobody waits for the network.
// Stop: no reload begins any more; then what produces stops first, then what it produced becomes durable, then as much as the remaining
// time allows is sent. IoT Edge kills a module 10 s after SIGTERM, so each step is bounded; what a step
// leaves undone is safe in the journal and the lanes, and is done after the next start.
import { type Clock, withTimeout } from '../kernel/clock.ts';
import { codeOf, describeError, HoldfastError } from '../kernel/errors.ts';
import type { Log } from '../kernel/log.ts';

export interface Startable {
  start(): void;
  stop(): Promise<void>;
}

export interface RuntimeParts {
  /** All of them, as one. */
  readonly sources: Startable;
  /** Reloads. */
  readonly config: Startable;
  readonly windows: { closeAll(): Promise<void> };
  readonly jobs: { start(): Promise<void>; stop(): Promise<void> };
  readonly methods: { stop(): void };
  readonly forwarder: { start(): void; stop(drainMs: number): Promise<void> };
  readonly uplink: Startable;
  readonly spool: { close(): Promise<void> };
  readonly clock: Clock;
  readonly log: Log;
}

export interface Runtime {
  start(): Promise<void>;
  /** Idempotent; takes at most 9.3 s; never rejects. */
  stop(): Promise<void>;
}

// Their sum stays under the 10 s between SIGTERM and SIGKILL.
const limits = {
  configMs: 300,
  sourcesMs: 2_300,
  windowsMs: 2_000,
  jobsMs: 700,
  drainMs: 1_500,
  uplinkMs: 1_000,
  spoolMs: 1_000,
};

export function createRuntime(parts: RuntimeParts): Runtime {
  const { clock, log } = parts;
  let stopping: Promise<void> | undefined;

  /** One bounded step of stopping: neither a failure nor a hang of one keeps the next from its turn. */
  async function step(name: string, limitMs: number, work: () => Promise<unknown>): Promise<void> {
    try {
      const late = () => new HoldfastError('stop-timeout', `not done after ${limitMs} ms`);
      await withTimeout(clock, limitMs, work(), late);
    } catch (error) {
      log.warn(
        { code: codeOf(error, 'unexpected-trouble'), step: name, reason: describeError(error) },
        'a shutdown step failed or timed out; unfinished data is on disk, and the next start continues',
      );
    }
  }

  async function stopAll(): Promise<void> {
    parts.methods.stop();
    await step('config', limits.configMs, () => parts.config.stop());
    await step('sources', limits.sourcesMs, () => parts.sources.stop());
    await step('windows', limits.windowsMs, () => parts.windows.closeAll());
    await step('jobs', limits.jobsMs, () => parts.jobs.stop());
    await step('forwarder', limits.drainMs + 500, () => parts.forwarder.stop(limits.drainMs));
    await step('uplink', limits.uplinkMs, () => parts.uplink.stop());
    await step('spool', limits.spoolMs, () => parts.spool.close());
    log.info({}, 'stopped');
  }

  return {
    async start() {
      await parts.jobs.start();
      parts.uplink.start();
      parts.forwarder.start();
      parts.sources.start();
      parts.config.start();
    },
    stop() {
      stopping ??= stopAll();
      return stopping;
    },
  };
}
