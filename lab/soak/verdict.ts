// What a soak found: whether all readings are accounted for, and whether anything grew that must not. Pure.
import type { ProcessSample, Sample } from './samples.ts';

export interface Growth {
  /** As `runtime: resident MB`. */
  readonly what: string;
  /** Medians of the second quarter of the run, and of the last. */
  readonly before: number;
  readonly after: number;
  readonly perHour: number;
  /** Absent: it may, or the run was too short to tell. */
  readonly limit?: Limit;
  readonly isTooMuch: boolean;
}

/** Both must be passed: a short run's noise is large by the hour, a long run's leak is small by the hour. */
interface Limit {
  readonly perHour: number;
  readonly inAll: number;
}

/** A heap breathes by some MB; a connection that is made anew has two descriptors for a moment. */
const limits: Readonly<Record<string, Limit>> = {
  'resident MB': { perHour: 2, inAll: 16 },
  descriptors: { perHour: 1, inAll: 6 },
  'series of metrics': { perHour: 1, inAll: 8 },
};
/** Between the quarters that are compared: in a shorter run warming up looks like a leak. */
const shortestHours = 0.25;

export function growthOf(samples: readonly Sample[]): readonly Growth[] {
  const of = (pick: (sample: ProcessSample) => number | undefined, name: string) => (sample: Sample) => {
    const process = sample.processes[name];
    return process && pick(process);
  };
  const rows: readonly (readonly [whose: string, what: string, (sample: Sample) => number | undefined])[] = [
    ...['runtime', 'detector'].flatMap(
      (name) =>
        [
          [name, 'resident MB', of(({ residentMb }) => residentMb, name)],
          [name, 'descriptors', of(({ descriptors }) => descriptors, name)],
          [name, 'series of metrics', of(({ series }) => series, name)],
        ] as const,
    ),
    // An archive fills until its bound: that is no leak, and is shown.
    ['gateway', 'disk MB', ({ diskMb }) => diskMb],
  ];
  return rows.flatMap(([whose, what, pick]) => {
    const found = compare(samples, pick);
    if (found === undefined) return [];
    const { before, after, perHour, hours } = found;
    const limit = hours < shortestHours ? undefined : limits[what];
    const isTooMuch = limit !== undefined && perHour > limit.perHour && after - before > limit.inAll;
    return [{ what: `${whose}: ${what}`, before, after, perHour, isTooMuch, ...(limit && { limit }) }];
  });
}

function compare(samples: readonly Sample[], pick: (sample: Sample) => number | undefined) {
  const points = samples.flatMap((sample) => {
    const value = pick(sample);
    return value === undefined ? [] : [{ seconds: sample.seconds, value }];
  });
  // The first quarter is warming up.
  const [second, last] = [quarter(points, 1), quarter(points, 3)];
  if (second.length === 0 || last.length === 0) return undefined;
  const [before, after] = [median(second.map(({ value }) => value)), median(last.map(({ value }) => value))];
  const hours =
    (median(last.map(({ seconds }) => seconds)) - median(second.map(({ seconds }) => seconds))) / 3600;
  return { before, after, hours, perHour: hours > 0 ? (after - before) / hours : 0 };
}

function quarter<T>(points: readonly T[], n: number): readonly T[] {
  return points.slice(Math.floor((points.length * n) / 4), Math.floor((points.length * (n + 1)) / 4));
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[sorted.length >> 1]!;
}
