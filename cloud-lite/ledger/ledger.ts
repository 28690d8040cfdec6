// The ledger: what is covered, void and missing, per stream. One multirange per stream and kind, merged
// in SQL; the gap list is a generated column of the same row, so it can never disagree with them.
import { HoldfastError } from '../../kernel/errors.ts';
import type { Session } from '../database/database.ts';
import { formatMultirange } from '../database/multirange.ts';
import type { ResolvedArrival } from './arrival.ts';
import { allVoids, emptyChange, fold, type StreamChange } from './fold.ts';
import { type Assembled, assemble, dropCoveredParts, storeParts } from './parts.ts';

/**
 * Adds `arrivals`, in their order, to the ledger. Runs in the caller's transaction, which must hold the
 * partition's checkpoint row locked, so that nobody else adds arrivals of the same devices meanwhile.
 * @param now wall clock, epoch ms.
 * @param partitionId where they came from.
 * @throws HoldfastError `ledger-stream-gone` (retryable) when a stream was deleted since it was resolved.
 */
export async function applyArrivals(
  session: Session,
  arrivals: readonly ResolvedArrival[],
  now: number,
  partitionId: string,
): Promise<void> {
  if (arrivals.length === 0) return;
  const assembled = await assemble(session, arrivals);
  const changes = withHeld(fold(assembled.inputs), assembled.held);
  await mergeChanges(session, changes, now, partitionId);
  await mergeVoidReasons(session, changes);
  await storeParts(session, assembled.sets, now);
  await dropCoveredParts(
    session,
    changes.map((change) => change.streamId),
  );
}

function withHeld(changes: readonly StreamChange[], held: Assembled['held']): readonly StreamChange[] {
  if (held.length === 0) return changes;
  const byStream = new Map(changes.map((change) => [change.streamId, change]));
  for (const { streamId, duplicate, readings, isBackfill } of held) {
    const change = byStream.get(streamId) ?? emptyChange(streamId);
    byStream.set(streamId, change);
    change.messages++;
    if (duplicate) change.duplicates++;
    change.heldReadings += readings;
    change.hasBackfill ||= isBackfill;
  }
  return [...byStream.values()].sort((a, b) => a.streamId - b.streamId);
}

async function mergeChanges(
  session: Session,
  changes: readonly StreamChange[],
  now: number,
  partitionId: string,
): Promise<void> {
  const updated = await session.query(
    `update stream s set
       covered = s.covered + d.covered,
       backfilled = s.backfilled + (d.backfilled - s.covered),
       voided = s.voided + d.voided,
       messages = s.messages + d.messages,
       (duplicates, readings) = (
         select s.duplicates + d.duplicates + count(*) filter (where known),
                s.readings + d.held_readings + coalesce(sum(f.readings) filter (where not known), 0)::int8
           from (select u.readings,
                        u.coverage::int8multirange <@
                          case when u.is_void then s.covered + s.voided else s.covered end as known
                   from unnest(d.fragments::text[], d.fragment_readings::int8[], d.fragment_voids::bool[])
                        as u(coverage, readings, is_void)) f),
       last_arrival_at = greatest(s.last_arrival_at, $9::int8),
       partition_id = $13,
       last_backfill_at = case when d.has_backfill then $9::int8 else s.last_backfill_at end
     from (select id, covered::int8multirange, backfilled::int8multirange, voided::int8multirange,
                  messages, duplicates, held_readings, has_backfill, fragments, fragment_readings, fragment_voids
             from unnest($1::int8[], $2::text[], $3::text[], $4::text[], $5::int8[], $6::int8[], $7::int8[],
                         $8::bool[], $10::text[], $11::text[], $12::text[])
               as t(id, covered, backfilled, voided, messages, duplicates, held_readings, has_backfill,
                    fragments, fragment_readings, fragment_voids)) d
     where s.id = d.id
     returning s.id`,
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
    ],
  );
  if (updated.length !== changes.length) {
    throw new HoldfastError('ledger-stream-gone', 'a stream was deleted while its messages arrived', {
      retryable: true,
    });
  }
}

// A PostgreSQL array as text: arrays of arrays cannot be passed otherwise when their lengths differ.
const arrayText = (items: readonly string[]) => `{${items.join(',')}}`;

async function mergeVoidReasons(session: Session, changes: readonly StreamChange[]): Promise<void> {
  const rows = changes.flatMap((change) =>
    [...change.voids].map(([reason, coverage]) => ({ id: change.streamId, reason, coverage })),
  );
  if (rows.length === 0) return;
  await session.query(
    `insert into void_range as v (stream_id, reason, ranges)
     select id, reason, ranges::int8multirange from unnest($1::int8[], $2::text[], $3::text[]) as t(id, reason, ranges)
     on conflict (stream_id, reason) do update set ranges = v.ranges + excluded.ranges`,
    [
      rows.map((row) => row.id),
      rows.map((row) => row.reason),
      rows.map((row) => formatMultirange(row.coverage)),
    ],
  );
}
