import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../kernel/random.ts';
import type { Store } from '../../runtime/spool/engine/store.ts';
import { describeStore } from '../../runtime/spool/engine/testing/store-contract.ts';
import { newPowerLossStore, PowerLossStore } from './power-loss-store.ts';
import { PowerSupply } from './power-supply.ts';
import { EngineDisk, smallLimits } from './simulated-disk.ts';

describeStore('the store that loses unsynced writes', async () => ({
  open: async () => newPowerLossStore(seededRandom(1)),
  restart: (store) => (store as PowerLossStore).restarted(new PowerSupply(seededRandom(1))),
}));

describeStore('the engine on parts that lose unsynced writes', async () => {
  const disks = new Map<Store, EngineDisk>();
  const open = async (disk: EngineDisk) => {
    const store = await disk.open();
    disks.set(store, disk);
    return store;
  };
  return {
    open: () => open(new EngineDisk(seededRandom(1), smallLimits)),
    async restart(store) {
      await store.close();
      return open(await disks.get(store)!.restarted());
    },
  };
});

const key = (n: number) => Buffer.of(n);
const put = (n: number) => [{ type: 'put', key: key(n), value: key(n) } as const];

async function cutAmid(seed: number, holes: boolean): Promise<readonly number[]> {
  const random = seededRandom(seed);
  const supply = new PowerSupply(random);
  const store = new PowerLossStore({ random, supply, holes });
  await store.batch(put(0), { sync: false });
  await store.batch(put(1), { sync: true });
  for (let n = 2; n < 6; n++) await store.batch(put(n), { sync: false });
  supply.plan({ atOperation: 1 });
  void store.batch(put(6), { sync: true });
  while (!supply.isDead) await new Promise((resolve) => setImmediate(resolve));
  const after = await store.survivor(new PowerSupply(random));
  const found = await after.range({ gte: key(0), lt: key(99), limit: 99 });
  return found.map((entry) => entry.key[0]!);
}

describe('a power cut', () => {
  it('keeps all that was synced, and of the rest a prefix', async () => {
    const seen = new Set<number>();
    for (let seed = 0; seed < 200; seed++) {
      const numbers = await cutAmid(seed, false);
      expect(numbers).toEqual(Array.from({ length: numbers.length }, (_, n) => n));
      expect(numbers.length).toBeGreaterThanOrEqual(2);
      seen.add(numbers.length);
    }
    // None, some, all, and the one that was being written.
    expect([...seen].sort()).toEqual([2, 3, 4, 5, 6, 7]);
  });

  it('leaves holes where it may', async () => {
    const seen = new Set<string>();
    for (let seed = 0; seed < 300; seed++) seen.add((await cutAmid(seed, true)).join(' '));
    for (const numbers of seen) expect(numbers).toMatch(/^0 1/);
    expect(seen).toContain('0 1 4 5');
  });

  it('answers nothing any more', async () => {
    const random = seededRandom(1);
    const supply = new PowerSupply(random);
    const store = new PowerLossStore({ random, supply });
    supply.cut();
    const answered = await Promise.race([
      store.get(key(0)).then(() => true),
      store.batch(put(0), { sync: true }).then(() => true),
      new Promise((resolve) => setImmediate(() => resolve(false))),
    ]);
    expect(answered).toBe(false);
  });

  it('comes while a batch that flushes is made durable: then all before it is there', async () => {
    const store = newPowerLossStore(seededRandom(3));
    for (let n = 0; n < 5; n++) await store.batch(put(n), { sync: false });
    await store.sync();
    const after = await store.survivor(new PowerSupply(seededRandom(4)));
    expect(await after.range({ gte: key(0), lt: key(99), limit: 99 })).toHaveLength(5);
  });
});
