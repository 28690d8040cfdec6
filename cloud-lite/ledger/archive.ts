// The archive of a stream's older ranges. It keeps the row that each message writes small, so that a message costs the same
// after ten years of breaks. This is the one file that knows where a stream's ranges lie: the stream row has all from
// `archived_until` on, the archive's rows have what is before, period by period. Archived rows still change: data for the
// past, such as backfill, is added to the row that it lies in, and gaps there are gaps like all others.
//
// All of it happens in the transaction that has written the stream row, and so holds its lock.
import { type Coverage, intersection, normalise } from '../../wire/coverage.ts';
import type { Window } from '../../wire/window.ts';
import type { Session } from '../database/database.ts';
import { formatMultirange, formatRange, parseMultirange } from '../database/multirange.ts';
import { allVoids, emptyChange, type StreamChange, spanText } from './fold.ts';
import { bytesPerRange, cutsOf, partOf, type SegmentLimits, type SegmentRanges } from './segment.ts';

/** The id of the segment that is the stream row itself. */
export const streamRow = 0;

export interface WrittenSegment {
  readonly streamId: number;
  readonly segmentId: number;
  /** Of its ranges. */
  readonly bytes: number;
}

/** SQL: what is covered of the segments of a stream that share a position with [start, end); arguments are SQL too. */
export const coveredWithin = (stream: string, start: string, end: string) =>
  `(select coalesce(range_agg(covered), '{}') from stream_segment
     where stream_id = ${stream} and low < ${end} and high > ${start})`;

/** Adds what lies before `archived_until`. @returns the rows that were written. */
export async function mergeArchived(
  session: Session,
  changes: readonly StreamChange[],
): Promise<readonly WrittenSegment[]> {
  if (changes.length === 0) return [];
  // The first row takes what lies before it too. What is compared is the row before the change, in all of it.
  const within = `int8multirange(int8range(case when a.low = f.low then null else a.low end, a.high))`;
  return session.query<WrittenSegment>(
    `update stream_archive a set
       low = case when a.low = f.low then least(a.low, lower(d.span)) else a.low end,
       covered = a.covered + (d.covered * ${within}),
       backfilled = a.backfilled + ((d.backfilled * ${within}) - a.covered),
       voided = a.voided + (d.voided * ${within})
      from (select id, covered::int8multirange, backfilled::int8multirange, voided::int8multirange, span::int8range
              from unnest($1::int8[], $2::text[], $3::text[], $4::text[], $5::text[])
                as t(id, covered, backfilled, voided, span)) d
      cross join lateral (select min(low) as low from stream_archive where stream_id = d.id) f
     where a.stream_id = d.id and a.high > lower(d.span) and (a.low < upper(d.span) or a.low = f.low)
     returning a.stream_id as "streamId", a.id as "segmentId",
               pg_column_size(a.covered) + pg_column_size(a.backfilled) + pg_column_size(a.voided)
                 + pg_column_size(a.waived) as bytes`,
    [
      changes.map((change) => change.streamId),
      changes.map((change) => formatMultirange(change.covered)),
      changes.map((change) => formatMultirange(change.backfilled)),
      changes.map((change) => formatMultirange(allVoids(change))),
      changes.map((change) => spanText(change)),
    ],
  );
}

/** The stream has had `before`, which ends where it began until now. The caller holds the stream row locked. */
export async function beginEarlier(session: Session, streamId: number, before: Window): Promise<void> {
  await session.query('update stream set span = range_merge(span, $2::int8range) where id = $1', [
    streamId,
    formatRange(before),
  ]);
  await mergeArchived(session, [{ ...emptyChange(streamId), claimed: [before] }]);
}

/**
 * Accepts ranges of a stream as lost, which are missing there. The caller holds the stream row locked. No segment gets
 * more ranges by it than it had holes, so that none need be cut.
 */
export async function mergeWaived(session: Session, streamId: number, ranges: Coverage): Promise<void> {
  const text = formatMultirange(ranges);
  await session.query(
    `update stream set waived = waived + ranges_from($2::int8multirange, archived_until) where id = $1`,
    [streamId, text],
  );
  await session.query(
    `update stream_archive set waived = waived + ($2::int8multirange * int8multirange(int8range(low, high)))
      where stream_id = $1 and low < upper($2::int8multirange) and high > lower($2::int8multirange)`,
    [streamId, text],
  );
}

