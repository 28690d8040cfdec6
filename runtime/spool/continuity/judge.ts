// Decides whether the spool that was opened is the one that the last run left: pure. The store's own record is compared
// with the marks beside it and elsewhere. A mark that is merely missing proves nothing.
import type { FolderRecord, Run } from './folder-record.ts';
import type { FoundMark, Mark } from './mark-file.ts';

export interface Evidence {
  /** From the store; undefined where it has none. */
  readonly record: FolderRecord | undefined;
  /** Batches that the store says it holds. */
  readonly commits: number;
  /** The store never held anything. */
  readonly isNew: boolean;
  /** The mark beside the store; undefined when there is none. */
  readonly beside: FoundMark | undefined;
  /** Marks of the same spool, kept outside of the data folder. */
  readonly elsewhere: readonly Pick<Mark, 'start' | 'commits'>[];
  /** Identifies the present start of the machine. */
  readonly boot: string;
}

export type Verdict =
  | { readonly continuity: 'proven' }
  /** `isDamage`: something that was on the disk is missing. Otherwise it is unknown whether anything is. */
  | { readonly continuity: 'lost'; readonly reason: string; readonly isDamage: boolean };

const proven: Verdict = { continuity: 'proven' };
// By how much the times of file system and clock may differ.
const toleranceMs = 2000;

export function judge(evidence: Evidence): Verdict {
  const { record, beside, isNew } = evidence;
  if (record === undefined) {
    // The power failed during the first start, before the store had the record.
    if (isNew && (beside?.mark?.start ?? 0) === 0) return proven;
    return unknown('the store says nothing of the folder that it belongs to');
  }
  const { commits } = evidence;
  const { starts } = record;
  // The record was written by a batch, so there was at least one: a count of 0 is damaged.
  if (commits === 0) return unknown('how many batches the store holds is not known');
  for (const known of evidence.elsewhere) {
    const older = olderThan({ starts, commits }, known);
    if (older !== undefined) return damage(`the data folder was put back to an earlier state: ${older}`);
  }
  if (beside?.mark === undefined) return unknown('the mark beside the store is missing or damaged');
  if (beside.mark.spool !== record.id) return unknown('the mark beside the store is that of another spool');
  return besideTheStore(evidence, record, { ...beside, mark: beside.mark });
}

function besideTheStore(
  evidence: Evidence,
  record: FolderRecord,
  { mark, identity, changedAt }: FoundMark & { mark: Mark },
): Verdict {
  const older = olderThan({ starts: record.starts, commits: evidence.commits }, mark);
  if (older !== undefined) return damage(`the store went back: ${older}`);
  if (identity !== record.mark) return unknown('the data folder is a copy, or was put back from one');
  if (mark.start < (record.markStart ?? record.starts - 1))
    return unknown('the mark beside the store was put back to an earlier state');
  // After a power cut it may be behind, and its times are no longer those of one moment.
  const isWhole = mark.closed || mark.boot === evidence.boot;
  if (isWhole && Math.abs(changedAt - mark.at) > toleranceMs)
    return unknown('the mark beside the store was changed by somebody else: the data folder was put back');
  return proven;
}

/** For people, where more is known than the store has. */
export function olderThan(
  { starts, commits }: { readonly starts: number; readonly commits: number },
  known: Pick<Mark, 'start' | 'commits'>,
): string | undefined {
  if (known.start > starts) return `start ${known.start} was seen, the store knows of ${starts}`;
  if (known.commits > commits) return `batch ${known.commits} was on the disk, the store has ${commits}`;
  return undefined;
}

/** For people, where another process than ours had that start, or had come further in it than ours went on from. */
export function otherThan(
  runs: readonly Run[],
  known: { start: number; commits: number; run: string },
): string | undefined {
  const at = runs.findIndex(([start]) => start === known.start);
  const run = runs[at];
  if (run === undefined) return undefined;
  if (run[1] !== known.run) return `start ${known.start} was another one than the store knows`;
  const next = runs[at + 1];
  return next === undefined ? undefined : olderThan({ starts: known.start, commits: next[2] }, known);
}

const unknown = (reason: string): Verdict => ({ continuity: 'lost', reason, isDamage: false });
const damage = (reason: string): Verdict => ({ continuity: 'lost', reason, isDamage: true });
