// Temporary folders of tests that need real files, and not a disk that keeps them.
import { accessSync, constants, mkdtempSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const inMemory = '/dev/shm';
const neededBytes = 256 * 1024 * 1024;

/**
 * A new folder, to be removed by the caller. It lies in memory where the machine offers that: a start of a spool waits for some twenty
 * syncs, which take most of its time on a disk.
 */
export function quickFolder(name: string): string {
  return mkdtempSync(join(isRoomy() ? inMemory : tmpdir(), `holdfast-${name}-`));
}

function isRoomy(): boolean {
  try {
    accessSync(inMemory, constants.R_OK | constants.W_OK | constants.X_OK);
    const { bavail, bsize } = statfsSync(inMemory);
    return bavail * bsize >= neededBytes;
  } catch {
    return false;
  }
}
