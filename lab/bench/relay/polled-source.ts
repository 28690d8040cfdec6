// Equipment that costs nothing to read: polls of 50 tags, stamped by the gateway's clock, at a pace of their own or
// as fast as what comes after takes them.

import { hrtime } from 'node:process';
import { setTimeout as wait } from 'node:timers/promises';
import type { Source } from '../../../runtime/sources/source.ts';
import { PolledTags } from '../spool/readings.ts';

export interface Pace {
  /** Before the first poll: streams that began together would close their windows together. */
  readonly delayMs: number;
  /** Between two polls; 0: the next comes as soon as `ready` resolves. */
  readonly pollMs: number;
  /** Resolves when another poll may be made, or `signal` aborts. */
  readonly ready?: (signal: AbortSignal) => Promise<void>;
  /** A poll was made. */
  readonly onPoll?: () => void;
}

/** Local time: ms since the machine started, as the site's clock tells it. */
const localNow = () => Math.floor(Number(hrtime.bigint()) / 1e6);

export function createPolledSource(seed: number, pace: Pace): Source {
  const tags = new PolledTags(seed);
  return {
    index: 'time',
    stampedByGateway: true,
    silenceLimitMs: 60_000,
    async run(sink, signal) {
      await wait(pace.delayMs, undefined, { signal }).catch(() => {});
      let index = localNow();
      sink.emit({ kind: 'resumed', at: index });
      while (!signal.aborted) {
        pace.onPoll?.();
        sink.emit({ kind: 'readings', readings: tags.poll(index) });
        sink.emit({ kind: 'observed', until: index + 1 });
        if (pace.pollMs > 0)
          await wait(Math.max(1, index + pace.pollMs - localNow()), undefined, { signal }).catch(() => {});
        await pace.ready?.(signal);
        // No two polls in one millisecond: each has an index of its own.
        index = Math.max(index + 1, localNow());
      }
    },
  };
}
