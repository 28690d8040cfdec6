// Where answers do not say which request they belong to, another one that comes behind them is the true one, and one of
// those that were taken was somebody else's, or said twice.
import { type Clock, sleep } from '../../../kernel/clock.ts';
import type { LineUnits, Mark } from './line-units.ts';
import { tooMany } from './modbus-errors.ts';

export interface QuietOptions {
  readonly units: LineUnits;
  readonly unit: number;
  readonly clock: Clock;
  /** `units.mark(unit)` before the first request. */
  readonly since: Mark;
  /** No longer than this, in ms. */
  readonly limitMs?: number;
}

/**
 * Resolves once the unit has been quiet for as long as frames lag behind an answer. To be called where the line is free.
 * Rejects with `modbus-garbage` where more answers of it came than it was asked for. Each answer that was confirmed by another
 * one behind it needs neither.
 */
export async function untilQuiet(options: QuietOptions, signal: AbortSignal): Promise<void> {
  const { units, unit, clock, since, limitMs = Number.POSITIVE_INFINITY } = options;
  if (units.isConfirmed(unit, since)) return;
  const quietMs = Math.min(units.quietMs(unit), limitMs);
  // In two parts: after a process was stopped, what came meanwhile is heard between them.
  const partMs = Math.ceil(quietMs / 2);
  if (quietMs > 0) await sleep(clock, partMs, signal);
  if (quietMs > partMs) await sleep(clock, quietMs - partMs, signal);
  if (units.strays(unit) !== since.strays) throw tooMany(unit);
}
