// Waits after a poll's last answer whether another answer comes. On lines whose answers do not say which request they belong
// to, one that still comes shows that an answer that was taken was somebody else's, or sent twice: the poll is then not used.
import { type Clock, sleep } from '../../../kernel/clock.ts';
import type { LineUnits } from './line-units.ts';
import { tooMany } from './modbus-errors.ts';

export interface QuietOptions {
  readonly units: LineUnits;
  readonly unit: number;
  readonly clock: Clock;
  /** `units.strays(unit)` before the first request. */
  readonly strays: number;
  /** No longer than this, in ms. */
  readonly limitMs?: number;
}

/**
 * Resolves once the unit has been quiet for as long as frames lag behind an answer. To be called where the line is free.
 * Rejects with `modbus-garbage` where more answers of it came than it was asked for. Also where each
 * answer was confirmed by another one behind it: that one may have been said twice as well.
 */
export async function untilQuiet(options: QuietOptions, signal: AbortSignal): Promise<void> {
  const { units, unit, clock, strays, limitMs = Number.POSITIVE_INFINITY } = options;
  const quietMs = Math.min(units.quietMs(unit), limitMs);
  // In two parts: after a process was stopped, what came meanwhile is heard between them.
  const partMs = Math.ceil(quietMs / 2);
  if (quietMs > 0) await sleep(clock, partMs, signal);
  if (quietMs > partMs) await sleep(clock, quietMs - partMs, signal);
  if (units.strays(unit) !== strays) throw tooMany(unit);
}
