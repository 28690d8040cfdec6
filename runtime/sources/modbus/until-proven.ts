// Waits, for callers that read a unit once, until a unit that answers no loopback has been silent for long enough to be
// believed.
import { type Clock, sleep } from '../../../kernel/clock.ts';
import { HoldfastError } from '../../../kernel/errors.ts';
import type { Link } from './link.ts';

export interface UntilProvenOptions {
  readonly link: Link;
  readonly unit: number;
  readonly timeoutMs: number;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

const lookEveryMs = 100;
/** Proofs that may stay without an answer before silence is left. */
const proofs = 6;

/** Does `work` again while the unit is still to be proven in step, for as long as that can take. */
export async function untilProven<T>(
  work: () => Promise<T>,
  { link, unit, timeoutMs, clock, signal }: UntilProvenOptions,
): Promise<T> {
  const begunAt = clock.monotonic();
  for (;;) {
    try {
      return await work();
    } catch (error) {
      const isUnproven = error instanceof HoldfastError && error.code === 'modbus-out-of-step';
      const limitMs = 2 * link.units.silenceMs(unit) + proofs * timeoutMs;
      if (!isUnproven || link.client.lost || clock.monotonic() - begunAt > limitMs) throw error;
      await sleep(clock, lookEveryMs, signal);
    }
  }
}
