// How long to wait before the next attempt to connect. Three rules:
//
// - A connection that carried something, or held, was sound: the next attempt comes at once, as after any loss.
//   Attempts that fail, one after the other, come at growing pauses, with jitter.
// - However often the way opens and breaks, a hub is asked for a connection so many times in a row and then once
//   in some seconds: a hub that closes each connection after a second must not be hammered, although each of
//   them carried data. This budget fills up again while a connection holds.
// - A hub that refused the identity is asked rarely: asking quickly helps nobody.
import { createBackoff } from '../../kernel/backoff.ts';
import type { Clock } from '../../kernel/clock.ts';
import type { Random } from '../../kernel/random.ts';

export interface ReconnectLimits {
  readonly reconnectMinMs: number;
  readonly reconnectMaxMs: number;
  /** Pauses after the hub refused the identity: asking quickly helps nobody and costs the hub. */
  readonly refusedMinMs: number;
  readonly refusedMaxMs: number;
  /** A connection that held this long was sound, even if nothing was sent. */
  readonly stableMs: number;
  /** Attempts that may follow each other as quickly as failures allow; one more for each `attemptEveryMs`. */
  readonly attemptBurst: number;
  readonly attemptEveryMs: number;
}

/** How a connection, or an attempt at one, has ended. */
export interface EndedAttempt {
  /** Since the attempt began, in ms. */
  readonly tookMs: number;
  /** How long it held, in ms; 0: it did not open. */
  readonly heldMs: number;
  /** The hub acknowledged a message over it. */
  readonly carried: boolean;
  readonly unauthorized: boolean;
}

export interface ReconnectPause {
  /** An attempt begins. */
  began(): void;
  /** The pause before the next one, in ms. */
  after(ended: EndedAttempt): number;
  /** The pause that the budget still requires, whatever else happens, in ms. */
  owedMs(): number;
  /** Failures up to now were due to the network: they say nothing about the hub. */
  networkReturned(): void;
}

export function createReconnectPause(limits: ReconnectLimits, clock: Clock, random: Random): ReconnectPause {
  const lost = createBackoff({ minMs: limits.reconnectMinMs, maxMs: limits.reconnectMaxMs }, random);
  const refused = createBackoff({ minMs: limits.refusedMinMs, maxMs: limits.refusedMaxMs }, random);
  const budget = createBudget(limits, clock);
  return {
    began: budget.spend,
    after({ tookMs, heldMs, carried, unauthorized }) {
      if (heldMs > 0) refused.reset();
      if (carried || heldMs >= limits.stableMs) lost.reset();
      // A connection that was accepted and then refused has an outlived token: a new one helps at once.
      if (heldMs === 0 && unauthorized) return refused.next();
      // What took long has spared the hub as a pause does.
      return Math.max(lost.next() - tookMs, limits.reconnectMinMs / 2);
    },
    owedMs() {
      const waitMs = budget.waitMs();
      // With jitter: a fleet that spent its budget in step must not go on in step.
      return waitMs === 0 ? 0 : waitMs + random.next() * limits.reconnectMinMs;
    },
    networkReturned: lost.reset,
  };
}

function createBudget({ attemptBurst, attemptEveryMs }: ReconnectLimits, clock: Clock) {
  let left = attemptBurst;
  let at = clock.monotonic();
  const fill = () => {
    const now = clock.monotonic();
    left = Math.min(attemptBurst, left + (now - at) / attemptEveryMs);
    at = now;
  };
  return {
    spend() {
      fill();
      // Never far below nothing: an attempt that was made out of turn costs one turn.
      left = Math.max(0, left - 1);
    },
    waitMs() {
      fill();
      return left >= 1 ? 0 : (1 - left) * attemptEveryMs;
    },
  };
}
