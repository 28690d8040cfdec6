import type { Reading } from './reading.ts';
import type { Window } from './window.ts';

/**
 * Windows that claim nothing but the positions of `readings` (in index order), for readings that are there
 * while what lies between them may not be. Positions that touch share a window.
 */
export function exactWindows(
  readings: readonly Reading[],
): readonly { readonly window: Window; readonly readings: readonly Reading[] }[] {
  const windows: { window: Window; readings: Reading[] }[] = [];
  for (const reading of readings) {
    const last = windows.at(-1);
    if (last !== undefined && reading.index <= last.window.end) {
      last.readings.push(reading);
      last.window = { start: last.window.start, end: Math.max(last.window.end, reading.index + 1) };
    } else {
      windows.push({ window: { start: reading.index, end: reading.index + 1 }, readings: [reading] });
    }
  }
  return windows;
}
