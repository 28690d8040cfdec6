// The ledger: what is covered, void and missing, per stream. One multirange per kind and segment of a stream
// (segment.ts), merged in SQL; the gap list is a generated column of the same row, so it can never disagree with them.
import { type Coverage, union } from '../../wire/coverage.ts';
import type { Session } from '../database/database.ts';
import { formatMultirange } from '../database/multirange.ts';
import { cutLarge, mergeArchived, streamRow } from './archive.ts';
import type { ResolvedArrival } from './arrival.ts';
import { type Entries, entriesOf } from './entries.ts';
import { allVoids, emptyChange, fold, type StreamChange, spanText } from './fold.ts';
import { type Assembled, assemble, dropCoveredParts, storeParts } from './parts.ts';
import { type SegmentLimits, segmentLimits } from './segment.ts';
import { streamGone } from './stream-registry.ts';

/**
 * Adds `arrivals`, in their order, to the ledger. Runs in the caller's transaction, which must hold the
 * partition's checkpoint row locked, so that nobody else adds arrivals of the same devices meanwhile.
 * @param now wall clock, epoch ms.
 * @param partitionId where they came from.
 * @param limits tests have smaller ones.
 * @throws HoldfastError `ledger-stream-gone` (retryable) when a stream was deleted since it was resolved.
 */
export async function applyArrivals(
  session: Session,
  arrivals: readonly ResolvedArrival[],
  now: number,
  partitionId: string,
  limits: SegmentLimits = segmentLimits,
): Promise<void> {
  if (arrivals.length === 0) return;
  const { entries, heard, counted, begun } = entriesOf(arrivals);
  const assembled = await assemble(session, entries);
  const known = await newlyCounted(session, counted);
  const changes = withoutClaims(fold(assembled.inputs), {
    held: assembled.held,
    heard,
    expected: [...known, ...begun],
  });
  const written = await mergeChanges(session, changes, now, partitionId);
  const past = new Set(written.filter(({ reachesBack }) => reachesBack).map(({ id }) => id));
  const archived = await mergeArchived(
    session,
    changes.filter(({ streamId }) => past.has(streamId)),
  );
  await mergeVoidReasons(session, changes);
  const rows = [
    ...written.map(({ id, bytes }) => ({ streamId: id, segmentId: streamRow, bytes })),
    ...archived,
  ];
  await cutLarge(session, rows, limits);
  await storeParts(session, assembled.sets, now);
  await dropCoveredParts(session, changes);
}

/** Of the numbers that are said to have been given out, what no count's span has yet: it is said with every message. */
async function newlyCounted(session: Session, counted: Entries['counted']): Promise<Entries['counted']> {
  if (counted.size === 0) return counted;
  const rows = await session.query<{ id: number }>(
    `select t.id from unnest($1::int8[], $2::text[]) as t(id, ranges) left join stream s on s.id = t.id
      where s.id is null or not t.ranges::int8multirange <@ int8multirange(s.span)`,
    [[...counted.keys()], [...counted.values()].map(formatMultirange)],
  );
  return new Map(rows.map(({ id }) => [id, counted.get(id)!]));
}

/** Adds arrivals that cover nothing: parts that wait, messages of late windows, and positions that are known to exist. */
function withoutClaims(
  changes: readonly StreamChange[],
  {
    held,
    heard,
    expected,
  }: Pick<Entries, 'heard'> &
    Pick<Assembled, 'held'> & { readonly expected: readonly (readonly [id: number, positions: Coverage])[] },
): readonly StreamChange[] {
  if (held.length + heard.length + expected.length === 0) return changes;
  const byStream = new Map(changes.map((change) => [change.streamId, change]));
  const changeOf = (streamId: number) => {
    const change = byStream.get(streamId) ?? emptyChange(streamId);
    byStream.set(streamId, change);
    return change;
  };
  for (const { streamId, window, duplicate, readings, isBackfill, heardAt } of held) {
    const change = changeOf(streamId);
    change.messages++;
    if (duplicate) change.duplicates++;
    change.heldReadings += readings;
    change.hasBackfill ||= isBackfill;
    change.heardAt = Math.max(change.heardAt, heardAt);
    change.claimed = union(change.claimed, [window]);
  }
  for (const { streamId, isBackfill, heardAt } of heard) {
    const change = changeOf(streamId);
    change.messages++;
    change.hasBackfill ||= isBackfill;
    change.heardAt = Math.max(change.heardAt, heardAt);
  }
  for (const [streamId, positions] of expected) {
    const change = changeOf(streamId);
    change.claimed = union(change.claimed, positions);
  }
  return [...byStream.values()].sort((a, b) => a.streamId - b.streamId);
}

interface Written {
  readonly id: number;
  /** Of its own row's ranges. */
  readonly bytes: number;
  /** Some of the change lies in the archive. */
  readonly reachesBack: boolean;
}

