// Schedules work by stream: at most one piece at a time for each, the next one chosen when the last has ended, and a timer
// where all of a stream's work is waiting.
import type { Clock, Timer } from '../../kernel/clock.ts';

export interface TurnsOptions<Entry> {
  readonly clock: Clock;
  /** The work to run now for a stream, or the monotonic ms at which to ask again; undefined: none. */
  readonly next: (stream: string) => { readonly entry: Entry } | { readonly at: number } | undefined;
  /** Never rejects. */
  readonly run: (entry: Entry) => Promise<void>;
}

export interface Turns {
  /** The stream may have work. */
  wake(stream: string): void;
  /** Starts nothing more; what runs goes on. */
  stop(): void;
}

export function createTurns<Entry>(options: TurnsOptions<Entry>): Turns {
  const running = new Set<string>();
  const timers = new Map<string, Timer>();
  let stopped = false;

  const wake = (stream: string) => {
    timers.get(stream)?.cancel();
    timers.delete(stream);
    if (stopped || running.has(stream)) return;
    const next = options.next(stream);
    if (!next) return;
    if ('at' in next) {
      const delayMs = Math.max(1, next.at - options.clock.monotonic());
      timers.set(
        stream,
        options.clock.setTimer(delayMs, () => wake(stream)),
      );
      return;
    }
    running.add(stream);
    void options.run(next.entry).finally(() => {
      running.delete(stream);
      wake(stream);
    });
  };

  return {
    wake,
    stop() {
      stopped = true;
      for (const timer of timers.values()) timer.cancel();
      timers.clear();
    },
  };
}
