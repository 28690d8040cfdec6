// What stands beside the axes: round numbers, all of one axis in the same unit. Pure.
import { countText } from '../text/format.ts';

/** Seconds from one line to the next: round ones of their unit. */
export const ageSteps: readonly number[] = [
  ...[0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30],
  ...[1, 2, 5, 10, 15, 30].map((minutes) => minutes * 60),
  ...[1, 2, 3, 6, 12].map((hours) => hours * 3600),
  ...[1, 2, 5, 10, 20, 50, 100, 200, 500, 1000].map((days) => days * 86_400),
];

const units = [
  ['d', 86_400],
  ['h', 3600],
  ['min', 60],
] as const;

/** `0`, `30 s`, `60 s`; `0`, `2 min`, `4 min`. */
export function axisAges(seconds: readonly number[]): string[] {
  const step = (seconds[1] ?? 0) - (seconds[0] ?? 0);
  const [unit, size] = units.find(([, each]) => step >= each && step % each === 0) ?? (['s', 1] as const);
  return seconds.map((each) => (each === 0 ? '0' : `${round(each / size)} ${unit}`));
}

export const axisCounts = (values: readonly number[]): string[] =>
  values.map((each) => (Number.isInteger(round(each)) ? countText(round(each)) : String(round(each))));

/** Steps are added up, and a tenth is no number of a computer. */
const round = (value: number) => Math.round(value * 1000) / 1000;
