// How far streams reach, for what decides whether a message can be believed.
import { type Coverage, covers } from '../../wire/coverage.ts';
import { hull, type IndexKind, type Window } from '../../wire/window.ts';
import type { Session } from '../database/database.ts';
import { parseMultirange, parseRange } from '../database/multirange.ts';

/** What the ledger knows of a stream, or of a count of late windows. */
export interface Reach {
  /** Undefined before anything is known. */
  readonly span: Window | undefined;
  /** What a person has accepted. */
  readonly accepted: Coverage;
  /** When the stream was first and last heard of. UTC epoch ms. */
  readonly since: number;
  readonly until: number;
  /** What orders it, by the first of its messages that was taken; undefined before that. */
  readonly index: IndexKind | undefined;
}

/** Of a stream or count of which nothing is known. */
export const noReach = (now: number): Reach => ({
  span: undefined,
  accepted: [],
  since: now,
  until: now,
  index: undefined,
});

/** By id. Streams that are gone are left out. */
export async function readReach(session: Session, ids: readonly number[]): Promise<Map<number, Reach>> {
  if (ids.length === 0) return new Map();
  const rows = await session.query<{
    id: number;
    span: string;
    accepted: string;
    created_at: number;
    last_arrival_at: number;
    index_kind: IndexKind;
    messages: number;
  }>(
    `select id, span::text, accepted::text, created_at, last_arrival_at, index_kind, messages
       from stream where id = any($1::int8[])`,
    [[...new Set(ids)]],
  );
  return new Map(
    rows.map((row) => [
      row.id,
      {
        span: parseRange(row.span),
        accepted: parseMultirange(row.accepted),
        since: row.created_at,
        until: row.last_arrival_at,
        index: row.messages > 0 ? row.index_kind : undefined,
      },
    ]),
  );
}

/** Of streams of which nothing was taken before: what orders them from now on. */
export async function writeIndexes(session: Session, indexes: ReadonlyMap<number, IndexKind>): Promise<void> {
  if (indexes.size === 0) return;
  await session.query(
    `update stream s set index_kind = t.kind from unnest($1::int8[], $2::text[]) as t(id, kind)
      where s.id = t.id and s.messages = 0 and s.index_kind <> t.kind`,
    [[...indexes.keys()], [...indexes.values()]],
  );
}

/** With what `window` claims. */
export function reaching(reach: Reach, window: Window): Reach {
  return { ...reach, span: reach.span === undefined ? window : hull(reach.span, window) };
}

export const isAccepted = ({ accepted }: Reach, window: Window) => covers(accepted, window);
