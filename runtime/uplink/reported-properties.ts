// Reported properties on their way to the twin: merged while they wait, one update in flight, with a minimum interval
// between updates, since a twin is throttled per hub and billed per update.
import type { Clock, Timer } from '../../kernel/clock.ts';
import { canJoin, joinPatches, type TwinObject } from './merge-patch.ts';

export interface ReportedProperties {
  add(patch: TwinObject): void;
  /** There is a connection to send by; `undefined`: there is none now. */
  connect(send: ((patch: TwinObject) => Promise<void>) | undefined): void;
}

export interface ReportedOptions {
  readonly clock: Clock;
  readonly minIntervalMs: number;
  /** The most JSON that may wait: a patch beyond it is dropped, since the hub would refuse it. */
  readonly maxBytes: number;
  /** True when sending the same patch again can never work. */
  readonly isRefusal: (error: unknown) => boolean;
  readonly onDropped: (reason: string) => void;
}

export function createReportedProperties(options: ReportedOptions): ReportedProperties {
  const { clock } = options;
  /** Nearly always one; more where one patch cannot say it. */
  let waiting: TwinObject[] = [];
  let send: ((patch: TwinObject) => Promise<void>) | undefined;
  let busy = false;
  let timer: Timer | undefined;
  let lastAt = Number.NEGATIVE_INFINITY;

  const schedule = () => {
    if (waiting.length === 0 || !send || busy || timer) return;
    const delayMs = Math.max(0, lastAt + options.minIntervalMs - clock.monotonic());
    timer = clock.setTimer(delayMs, () => {
      timer = undefined;
      void flush();
    });
  };

  async function flush(): Promise<void> {
    const [patch, ...rest] = waiting;
    const by = send;
    if (!patch || !by || busy) return;
    waiting = rest;
    busy = true;
    lastAt = clock.monotonic();
    try {
      await by(patch);
    } catch (error) {
      if (options.isRefusal(error)) options.onDropped('the hub refuses them');
      // What came since is newer and wins.
      else waiting = [patch, ...waiting].reduce(push, []);
    } finally {
      busy = false;
      schedule();
    }
  }

  return {
    add(patch) {
      const joined = push(waiting, patch);
      if (Buffer.byteLength(JSON.stringify(joined)) > options.maxBytes) {
        options.onDropped(`over ${options.maxBytes} bytes`);
        return;
      }
      waiting = joined;
      schedule();
    },
    connect(by) {
      send = by;
      if (!by) {
        timer?.cancel();
        timer = undefined;
      }
      schedule();
    },
  };
}

function push(patches: readonly TwinObject[], patch: TwinObject): TwinObject[] {
  const last = patches.at(-1);
  if (!last || !canJoin(last, patch)) return [...patches, patch];
  return [...patches.slice(0, -1), joinPatches(last, patch)];
}
