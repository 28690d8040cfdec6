// Polls one resource of the API: at its interval, sooner when woken, never twice at once, and never more often than its
// spacing, however many changes there are.
import type { Clock, Timer } from '../../../../kernel/clock.ts';

export interface PollerOptions<T> {
  readonly clock: Clock;
  readonly load: (signal: AbortSignal) => Promise<T>;
  readonly intervalMs: number;
  readonly spacingMs: number;
  readonly onData: (data: T) => void;
  readonly onError: (error: unknown) => void;
}

export interface Poller {
  wake(): void;
  stop(): void;
}

/** Calls take at most this share of the time: a large fleet's detector is not asked without a pause. */
const pauseFactor = 3;

export function startPoller<T>(options: PollerOptions<T>): Poller {
  const { clock } = options;
  const stopping = new AbortController();
  let timer: Timer | undefined;
  let running = false;
  let woken = false;
  let earliestAt = 0;

  const run = async () => {
    timer?.cancel();
    running = true;
    woken = false;
    const startedAt = clock.monotonic();
    try {
      const data = await options.load(stopping.signal);
      if (!stopping.signal.aborted) options.onData(data);
    } catch (error) {
      if (!stopping.signal.aborted) options.onError(error);
    }
    running = false;
    if (stopping.signal.aborted) return;
    const tookMs = clock.monotonic() - startedAt;
    earliestAt = clock.monotonic() + Math.max(options.spacingMs - tookMs, tookMs * pauseFactor, 0);
    schedule(woken ? 0 : options.intervalMs);
  };

  const schedule = (delayMs: number) => {
    timer?.cancel();
    timer = clock.setTimer(Math.max(delayMs, earliestAt - clock.monotonic()), run);
  };

  void run();
  return {
    wake() {
      if (running || woken) woken = true;
      else {
        woken = true;
        schedule(0);
      }
    },
    stop() {
      stopping.abort();
      timer?.cancel();
    },
  };
}
