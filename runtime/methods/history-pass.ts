// Re-reads a range from the equipment's own history, page by page, each page saved before the next is asked
// for. Memory holds one page.
import { type Clock, withTimeout } from '../../kernel/clock.ts';
import { HoldfastError } from '../../kernel/errors.ts';
import { orAborted } from '../../kernel/or-aborted.ts';
import type { MiniBatch } from '../../wire/mini-batch.ts';
import type { IndexKind, Window } from '../../wire/window.ts';
import type { HistoryPage } from '../sources/history-page.ts';
import type { SourceHistory } from '../sources/source.ts';
import { type CutLimits, cutIntoBatches } from './history-batches.ts';
import type { JobChange } from './job-ranges.ts';
import type { Permit } from './semaphore.ts';

export interface HistoryPassOptions {
  readonly batchId: string;
  readonly index: IndexKind;
  readonly history: SourceHistory;
  readonly limits: CutLimits;
  /** Limit for one page. */
  readonly pageTimeoutMs: number;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly save: (change: JobChange, batches: readonly MiniBatch[]) => Promise<void>;
  readonly room: () => Promise<void>;
  readonly permit: Permit;
}

/** Equipment that hangs must not keep other streams waiting; what answers later than this is as good as hanging. */
const patienceMs = 10_000;

/** Pages that bring nothing new, in one pass, before the source is taken for broken. */
const maxEmptyPages = 1_000;

/**
 * `complete`: the whole range is answered. `later`: the equipment has not recorded the rest yet.
 * @throws what the source throws; `backfill-bad-history` for pages that leave a hole; the signal's reason.
 */
export async function historyPass(range: Window, options: HistoryPassOptions): Promise<'complete' | 'later'> {
  const { signal } = options;
  // The source's own signal ends with this pass: an iterator that is not asked again must let go.
  const pass = new AbortController();
  const iterator = options.history
    .read(range, AbortSignal.any([signal, pass.signal]))
    [Symbol.asyncIterator]();
  let cursor = range.start;
  let emptyPages = 0;
  try {
    while (cursor < range.end) {
      await options.room();
      const next = await nextPage(iterator, options);
      if (next.done) return 'later';
      const until = await takePage(next.value, { start: cursor, end: range.end }, options);
      if (until > cursor) cursor = until;
      else if (++emptyPages > maxEmptyPages) throw badHistory('its pages do not move on');
    }
    return 'complete';
  } finally {
    pass.abort(new HoldfastError('backfill-pass-ended', 'nobody reads this history any more'));
    // Not awaited: it may hang, which is why it was given up.
    Promise.resolve(iterator.return?.()).catch(() => {});
  }
}

/** Saves the part of the page that lies in `wanted`; returns the end of it. */
async function takePage(page: HistoryPage, wanted: Window, options: HistoryPassOptions): Promise<number> {
  if (page.window.start > wanted.start) throw badHistory('a page leaves out what lies before it');
  const window = { start: wanted.start, end: Math.min(page.window.end, wanted.end) };
  if (window.end <= window.start) return wanted.start;
  if (page.kind === 'unavailable') await options.save({ voids: [{ window, reason: page.reason }] }, []);
  else {
    const { batchId, index, limits } = options;
    const batches = cutIntoBatches({ batchId, index, window, readings: page.readings }, limits);
    await options.save({ covered: [window] }, batches);
  }
  return window.end;
}

function nextPage(
  iterator: AsyncIterator<HistoryPage>,
  { clock, pageTimeoutMs, signal, permit }: HistoryPassOptions,
): Promise<IteratorResult<HistoryPage>> {
  signal.throwIfAborted();
  const page = withTimeout(clock, pageTimeoutMs, iterator.next(), () => slow(pageTimeoutMs));
  return permit.awaited(orAborted(page, signal), patienceMs);
}

function badHistory(problem: string): HoldfastError {
  return new HoldfastError('backfill-bad-history', `the source's history breaks its contract: ${problem}`, {
    retryable: true,
  });
}

function slow(limitMs: number): HoldfastError {
  return new HoldfastError('backfill-slow-history', `no page of history within ${limitMs / 1000} s`, {
    retryable: true,
  });
}
