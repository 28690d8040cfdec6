// Formats sizes, times, windows and tables for `holdfast spool`.
import { plainLine } from '../../kernel/text.ts';
import { formatIndex, type IndexKind, type Window } from '../../wire/window.ts';

const units = ['B', 'kB', 'MB', 'GB', 'TB'];

/** Decimal units, three digits: `8.09 MB`. */
export function formatBytes(bytes: number): string {
  let unit = 0;
  let value = bytes;
  // 999.5 would show as 1000.
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${unit === 0 ? value : value.toPrecision(3)} ${units[unit]}`;
}

const spans: readonly (readonly [string, number])[] = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['min', 60_000],
  ['s', 1000],
];

/** The two largest units: `2 d 4 h`, `12.5 s`, `40 ms`. Clocks that went back show as `0 ms`. */
export function formatDuration(ms: number): string {
  if (ms < 1000) return `${Math.max(0, Math.round(ms))} ms`;
  if (ms < 60_000) return `${(Math.floor(ms / 100) / 10).toString()} s`;
  const at = spans.findIndex(([, size]) => ms >= size);
  const [unit, size] = spans[at]!;
  const [smaller, smallerSize] = spans[at + 1]!;
  const rest = Math.floor((ms % size) / smallerSize);
  return `${Math.floor(ms / size)} ${unit}${rest === 0 ? '' : ` ${rest} ${smaller}`}`;
}

/** Groups of three digits. */
export function formatCount(count: number): string {
  return String(count).replace(/\B(?=(\d{3})+$)/g, ',');
}

/** `1 note`, `1,200 notes`; `word` is the plural. */
export function counted(count: number, word: string): string {
  return `${formatCount(count)} ${count === 1 ? singular(word) : word}`;
}

function singular(word: string): string {
  return word.endsWith('ies') ? `${word.slice(0, -3)}y` : word.slice(0, -1);
}

/** A position beyond the range of dates is shown as a number, not refused: the store may hold it. */
export function formatPlace(kind: IndexKind, index: number): string {
  const isDate = kind === 'time' && Math.abs(index) <= 8_640_000_000_000_000 && Number.isInteger(index);
  return isDate ? formatIndex('time', index) : String(index);
}

export function formatWindow(kind: IndexKind, window: Window): string {
  return `${formatPlace(kind, window.start)} to ${formatPlace(kind, window.end)}`;
}

export function windowJson(kind: IndexKind, window: Window): [string, string] {
  return [formatPlace(kind, window.start), formatPlace(kind, window.end)];
}

export function formatTime(at: number): string {
  return formatPlace('time', at);
}

/** How much index a range spans: a duration, or a number of records. */
export function formatLength(kind: IndexKind, length: number): string {
  return kind === 'time' ? formatDuration(length) : counted(length, 'records');
}

export interface Column {
  readonly title: string;
  /** Numbers stand right. */
  readonly right?: boolean;
}

// Widths come from the rows that are there before anything is shown; a wider row later on is only untidy.
const sampleRows = 200;

/** Lines of an aligned table. Rows may be very many: they are passed on as they come. */
export function* tableLines(
  columns: readonly Column[],
  rows: Iterable<readonly string[]>,
): Generator<string> {
  const sample: (readonly string[])[] = [];
  const rest = rows[Symbol.iterator]();
  const titles = columns.map(({ title }) => title);
  let widths = titles.map((title) => title.length);
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, n) => (columns[n]?.right ? cell.padStart(widths[n]!) : cell.padEnd(widths[n]!)))
      .join('  ')
      .trimEnd();
  let next = rest.next();
  for (; !next.done && sample.length < sampleRows; next = rest.next()) sample.push(next.value);
  widths = widths.map((width, n) => Math.max(width, ...sample.map((cells) => cells[n]?.length ?? 0)));
  yield line(titles);
  for (const cells of sample) yield line(cells);
  for (; !next.done; next = rest.next()) yield line(next.value);
}

/** Text from a damaged or hostile record, or of equipment, on one line, and without what moves the cursor of a terminal. */
export function printable(text: string): string {
  return plainLine(text, '?');
}
