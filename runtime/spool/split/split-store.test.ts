import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { describeStore } from '../store-contract.ts';
import { openSplitFolder } from './open-split-folder.ts';

const root = mkdtempSync(join(tmpdir(), 'holdfast-split-'));
let folders = 0;
afterAll(() => rmSync(root, { recursive: true, force: true }));

describeStore('the split store', async () => {
  const folder = join(root, `store-${folders++}`);
  const open = async () => (await openSplitFolder({ folder })).store;
  return {
    open,
    async restart(store) {
      await store.close();
      return open();
    },
  };
});
