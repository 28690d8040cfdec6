import { expect, it } from 'vitest';
import { entriesIn, pagesOf } from './pages.ts';
import type { Entry, RangeOptions } from './store.ts';
import { MemoryStore } from './testing/memory-store.ts';
import { del, plainKey, put } from './testing/test-engine.ts';

const range = { gte: plainKey(''), lt: plainKey('~') };

async function pagesIn(store: MemoryStore, options: RangeOptions): Promise<(readonly Entry[])[]> {
  const pages: (readonly Entry[])[] = [];
  for await (const page of pagesOf(store, options)) pages.push(page);
  return pages;
}

async function filled(count: number): Promise<MemoryStore> {
  const store = new MemoryStore();
  const ops = Array.from({ length: count }, (_, n) => put(plainKey(String(n).padStart(3, '0')), 'value'));
  await store.batch(ops, { sync: true });
  return store;
}

it.each([
  [0, []],
  [9, [9]],
  [10, [10]],
  [25, [10, 10, 5]],
])('%i entries are read in pages of ten, each entry once', async (count, sizes) => {
  const store = await filled(count);
  const pages = await pagesIn(store, { ...range, limit: 10 });
  expect(pages.map(({ length }) => length)).toEqual(sizes);
  expect(await entriesIn(store, { ...range, limit: 10 })).toEqual(pages.flat());
  expect(new Set(pages.flat().map(({ key }) => Buffer.from(key).toString())).size).toBe(count);
});

it('a page that ends at its bytes is not the last one', async () => {
  const pages = await pagesIn(await filled(5), { ...range, limit: 10, maxBytes: 8 });
  expect(pages.map(({ length }) => length)).toEqual([2, 2, 1]);
});

it('what is deleted while a page is used is not in the next', async () => {
  const store = await filled(20);
  const seen: number[] = [];
  for await (const page of pagesOf(store, { ...range, limit: 5 })) {
    seen.push(page.length);
    await store.batch([...page.map(({ key }) => del(key)), del(plainKey('006'))], { sync: true });
  }
  expect(seen).toEqual([5, 5, 5, 4]);
});
