// The embedded database's folder: synced, put in place whole, and what is said when it does not open.
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { openPgliteDatabase } from './pglite-database.ts';

describe('the embedded database', () => {
  const parent = fs.mkdtempSync(join(tmpdir(), 'holdfast-folder-'));
  const folder = join(parent, 'ledger');
  beforeAll(async () => {
    // Left by a start that was cut off while it made the folder.
    fs.mkdirSync(`${folder}.making`);
    fs.writeFileSync(join(`${folder}.making`, 'PG_VERSION'), 'half');
    await (await openPgliteDatabase(folder)).close();
  });
  afterAll(() => fs.rmSync(parent, { recursive: true, force: true }));

  test('syncs each commit before it returns', async () => {
    expect(fs.readdirSync(parent)).toEqual(['ledger']);
    const database = await openPgliteDatabase(folder);
    await database.script('create table t (n int8)');
    const sync = vi.spyOn(fs, 'fdatasyncSync');
    for (let n = 1; n <= 3; n++) {
      await database.transaction((session) => session.query('insert into t values ($1)', [n]));
      expect(sync).toHaveBeenCalledTimes(n);
    }
    sync.mockRestore();
    await database.close();
  });

  test.each([
    ['its control file is empty', (copy: string) => fs.truncateSync(join(copy, 'global/pg_control'), 0)],
    ['its log is gone', (copy: string) => fs.rmSync(join(copy, 'pg_wal'), { recursive: true })],
    ['its tables are gone', (copy: string) => fs.rmSync(join(copy, 'base'), { recursive: true })],
    ['it is no database', (copy: string) => fs.rmSync(join(copy, 'PG_VERSION'))],
  ])('says what to do when %s', async (_, damage) => {
    const copy = join(parent, 'copy');
    fs.cpSync(folder, copy, { recursive: true });
    damage(copy);
    const opening = openPgliteDatabase(copy);
    await expect(opening).rejects.toMatchObject({
      code: 'database-folder-damaged',
      message: expect.stringMatching(/copy does not open[\s\S]*"rebuild" sets it aside/),
    });
    // Nobody holds it: rebuild can.
    await expect(openPgliteDatabase(copy)).rejects.toMatchObject({ code: 'database-folder-damaged' });
    fs.rmSync(copy, { recursive: true });
  });
});
