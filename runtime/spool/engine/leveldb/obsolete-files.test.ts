import { cpSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { quickFolder } from '../../../../kernel/testing/quick-folder.ts';
import { openLevelStore } from './level-store.ts';
import { removeObsoleteFiles } from './obsolete-files.ts';

const root = quickFolder('obsolete');
afterAll(() => rmSync(root, { recursive: true, force: true }));

const key = (n: number) => Buffer.from(`k${n}`);

/** A store with a table and a log, and files beside them that LevelDB has no use for. */
async function makeStore(name: string): Promise<string> {
  const folder = join(root, name);
  for (const n of [1, 2]) {
    const store = await openLevelStore({ folder });
    await store.batch([{ type: 'put', key: key(n), value: key(n) }], { sync: true });
    await store.close();
  }
  const table = readdirSync(folder).find((file) => file.endsWith('.ldb'))!;
  cpSync(join(folder, table), join(folder, '000777.ldb'));
  writeFileSync(join(folder, '000001.log'), 'old');
  writeFileSync(join(folder, 'MANIFEST-000001'), 'old');
  writeFileSync(join(folder, '000900.dbtmp'), 'half');
  writeFileSync(join(folder, 'notes.txt'), 'not ours');
  return folder;
}

describe('what LevelDB left behind', () => {
  it('goes, and nothing else', async () => {
    const folder = await makeStore('sound');
    const removed = await removeObsoleteFiles(folder);
    expect([...removed].sort()).toEqual(['000001.log', '000777.ldb', '000900.dbtmp', 'MANIFEST-000001']);
    expect(readdirSync(folder)).toContain('notes.txt');
    const store = await openLevelStore({ folder, create: false });
    expect(await store.get(key(1))).toEqual(key(1));
    expect(await store.get(key(2))).toEqual(key(2));
    await store.close();
  });

  it.each(['CURRENT', 'MANIFEST'])(
    'stays while %s is not sound: it may be all that is left',
    async (target) => {
      const folder = await makeStore(`unsound-${target}`);
      const current = readFileSync(join(folder, 'CURRENT'), 'latin1').trim();
      truncateSync(join(folder, target === 'CURRENT' ? 'CURRENT' : current), 0);
      const before = readdirSync(folder);
      expect(await removeObsoleteFiles(folder)).toEqual([]);
      expect(readdirSync(folder)).toEqual(before);
    },
  );
});
