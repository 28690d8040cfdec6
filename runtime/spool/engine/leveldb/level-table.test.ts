// One bit of a table after the other is turned over: it is reported, or it changes nothing.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { filesOf, makeFolder, removeFolders } from '../../testing/folders.ts';
import { openLevelStore } from './level-store.ts';
import { LevelTable, TablePool } from './level-table.ts';

afterAll(removeFolders);

async function smallTable(): Promise<Buffer> {
  const folder = join(makeFolder(), 'store');
  const store = await openLevelStore({ folder });
  const ops = Array.from({ length: 30 }, (_, n) => {
    const key = Buffer.from(`key ${String(n).padStart(3, '0')}`);
    if (n % 7 === 3) return { type: 'del', key } as const;
    return { type: 'put', key, value: Buffer.from(`value of ${n} `.repeat(1 + (n % 4))) } as const;
  });
  await store.batch(ops, { sync: false });
  await store.sync();
  await store.close();
  return readFileSync(filesOf(folder, /\.ldb$/)[0]!);
}

function readTable(path: string): { shown: string; problems: readonly string[] } {
  const problems: string[] = [];
  const pool = new TablePool();
  const table = new LevelTable(path, pool, {}, ({ reason }) => problems.push(reason));
  table.check();
  const entries = [...table.entries(Buffer.alloc(0))];
  pool.close();
  const shown = entries.map(({ key, sequence, value }) => `${key} ${sequence} ${value?.toString() ?? '-'}`);
  return { shown: shown.join('\n'), problems };
}

it('no flipped bit of a table goes unnoticed that changes what it holds', async () => {
  const bytes = await smallTable();
  const path = join(makeFolder(), '000005.ldb');
  writeFileSync(path, bytes);
  const whole = readTable(path);
  expect(whole.problems).toEqual([]);
  // Deletions are entries too.
  expect(whole.shown.split('\n')).toHaveLength(30);
  let noticed = 0;
  for (let at = 0; at < bytes.byteLength; at++) {
    const flipped = Buffer.from(bytes);
    flipped[at]! ^= 1 << (at % 8);
    writeFileSync(path, flipped);
    const { shown, problems } = readTable(path);
    if (problems.length > 0) noticed++;
    else expect(shown, `bit ${at % 8} of byte ${at}`).toBe(whole.shown);
  }
  // All but the padding of the footer.
  expect(noticed).toBeGreaterThan(bytes.byteLength - 48);
});

it('a table that ends anywhere shows no more than it held', async () => {
  const bytes = await smallTable();
  const path = join(makeFolder(), '000005.ldb');
  writeFileSync(path, bytes);
  const known = new Set(readTable(path).shown.split('\n'));
  for (let length = 0; length < bytes.byteLength; length += 7) {
    writeFileSync(path, bytes.subarray(0, length));
    const { shown, problems } = readTable(path);
    expect(problems.length, `${length} bytes`).toBeGreaterThan(0);
    for (const entry of shown.split('\n').filter((each) => each !== '')) expect(known).toContain(entry);
  }
});
