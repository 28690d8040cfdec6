// What every store must pass: LevelDB, the one in memory, and the one that loses unsynced writes.
import { afterEach, describe, expect, it } from 'vitest';
import type { Store } from '../store.ts';

export interface StoreUnderTest {
  open(): Promise<Store>;
  /** The same data as a new process would find it after the old one closed. */
  restart(store: Store): Promise<Store>;
}

const bytes = (text: string) => new TextEncoder().encode(text);
const text = (value: Uint8Array | undefined) => value && Buffer.from(value).toString();
const put = (key: string, value: string) => ({ type: 'put', key: bytes(key), value: bytes(value) }) as const;
const del = (key: string) => ({ type: 'del', key: bytes(key) }) as const;

export function describeStore(name: string, make: () => Promise<StoreUnderTest>): void {
  describe(`${name} keeps the store's contract`, () => {
    const opened: Store[] = [];
    const start = async () => {
      const under = await make();
      const store = await under.open();
      opened.push(store);
      return { under, store };
    };
    afterEach(async () => {
      for (const store of opened.splice(0)) await store.close();
    });

    it('gives back what was put, and undefined for what was not', async () => {
      const { store } = await start();
      await store.batch([put('a', '1'), put('b', '')], { sync: true });
      expect(text(await store.get(bytes('a')))).toBe('1');
      expect(text(await store.get(bytes('b')))).toBe('');
      expect(await store.get(bytes('c'))).toBeUndefined();
      expect((await store.getMany([bytes('c'), bytes('a')])).map(text)).toEqual([undefined, '1']);
      expect(await store.getMany([])).toEqual([]);
    });

    it('lets later operations of a batch win over earlier ones', async () => {
      const { store } = await start();
      await store.batch([put('a', '1'), del('a'), put('b', '1'), put('b', '2')], { sync: false });
      expect(await store.get(bytes('a'))).toBeUndefined();
      expect(text(await store.get(bytes('b')))).toBe('2');
    });

    it('orders keys bytewise, high bytes last', async () => {
      const { store } = await start();
      const keys = [[0xff], [0x00], [0x7f, 0x01], [0x7f], [0x80]].map((key) => Uint8Array.from(key));
      await store.batch(
        keys.map((key) => ({ type: 'put', key, value: bytes('x') }) as const),
        { sync: false },
      );
      const found = await store.range({ gte: Uint8Array.of(0), lt: Uint8Array.of(0xff, 0xff), limit: 10 });
      expect(found.map((entry) => [...entry.key])).toEqual([[0], [0x7f], [0x7f, 1], [0x80], [0xff]]);
    });

    it('bounds a range by its ends, by entries and by bytes, both ways', async () => {
      const { store } = await start();
      const names = ['a', 'b', 'c', 'd', 'e'];
      await store.batch(
        names.map((key) => put(key, `${key}${key}`)),
        { sync: false },
      );
      const read = async (more: object) =>
        (await store.range({ gte: bytes('b'), lt: bytes('e'), limit: 10, ...more })).map(
          (entry) => `${text(entry.key)}=${text(entry.value)}`,
        );
      expect(await read({})).toEqual(['b=bb', 'c=cc', 'd=dd']);
      expect(await read({ limit: 2 })).toEqual(['b=bb', 'c=cc']);
      expect(await read({ limit: 2, reverse: true })).toEqual(['d=dd', 'c=cc']);
      expect(await read({ maxBytes: 3 })).toEqual(['b=bb', 'c=cc']);
      expect(await read({ keysOnly: true })).toEqual(['b=', 'c=', 'd=']);
      expect(await read({ gte: bytes('x'), lt: bytes('z') })).toEqual([]);
    });

    it('pages through more than a thousand entries', async () => {
      const { store } = await start();
      const names = Array.from({ length: 2500 }, (_, n) => `k${String(n).padStart(5, '0')}`);
      await store.batch(
        names.map((key) => put(key, key)),
        { sync: false },
      );
      const found = await store.range({ gte: bytes('k'), lt: bytes('l'), limit: 5000 });
      expect(found.map((entry) => text(entry.key))).toEqual(names);
      const some = await store.range({ gte: bytes('k'), lt: bytes('l'), limit: 1001 });
      expect(some.length).toBe(1001);
    });

    it('applies batches in the order of the calls, without waiting between them', async () => {
      const { store } = await start();
      await Promise.all(
        Array.from({ length: 50 }, (_, n) => store.batch([put('n', String(n))], { sync: n % 7 === 0 })),
      );
      expect(text(await store.get(bytes('n')))).toBe('49');
    });

    it('keeps all of it across a restart', async () => {
      const { under, store } = await start();
      await store.batch([put('a', '1')], { sync: true });
      await store.batch([put('b', '2'), del('a')], { sync: false });
      const next = await under.restart(store);
      opened.push(next);
      expect(await next.get(bytes('a'))).toBeUndefined();
      expect(text(await next.get(bytes('b')))).toBe('2');
    });

    it('keeps all of it across a reopen and a compaction', async () => {
      const { store } = await start();
      await store.batch([put('a', '1'), put('b', '2')], { sync: true });
      await store.batch([del('a')], { sync: true });
      const [seen] = await Promise.all([store.reopen().then(() => store.get(bytes('b')))]);
      expect(text(seen)).toBe('2');
      await store.compactRange(bytes('a'), bytes('z'));
      await store.collectGarbage();
      expect(await store.get(bytes('a'))).toBeUndefined();
      await store.batch([put('c', '3')], { sync: true });
      expect(text(await store.get(bytes('c')))).toBe('3');
      expect(await store.sizeBytes()).toBeGreaterThan(0);
    });

    it('refuses every call after close, and closes twice', async () => {
      const { store } = await start();
      await store.close();
      await store.close();
      await expect(store.get(bytes('a'))).rejects.toMatchObject({ code: 'store-closed' });
      await expect(store.batch([put('a', '1')], { sync: false })).rejects.toMatchObject({
        code: 'store-closed',
      });
      await expect(store.reopen()).rejects.toMatchObject({ code: 'store-closed' });
    });
  });
}
