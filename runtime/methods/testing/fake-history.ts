import { HoldfastError } from '../../../kernel/errors.ts';
import type { Reading } from '../../../wire/reading.ts';
import type { Window } from '../../../wire/window.ts';
import { CompletePage, GonePage, type HistoryPage } from '../../sources/history-page.ts';
import type { SourceHistory } from '../../sources/source.ts';

export interface FakeHistoryOptions {
  readonly readings: readonly Reading[];
  /** Positions in one page. */
  readonly pageSize: number;
  /** Ranges that the equipment cannot answer for. */
  readonly unavailable?: readonly {
    readonly window: Window;
    readonly reason: 'no-history' | 'history-expired';
  }[];
  /** End of what is recorded so far. */
  readonly recordedUntil?: () => number;
  /** Rejects this many page requests, as equipment that is away does. */
  readonly failing?: { times: number };
}

/** Equipment with a memory. `asked` lists the pages it was made to read. */
export function fakeHistory(options: FakeHistoryOptions): SourceHistory & { readonly asked: Window[] } {
  const asked: Window[] = [];
  async function* read(range: Window, signal: AbortSignal): AsyncIterable<HistoryPage> {
    let cursor = range.start;
    while (cursor < range.end) {
      await Promise.resolve();
      signal.throwIfAborted();
      if (options.failing && options.failing.times > 0) {
        options.failing.times--;
        throw new HoldfastError('modbus-timeout', 'no answer', { retryable: true });
      }
      const end = Math.min(cursor + options.pageSize, range.end, options.recordedUntil?.() ?? range.end);
      if (end <= cursor) return;
      const page = pageOf({ start: cursor, end }, options);
      asked.push(page.window);
      yield page;
      cursor = page.window.end;
    }
  }
  return { asked, read };
}

function pageOf(window: Window, { readings, unavailable = [] }: FakeHistoryOptions): HistoryPage {
  for (const gone of unavailable) {
    if (gone.window.start <= window.start && window.start < gone.window.end) {
      const end = Math.min(window.end, gone.window.end);
      const { reason } = gone;
      return GonePage.of(
        { start: window.start, end },
        reason === 'no-history' ? { reason, said: 'it has none' } : { reason, heldFrom: end },
      );
    }
  }
  const nextGone = unavailable.map((gone) => gone.window.start).filter((start) => start > window.start);
  const end = Math.min(window.end, ...nextGone);
  const within = readings.filter(({ index }) => index >= window.start && index < end);
  return CompletePage.of(
    { start: window.start, end },
    within.toSorted((a, b) => a.index - b.index),
    {
      asked: window,
      ended: 'every-number',
      heldFrom: window.start,
      recordedTo: end,
    },
  );
}
