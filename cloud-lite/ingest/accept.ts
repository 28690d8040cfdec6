// Lets a person accept a range of a stream that no correct clock or counter would claim. Messages within it that were set
// aside and are still kept are ingested now, and later ones within it are believed.
import { type Coverage, covers, union } from '../../wire/coverage.ts';
import { asRecord } from '../../wire/fields.ts';
import { hull, type IndexKind, overlaps, type Window } from '../../wire/window.ts';
import type { Database, Session } from '../database/database.ts';
import { formatMultirange, parseMultirange, parseRange } from '../database/multirange.ts';
import { beginEarlier } from '../ledger/archive.ts';
import type { Arrival, ResolvedArrival } from '../ledger/arrival.ts';
import { noteOfStream } from '../ledger/audit.ts';
import { applyArrivals } from '../ledger/ledger.ts';
import { moveStreams } from '../ledger/reach.ts';
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
  readonly reason: string;
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
    const [stream] = await session.query<StreamRow>(
      `select accepted::text, span::text, is_placed, case when messages > 0 then index_kind end as index
         from stream where id = $1 for update`,
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
    const taken = kept.flatMap((row) => acceptedArrival(row, accepted, stream.index));
    await moveIfElsewhere(session, streamId, stream, taken, now);
    await takeKept(session, taken, now);
    await beginAtAccepted(session, streamId, accepted);
    const dropped = await settleSources(session, streamId, kept, taken);
    const notTaken = notTakenOf(kept, dropped);
    const left = notTaken === undefined ? '' : `, ${notTaken.messages} not: ${notTaken.why}`;
    const cause = `${formatMultirange([range])}: ${reason}; ${taken.length} messages taken${left}`;
    await noteOfStream(session, streamId, 'accepted', cause, now);
    return { kind: 'done', requestIds: [], ranges: [range], ...(notTaken && { notTaken }) };
  });
}

interface StreamRow {
  readonly accepted: string;
  readonly span: string;
  readonly is_placed: boolean;
  /** Null where no message was accepted before. */
  readonly index: IndexKind | null;
}

interface Taken {
  readonly row: KeptRow;
  readonly arrival: Arrival;
  readonly window: Window;
}

/** A first message that nothing bore out counts less than a person who says that the stream is elsewhere. */
async function moveIfElsewhere(
  session: Session,
  streamId: number,
  stream: StreamRow,
  taken: readonly Taken[],
  now: number,
): Promise<void> {
  const span = parseRange(stream.span);
  const claims = taken.filter(({ arrival }) => 'window' in arrival.content).map(({ window }) => window);
  if (claims.length === 0 || span === undefined || stream.is_placed || stream.index === 'time') return;
  const place = claims.reduce(hull);
  if (!overlaps(place, span))
    await moveStreams(session, new Map([[streamId, place]]), 'a person accepted', now);
}

/** Where the accepted range reaches back to where the stream says that it began, all of it from there on is asked for. */
async function beginAtAccepted(session: Session, streamId: number, accepted: Coverage): Promise<void> {
  const [row] = await session.query<{ span: string; said_start: number | null }>(
    'select span::text, said_start from stream where id = $1',
    [streamId],
  );
  const span = parseRange(row!.span);
  const start = row!.said_start;
  if (start === null || span === undefined || start >= span.start) return;
  const before = { start, end: span.start };
  if (!covers(accepted, before)) return;
  await beginEarlier(session, streamId, before);
  await session.query('update stream set said_start = null where id = $1', [streamId]);
  await session.query(`delete from set_aside where stream_id = $1 and reason = 'implausible-start'`, [
    streamId,
  ]);
  await session.query(`delete from set_aside_source where stream_id = $1 and reason = 'implausible-start'`, [
    streamId,
  ]);
}

/**
 * Counts what was taken off the messages that are set aside of the stream. What is left stays shown. Returns how many of
 * them are counted alone, since more came than are kept.
 */
async function settleSources(
  session: Session,
  streamId: number,
  kept: readonly KeptRow[],
  taken: readonly Taken[],
): Promise<number> {
  const sources = await session.query<{ reason: string; messages: number }>(
    'select reason, messages from set_aside_source where stream_id = $1 and reason = any($2)',
    [streamId, implausibleReasons],
  );
  const left = sources.map(({ reason, messages }) => {
    const held = kept.filter((row) => row.reason === reason).length;
    const took = taken.filter(({ row }) => row.reason === reason).length;
    const dropped = Math.max(0, messages - held);
    return { reason, dropped, messages: dropped + held - took };
  });
  await session.query(
    `update set_aside_source a set messages = t.messages from unnest($2::text[], $3::int8[]) as t(reason, messages)
      where a.stream_id = $1 and a.reason = t.reason`,
    [streamId, left.map(({ reason }) => reason), left.map(({ messages }) => messages)],
  );
  await session.query(
    'delete from set_aside_source where stream_id = $1 and reason = any($2) and messages <= 0',
    [streamId, implausibleReasons],
  );
  return left.reduce((sum, { dropped }) => sum + dropped, 0);
}

/** Messages of which it is not known any more where they lie: it may be in the range. */
function notTakenOf(kept: readonly KeptRow[], dropped: number): NotTaken | undefined {
  const long = kept.filter((row) => parseObject(row.properties) === undefined).length;
  if (long + dropped === 0) return undefined;
  const whys = [
    ...(long > 0 ? ['their properties are longer than what is kept of a message (4,096 characters)'] : []),
    ...(dropped > 0 ? ['more came than are kept (the newest 1,000 of all)'] : []),
  ];
  const why = `${whys.join(', or ')}, so where they lie is not known; what comes for the range from now on is believed, and what is missing of it is asked for`;
  return { messages: long + dropped, why };
}

function readKept(session: Session, streamId: number): Promise<readonly KeptRow[]> {
  return session.query<KeptRow>(
    `select id, partition_id, sequence_number, enqueued_at, device_id, module_id, reason, properties from set_aside
      where stream_id = $1 and reason = any($2) order by id`,
    [streamId, implausibleReasons],
  );
}

/** Ingests them. */
async function takeKept(session: Session, taken: readonly Taken[], now: number): Promise<void> {
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
}

/** What is kept of a message, where it lies in the accepted range and counts as its stream does. */
function acceptedArrival(
  row: KeptRow,
  accepted: readonly Window[],
  index: IndexKind | null,
): readonly Taken[] {
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
  if (item.kind === 'aside' || (index !== null && item.arrival.index !== index)) return [];
  // What it says of late windows and of the stream's beginning is judged by itself, by the next message that says it.
  const { lateThrough: _, streamStart: __, ...arrival } = item.arrival;
  const { content } = arrival;
  const window =
    content.kind === 'batch' || content.kind === 'void'
      ? content.window
      : content.kind === 'late'
        ? { start: content.late.number, end: content.late.number + 1 }
        : { start: content.late.first, end: content.late.last + 1 };
  return covers(accepted, window) ? [{ row, arrival, window }] : [];
}

function parseObject(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    return asRecord(JSON.parse(text));
  } catch {
    return undefined;
  }
}
