import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { HoldfastError } from '../../../kernel/errors.ts';
import { quickFolder } from '../../../kernel/testing/quick-folder.ts';
import { ballastBytes, diskSpace, startReserveBytes } from './full-disk.ts';

const root = quickFolder('full');
afterAll(() => rmSync(root, { recursive: true, force: true }));
let files = 0;
const newPath = () => join(root, `ballast-${files++}`);
const filesAt = (ballast: string) => ({ ballast, reserve: `${ballast}.reserve` });
const full = new HoldfastError('store-write-failed', 'refused', {
  cause: Object.assign(new Error('No space left on device'), { code: 'ENOSPC' }),
});

describe('the ballast', () => {
  it('is room that the disk really gave, and comes back to it when a write is refused', async () => {
    const path = newPath();
    const space = diskSpace(filesAt(path), root);
    await space.reserveRoom();
    expect(statSync(path)).toMatchObject({ size: ballastBytes, mode: expect.any(Number) });
    expect(statSync(path).blocks * 512).toBeGreaterThanOrEqual(ballastBytes);
    expect(await space.makeRoom(full)).toBe(true);
    expect(existsSync(path)).toBe(false);
    expect(await space.makeRoom(full)).toBe(false);
  });

  it('stays where something else than room is missing', async () => {
    const path = newPath();
    const space = diskSpace(filesAt(path), root);
    await space.reserveRoom();
    expect(await space.makeRoom(new HoldfastError('store-needs-reopen', 'reopen first'))).toBe(false);
    for (const code of ['EIO', 'EROFS', 'EACCES']) {
      const failing = Object.assign(new Error(code), { code });
      expect(await space.makeRoom(failing)).toBe(false);
      expect(await space.makeRoomToOpen(failing)).toBe(false);
    }
    expect(existsSync(path)).toBe(true);
  });

  it('is no room where it cannot be removed: a start must not try again without a pause', async () => {
    const path = newPath();
    mkdirSync(join(path, 'in the way'), { recursive: true });
    const space = diskSpace(filesAt(path), root);
    expect(await space.makeRoom(full)).toBe(false);
    expect(await space.makeRoomToOpen(full)).toBe(false);
  });

  it('is made again only once four times its size is free', async () => {
    const path = newPath();
    let free = 4 * ballastBytes - 1;
    const space = diskSpace(filesAt(path), root, async () => free);
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
      await diskSpace(filesAt(path), root).reserveRoom();
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

describe('the reserve', () => {
  it('is given up by a start alone, before the ballast', async () => {
    const { ballast, reserve } = filesAt(newPath());
    const space = diskSpace({ ballast, reserve }, root);
    await space.reserveRoom();
    expect(statSync(reserve).size).toBe(startReserveBytes);
    await space.makeRoom(full);
    expect([existsSync(ballast), existsSync(reserve)]).toEqual([false, true]);
    await space.reserveRoom();
    expect(await space.makeRoomToOpen(new HoldfastError('store-needs-reopen', 'reopen first'))).toBe(false);
    expect(await space.makeRoomToOpen(full)).toBe(true);
    expect([existsSync(ballast), existsSync(reserve)]).toEqual([true, false]);
    expect(await space.makeRoomToOpen(full)).toBe(true);
    expect(existsSync(ballast)).toBe(false);
    expect(await space.makeRoomToOpen(full)).toBe(false);
  });

  it('is as large as there is room for, grows with it, and is none where too little would be left', async () => {
    const { ballast, reserve } = filesAt(newPath());
    let free = 0;
    const space = diskSpace({ ballast, reserve }, root, async () => free);
    const mib = 1024 * 1024;
    for (const [is, size] of [
      [2 * mib, undefined],
      [3.5 * mib, 3 * mib],
      [0.5 * mib, 3 * mib],
      [2 * mib, 4 * mib],
    ] as const) {
      free = is;
      await space.reserveRoom();
      expect(statSync(reserve, { throwIfNoEntry: false })?.size).toBe(size);
    }
  });
});
