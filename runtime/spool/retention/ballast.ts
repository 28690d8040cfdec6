// A file of zeros that takes room on the disk until the disk is full. Then it is removed: a LevelDB that cannot
// write cannot delete either, so without it a full disk could never be cleaned up from here.
import { open, rm, stat } from 'node:fs/promises';
import { displace, kindOf } from '../../../kernel/small-file.ts';

export const ballastBytes = 8 * 1024 * 1024;

/** Makes the file, unless the disk is short of room. False: not there now. */
export async function layBallast(path: string, freeBytes: number | undefined): Promise<boolean> {
  const facts = await stat(path).catch(() => undefined);
  if (facts?.size === ballastBytes) return true;
  if (freeBytes !== undefined && freeBytes < 4 * ballastBytes) return false;
  try {
    if ((await kindOf(path)) === 'foreign') await displace(path);
    const file = await open(path, 'w', 0o600);
    try {
      // Written, not just allotted: some file systems give room only then.
      const zeros = Buffer.alloc(1024 * 1024);
      for (let at = 0; at < ballastBytes; at += zeros.byteLength)
        await file.write(zeros, 0, zeros.byteLength, at);
      await file.sync();
    } finally {
      await file.close();
    }
    return true;
  } catch {
    await rm(path, { force: true }).catch(() => {});
    return false;
  }
}

/** Gives the room back. False: there was none to give. */
export async function dropBallast(path: string): Promise<boolean> {
  const facts = await stat(path).catch(() => undefined);
  if (facts === undefined) return false;
  await rm(path, { force: true }).catch(() => {});
  return true;
}
