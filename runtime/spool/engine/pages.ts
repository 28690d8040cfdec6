// Reads a whole range of a store, a page at a time: ranges are never read without a bound.
import type { Entry, RangeOptions, Store } from './store.ts';

/** `limit`: entries of a page. The next page is read once this one was used, so entries deleted meanwhile are not in it. */
export async function* pagesOf(
  store: Pick<Store, 'range'>,
  options: Omit<RangeOptions, 'reverse'>,
): AsyncGenerator<readonly Entry[]> {
  let { gte } = options;
  for (;;) {
    const page = await store.range({ ...options, gte });
    const last = page.at(-1);
    if (last === undefined) return;
    yield page;
    // A page that `maxBytes` ended says nothing of what follows.
    if (page.length < options.limit && options.maxBytes === undefined) return;
    gte = Buffer.concat([last.key, Buffer.of(0)]);
  }
}

/** All entries of the range, in memory: for ranges of which something else bounds the size. */
export async function entriesIn(
  store: Pick<Store, 'range'>,
  options: Omit<RangeOptions, 'reverse'>,
): Promise<readonly Entry[]> {
  const entries: Entry[] = [];
  for await (const page of pagesOf(store, options)) entries.push(...page);
  return entries;
}