/** Adds the changes to the streams' own rows; rejects unless all are there. */
async function mergeChanges(
  session: Session,
  changes: readonly StreamChange[],
  now: number,
  partitionId: string,
): Promise<readonly Written[]> {
  const updated = await session.query<Written>(
    `update stream s set
       span = range_merge(s.span, d.span),
       covered = s.covered + ranges_from(d.covered, s.archived_until),
       backfilled = s.backfilled + (ranges_from(d.backfilled, s.archived_until) - s.covered),
       voided = s.voided + ranges_from(d.voided, s.archived_until),
       newest = greatest(s.newest, upper(d.covered)),
       messages = s.messages + d.messages,
       (duplicates, readings) = (
         select s.duplicates + d.duplicates + count(*) filter (where known),
                s.readings + d.held_readings + coalesce(sum(f.readings) filter (where not known), 0)::int8
           from (select u.readings,
                        u.coverage::int8multirange <@
                          case when u.is_void then k.covered + k.voided else k.covered end as known
                   from (select s.covered + coalesce(range_agg(a.covered), '{}') as covered,
                                s.voided + coalesce(range_agg(a.voided), '{}') as voided
                           from stream_archive a
                          where a.stream_id = s.id and lower(d.span) < s.archived_until
                            and a.low < upper(d.span) and a.high > lower(d.span)) k,
                        unnest(d.fragments::text[], d.fragment_readings::int8[], d.fragment_voids::bool[])
                          as u(coverage, readings, is_void)) f),
       last_arrival_at = greatest(s.last_arrival_at, $9::int8),
       heard_at = greatest(s.heard_at, least(d.heard_at, $9::int8)),
       partition_id = $13,
       last_backfill_at = case when d.has_backfill then $9::int8 else s.last_backfill_at end
     from (select id, covered::int8multirange, backfilled::int8multirange, voided::int8multirange,
                  messages, duplicates, held_readings, has_backfill, fragments, fragment_readings, fragment_voids,
                  span::int8range, heard_at
             from unnest($1::int8[], $2::text[], $3::text[], $4::text[], $5::int8[], $6::int8[], $7::int8[],
                         $8::bool[], $10::text[], $11::text[], $12::text[], $14::text[], $15::int8[])
               as t(id, covered, backfilled, voided, messages, duplicates, held_readings, has_backfill,
                    fragments, fragment_readings, fragment_voids, span, heard_at)) d
     where s.id = d.id
     returning s.id, coalesce(lower(d.span) < s.archived_until, false) as "reachesBack",
               pg_column_size(s.covered) + pg_column_size(s.backfilled) + pg_column_size(s.voided)
                 + pg_column_size(s.waived) as bytes`,
    [
      changes.map((change) => change.streamId),
      changes.map((change) => formatMultirange(change.covered)),
      changes.map((change) => formatMultirange(change.backfilled)),
      changes.map((change) => formatMultirange(allVoids(change))),
      changes.map((change) => change.messages),
      changes.map((change) => change.duplicates),
      changes.map((change) => change.heldReadings),
      changes.map((change) => change.hasBackfill),
      now,
      changes.map((change) => arrayText(change.fragments.map((f) => `"${formatMultirange(f.coverage)}"`))),
      changes.map((change) => arrayText(change.fragments.map((f) => String(f.readings)))),
      changes.map((change) => arrayText(change.fragments.map((f) => (f.isVoid ? 't' : 'f')))),
      partitionId,
      changes.map((change) => spanText(change)),
      changes.map(({ heardAt }) => heardAt),
    ],
  );
  if (updated.length !== changes.length) throw streamGone();
  return updated;
}

// A PostgreSQL array as text: arrays of arrays cannot be passed otherwise when their lengths differ.
const arrayText = (items: readonly string[]) => `{${items.join(',')}}`;

async function mergeVoidReasons(session: Session, changes: readonly StreamChange[]): Promise<void> {
  const rows = changes.flatMap((change) =>
    [...change.voids].map(([reason, coverage]) => ({ id: change.streamId, reason, coverage })),
  );
  if (rows.length === 0) return;
  await session.query(
    `insert into void_range as v (stream_id, segment_id, reason, ranges)
     select t.id, g.segment_id, t.reason, g.ranges
       from unnest($1::int8[], $2::text[], $3::text[]) as t(id, reason, ranges)
      cross join lateral (
        select segment_id, t.ranges::int8multirange * int8multirange(int8range(low, high)) as ranges
          from stream_segment where stream_id = t.id
           and low < upper(t.ranges::int8multirange) and high > lower(t.ranges::int8multirange)) g
      where g.ranges <> '{}'
     on conflict (stream_id, segment_id, reason) do update set ranges = v.ranges + excluded.ranges`,
    [
      rows.map((row) => row.id),
      rows.map((row) => row.reason),
      rows.map((row) => formatMultirange(row.coverage)),
    ],
  );
}
