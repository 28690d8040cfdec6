// Durations in words. How they are written is the same everywhere: kernel/duration-text.ts.

const units: readonly (readonly [name: string, ms: number])[] = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['min', 60_000],
  ['s', 1000],
];

/** The largest unit that leaves no rest. */
export function durationText(ms: number): string {
  const [unit, each] = units.find(([, size]) => ms % size === 0) ?? ['ms', 1];
  return `${ms / each} ${unit}`;
}
