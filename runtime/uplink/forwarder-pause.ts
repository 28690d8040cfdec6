// When the hub, or the disk, cannot take or give any more, nothing is sent for a while, and for longer the more often
// that happens in a row. A hub that throttles is asked again within seconds: one message is a cheap question, and
// live data must be current soon after the answer changes. A used-up quota changes at midnight, and is asked rarely.
import { createBackoff } from '../../kernel/backoff.ts';
import type { Clock } from '../../kernel/clock.ts';
import type { Random } from '../../kernel/random.ts';

export type PauseReason = 'throttled' | 'quota' | 'disk';

export interface PauseLimits {
  readonly backoffMinMs: number;
  readonly backoffMaxMs: number;
  /** After the hub said that the day's quota is used up. */
  readonly quotaBackoffMaxMs: number;
}

export interface ForwarderPause {
  /** What is left of it, if it lasts. */
  now(): { readonly reason: PauseReason; readonly ms: number } | undefined;
  /** Begins one and returns its length; undefined where one lasts: a burst of failures makes one pause, not one each. */
  begin(reason: PauseReason): number | undefined;
  /** Something went through: the next pause is the shortest again. */
  reset(): void;
}

export function createForwarderPause(limits: PauseLimits, clock: Clock, random: Random): ForwarderPause {
  const backoffTo = (maxMs: number) => createBackoff({ minMs: limits.backoffMinMs, maxMs }, random);
  const short = backoffTo(limits.backoffMaxMs);
  const long = backoffTo(limits.quotaBackoffMaxMs);
  let until = 0;
  let why: PauseReason = 'throttled';

  return {
    now() {
      const ms = until - clock.monotonic();
      return ms > 0 ? { reason: why, ms } : undefined;
    },
    begin(reason) {
      if (until > clock.monotonic()) return undefined;
      const ms = Math.round((reason === 'quota' ? long : short).next());
      why = reason;
      until = clock.monotonic() + ms;
      return ms;
    },
    reset() {
      short.reset();
      long.reset();
    },
  };
}
