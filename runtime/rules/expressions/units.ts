// Units of time by their names in queries, and durations made of them.
import { RuleQueryError } from '../language/query-error.ts';
import type { Expression, Position } from '../language/tree.ts';

export type Unit =
  | 'year'
  | 'quarter'
  | 'month'
  | 'dayofyear'
  | 'day'
  | 'week'
  | 'weekday'
  | 'hour'
  | 'minute'
  | 'second'
  | 'millisecond'
  | 'microsecond';

const names: Readonly<Record<Unit, readonly string[]>> = {
  year: ['yy', 'yyyy'],
  quarter: ['qq', 'q'],
  month: ['mm', 'm'],
  dayofyear: ['dy', 'y'],
  day: ['dd', 'd'],
  week: ['wk', 'ww'],
  weekday: ['dw', 'w'],
  hour: ['hh'],
  minute: ['mi', 'n'],
  second: ['ss', 's'],
  millisecond: ['ms'],
  microsecond: ['mcs'],
};
const units = new Map(
  Object.entries(names).flatMap(([unit, short]) =>
    // The reference writes both `hour` and `hours`.
    [unit, `${unit}s`, ...short].map((name) => [name, unit as Unit] as const),
  ),
);

/** Units of fixed length, in ms. */
export const unitMs: Readonly<Partial<Record<Unit, number>>> = {
  day: 86_400_000,
  hour: 3_600_000,
  minute: 60_000,
  second: 1000,
  millisecond: 1,
  microsecond: 0.001,
};

/** `second`, `ss`, `'second'`. `asPart`: of a date, which has parts that are no length. @throws RuleQueryError */
export function unitOf(expression: Expression | undefined, at: Position, asPart = false): Unit {
  const name =
    expression?.kind === 'column' && expression.path.length === 1
      ? expression.path[0]!
      : expression?.kind === 'literal' && typeof expression.value === 'string'
        ? expression.value
        : '';
  const unit = units.get(name.toLowerCase());
  if (unit !== undefined) return unit;
  throw new RuleQueryError(
    expression?.at ?? at,
    name === '' ? 'a unit of time is missing' : `${name} is no ${asPart ? 'part of a date' : 'unit of time'}`,
    asPart
      ? `Write one of ${Object.keys(names).join(', ')}.`
      : 'Write day, hour, minute, second or millisecond.',
  );
}

/** Whole milliseconds. Negative ones only with `mayBeNegative`. @throws RuleQueryError */
export function durationOf(
  unit: Expression | undefined,
  size: Expression | undefined,
  at: Position,
  mayBeNegative = false,
): number {
  const each = unitMs[unitOf(unit, at)];
  if (each === undefined)
    throw new RuleQueryError(
      unit?.at ?? at,
      'this unit has no fixed length',
      'Use day, hour, minute, second or millisecond.',
    );
  const count = constantNumber(size);
  if (count === undefined)
    throw new RuleQueryError(
      size?.at ?? at,
      'a length must be a number, written out',
      'Write it as in (second, 10).',
    );
  const ms = count * each;
  if (!Number.isSafeInteger(ms))
    throw new RuleQueryError(
      size?.at ?? at,
      'times are kept in whole milliseconds',
      'Choose a length of whole milliseconds.',
    );
  if (ms < 0 || (ms === 0 && !mayBeNegative)) {
    if (!mayBeNegative)
      throw new RuleQueryError(size?.at ?? at, 'a length must be above 0', 'Write it as in (second, 10).');
  }
  return ms;
}

export function constantNumber(expression: Expression | undefined): number | undefined {
  if (expression?.kind === 'literal' && typeof expression.value === 'number') return expression.value;
  if (expression?.kind === 'unary' && expression.operator !== 'NOT') {
    const of = constantNumber(expression.of);
    return of === undefined ? undefined : expression.operator === '-' ? -of : of;
  }
  return undefined;
}
