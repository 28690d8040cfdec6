// Windows that come in several messages are covered only once all of their parts have arrived.
import { type Coverage, covers, span, union } from '../../wire/coverage.ts';
import type { Window } from '../../wire/window.ts';
import type { Session } from '../database/database.ts';
import { parseMultirange } from '../database/multirange.ts';
import { coveredWithin } from './archive.ts';
import type { Entry } from './entries.ts';
import type { FoldInput, StreamChange } from './fold.ts';

/** One encoding of one window: only its own parts complete it. */
interface PartSet {
  readonly streamId: number;
  readonly window: Window;
  readonly n: number;
  readonly encoding: string;
  readonly seen: Set<number>;
  readonly fresh: Set<number>;
  complete: boolean;
  /** What the ledger covers of the window. */
  stored: Coverage;
}

export interface HeldPart {
  readonly streamId: number;
  /** A window whose parts have not all arrived: it belongs to the stream's span. */
  readonly window: Window;
  readonly duplicate: boolean;
  readonly readings: number;
  readonly isBackfill: boolean;
  readonly heardAt: number;
}

export interface Assembled {
  /** In order of entry: whole windows, and windows whose last part arrived here. */
  readonly inputs: readonly FoldInput[];
  /** Parts that wait, or were there already: they count as messages, but cover nothing. */
  readonly held: readonly HeldPart[];
  readonly sets: readonly PartSet[];
}

/** Replaces parts by the windows that they complete. Writes nothing. */
export async function assemble(session: Session, entries: readonly Entry[]): Promise<Assembled> {
  const sets = partSetsOf(entries);
  if (sets.size > 0) await loadStored(session, [...sets.values()]);
  // What this batch covered so far, of the streams that send parts.
  const covered = new Map<number, Coverage>([...sets.values()].map((set) => [set.streamId, []]));
  const inputs: FoldInput[] = [];
  const take = (entry: Entry) => {
    inputs.push(foldInput(entry));
    const before = covered.get(entry.streamId);
    if (before !== undefined && entry.content.kind === 'batch') {
      covered.set(entry.streamId, union(before, [entry.window]));
    }
  };
  const held: HeldPart[] = [];
  for (const entry of entries) {
    const part = partOf(entry);
    if (part === undefined) {
      take(entry);
      continue;
    }
    const set = sets.get(partSetKey(entry, part.n))!;
    const { streamId, isBackfill, window, heardAt } = entry;
    const readings = entry.content.kind === 'batch' ? entry.content.readings : 0;
    const known = covers(union(set.stored, covered.get(streamId)!), set.window);
    if (known || set.seen.has(part.k)) {
      held.push({ streamId, window, isBackfill, heardAt, duplicate: true, readings: 0 });
      continue;
    }
    set.seen.add(part.k);
    set.fresh.add(part.k);
    set.complete = set.seen.size === set.n;
    if (set.complete) take(entry);
    else held.push({ streamId, window, isBackfill, heardAt, duplicate: false, readings });
  }
  return { inputs, held, sets: [...sets.values()] };
}

/** Stores the parts that wait now. */
export async function storeParts(session: Session, sets: readonly PartSet[], now: number): Promise<void> {
  const fresh = sets.filter((set) => !set.complete).flatMap((set) => [...set.fresh].map((k) => ({ set, k })));
  if (fresh.length === 0) return;
  await session.query(
    `insert into pending_part (stream_id, window_start, window_end, parts, encoding, part, seen_at)
     select *, $7::int8
       from unnest($1::int8[], $2::int8[], $3::int8[], $4::int4[], $5::text[], $6::int4[])
     on conflict do nothing`,
    [
      fresh.map(({ set }) => set.streamId),
      fresh.map(({ set }) => set.window.start),
      fresh.map(({ set }) => set.window.end),
      fresh.map(({ set }) => set.n),
      fresh.map(({ set }) => set.encoding),
      fresh.map(({ k }) => k),
      now,
    ],
  );
}

