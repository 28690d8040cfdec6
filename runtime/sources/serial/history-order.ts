// How an instrument's memory is asked for a part of the stream, by record number or by time: what goes into the
// command, and where the records of the answer lie in the stream.
import type { Window } from '../../../wire/window.ts';
import type { Placeholder } from './command-template.ts';
import type { HistoryConfig, SerialSourceConfig } from './config.ts';
import { type BoundTexts, invalidBounds } from './memory-bounds.ts';
import type { RecordCounter } from './record-counter.ts';
import { type DecodedRecord, formatOf, zoneMinutes } from './record-layout.ts';
import type { StreamState } from './reporter.ts';
import { compileTimeFormat, type TimeFormat } from './time-format.ts';

export interface Bounds {
  readonly oldest: number;
  readonly newest: number;
}

export interface HistoryOrder {
  /** Fills a placeholder of the command. */
  fill(window: Window, placeholder: Placeholder): string;
  /** Where the record lies; undefined where it is none that `window` could hold. */
  indexOf(record: DecodedRecord, window: Window): number | undefined;
  bounds(texts: BoundTexts): Bounds | undefined;
  /** The newest record that was seen live. */
  readonly newest: number | undefined;
  /** Nothing before it can be held, as far as is known without asking. */
  oldestPossible(newest: number | undefined): number;
  /** So much is asked for by one command at first. */
  readonly page: number;
  /** Every index between the oldest and the newest has a record. */
  readonly isDense: boolean;
  /** Asked for before the range itself, to see whether the memory reaches back so far. */
  readonly overlap: number;
}

export function byNumber(
  counter: RecordCounter,
  config: SerialSourceConfig,
  history: HistoryConfig,
): HistoryOrder {
  const { first, last } = config.stamp!.number!;
  const span = last - first + 1;
  return {
    isDense: true,
    overlap: 0,
    page: Math.min(history.pageRecords, span),
    fill({ start, end }, { name, format }) {
      const value = {
        from: counter.numberAt(start),
        to: counter.numberAt(end - 1),
        end: counter.numberAt(end),
        count: end - start,
      }[name]!;
      return String(value).padStart(/^\d{1,2}$/.test(format ?? '') ? Number(format) : 0, '0');
    },
    indexOf({ number }, { start, end }) {
      const position = counter.positionFrom(start, number!);
      return position < end ? position : undefined;
    },
    bounds(texts) {
      if (!texts) return undefined;
      const [oldest, newest] = [wholeNumber(texts.oldest), wholeNumber(texts.newest)];
      // The newest is near the last that was seen, which may have been made meanwhile; the oldest before it, by
      // less than the span.
      const at = counter.positionNear(newest);
      const behind = (((newest - oldest) % span) + span) % span;
      return { oldest: at - behind, newest: at };
    },
    get newest() {
      return counter.position;
    },
    oldestPossible(newest) {
      const memory = Math.min(history.capacity ?? span, span);
      return newest === undefined ? first : Math.max(first, newest - memory + 1);
    },
  };
}

function wholeNumber(text: string): number {
  const number = Number(text.trim());
  if (!Number.isSafeInteger(number) || number < 0)
    throw invalidBounds(`('${text.slice(0, 40)}') is no record number`);
  return number;
}

export function byTime(state: StreamState, config: SerialSourceConfig, history: HistoryConfig): HistoryOrder {
  const stamp = config.stamp!.timestamp!;
  const own = formatOf(stamp);
  const formats = new Map<string, TimeFormat>();
  const formatFor = (text: string | undefined): TimeFormat => {
    if (text === undefined) return own;
    const known = formats.get(text);
    if (known) return known;
    const compiled = compileTimeFormat(text, zoneMinutes(stamp.zone));
    const format = compiled.ok ? compiled.format : own;
    formats.set(text, format);
    return format;
  };
  const parse = (text: string): number => {
    const time = own.parse(text);
    if (time === undefined)
      throw invalidBounds(`('${text.slice(0, 40)}') is no time as stamp.timestamp has it`);
    return time;
  };
  return {
    isDense: false,
    overlap: history.bounds ? 0 : history.overlapMs,
    page: history.pageMs,
    fill({ start, end }, { name, format }) {
      if (name === 'count') return String(end - start);
      const time = formatFor(format);
      if (name === 'from') return time.format(start);
      return time.format(name === 'to' ? end - 1 : end + time.stepMs - 1);
    },
    indexOf: ({ timestamp }) => timestamp,
    bounds: (texts) => texts && { oldest: parse(texts.oldest), newest: parse(texts.newest) },
    get newest() {
      return state.newest?.timestamp;
    },
    oldestPossible: () => Number.NEGATIVE_INFINITY,
  };
}
