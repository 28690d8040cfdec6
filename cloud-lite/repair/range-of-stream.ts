// What gaps and requests have in common: a range of a stream, and the part of it that is missing.
import type { IndexKind } from '../../wire/window.ts';
import { parseMultirange, parseRange } from '../database/multirange.ts';
import { type Pair, pairs } from '../ledger/ranges.ts';

export interface RangeOfStream {
  readonly streamId: number;
  readonly deviceId: string;
  readonly moduleId: string;
  readonly batchId: string;
  readonly index: IndexKind;
  /** Not null: a range of numbers of the stream's late windows, of this series; `streamId` is that of the count. */
  readonly lateSeries: string | null;
  readonly start: number;
  readonly end: number;
}

export interface RangeRow {
  readonly stream_id: number;
  readonly device_id: string;
  readonly module_id: string;
  readonly batch_id: string;
  readonly index_kind: IndexKind;
  readonly late_series: string | null;
  readonly range: string;
}

/**
 * SQL: the part of `ranges`, an expression over the segments `s` of a stream, that lies in the range of a row of `table`,
 * which has the columns `stream_id` and `range`.
 */
export const rangesOf = (ranges: string, table: string) => `
  (int8multirange(${table}.range) * coalesce((
     select range_agg(${ranges}) from stream_segment s
      where s.stream_id = ${table}.stream_id and s.low < upper(${table}.range) and s.high > lower(${table}.range)), '{}'))`;

/** SQL: what is missing of the range of a row, inside of the stream's span. */
export const missingOf = (table: string) => rangesOf('s.missing', table);

/** SQL: what of the range of a row is neither there nor excused, beyond the stream's span too. */
export const lackingOf = (table: string) =>
  `(int8multirange(${table}.range) - ${rangesOf('s.covered + s.voided + s.waived', table)})`;

/** What of a range is lost for good, by reason: of a void, or `waived`. Two reasons may hold for one position, and `lostLength` counts it once. */
export interface LostOf {
  readonly lost: readonly { readonly reason: string; readonly length: number }[];
  /** Milliseconds, or records. */
  readonly lostLength: number;
}

export interface LostRow {
  readonly lost: LostOf['lost'];
  readonly lost_length: number;
}

/** SQL: columns of a LostRow, of a table as `rangesOf` has it. */
export const lostColumns = (table: string) => `
  coalesce((
    select jsonb_agg(jsonb_build_object('reason', reason, 'length', length) order by reason) from (
      select v.reason, sum(length_of(int8multirange(${table}.range) * (v.ranges - sg.covered)))::int8 as length
        from void_range v join stream_segment sg on (sg.stream_id, sg.segment_id) = (v.stream_id, v.segment_id)
       where v.stream_id = ${table}.stream_id and sg.low < upper(${table}.range) and sg.high > lower(${table}.range)
       group by v.reason
       union all
      select 'waived', sum(length_of(int8multirange(${table}.range) * (sg.waived - sg.covered)))::int8
        from stream_segment sg
       where sg.stream_id = ${table}.stream_id and sg.low < upper(${table}.range) and sg.high > lower(${table}.range)) each
     where length > 0), '[]') as lost,
  length_of(${rangesOf('s.voided + s.waived - s.covered', table)})::int8 as lost_length`;

/** Columns of a RangeRow, of a table with `range` and of the stream `s`. */
export const rangeColumns = (table: string) =>
  `s.id as stream_id, s.device_id, s.module_id, s.batch_id, s.index_kind, s.late_series, ${table}.range::text as range`;

export function rangeOfStream(row: RangeRow): RangeOfStream {
  const { start, end } = parseRange(row.range)!;
  return {
    streamId: row.stream_id,
    deviceId: row.device_id,
    moduleId: row.module_id,
    batchId: row.batch_id,
    index: row.index_kind,
    lateSeries: row.late_series,
    start,
    end,
  };
}

/** Pieces shown of what is left of a range: lists hold up to a thousand ranges. */
const maxPieces = 100;

/** The missing part of a range: its oldest pieces, and the number of positions of all pieces. */
export interface Left {
  readonly pieces: readonly Pair[];
  /** The length of all pieces, also of those that are not listed: milliseconds, or records. */
  readonly length: number;
}

export function leftOf(multirange: string): Left {
  const windows = parseMultirange(multirange);
  return {
    pieces: pairs(windows.slice(0, maxPieces)),
    length: windows.reduce((sum, { start, end }) => sum + end - start, 0),
  };
}
