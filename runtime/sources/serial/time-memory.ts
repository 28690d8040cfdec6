// Where the instrument's time orders the stream: how a memory is asked for a range of time, and what a dump shows.
import type { Window } from '../../../wire/window.ts';
import type { Placeholder } from './command-template.ts';
import type { StampConfig } from './config.ts';
import type { WholeDump } from './memory-access.ts';
import { type BoundTexts, invalidBounds } from './memory-bounds.ts';
import { type DecodedRecord, formatOf, zoneMinutes } from './record-layout.ts';
import { unproven } from './serial-errors.ts';
import { compileTimeFormat, type TimeFormat } from './time-format.ts';

type TimeStamp = NonNullable<StampConfig['timestamp']>;

/** Fills a placeholder of the command. */
export type TimeFiller = (window: Window, placeholder: Placeholder) => string;

export function compileTimeFiller(stamp: TimeStamp): TimeFiller {
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
  return ({ start, end }, { name, format }) => {
    if (name === 'count') return String(end - start);
    const time = formatFor(format);
    if (name === 'from') return time.format(start);
    return time.format(name === 'to' ? end - 1 : end + time.stepMs - 1);
  };
}

export interface HeldTimes {
  readonly oldest: number;
  readonly newest: number;
}

/** @throws HoldfastError `serial-history-invalid` where the answer holds no times. */
export function heldTimes(stamp: TimeStamp, texts: NonNullable<BoundTexts>): HeldTimes {
  const { parse } = formatOf(stamp);
  const read = (text: string): number => {
    const time = parse(text);
    if (time === undefined)
      throw invalidBounds(`('${text.slice(0, 40)}') is no time as stamp.timestamp has it`);
    return time;
  };
  return { oldest: read(texts.oldest), newest: read(texts.newest) };
}

export interface TimedRecord {
  readonly time: number;
  readonly record: DecodedRecord;
}

/** The records of a dump, oldest first. */
export interface TimedDump {
  readonly asked: Window;
  readonly records: readonly TimedRecord[];
  /**
   * As far as the dump says that it left nothing out: its end, or the time of its last record (what has the same one may
   * have been lost). Excluded.
   */
  readonly until: number;
  readonly ended: 'end-mark' | 'empty-by-status' | 'record-beyond' | 'every-number';
  /** Two of its records have one time. */
  readonly sharesTimes: boolean;
}

/**
 * `onBack` is told of times that came twice, as the records show. They are to be remembered: once the record from before the step is
 * overwritten, no dump shows it any more.
 * @throws HoldfastError `serial-history-unproven` where its records are not in the order of their times: the clock was set
 * back within what it holds, so that nobody can tell what is missing between them.
 */
export function timedDump(
  { asked, records, end }: WholeDump,
  isNumbered: boolean,
  onBack: (window: Window) => void,
): TimedDump {
  const timed = records.map((record) => ({ time: record.timestamp!, record }));
  const isReversed = timed.length > 1 && timed[0]!.time > timed.at(-1)!.time;
  const ordered = isReversed ? timed.reverse() : timed;
  const back = stepsBack(ordered);
  for (const window of back) onBack(window);
  if (back.length > 0)
    throw unproven('the times of its records go back: its clock was set back within what it holds');
  const last = ordered.at(-1)?.time ?? asked.start;
  // Newest first, what silence cut off is the oldest.
  const cutTo = isReversed ? asked.start : Math.min(last, asked.end);
  const isWhole = end !== 'silence' && !isNumbered;
  return {
    asked,
    records: ordered,
    until: isWhole ? asked.end : cutTo,
    ended: isNumbered ? 'every-number' : endedBy(end),
    sharesTimes: ordered.some(({ time }, at) => at > 0 && time === ordered[at - 1]!.time),
  };
}

const longestStepMs = 60_000;

/** From the record after each step to the one before, and one record further on both sides: the clock may have come as far. */
function stepsBack(ordered: readonly TimedRecord[]): readonly Window[] {
  const steps = ordered.slice(1).map(({ time }, at) => time - ordered[at]!.time);
  const longestMs = Math.min(longestStepMs, Math.max(0, ...steps.slice(-10_000)));
  return steps.flatMap((step, at) =>
    step < 0 ? [{ start: ordered[at + 1]!.time - longestMs, end: ordered[at]!.time + longestMs + 1 }] : [],
  );
}

/** Numbers that are further apart say nothing of the order of their records: the counter may have started anew. */
const maxApart = 1000;

/**
 * Compares each dump of numbered records with the newest record of the dumps before: a step back of the clock between two
 * dumps is seen as one within a dump is.
 */
export class DumpOrder {
  readonly #span: number;
  readonly #onBack: (window: Window) => void;
  #newest: { readonly number: number; readonly time: number } | undefined;

  constructor(span: number, onBack: (window: Window) => void) {
    this.#span = span;
    this.#onBack = onBack;
  }

  note(records: readonly DecodedRecord[]): void {
    for (const { number, timestamp: time } of records) {
      if (number === undefined || time === undefined) continue;
      const newest = this.#newest;
      const ahead = newest === undefined ? 0 : modulo(number - newest.number, this.#span);
      const behind = this.#span - ahead;
      if (newest === undefined || (ahead > maxApart && behind > maxApart)) this.#newest = { number, time };
      else if (ahead > 0 && ahead <= behind) {
        if (time < newest.time) this.#onBack(widened(time, newest.time));
        this.#newest = { number, time };
      } else if (ahead > 0 && time > newest.time) this.#onBack(widened(newest.time, time));
    }
  }
}

/** By one record on both sides, of which it is not known how far they are apart. */
function widened(from: number, to: number): Window {
  return { start: from - longestStepMs, end: to + longestStepMs + 1 };
}

function modulo(number: number, span: number): number {
  return ((number % span) + span) % span;
}

function endedBy(end: WholeDump['end']): TimedDump['ended'] {
  if (end === 'mark') return 'end-mark';
  return end === 'none' ? 'empty-by-status' : 'record-beyond';
}

/** Each number follows the one before, in either direction; also over the end of the counter. */
export function isConsecutive(records: readonly DecodedRecord[], span: number): boolean {
  const steps = records.slice(1).map(({ number }, at) => {
    return modulo(number! - records[at]!.number!, span);
  });
  return steps.every((step) => step === 1) || steps.every((step) => step === span - 1);
}

/** The same record, said again. */
export function withoutRepetitions(records: readonly TimedRecord[]): readonly TimedRecord[] {
  const seen = new Set<string>();
  return records.filter(({ time, record }) => {
    const key = JSON.stringify([time, record.values]);
    if (seen.has(key)) return false;
    seen.add(key);
    return true;
  });
}
