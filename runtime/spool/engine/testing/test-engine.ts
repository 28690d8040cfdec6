// An engine on a real disk with key spaces of its own: what the tests of the engine have in common.
import { cpSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { quickFolder } from '../../../../kernel/testing/quick-folder.ts';
import { openDiskFiles } from '../disk-files.ts';
import { type OpenedEngine, openEngine } from '../engine.ts';
import { KeySpaces } from '../key-spaces.ts';
import { openLevelStore } from '../leveldb/level-store.ts';
import type { EngineLimits } from '../limits.ts';
import type { BatchOp, Store } from '../store.ts';

export const testSpaces = new KeySpaces([
  { prefix: Buffer.from('L'), keyBytes: 5, placement: 'value-log' },
  { prefix: Buffer.from('W'), keyBytes: 8, placement: 'wal' },
  { prefix: Buffer.from('hot'), keyBytes: 3, placement: 'memtable' },
]);

export const largeKey = (id: number): Buffer => Buffer.from(`L${String(id).padStart(4, '0')}`);
export const hotKey = Buffer.from('hot');
export const plainKey = (name: string): Buffer => Buffer.from(`p${name}`);

export function walKey(group: number, counter: number): Buffer {
  const key = Buffer.alloc(8);
  key.write('W');
  key[1] = group;
  key.writeUIntBE(counter, 2, 6);
  return key;
}

export const put = (key: Uint8Array, value: string | Uint8Array): BatchOp => ({
  type: 'put',
  key,
  value: Buffer.from(value),
});
export const del = (key: Uint8Array): BatchOp => ({ type: 'del', key });

export const largeValue = (id: number, length = 1000): Buffer => Buffer.alloc(length, (id % 250) + 4);
export const putLarge = (id: number, length?: number): BatchOp => put(largeKey(id), largeValue(id, length));

/** A few batches reach every case. */
export const smallLimits: Partial<EngineLimits> = {
  walSegmentBytes: 8192,
  walPreallocateBytes: 1024,
  valueSegmentBytes: 4096,
  checkpointBytes: 16_384,
};

const folders: string[] = [];
const opened: Store[] = [];

export function newFolder(): string {
  const folder = quickFolder('engine');
  folders.push(folder);
  return join(folder, 'store');
}

export async function openTestEngine(folder: string, limits = smallLimits): Promise<OpenedEngine> {
  const index = await openLevelStore({ folder });
  const wal = await openDiskFiles(join(folder, 'wal'));
  const values = await openDiskFiles(join(folder, 'values'));
  const engine = await openEngine({ index, wal, values, spaces: testSpaces, limits });
  opened.push(engine.store);
  return engine;
}

/** As a kill -9 leaves it: all that the process wrote is there, and nothing was put in order. */
export function crashCopy(folder: string): string {
  // A power cut leaves the files of one moment. A copy takes longer, and a compaction may replace files meanwhile.
  for (;;) {
    const copy = newFolder();
    try {
      const before = listOf(folder);
      cpSync(folder, copy, { recursive: true, filter: (path) => !path.endsWith('LOCK') });
      if (listOf(folder) === before) return copy;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }
}

const listOf = (folder: string): string =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => `${parentPath}/${name} ${statSync(join(parentPath, name)).size}`)
    .sort()
    .join();

export const filesIn = (folder: string, inside: 'wal' | 'values'): readonly string[] =>
  readdirSync(join(folder, inside)).sort();

/** After each test. */
export async function closeEngines(): Promise<void> {
  for (const store of opened.splice(0)) await store.close();
}

/** After all tests. */
export function removeFolders(): void {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
}