/**
 * Takes back that ranges of a stream are void, for these reasons alone: they are missing again. The caller holds the
 * stream row locked. @returns what is so.
 */
export async function reopenVoids(
  session: Session,
  streamId: number,
  range: Window,
  reasons: readonly string[],
): Promise<Coverage> {
  const rows = await session.query<{ segment_id: number; ranges: string }>(
    `select segment_id, ranges::text from (
       select g.segment_id,
              (coalesce(range_agg(v.ranges) filter (where v.reason = any($3)), '{}') * $2::int8multirange) - g.covered
                - coalesce(range_agg(v.ranges) filter (where not v.reason = any($3)), '{}') as ranges
         from stream_segment g
         join void_range v on (v.stream_id, v.segment_id) = (g.stream_id, g.segment_id)
        where g.stream_id = $1 and g.low < upper($2::int8multirange) and g.high > lower($2::int8multirange)
        group by g.segment_id, g.covered) v
      where ranges <> '{}'`,
    [streamId, formatMultirange([range]), reasons],
  );
  if (rows.length === 0) return [];
  const segments = [rows.map((row) => row.segment_id), rows.map((row) => row.ranges)];
  const given = 'unnest($2::int8[], $3::text[]) as t(segment_id, ranges)';
  await session.query(
    `update stream s set voided = s.voided - t.ranges::int8multirange from ${given}
      where s.id = $1 and t.segment_id = ${streamRow}`,
    [streamId, ...segments],
  );
  await session.query(
    `update stream_archive a set voided = a.voided - t.ranges::int8multirange from ${given}
      where a.stream_id = $1 and a.id = t.segment_id`,
    [streamId, ...segments],
  );
  await session.query(
    `update void_range v set ranges = v.ranges - t.ranges::int8multirange from ${given}
      where v.stream_id = $1 and v.segment_id = t.segment_id`,
    [streamId, ...segments],
  );
  await session.query(`delete from void_range where stream_id = $1 and ranges = '{}'`, [streamId]);
  return normalise(rows.flatMap((row) => parseMultirange(row.ranges)));
}

interface SegmentRow {
  readonly streamId: number;
  readonly segmentId: number;
  readonly low: number;
  readonly covered: string;
  readonly backfilled: string;
  readonly voided: string;
  readonly waived: string;
  readonly voids: Readonly<Record<string, string>>;
}

/** A piece cut off a segment, from `low` to `high`, which becomes an archive row. */
interface Piece {
  readonly from: SegmentRow;
  readonly low: number;
  readonly high: number;
  readonly ranges: SegmentRanges;
  readonly voids: readonly (readonly [reason: string, ranges: Coverage])[];
}

/** Cuts the segments that have grown too large: the newest ranges stay, older ones become archive rows. */
export async function cutLarge(
  session: Session,
  written: readonly WrittenSegment[],
  limits: SegmentLimits,
): Promise<void> {
  const large = written.filter(({ bytes }) => bytes > bytesPerRange * limits.most);
  if (large.length === 0) return;
  const pieces = (await readSegments(session, large)).flatMap((row) => piecesOf(row, limits));
  if (pieces.length === 0) return;
  await keepRest(session, pieces);
  await addPieces(session, pieces);
}

function readSegments(session: Session, segments: readonly WrittenSegment[]): Promise<readonly SegmentRow[]> {
  return session.query<SegmentRow>(
    `select g.stream_id as "streamId", g.segment_id as "segmentId", g.low, g.covered::text, g.backfilled::text,
            g.voided::text, g.waived::text,
            coalesce((select jsonb_object_agg(v.reason, v.ranges::text) from void_range v
                       where v.stream_id = g.stream_id and v.segment_id = g.segment_id), '{}') as voids
       from unnest($1::int8[], $2::int8[]) as t(stream_id, segment_id)
      cross join lateral (select * from stream_segment
                           where stream_id = t.stream_id and segment_id = t.segment_id) g`,
    [segments.map(({ streamId }) => streamId), segments.map(({ segmentId }) => segmentId)],
  );
}

function piecesOf(row: SegmentRow, limits: SegmentLimits): readonly Piece[] {
  const ranges: SegmentRanges = {
    covered: parseMultirange(row.covered),
    backfilled: parseMultirange(row.backfilled),
    voided: parseMultirange(row.voided),
    waived: parseMultirange(row.waived),
  };
  const voids = Object.entries(row.voids).map(([reason, text]) => [reason, parseMultirange(text)] as const);
  return cutsOf(ranges, limits).map((high, i, cuts) => {
    const low = cuts[i - 1] ?? row.low;
    const within = [{ start: low, end: high }];
    return {
      from: row,
      low,
      high,
      ranges: partOf(ranges, low, high),
      voids: voids.map(([reason, coverage]) => [reason, intersection(coverage, within)] as const),
    };
  });
}

