// Assigns arrivals to the ledger rows that they are written to: a claim to its stream's row, a late window to the row of
// the stream's late count, at its number.
import { type Coverage, union } from '../../wire/coverage.ts';
import type { VoidReason } from '../../wire/mini-batch.ts';
import type { Window } from '../../wire/window.ts';
import type { Part, ResolvedArrival } from './arrival.ts';

/** An entry of the row of a stream, or of a count of late windows. */
export interface Entry {
  readonly streamId: number;
  readonly window: Window;
  readonly isBackfill: boolean;
  readonly requestId?: string;
  /** When the hub had the message. */
  readonly heardAt: number;
  readonly content:
    | { readonly kind: 'batch'; readonly readings: number; readonly part?: Part }
    | { readonly kind: 'void'; readonly reason: VoidReason };
}

/** Something came from the stream, and none of its positions with it. */
export interface Heard {
  readonly streamId: number;
  readonly isBackfill: boolean;
  readonly heardAt: number;
}

export interface Entries {
  /** In order of arrival. */
  readonly entries: readonly Entry[];
  /** One for each message that claims none of the stream's positions. */
  readonly heard: readonly Heard[];
  /** Late numbers that are known to have been given out, by count. */
  readonly counted: ReadonlyMap<number, Coverage>;
  /** What streams say to have had before what came of them. */
  readonly begun: ReadonlyMap<number, Coverage>;
}

export function entriesOf(arrivals: readonly ResolvedArrival[]): Entries {
  const entries: Entry[] = [];
  const heard: Heard[] = [];
  const counted = new Map<number, Coverage>();
  const begun = new Map<number, Coverage>();
  for (const arrival of arrivals) {
    const { countId, streamId, isBackfill, heardAt, streamStart } = arrival;
    const entry = entryOf(arrival);
    if (streamStart !== undefined && entry !== undefined && streamStart < entry.window.start) {
      const before = { start: streamStart, end: entry.window.start };
      begun.set(streamId, union(begun.get(streamId) ?? [], [before]));
    }
    if (entry !== undefined) entries.push(entry);
    if (entry?.streamId !== streamId) heard.push({ streamId, isBackfill, heardAt });
    if (countId === undefined) continue;
    const end = entry?.streamId === countId ? entry.window.end : arrival.lateThrough!.number + 1;
    counted.set(countId, union(counted.get(countId) ?? [], [{ start: 1, end }]));
  }
  return { entries, heard, counted, begun };
}

function entryOf(arrival: ResolvedArrival): Entry | undefined {
  const { content, streamId, countId, isBackfill, requestId, heardAt } = arrival;
  if (content.kind === 'unclaimed') return undefined;
  const common = { isBackfill, heardAt, ...(requestId === undefined ? {} : { requestId }) };
  if (content.kind === 'batch' || content.kind === 'void') {
    return { streamId, window: content.window, ...common, content };
  }
  // The registry finds the count of every arrival that names one.
  const late = { streamId: countId!, ...common };
  if (content.kind === 'late') {
    const { late: at, kind: _, ...batch } = content;
    return {
      ...late,
      window: { start: at.number, end: at.number + 1 },
      content: { kind: 'batch', ...batch },
    };
  }
  const { first, last } = content.late;
  return {
    ...late,
    window: { start: first, end: last + 1 },
    content: { kind: 'void', reason: content.reason },
  };
}
