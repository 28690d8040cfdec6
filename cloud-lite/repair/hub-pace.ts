// Limits how many calls the hub gets at once. When the hub throttles, or refuses our key, that holds for every call: all
// wait, then one tries.
import { createBackoff } from '../../kernel/backoff.ts';
import type { Clock } from '../../kernel/clock.ts';
import type { Random } from '../../kernel/random.ts';

export interface HubPace {
  /** Calls that may be made now, beside so many that are under way. */
  room(underWay: number): number;
  /** The hub took a call. */
  took(): void;
  /** The hub takes none now. Of several calls that hear so at the same time, only the first counts. */
  refused(retryAfterMs?: number): void;
}

export function createHubPace(maxCalls: number, clock: Clock, random: Random): HubPace {
  const backoff = createBackoff({ minMs: 2000, maxMs: 60_000 }, random);
  let waits = false;
  let pausedUntil = 0;
  return {
    room(underWay) {
      if (clock.monotonic() < pausedUntil) return 0;
      return Math.max(0, (waits ? 1 : maxCalls) - underWay);
    },
    took() {
      waits = false;
      pausedUntil = 0;
      backoff.reset();
    },
    refused(retryAfterMs) {
      if (clock.monotonic() < pausedUntil) return;
      waits = true;
      pausedUntil = clock.monotonic() + (retryAfterMs ?? backoff.next());
    },
  };
}
