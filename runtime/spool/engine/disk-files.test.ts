// Files of a real folder: their contract, and what is theirs alone.
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { openDiskFiles } from './disk-files.ts';
import { describeFiles } from './testing/files-contract.ts';
import { MemoryFiles } from './testing/memory-files.ts';

const root = mkdtempSync(join(tmpdir(), 'holdfast-files-'));
let folders = 0;
const newFolder = () => join(root, `files-${folders++}`);
afterAll(() => rmSync(root, { recursive: true, force: true }));

describeFiles('files of a folder', () => openDiskFiles(newFolder()));
describeFiles('files in memory', async () => new MemoryFiles());

describe('files of a folder', () => {
  it('are kept by another opening', async () => {
    const folder = newFolder();
    const files = await openDiskFiles(folder);
    await files.write('a', 0, [Buffer.from('x')]);
    await files.sync('a');
    await files.close();
    expect((await (await openDiskFiles(folder)).read('a', 0, 5)).toString()).toBe('x');
  });

  it('move what stands in the place of a file out of the way before they write', async () => {
    const folder = newFolder();
    const files = await openDiskFiles(folder);
    mkdirSync(join(folder, 'a'));
    expect((await files.read('a', 0, 5)).byteLength).toBe(0);
    await files.write('a', 0, [Buffer.from('x')]);
    expect((await files.read('a', 0, 5)).toString()).toBe('x');
    expect(readdirSync(folder).sort()).toEqual(['a', 'a.foreign-1']);
    await files.close();
  });
});
