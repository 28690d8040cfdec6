// All that is stored of a stream in a range, page by page.
import type { Window } from '../../wire/window.ts';
import type { BackfillStore, StoredWindow } from './backfill-store.ts';

/** By start; some of it may come twice. `page`: stored windows looked at in one step. */
export async function* storedIn(
  batchId: string,
  range: Window,
  store: Pick<BackfillStore, 'find'>,
  page: number,
): AsyncGenerator<StoredWindow> {
  let { start } = range;
  let limit = page;
  while (start < range.end) {
    const found = await store.find(batchId, { start, end: range.end }, limit);
    yield* found;
    if (found.length < limit) return;
    const last = found.at(-1)!.window.start;
    // They come by start: as many may begin at one position, or before the range.
    if (last <= start) limit *= 2;
    start = Math.max(start, last);
  }
}
