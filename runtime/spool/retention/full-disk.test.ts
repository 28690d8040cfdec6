import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { HoldfastError } from '../../../kernel/errors.ts';
import { ballastBytes, diskSpace } from './full-disk.ts';

const root = mkdtempSync(join(tmpdir(), 'holdfast-full-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
let files = 0;
const newPath = () => join(root, `ballast-${files++}`);
const full = new HoldfastError('store-write-failed', 'refused', {
  cause: Object.assign(new Error('No space left on device'), { code: 'ENOSPC' }),
});

describe('the ballast', () => {
  it('is room that the disk really gave, and comes back to it when a write is refused', async () => {
    const path = newPath();
    const space = diskSpace(path, root);
    await space.reserveRoom();
    expect(statSync(path)).toMatchObject({ size: ballastBytes, mode: expect.any(Number) });
    expect(statSync(path).blocks * 512).toBeGreaterThanOrEqual(ballastBytes);
    expect(await space.makeRoom(full)).toBe(true);
    expect(existsSync(path)).toBe(false);
    expect(await space.makeRoom(full)).toBe(false);
  });

  it('stays where something else than room is missing', async () => {
    const path = newPath();
    const space = diskSpace(path, root);
    await space.reserveRoom();
    expect(await space.makeRoom(new HoldfastError('store-needs-reopen', 'reopen first'))).toBe(false);
    expect(existsSync(path)).toBe(true);
  });

  it('is made again only once four times its size is free', async () => {
    const path = newPath();
    let free = 4 * ballastBytes - 1;
    const space = diskSpace(path, root, async () => free);
    await space.reserveRoom();
    expect(existsSync(path)).toBe(false);
    free++;
    await space.reserveRoom();
    expect(existsSync(path)).toBe(true);
  });

  it('is completed after a power cut left a part of it, and takes the place of what is no file', async () => {
    const [cut, foreign] = [newPath(), newPath()];
    writeFileSync(cut, 'short');
    mkdirSync(foreign);
    for (const path of [cut, foreign]) {
      await diskSpace(path, root).reserveRoom();
      expect(readFileSync(path).byteLength).toBe(ballastBytes);
    }
  });

  it('is none for a store without a folder', async () => {
    const space = diskSpace(undefined, root);
    await space.reserveRoom();
    expect(await space.makeRoom(full)).toBe(false);
    expect(await space.freeBytes()).toBeGreaterThan(0);
  });
});
