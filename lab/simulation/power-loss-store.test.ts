import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../kernel/random.ts';
import { describeStore } from '../../runtime/spool/store-contract.ts';
import { PowerLossStore } from './power-loss-store.ts';

describeStore('the store that loses unsynced writes', async () => ({
  open: async () => new PowerLossStore(seededRandom(1)),
  restart: async (store) => (store as PowerLossStore).restarted(),
}));

const key = (n: number) => Buffer.of(n);
const put = (n: number) => [{ type: 'put', key: key(n), value: key(n) } as const];

describe('a power cut', () => {
  it('keeps all that was synced, and of the rest a prefix', async () => {
    const seen = new Set<number>();
    for (let seed = 0; seed < 200; seed++) {
      const store = new PowerLossStore(seededRandom(seed));
      await store.batch(put(0), { sync: false });
      await store.batch(put(1), { sync: true });
      for (let n = 2; n < 6; n++) await store.batch(put(n), { sync: false });
      store.plan({ atBatch: 1 });
      void store.batch(put(6), { sync: true });
      while (!store.isDead) await new Promise((resolve) => setImmediate(resolve));
      const after = await store.survivor();
      const found = await after.range({ gte: key(0), lt: key(99), limit: 99 });
      const numbers = found.map((entry) => entry.key[0]!);
      expect(numbers).toEqual(Array.from({ length: numbers.length }, (_, n) => n));
      expect(numbers.length).toBeGreaterThanOrEqual(2);
      seen.add(numbers.length);
    }
    // None, some, all, and the one that was being written.
    expect([...seen].sort()).toEqual([2, 3, 4, 5, 6, 7]);
  });

  it('answers nothing any more', async () => {
    const store = new PowerLossStore(seededRandom(1));
    store.cutPower();
    const answered = await Promise.race([
      store.get(key(0)).then(() => true),
      store.batch(put(0), { sync: true }).then(() => true),
      new Promise((resolve) => setImmediate(() => resolve(false))),
    ]);
    expect(answered).toBe(false);
  });
});