/** Parts of windows that are covered, by whatever way, wait for nothing. Only where `changes` covered something. */
export async function dropCoveredParts(session: Session, changes: readonly StreamChange[]): Promise<void> {
  const spans = changes.flatMap(({ streamId, covered }) => {
    const changed = span(covered);
    return changed === undefined ? [] : [{ streamId, changed }];
  });
  if (spans.length === 0) return;
  await session.query(
    `delete from pending_part p using (
       select q.stream_id, q.window_start, q.window_end
         from (select distinct q.stream_id, q.window_start, q.window_end
                 from unnest($1::int8[], $2::int8[], $3::int8[]) as t(stream_id, low, high)
                 join pending_part q
                   on q.stream_id = t.stream_id and q.window_start < t.high and q.window_end > t.low) q
        where int8range(q.window_start, q.window_end)
                <@ ${coveredWithin('q.stream_id', 'q.window_start', 'q.window_end')}) w
      where p.stream_id = w.stream_id and p.window_start = w.window_start and p.window_end = w.window_end`,
    [
      spans.map(({ streamId }) => streamId),
      spans.map(({ changed }) => changed.start),
      spans.map(({ changed }) => changed.end),
    ],
  );
}

function partSetsOf(entries: readonly Entry[]): Map<string, PartSet> {
  const sets = new Map<string, PartSet>();
  for (const entry of entries) {
    const part = partOf(entry);
    if (part === undefined) continue;
    const key = partSetKey(entry, part.n);
    if (sets.has(key)) continue;
    const { streamId, window } = entry;
    const encoding = encodingOf(entry);
    sets.set(key, {
      streamId,
      window,
      n: part.n,
      encoding,
      seen: new Set(),
      fresh: new Set(),
      complete: false,
      stored: [],
    });
  }
  return sets;
}

/** Fills in which parts wait in the database, and what the ledger covers of their windows. */
async function loadStored(session: Session, sets: readonly PartSet[]): Promise<void> {
  const rows = await session.query<{ ordinal: number; stored: string; seen: number[] | null }>(
    `select t.ordinal::int4 as ordinal, (int8multirange(int8range(t.s, t.e))
              * ${coveredWithin('t.stream_id', 't.s', 't.e')})::text as stored,
            (select array_agg(p.part) from pending_part p
              where p.stream_id = t.stream_id and p.window_start = t.s and p.window_end = t.e
                and p.parts = t.n and p.encoding = t.r) as seen
       from unnest($1::int8[], $2::int8[], $3::int8[], $4::int4[], $5::text[])
            with ordinality as t(stream_id, s, e, n, r, ordinal)`,
    [
      sets.map((set) => set.streamId),
      sets.map((set) => set.window.start),
      sets.map((set) => set.window.end),
      sets.map((set) => set.n),
      sets.map((set) => set.encoding),
    ],
  );
  for (const row of rows) {
    const set = sets[row.ordinal - 1]!;
    for (const k of row.seen ?? []) set.seen.add(k);
    set.stored = parseMultirange(row.stored);
  }
}

function partOf(entry: Entry) {
  return entry.content.kind === 'batch' ? entry.content.part : undefined;
}

function partSetKey(entry: Entry, n: number): string {
  return setKey(entry.streamId, entry.window, n, encodingOf(entry));
}

function setKey(streamId: number, window: Window, n: number, encoding: string): string {
  return `${streamId} ${window.start} ${window.end} ${n} ${encoding}`;
}

/**
 * By content, where the sender names it: then it does not matter what brings the parts. Else by the request that they
 * answer. A space keeps the two apart.
 */
function encodingOf(entry: Entry): string {
  const set = partOf(entry)?.set;
  return set === undefined ? (entry.requestId ?? (entry.isBackfill ? 'late' : '')) : ` ${set}`;
}

function foldInput(entry: Entry): FoldInput {
  const { streamId, window, isBackfill, heardAt, content } = entry;
  return content.kind === 'void'
    ? { streamId, window, isBackfill, heardAt, readings: 0, voidReason: content.reason }
    : { streamId, window, isBackfill, heardAt, readings: content.readings };
}
