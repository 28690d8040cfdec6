// Lists missing readings as ranges, with the place where each should have been.
import type { Window } from '../../wire/window.ts';

export interface MissingRange {
  readonly window: Window;
  readonly readings: number;
  /** Where the readings should have been. */
  readonly why:
    | 'in a gap'
    | 'not in the window that claims them'
    | 'declared void though the device has them';
}

export function createMissingRanges() {
  const ranges: { window: Window; readings: number; why: MissingRange['why'] }[] = [];
  let count = 0;
  return {
    add(at: number, why: MissingRange['why']): void {
      count += 1;
      const last = ranges.at(-1);
      // Neighbours in time with the same cause are one range for people.
      if (last?.why === why && at - last.window.end < 2000) {
        last.window = { start: last.window.start, end: at + 1 };
        last.readings += 1;
      } else ranges.push({ window: { start: at, end: at + 1 }, readings: 1, why });
    },
    count: () => count,
    ranges: (): readonly MissingRange[] => ranges,
  };
}
