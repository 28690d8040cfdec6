// Aggregates that grow by one row at a time and merge: panes and sliding windows are sums of parts, and no rows are kept where
// a few numbers do (COUNT, SUM, AVG, MIN, MAX, STDEV, VAR).
import { toFloat } from '../expressions/cast.ts';
import { type Compiled, type Frame, timestamp } from '../expressions/frame.ts';
import {
  keyOf,
  order,
  RowProblem,
  type StaticType,
  sizeOf,
  toNumber,
  type Value,
} from '../expressions/values.ts';
import { decode, encode } from './codec.ts';
import type { RowRun } from './row-run.ts';

/** `State` is the aggregate's own business. */
export interface Aggregate<State = unknown> {
  readonly type: StaticType;
  /** It keeps rows or values: `add` then says how many bytes. */
  readonly keeps: boolean;
  create(): State;
  /** What a row gives to it. All that can be wrong with a row is said here, so that no state is left half changed. @throws RowProblem */
  read(frame: Frame): unknown;
  /**
   * Of numbers: the same for many rows, into the first places of `numbers`, NaN for null; then what was read is added. @throws RowProblem
   * where any row is wrong, and nothing is changed
   */
  readonly column?: NumberColumn<State>;
  /** Takes what was read. Returns the bytes that are newly kept. */
  add(state: State, read: unknown): number;
  /** `source` comes after what is in `target`, and stays as it is. */
  merge(target: State, source: State): void;
  /** @throws RowProblem */
  value(state: State): Value;
  save(state: State): unknown;
  load(saved: unknown): State;
}

interface NumberColumn<State = unknown> {
  read(frame: Frame, run: RowRun, numbers: Float64Array): void;
  add(state: State, numbers: Float64Array, count: number): void;
}

type Run = Compiled['run'];

function numbers(
  type: StaticType,
  size: number,
  read: (frame: Frame) => number | null,
  add: (state: number[], value: number) => void,
  merge: (target: number[], source: readonly number[]) => void,
  value: (state: readonly number[]) => number | null,
  column: Partial<NumberColumn> = {},
): Aggregate {
  const zeros = new Array<number>(size).fill(0);
  return {
    type,
    keeps: false,
    create: () => zeros.slice(),
    read,
    column: {
      read: columnOf(read),
      add(state, values, count) {
        for (let i = 0; i < count; i++) if (!Number.isNaN(values[i])) add(state as number[], values[i]!);
      },
      ...column,
    },
    add: (state, value) => {
      if (value !== null) add(state as number[], value as number);
      return 0;
    },
    merge: (target, source) => merge(target as number[], source as number[]),
    value: (state) => {
      const result = value(state as number[]);
      if (result !== null && !Number.isFinite(result))
        throw new RowProblem('an aggregate is too large for a number');
      return result;
    },
    save: (state) => (state as number[]).slice(),
    load: (saved) => (saved as number[]).slice(),
  };
}

function columnOf(read: (frame: Frame) => number | null): NumberColumn['read'] {
  return (frame, { rows, times, from, to }, into) => {
    for (let at = from; at < to; at++) {
      frame.row = rows[at]!;
      frame.time = times[at]!;
      into[at - from] = read(frame) ?? Number.NaN;
    }
  };
}

function numeric(name: string, of: Run): (frame: Frame) => number | null {
  return (frame) => {
    const value = of(frame);
    if (typeof value === 'number') return Number.isNaN(value) ? null : value;
    return value === null ? null : toNumber(value, name);
  };
}

/** Counts rows, or values that are not null. */
export function count(of: Run | undefined): Aggregate {
  return numbers(
    'bigint',
    1,
    of === undefined ? () => 1 : (frame) => (of(frame) === null ? null : 1),
    (state) => {
      state[0]!++;
    },
    (target, source) => {
      target[0]! += source[0]!;
    },
    (state) => state[0]!,
  );
}

/** [count, sum]. Nulls are left out; of nothing but nulls it is null. */
function sums(name: string, type: StaticType, of: Run, value: (n: number, sum: number) => number): Aggregate {
  return numbers(
    type,
    2,
    numeric(name, of),
    (state, value) => {
      state[0]!++;
      state[1]! += value;
    },
    (target, source) => {
      target[0]! += source[0]!;
      target[1]! += source[1]!;
    },
    ([n, sum]) => (n === 0 ? null : value(n!, sum!)),
    { add: addSums },
  );
}

