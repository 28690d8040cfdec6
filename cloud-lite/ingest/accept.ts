// Lets a person accept a range of a stream that no correct clock or counter would claim. Messages within it that were set
// aside and are still kept are ingested now, and later ones within it are believed.
import { covers, union } from '../../wire/coverage.ts';
import { asRecord } from '../../wire/fields.ts';
import type { Window } from '../../wire/window.ts';
import type { Database, Session } from '../database/database.ts';
import { formatMultirange, parseMultirange } from '../database/multirange.ts';
import type { ResolvedArrival } from '../ledger/arrival.ts';
import { noteOfStream } from '../ledger/audit.ts';
import { applyArrivals } from '../ledger/ledger.ts';
import { createStreamRegistry } from '../ledger/stream-registry.ts';
import { type ActionResult, act, type NotTaken } from '../repair/person.ts';
import { classify } from './classify.ts';
import { implausibleReasons } from './plausible.ts';

interface KeptRow {
  readonly id: number;
  readonly partition_id: string;
  readonly sequence_number: number;
  readonly enqueued_at: number;
  readonly device_id: string;
  readonly module_id: string | null;
  /** JSON, as it was kept for people to look at: cut where it was long. */
  readonly properties: string;
}

/** `ranges` of the result: the parts that were not accepted before. */
export async function acceptRange(
  database: Database,
  streamId: number,
  range: Window,
  reason: string,
  now: number,
): Promise<ActionResult> {
  return act(database, async (session) => {
    // In the order in which ingest locks: first the partitions, then the stream.
    const kept = await readKept(session, streamId);
    const partitions = [...new Set(kept.map((row) => row.partition_id))];
    await session.query(
      'select from checkpoint where partition_id = any($1) order by partition_id for update',
      [partitions],
    );
    const [stream] = await session.query<{ accepted: string }>(
      'select accepted::text from stream where id = $1 for update',
      [streamId],
    );
    if (stream === undefined) return { kind: 'not-found' };
    const before = parseMultirange(stream.accepted);
    if (covers(before, range)) return { kind: 'conflict', why: 'all of this range is accepted already' };
    const accepted = union(before, [range]);
    await session.query('update stream set accepted = $2::int8multirange, is_placed = true where id = $1', [
      streamId,
      formatMultirange(accepted),
    ]);
    const taken = await takeKept(session, kept, accepted, now);
    const notTaken = notTakenOf(kept);
    const left = notTaken === undefined ? '' : `, ${notTaken.messages} not: ${notTaken.why}`;
    const cause = `${formatMultirange([range])}: ${reason}; ${taken} messages taken${left}`;
    await noteOfStream(session, streamId, 'accepted', cause, now);
    // What is not taken stays shown, with its stream.
    if (notTaken !== undefined) return { kind: 'done', requestIds: [], ranges: [range], notTaken };
    await session.query('delete from set_aside_source where stream_id = $1 and reason = any($2)', [
      streamId,
      implausibleReasons,
    ]);
    return { kind: 'done', requestIds: [], ranges: [range] };
  });
}

/** Messages whose window is not known any more: they may lie in the range. */
function notTakenOf(kept: readonly KeptRow[]): NotTaken | undefined {
  const messages = kept.filter((row) => parseObject(row.properties) === undefined).length;
  if (messages === 0) return undefined;
  const why =
    'their properties are longer than what is kept of a message (4,096 characters), so where they lie is not known; what comes for the range from now on is believed, and what is missing of it is asked for';
  return { messages, why };
}

function readKept(session: Session, streamId: number): Promise<readonly KeptRow[]> {
  return session.query<KeptRow>(
    `select id, partition_id, sequence_number, enqueued_at, device_id, module_id, properties from set_aside
      where stream_id = $1 and reason = any($2) order by id`,
    [streamId, implausibleReasons],
  );
}

/** Ingests the kept messages that lie in the accepted range. Returns how many. */
async function takeKept(
  session: Session,
  kept: readonly KeptRow[],
  accepted: readonly Window[],
  now: number,
): Promise<number> {
  const taken = kept.flatMap((row) => acceptedArrival(row, accepted).map((arrival) => ({ row, arrival })));
  const known = await createStreamRegistry(session).resolve(
    taken.map(({ arrival }) => arrival),
    now,
  );
  for (const partitionId of new Set(taken.map(({ row }) => row.partition_id))) {
    const resolved = taken
      .filter(({ row }) => row.partition_id === partitionId)
      .map(({ arrival }): ResolvedArrival => {
        const countId = known.countOf(arrival);
        return { ...arrival, streamId: known.of(arrival).id, ...(countId === undefined ? {} : { countId }) };
      });
    await applyArrivals(session, resolved, now, partitionId);
  }
  await session.query('delete from set_aside where id = any($1::int8[])', [taken.map(({ row }) => row.id)]);
  return taken.length;
}

function acceptedArrival(row: KeptRow, accepted: readonly Window[]) {
  const properties = parseObject(row.properties);
  if (properties === undefined) return [];
  const item = classify({
    sequenceNumber: row.sequence_number,
    offset: '',
    enqueuedAt: row.enqueued_at,
    properties,
    annotations: {
      'iothub-connection-device-id': row.device_id,
      ...(row.module_id === null ? {} : { 'iothub-connection-module-id': row.module_id }),
    },
  });
  if (item.kind === 'aside') return [];
  // What it says of late windows is judged by itself, by the next message that says it.
  const { lateThrough: _, ...arrival } = item.arrival;
  const { content } = arrival;
  const window =
    content.kind === 'batch' || content.kind === 'void'
      ? content.window
      : content.kind === 'late'
        ? { start: content.late.number, end: content.late.number + 1 }
        : { start: content.late.first, end: content.late.last + 1 };
  return covers(accepted, window) ? [arrival] : [];
}

function parseObject(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    return asRecord(JSON.parse(text));
  } catch {
    return undefined;
  }
}
