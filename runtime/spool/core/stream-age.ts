// How long ago a stream was committed to last.
import type { StreamStart } from '../../windows/window-store.ts';
import type { SpoolCore } from './core.ts';
import { earliestTime, type Stream } from './streams.ts';

/**
 * By the machine's own count where it has not been started since; else by the spool's clock, which tells ms since some start of
 * the machine while the wall clock is not trusted.
 */
export function ageOf(
  { committedAt, committedUp }: Stream,
  { up, clock }: SpoolCore,
): Pick<StreamStart, 'ageMs' | 'isAgeSure' | 'setByMs'> {
  const now = clock.now();
  if (up !== undefined && committedUp?.[0] === up[0] && committedUp[1] <= up[1]) {
    const ageMs = up[1] - committedUp[1];
    const isTold = committedAt !== undefined && committedAt >= earliestTime && now >= earliestTime;
    return { ageMs, isAgeSure: true, ...(isTold && { setByMs: now - committedAt - ageMs }) };
  }
  if (committedAt === undefined || committedAt < earliestTime || now < committedAt) return {};
  return { ageMs: now - committedAt };
}
