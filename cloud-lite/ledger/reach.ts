// How far each stream reaches: what decides whether a message is plausible.
import { type Coverage, covers } from '../../wire/coverage.ts';
import { hull, type IndexKind, type Window } from '../../wire/window.ts';
import type { Session } from '../database/database.ts';
import { formatRange, parseMultirange, parseRange } from '../database/multirange.ts';
import { raiseAlerts } from '../health/alerts.ts';
import { noteOfStream } from './audit.ts';
import { streamGone } from './stream-registry.ts';
import { rangeWords } from './words.ts';

/** What the ledger knows of a stream, or of a count of late windows. */
export interface Reach {
  /** Undefined before anything is known. */
  readonly span: Window | undefined;
  /** Ranges that a person has accepted. */
  readonly accepted: Coverage;
  /** When the stream was first and last heard of. UTC epoch ms. */
  readonly since: number;
  readonly until: number;
  /** Records that its pace explains, up to `until`, and that have not come (ingest/pace.ts). */
  readonly owed: number;
  /** Positions of its way that nothing explains, as they were at `leaptAt`, UTC epoch ms (ingest/pace.ts). */
  readonly leapt: number;
  readonly leaptAt: number;
  /** A second message bore out where it is. */
  readonly isPlaced: boolean;
  /** Before that: what another message claims, far from there. */
  readonly rival: Window | undefined;
  /** Where it says that it began, where that was not believed. */
  readonly saidStart: number | undefined;
  /** The index of the stream, by its first accepted message; undefined before that. */
  readonly index: IndexKind | undefined;
}

/** Of a stream or count of which nothing is known. */
export const noReach = (now: number): Reach => ({
  span: undefined,
  accepted: [],
  since: now,
  until: now,
  owed: 0,
  leapt: 0,
  leaptAt: now,
  isPlaced: false,
  rival: undefined,
  saidStart: undefined,
  index: undefined,
});

/**
 * By id. Whoever holds a partition's checkpoint locked has the streams as they are: housekeeping waits for it.
 * @throws HoldfastError `ledger-stream-gone` (retryable) when one was deleted since it was resolved.
 */
export async function readReach(session: Session, ids: readonly number[]): Promise<Map<number, Reach>> {
  if (ids.length === 0) return new Map();
  const wanted = [...new Set(ids)];
  const rows = await session.query<{
    id: number;
    span: string;
    accepted: string;
    created_at: number;
    heard_at: number;
    index_kind: IndexKind;
    messages: number;
    leapt: number;
    leapt_at: number;
    is_placed: boolean;
    rival: string;
    said_start: number | null;
    owed: number;
  }>(
    `select id, span::text, accepted::text, created_at, heard_at, index_kind, messages, leapt, leapt_at, is_placed,
            rival::text, said_start, owed
       from stream where id = any($1::int8[])`,
    [wanted],
  );
  if (rows.length !== wanted.length) throw streamGone();
  return new Map(
    rows.map((row) => [
      row.id,
      {
        span: parseRange(row.span),
        accepted: parseMultirange(row.accepted),
        since: row.created_at,
        until: row.heard_at || row.created_at,
        owed: row.owed,
        leapt: row.leapt,
        leaptAt: row.leapt_at,
        isPlaced: row.is_placed,
        rival: parseRange(row.rival),
        saidStart: row.said_start ?? undefined,
        index: row.messages > 0 ? row.index_kind : undefined,
      },
    ]),
  );
}

/** Stores the index of streams that had no accepted message before. */
export async function writeIndexes(session: Session, indexes: ReadonlyMap<number, IndexKind>): Promise<void> {
  if (indexes.size === 0) return;
  await session.query(
    `update stream s set index_kind = t.kind from unnest($1::int8[], $2::text[]) as t(id, kind)
      where s.id = t.id and s.messages = 0 and s.index_kind <> t.kind`,
    [[...indexes.keys()], [...indexes.values()]],
  );
}

/** Stores the state of streams that their ranges do not show. */
export async function writePlaces(session: Session, reaches: ReadonlyMap<number, Reach>): Promise<void> {
  if (reaches.size === 0) return;
  const list = [...reaches.values()];
  await session.query(
    `update stream s set leapt = t.leapt, leapt_at = t.leapt_at, is_placed = t.is_placed, rival = t.rival::int8range,
                         said_start = t.said_start, owed = t.owed
       from unnest($1::int8[], $2::int8[], $3::int8[], $4::bool[], $5::text[], $6::int8[], $7::int8[])
         as t(id, leapt, leapt_at, is_placed, rival, said_start, owed)
      where s.id = t.id`,
    [
      [...reaches.keys()],
      list.map(({ leapt }) => Math.round(leapt)),
      list.map(({ leaptAt }) => leaptAt),
      list.map(({ isPlaced }) => isPlaced),
      list.map(({ rival }) => (rival === undefined ? 'empty' : formatRange(rival))),
      list.map(({ saidStart }) => saidStart ?? null),
      list.map(owedOf),
    ],
  );
}

/** What it made in a short while, or less, is as good as nothing: a stream that goes on at its pace then writes none of this. */
const leastOwed = 1000;

const owedOf = ({ owed }: Reach) => (owed < leastOwed ? 0 : Math.round(owed));

/** Whether that is to be stored anew. */
export const isOwedOtherwise = (before: Reach, after: Reach) => owedOf(before) !== owedOf(after);

/**
 * Streams whose first message is borne out by nothing, and contradicted: what the first claimed is withdrawn, and they begin at
 * `places`, of which all is missing yet. `why`: who says where they are.
 */
export async function moveStreams(
  session: Session,
  places: ReadonlyMap<number, Window>,
  why: string,
  now: number,
): Promise<void> {
  for (const [id, place] of places) {
    const [before] = await session.query<{
      span: string;
      batch_id: string;
      device_id: string;
      module_id: string;
    }>('select span::text, batch_id, device_id, module_id from stream where id = $1 for update', [id]);
    if (before === undefined) continue;
    await session.query('delete from void_range where stream_id = $1', [id]);
    await session.query('delete from pending_part where stream_id = $1', [id]);
    await session.query(`delete from gap where stream_id = $1 and state <> 'closed'`, [id]);
    await session.query(
      `update request set state = 'cancelled', ended_at = $2 where stream_id = $1 and state in ('pending', 'accepted')`,
      [id, now],
    );
    await session.query(
      `update stream set span = $2::int8range, archived_until = null, covered = '{}', backfilled = '{}', voided = '{}',
                         waived = '{}', newest = null, messages = 0, duplicates = 0, readings = 0, said_start = null, owed = 0
        where id = $1`,
      [id, formatRange(place)],
    );
    const withdrawn = parseRange(before.span);
    const first =
      withdrawn === undefined
        ? 'its first message'
        : `its first message, ${rangeWords('sequence', withdrawn)},`;
    const cause = `${first} was borne out by no other, and ${why} that it is at ${rangeWords('sequence', place)}: it is there, and what the first claimed is withdrawn`;
    await noteOfStream(session, id, 'moved', cause, now);
    const { batch_id: batchId, device_id: deviceId, module_id: moduleId } = before;
    const message = `stream ${batchId} of ${deviceId}/${moduleId}: ${cause}`;
    await raiseAlerts(session, [{ kind: 'stream-moved', deviceId, moduleId, batchId, message }], now);
  }
}

/** With what `window` claims. */
export function reaching(reach: Reach, window: Window): Reach {
  return { ...reach, span: reach.span === undefined ? window : hull(reach.span, window) };
}

export const isAccepted = ({ accepted }: Reach, window: Window) => covers(accepted, window);
