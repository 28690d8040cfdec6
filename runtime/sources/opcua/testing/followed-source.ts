// A source that is watched on its way to its sink, so that a test can wait for what is to come rather than for a
// time that a busy machine does not keep.
import { setTimeout as delay } from 'node:timers/promises';
import type { Source, SourceEvent, SourceSink } from '../../source.ts';

export interface FollowedSource {
  readonly source: Source;
  /**
   * Resolves once readings of `count` further times have come and observation reaches beyond `index`, or no session
   * runs, or after `limitMs`.
   */
  reached(count: number, index: number, limitMs: number): Promise<void>;
}

export function follow(inner: Source): FollowedSource {
  let running = 0;
  let times = 0;
  let until = Number.NEGATIVE_INFINITY;
  const note = (event: SourceEvent) => {
    if (event.kind === 'observed') until = Math.max(until, event.until);
    if (event.kind === 'readings') times += new Set(event.readings.map(({ index }) => index)).size;
  };
  const run = async (sink: SourceSink, signal: AbortSignal) => {
    running += 1;
    try {
      const watched: SourceSink = {
        emit(event) {
          note(event);
          return sink.emit(event);
        },
        durable: () => sink.durable(),
      };
      await inner.run(watched, signal);
    } finally {
      running -= 1;
    }
  };
  const source: Source = {
    index: inner.index,
    silenceLimitMs: inner.silenceLimitMs,
    run,
    ...(inner.history && { history: inner.history }),
    ...(inner.write && { write: (...args) => inner.write!(...args) }),
  };
  return {
    source,
    async reached(count, index, limitMs) {
      const by = performance.now() + limitMs;
      const wanted = times + count;
      while (running > 0 && (until <= index || times < wanted) && performance.now() < by) await delay(10);
    },
  };
}