function addSums(state: unknown, values: Float64Array, count: number): void {
  let [n, sum] = state as [number, number];
  for (let i = 0; i < count; i++) {
    const value = values[i]!;
    if (Number.isNaN(value)) continue;
    n++;
    sum += value;
  }
  (state as number[])[0] = n;
  (state as number[])[1] = sum;
}

export const sum = (of: Compiled) => sums('SUM', of.type, of.run, (_, total) => total);
export const avg = (of: Compiled) => sums('AVG', 'float', of.run, (n, total) => total / n);

/** [count, mean, sum of squared distances], by Welford's and Chan's formulas. */
export function variance(name: string, of: Run, isOfSample: boolean, isRoot: boolean): Aggregate {
  return numbers(
    'float',
    3,
    numeric(name, of),
    (state, x) => {
      const distance = x - state[1]!;
      state[0]!++;
      state[1]! += distance / state[0]!;
      state[2]! += distance * (x - state[1]!);
    },
    (target, source) => {
      const [n, mean, squares] = target as [number, number, number];
      const [m, otherMean, otherSquares] = source as [number, number, number];
      if (m === 0) return;
      // As it is, without rounding.
      if (n === 0) {
        target[0] = m;
        target[1] = otherMean;
        target[2] = otherSquares;
        return;
      }
      const distance = otherMean - mean;
      target[0] = n + m;
      target[1] = mean + (distance * m) / (n + m);
      target[2] = squares + otherSquares + (distance * distance * n * m) / (n + m);
    },
    ([n, , squares]) => {
      const of = isOfSample ? n! - 1 : n!;
      if (of <= 0) return null;
      return isRoot ? Math.sqrt(squares! / of) : squares! / of;
    },
  );
}

interface Best {
  value: Value;
}

/** A text that was not CAST to one is a number where it can be, as in Stream Analytics: '9' is not above '10'. */
function numberIfText(value: Value): Value {
  return typeof value === 'string' ? (toFloat(value) ?? value) : value;
}

/** `sign` 1 for the largest, -1 for the smallest. */
export function extreme(of: Compiled, sign: 1 | -1): Aggregate {
  if (of.ms !== undefined) return extremeTime(of.ms, sign);
  const read = of.type === 'nvarchar(max)' ? of.run : (frame: Frame) => numberIfText(of.run(frame));
  const numbersAlone = (frame: Frame): number | null => {
    const value = of.run(frame);
    if (value === null || typeof value === 'number') return value;
    throw new RowProblem('not all are numbers: each is looked at by itself');
  };
  const take = (state: Best, value: Value) => {
    if (value === null) return;
    if (state.value === null || order(value, state.value) * sign > 0) state.value = value;
  };
  return {
    type: of.type,
    keeps: false,
    create: (): Best => ({ value: null }),
    read,
    add: (state, value) => {
      take(state as Best, value as Value);
      return 0;
    },
    column: {
      read: columnOf(numbersAlone),
      add(state, values, count) {
        let best = Number.NaN;
        for (let i = 0; i < count; i++) {
          const value = values[i]!;
          if (Number.isNaN(best) || (value - best) * sign > 0) best = value;
        }
        if (!Number.isNaN(best)) take(state as Best, best);
      },
    },
    merge: (target, source) => take(target as Best, (source as Best).value),
    value: (state) => (state as Best).value,
    save: (state) => encode((state as Best).value),
    load: (saved): Best => ({ value: decode(saved) }),
  } satisfies Aggregate;
}

/** [rows, the first or last time in ms]. */
function extremeTime(ms: (frame: Frame) => number, sign: 1 | -1): Aggregate {
  const take = (state: number[], time: number) => {
    if (state[0] === 0 || (time - state[1]!) * sign > 0) state[1] = time;
  };
  // The rows' own times are in order: the first and the last one tell.
  const ownTimes: NumberColumn = {
    read(_, { times, from, to }, into) {
      for (let at = from; at < to; at++) into[at - from] = times[at]!;
    },
    add(of, values, count) {
      const state = of as number[];
      take(state, values[0]!);
      state[0]! += count;
      take(state, values[count - 1]!);
    },
  };
  return {
    ...numbers(
      'datetime',
      2,
      ms,
      (state, time) => {
        take(state, time);
        state[0]!++;
      },
      (target, source) => {
        if (source[0]! > 0) take(target, source[1]!);
        target[0]! += source[0]!;
      },
      ([, time]) => time!,
      ms === timestamp.ms ? ownTimes : {},
    ),
    value: (state) => ((state as number[])[0] === 0 ? null : new Date((state as number[])[1]!)),
  };
}

