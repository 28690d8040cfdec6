import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { openLevelStore } from './leveldb/level-store.ts';
import { MemoryStore } from './testing/memory-store.ts';
import { describeStore } from './testing/store-contract.ts';

const folders: string[] = [];
const newFolder = async () => {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-store-'));
  folders.push(folder);
  return folder;
};
afterAll(async () => {
  for (const folder of folders) await rm(folder, { recursive: true, force: true });
});

describeStore('the LevelDB store', async () => {
  const folder = join(await newFolder(), 'a', 'b');
  return {
    open: () => openLevelStore({ folder }),
    async restart(store) {
      await store.close();
      return openLevelStore({ folder });
    },
  };
});

describeStore('the store in memory', async () => ({
  open: async () => new MemoryStore(),
  restart: async (store) => (store as MemoryStore).restarted(),
}));

describe('the LevelDB store', () => {
  it('refuses a folder that is held already, by name', async () => {
    const folder = await newFolder();
    const store = await openLevelStore({ folder });
    await expect(openLevelStore({ folder })).rejects.toMatchObject({ code: 'store-locked' });
    await store.close();
    await (await openLevelStore({ folder })).close();
  });
});
