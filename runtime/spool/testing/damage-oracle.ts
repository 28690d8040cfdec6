// Compares the claims of a spool that damage-child.ts wrote, and that was then damaged, with what was promised.
import { expect } from 'vitest';
import { type Claims, heldIn, isLossy, isTellingLoss, promised } from './claims.ts';
import { readingsIn, window } from './open-test-spool.ts';

/** Nothing is claimed that is not so, and what is lost is told. True where something is. */
export function checkClaims(claims: Claims, story: string): boolean {
  const { starts, windows } = claims;
  for (const { id, isLate, readings, start, end } of windows) {
    if (isLate) for (const { index, value } of readings) expect(value, story).toBe(index * 2);
    else expect(readings, `${story}: ${id}`).toEqual(readingsIn(window(start, end)));
  }
  const isLost = isLossy(windows);
  if (isLost) {
    const text = `${story}: ${JSON.stringify(heldIn(windows))}`;
    expect(isTellingLoss(claims), text).toBe(true);
  }
  if ((starts.a.floor ?? 0) < promised.windows * 10) expect(starts.a.continuity, story).toBe('lost');
  if ((starts.open.floor ?? 0) < promised.open) expect(starts.open.continuity, story).toBe('lost');
  return isLost;
}
