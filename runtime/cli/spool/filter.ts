// Selects messages and readings by the options that a person gave.
import { HoldfastError } from '../../../kernel/errors.ts';
import { tryParseIndex } from '../../../wire/index-position.ts';
import type { IndexKind, Window } from '../../../wire/window.ts';

export const laneFilters = ['unsent', 'backfill', 'archive', 'refused'] as const;
/** `unsent` is live and backlog: on the disk they are one. */
export type LaneFilter = (typeof laneFilters)[number];

export interface Filter {
  readonly stream?: string;
  readonly lane?: LaneFilter;
  /** Per kind of index: half-open, open ends infinite; undefined where the text cannot mean that kind. */
  readonly range: Readonly<Record<IndexKind, Window | undefined>>;
}

export interface FilterOptions {
  readonly stream?: string;
  readonly from?: string;
  readonly to?: string;
  readonly lane?: string;
}

/**
 * `known`: the spool's streams, with how each is ordered.
 * @throws HoldfastError `spool-bad-arguments` that says what to write instead.
 */
export function parseFilter(options: FilterOptions, known: ReadonlyMap<string, IndexKind>): Filter {
  const { stream, lane } = options;
  if (stream !== undefined && !known.has(stream)) {
    const names = [...known.keys()];
    const list = names.length === 0 ? 'it knows none' : `it knows ${names.slice(0, 20).join(', ')}`;
    throw bad(`--stream: the spool has no stream '${stream}'; ${list}${names.length > 20 ? ', ...' : ''}`);
  }
  if (lane !== undefined && !laneFilters.includes(lane as LaneFilter)) {
    throw bad(`--lane: '${lane}' is none of ${laneFilters.join(', ')} (live and backlog are both unsent)`);
  }
  const range = { time: rangeOf('time', options), sequence: rangeOf('sequence', options) };
  const kind = stream === undefined ? undefined : known.get(stream)!;
  if (kind !== undefined ? range[kind] === undefined : Object.values(range).every((r) => r === undefined)) {
    throw bad(badRange(options, kind));
  }
  return {
    range,
    ...(stream === undefined ? {} : { stream }),
    ...(lane === undefined ? {} : { lane: lane as LaneFilter }),
  };
}

/** True when something of the window may be asked for. */
export function wantsWindow(filter: Filter, stream: string, kind: IndexKind, window: Window): boolean {
  if (filter.stream !== undefined && filter.stream !== stream) return false;
  const range = filter.range[kind];
  return range !== undefined && window.start < range.end && range.start < window.end;
}

export function wantsIndex(filter: Filter, kind: IndexKind, index: number): boolean {
  const range = filter.range[kind];
  return range !== undefined && range.start <= index && index < range.end;
}

function rangeOf(kind: IndexKind, { from, to }: FilterOptions): Window | undefined {
  const start = from === undefined ? Number.NEGATIVE_INFINITY : tryParseIndex(kind, withTime(from), 'up');
  const end = to === undefined ? Number.POSITIVE_INFINITY : tryParseIndex(kind, withTime(to), 'up');
  return start === undefined || end === undefined || start >= end ? undefined : { start, end };
}

/** A date alone is its midnight, UTC. */
function withTime(text: string): string {
  return /^\d{4}-\d\d-\d\d$/.test(text) ? `${text}T00:00Z` : text;
}

function badRange({ from, to }: FilterOptions, kind: IndexKind | undefined): string {
  const form =
    kind === 'sequence'
      ? 'this stream is ordered by record number: write a whole number'
      : 'write UTC as 2026-11-21T22:20:00Z or 2026-11-21, or epoch milliseconds';
  const readable = (text: string | undefined) =>
    text === undefined ||
    (kind === undefined ? (['time', 'sequence'] as const) : [kind]).some(
      (one) => tryParseIndex(one, withTime(text)) !== undefined,
    );
  if (!readable(from)) return `--from: '${from}' is no place in a stream; ${form}`;
  if (!readable(to)) return `--to: '${to}' is no place in a stream; ${form}`;
  return `--from and --to: ${from} is not before ${to}, and --to itself is not included`;
}

function bad(message: string): HoldfastError {
  return new HoldfastError('spool-bad-arguments', message);
}
