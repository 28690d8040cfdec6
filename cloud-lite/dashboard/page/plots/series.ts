// Turns samples of totals into the series that the plots draw. Pure.
import type { TrendSample } from '../../../http/trend.ts';

/** Columns as uPlot takes them: seconds, then one column a line; null where nothing is known. */
export type Columns = readonly [at: readonly number[], ...lines: readonly (readonly (number | null)[])[]];

/** Readings each second, between each sample and the one before. A total that fell was started over. */
export function ingestColumns(samples: readonly TrendSample[]): Columns {
  return [
    samples.map(({ at }) => at / 1000),
    samples.map((sample, i) => {
      const before = samples[i - 1];
      if (before === undefined || sample.readings < before.readings || sample.at <= before.at) return null;
      return ((sample.readings - before.readings) * 1000) / (sample.at - before.at);
    }),
  ];
}

/** In seconds: how old the newest data is, in the middle and at worst, and how far reading the hub is behind. */
export function lagColumns(samples: readonly TrendSample[]): Columns {
  const seconds = (ms: number | null) => (ms === null ? null : Math.max(0, ms / 1000));
  return [
    samples.map(({ at }) => at / 1000),
    samples.map(({ ageMs }) => seconds(ageMs)),
    samples.map(({ worstAgeMs }) => seconds(worstAgeMs)),
    samples.map(({ behindMs }) => seconds(behindMs)),
  ];
}

export function lastOf(column: readonly (number | null)[] | undefined): number | null {
  return column?.findLast((value) => value !== null) ?? null;
}
