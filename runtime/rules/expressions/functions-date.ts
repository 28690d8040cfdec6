// Date functions, all in UTC.

import { type Unit, unitMs } from './units.ts';
import { RowProblem, toDate, toNumber, type Value } from './values.ts';

const dayMs = 86_400_000;
const months = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
];
const weekdays = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];

export function dateAdd(unit: Unit, count: Value, to: Value): Date {
  const date = toDate(to, 'DATEADD');
  const number = Math.trunc(toNumber(count, 'DATEADD'));
  const inMonths = { year: 12, quarter: 3, month: 1 } as Partial<Record<Unit, number>>;
  const step = inMonths[unit];
  const result =
    step === undefined
      ? new Date(
          date.getTime() + Math.trunc(number * (unit === 'week' ? 7 * dayMs : (unitMs[unit] ?? dayMs))),
        )
      : addMonths(date, number * step);
  return valid(result, 'DATEADD');
}

/** The 31st becomes the last day where the month is shorter. */
function addMonths(date: Date, count: number): Date {
  const day = date.getUTCDate();
  const result = new Date(date);
  result.setUTCDate(1);
  result.setUTCMonth(result.getUTCMonth() + count);
  const last = new Date(Date.UTC(result.getUTCFullYear(), result.getUTCMonth() + 1, 0)).getUTCDate();
  result.setUTCDate(Math.min(day, last));
  return result;
}

/** How many boundaries of the unit lie between, as in SQL: from 12:59 to 13:00 is one hour. */
export function dateDiff(unit: Unit, from: Value, to: Value): number {
  const start = toDate(from, 'DATEDIFF');
  const end = toDate(to, 'DATEDIFF');
  const difference = boundaries(unit, end) - boundaries(unit, start);
  return Math.round(difference);
}

function boundaries(unit: Unit, date: Date): number {
  const months = date.getUTCFullYear() * 12 + date.getUTCMonth();
  if (unit === 'year') return date.getUTCFullYear();
  if (unit === 'quarter') return Math.floor(months / 3);
  if (unit === 'month') return months;
  // 1970-01-01 was a Thursday; weeks begin on Sunday.
  if (unit === 'week') return Math.floor((date.getTime() / dayMs + 4) / 7);
  return Math.floor(date.getTime() / (unitMs[unit] ?? dayMs));
}

export function datePart(unit: Unit, of: Value): number {
  const date = toDate(of, 'DATEPART');
  const startOfYear = Date.UTC(date.getUTCFullYear(), 0, 1);
  const dayOfYear = Math.floor((date.getTime() - startOfYear) / dayMs) + 1;
  switch (unit) {
    case 'year':
      return date.getUTCFullYear();
    case 'quarter':
      return Math.floor(date.getUTCMonth() / 3) + 1;
    case 'month':
      return date.getUTCMonth() + 1;
    case 'dayofyear':
      return dayOfYear;
    case 'day':
      return date.getUTCDate();
    case 'week':
      return Math.floor((dayOfYear - 1 + new Date(startOfYear).getUTCDay()) / 7) + 1;
    case 'weekday':
      return date.getUTCDay() + 1;
    case 'hour':
      return date.getUTCHours();
    case 'minute':
      return date.getUTCMinutes();
    case 'second':
      return date.getUTCSeconds();
    case 'millisecond':
      return date.getUTCMilliseconds();
    case 'microsecond':
      return date.getUTCMilliseconds() * 1000;
  }
}

export function dateName(unit: Unit, of: Value): string {
  const part = datePart(unit, of);
  if (unit === 'month') return months[part - 1]!;
  return unit === 'weekday' ? weekdays[part - 1]! : String(part);
}

export function dateFromParts(...parts: Value[]): Date {
  const [year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0, ms = 0] = parts.map((part) =>
    toNumber(part, 'DATETIMEFROMPARTS'),
  );
  const date = new Date(Date.UTC(year, month - 1, day, hour, minute, second, ms));
  if (date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day)
    throw new RowProblem(`there is no day ${year}-${month}-${day}`);
  return valid(date, 'DATETIMEFROMPARTS');
}

function valid(date: Date, what: string): Date {
  const year = date.getUTCFullYear();
  if (Number.isNaN(year) || year < 1 || year > 9999)
    throw new RowProblem(`${what} leads out of the years 1 to 9999`);
  return date;
}