/** Keeps the rest in its row, which now begins at the last cut. */
async function keepRest(session: Session, pieces: readonly Piece[]): Promise<void> {
  const last = new Map(pieces.map((piece) => [piece.from, piece.high]));
  const rows = [...last].map(([{ streamId, segmentId }, cut]) => ({ streamId, segmentId, cut }));
  const params = (list: typeof rows) => [
    list.map(({ streamId }) => streamId),
    list.map(({ segmentId }) => segmentId),
    list.map(({ cut }) => cut),
  ];
  const cutOff = (table: string) => `
    covered = ranges_from(${table}.covered, t.cut), backfilled = ranges_from(${table}.backfilled, t.cut),
    voided = ranges_from(${table}.voided, t.cut), waived = ranges_from(${table}.waived, t.cut)
      from unnest($1::int8[], $2::int8[], $3::int8[]) as t(stream_id, segment_id, cut)`;
  const hot = rows.filter(({ segmentId }) => segmentId === streamRow);
  if (hot.length > 0) {
    await session.query(
      `update stream s set archived_until = t.cut, ${cutOff('s')} where s.id = t.stream_id`,
      params(hot),
    );
  }
  const cold = rows.filter(({ segmentId }) => segmentId !== streamRow);
  if (cold.length > 0) {
    await session.query(
      `update stream_archive a set low = t.cut, ${cutOff('a')} where a.id = t.segment_id`,
      params(cold),
    );
  }
  await session.query(
    `update void_range v set ranges = ranges_from(v.ranges, t.cut)
       from unnest($1::int8[], $2::int8[], $3::int8[]) as t(stream_id, segment_id, cut)
      where v.stream_id = t.stream_id and v.segment_id = t.segment_id`,
    params(rows),
  );
  await session.query(
    `delete from void_range v using unnest($1::int8[], $2::int8[]) as t(stream_id, segment_id)
      where v.stream_id = t.stream_id and v.segment_id = t.segment_id and v.ranges = '{}'`,
    params(rows).slice(0, 2),
  );
}

async function addPieces(session: Session, pieces: readonly Piece[]): Promise<void> {
  const texts = (kind: keyof SegmentRanges) => pieces.map(({ ranges }) => formatMultirange(ranges[kind]));
  const made = await session.query<{ id: number; stream_id: number; low: number }>(
    `insert into stream_archive (stream_id, low, high, covered, backfilled, voided, waived)
     select stream_id, low, high, covered::int8multirange, backfilled::int8multirange, voided::int8multirange,
            waived::int8multirange
       from unnest($1::int8[], $2::int8[], $3::int8[], $4::text[], $5::text[], $6::text[], $7::text[])
         as t(stream_id, low, high, covered, backfilled, voided, waived)
     returning id, stream_id, low`,
    [
      pieces.map(({ from }) => from.streamId),
      pieces.map(({ low }) => low),
      pieces.map(({ high }) => high),
      texts('covered'),
      texts('backfilled'),
      texts('voided'),
      texts('waived'),
    ],
  );
  const ids = new Map(made.map((row) => [`${row.stream_id} ${row.low}`, row.id]));
  const voids = pieces.flatMap(({ from, low, voids }) =>
    voids
      .filter(([, ranges]) => ranges.length > 0)
      .map(([reason, ranges]) => ({
        streamId: from.streamId,
        segmentId: ids.get(`${from.streamId} ${low}`)!,
        reason,
        ranges: formatMultirange(ranges),
      })),
  );
  if (voids.length === 0) return;
  await session.query(
    `insert into void_range (stream_id, segment_id, reason, ranges)
     select stream_id, segment_id, reason, ranges::int8multirange
       from unnest($1::int8[], $2::int8[], $3::text[], $4::text[]) as t(stream_id, segment_id, reason, ranges)`,
    [
      voids.map(({ streamId }) => streamId),
      voids.map(({ segmentId }) => segmentId),
      voids.map(({ reason }) => reason),
      voids.map(({ ranges }) => ranges),
    ],
  );
}