/** COUNT(DISTINCT x). */
export function countDistinct(of: Run): Aggregate {
  const key = (value: Value) => (typeof value === 'number' ? value : keyOf(value));
  return {
    type: 'bigint',
    keeps: true,
    create: () => new Set<string | number>(),
    read: of,
    add: (state, read) => {
      const value = read as Value;
      if (value === null) return 0;
      const seen = state as Set<string | number>;
      const before = seen.size;
      seen.add(key(value));
      return seen.size > before ? 16 + sizeOf(value) : 0;
    },
    merge: (target, source) => {
      for (const one of source as Set<string | number>) (target as Set<string | number>).add(one);
    },
    value: (state) => (state as Set<unknown>).size,
    save: (state) => [...(state as Set<string | number>)],
    load: (saved) => new Set(saved as (string | number)[]),
  };
}

/** All values (`Collect`), in the order of time. */
export function collect(of: Run, type: StaticType, value: (all: readonly Value[]) => Value): Aggregate {
  return {
    type,
    keeps: true,
    create: (): Value[] => [],
    read: of,
    add: (state, read) => {
      (state as Value[]).push(read as Value);
      return 16 + sizeOf(read as Value);
    },
    merge: (target, source) => {
      for (const one of source as Value[]) (target as Value[]).push(one);
    },
    value: (state) => value(state as Value[]),
    save: (state) => (state as Value[]).map(encode),
    load: (saved) => (saved as unknown[]).map(decode),
  };
}

/** `isContinuous`: between the two values that are nearest; else one of the values. */
export function percentile(
  of: Run,
  fraction: number,
  isDescending: boolean,
  isContinuous: boolean,
): Aggregate {
  return collect(numeric('PERCENTILE', of), 'float', (all) => {
    const sorted = (all.filter((one) => one !== null) as number[]).sort((a, b) =>
      isDescending ? b - a : a - b,
    );
    if (sorted.length === 0) return null;
    if (!isContinuous) return sorted[Math.max(0, Math.ceil(fraction * sorted.length) - 1)]!;
    const place = fraction * (sorted.length - 1);
    const below = sorted[Math.floor(place)]!;
    return below + (sorted[Math.ceil(place)]! - below) * (place - Math.floor(place));
  });
}

export interface Ranking {
  readonly by: Run;
  readonly isDescending: boolean;
}

interface Ranked {
  readonly value: Value;
  readonly by: readonly Value[];
}

function rank(terms: readonly Ranking[], a: Ranked, b: Ranked): number {
  for (let i = 0; i < terms.length; i++) {
    const difference = order(a.by[i]!, b.by[i]!);
    if (difference !== 0) return terms[i]!.isDescending ? -difference : difference;
  }
  return 0;
}

/** TopOne and CollectTop: the first `most` rows in the order given; of equal ones those that came first. */
export function top(
  of: Run,
  most: number,
  terms: readonly Ranking[],
  type: StaticType,
  value: (best: readonly Value[]) => Value,
): Aggregate {
  const insert = (state: Ranked[], one: Ranked): boolean => {
    let at = state.length;
    while (at > 0 && rank(terms, one, state[at - 1]!) < 0) at--;
    if (at >= most) return false;
    state.splice(at, 0, one);
    if (state.length > most) state.pop();
    return true;
  };
  return {
    type,
    keeps: true,
    create: (): Ranked[] => [],
    read: (frame): Ranked => ({ value: of(frame), by: terms.map((term) => term.by(frame)) }),
    add: (state, read) => {
      const list = state as Ranked[];
      const before = list.length;
      const one = read as Ranked;
      return insert(list, one) && list.length > before ? 64 + sizeOf(one.value) : 0;
    },
    merge: (target, source) => {
      for (const one of source as Ranked[]) insert(target as Ranked[], one);
    },
    value: (state) => value((state as Ranked[]).map((one) => one.value)),
    save: (state) => (state as Ranked[]).map(({ value: one, by }) => [encode(one), by.map(encode)]),
    load: (saved) =>
      (saved as [unknown, unknown[]][]).map(
        ([one, by]): Ranked => ({ value: decode(one), by: by.map(decode) }),
      ),
  };
}
