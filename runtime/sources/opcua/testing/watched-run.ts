// Runs a session of a source for a test that follows it.
import { setTimeout as delay } from 'node:timers/promises';
import type { Source, SourceEvent } from '../../source.ts';
import { RecordingSink } from '../../testing/recording-sink.ts';

export interface WatchedRun {
  readonly sink: RecordingSink;
  /** What ended it; undefined after a stop. */
  readonly ended: Promise<unknown>;
  /** @throws after `limitMs`, or when the session ends first, with what ended it */
  until(what: (events: readonly SourceEvent[]) => boolean, limitMs?: number): Promise<void>;
  stop(): Promise<void>;
}

export function watchRun(source: Source): WatchedRun {
  const sink = new RecordingSink();
  const stop = new AbortController();
  let isOver = false;
  const over = (error: unknown) => {
    isOver = true;
    return error;
  };
  const ended = source.run(sink, stop.signal).then(() => over(undefined), over);
  return {
    sink,
    ended,
    async until(what, limitMs = 15_000) {
      const by = performance.now() + limitMs;
      while (!what(sink.events)) {
        if (isOver) throw new Error('the session ended first', { cause: await ended });
        if (performance.now() > by)
          throw new Error(`not within ${limitMs} ms; events: ${sink.kinds().slice(-20)}`);
        await delay(10);
      }
    },
    async stop() {
      stop.abort();
      await ended;
    },
  };
}

export function readingsOf(events: readonly SourceEvent[]) {
  return events.flatMap((event) => (event.kind === 'readings' ? event.readings : []));
}
