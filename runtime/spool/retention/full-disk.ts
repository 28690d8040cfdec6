// What happens when the disk is full: the whole policy, and the reserve that makes it possible.
//
// What is given up, in this order. Each step is taken only while the one before did not bring enough room.
// 1. Nothing. The write-ahead log overwrites blocks that it has already, so commits mostly go on for a while
//    (engine/wal.ts).
// 2. The ballast: 8 MiB of zeros in a file of our own, removed at the first write that the disk refuses. LevelDB that cannot
//    write cannot delete either, so without it nothing could be cleaned up.
// 3. Acknowledged windows, the oldest first, until `reserveBytes` are free, and at once the space of what was deleted
//    (retention-policy.ts decides, archive-sweep.ts and freed-space.ts do it).
// 4. Windows that were never sent, the oldest first, down to the newest 8 MiB, if the policy is `drop-oldest`. The batch that
//    removes them declares them void, unless their equipment can be asked again (eviction.ts). If the policy is
//    `backpressure`, nothing unsent is removed: sources that keep their own history are paused instead (needsBackpressure).
// 5. Where LevelDB was closed and does not open again for want of room: files that it no longer needs
//    (engine/leveldb/obsolete-files.ts).
// A salvage that runs out of room leaves out what was sent (repair/open-folder.ts).
//
// What still works. What is stored is sent: LevelDB is not closed while there is no room to open it again, and if it is
// closed all the same, its files are read without it (engine/leveldb/level-store.ts). Acknowledgements wait in memory;
// beyond 50,000 operations nothing more is handed out (lanes/lane-store.ts). No reading counts as durable before it is on
// the disk: the batch that was refused is repeated unchanged, for ever, and later ones wait behind it (core/committer.ts);
// 64 MiB of readings wait in the windows, and beyond that events become holes. Status says `failing`, with what the disk
// said and since when. A start tries again for ever too.
//
// How it resumes. The refused batch is repeated after 0.1 to 5 s; each refusal starts a retention sweep. Once the disk takes
// the batch, all that waited follows in order, and status says `ok`. The ballast is made again after a sweep that finds
// 32 MiB free.
import { open, rm, stat, statfs } from 'node:fs/promises';
import { displace, kindOf } from '../../../kernel/small-file.ts';
import { isDiskTrouble } from '../engine/disk.ts';

export const ballastBytes = 8 * 1024 * 1024;
// Others shall have some of what comes free.
const freeForBallast = 4 * ballastBytes;

export interface DiskSpace {
  /** Free bytes of the disk; undefined when it cannot be asked. */
  freeBytes(): Promise<number | undefined>;
  /** After a failed write or start: removes the ballast if room was what the disk lacked. True: there was one. */
  makeRoom(error: unknown): Promise<boolean>;
  /** Now and then: makes the ballast again, once there is enough room. */
  reserveRoom(): Promise<void>;
}

/** `ballast`: its path; undefined for a store without a folder, which has none. */
export function diskSpace(
  ballast: string | undefined,
  folder: string,
  freeBytes: () => Promise<number | undefined> = () => freeBytesOf(folder),
): DiskSpace {
  return {
    freeBytes,
    makeRoom: async (error) => ballast !== undefined && isDiskTrouble(error) && removeBallast(ballast),
    async reserveRoom() {
      if (ballast !== undefined) await makeBallast(ballast, await freeBytes());
    },
  };
}

async function makeBallast(path: string, freeBytes: number | undefined): Promise<void> {
  const facts = await stat(path).catch(() => undefined);
  if (facts?.size === ballastBytes) return;
  if (freeBytes !== undefined && freeBytes < freeForBallast) return;
  try {
    if (!['file', 'missing'].includes(await kindOf(path))) await displace(path);
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
  } catch {
    await rm(path, { force: true }).catch(() => {});
  }
}

/** False: there was none. */
async function removeBallast(path: string): Promise<boolean> {
  const facts = await stat(path).catch(() => undefined);
  if (facts === undefined) return false;
  await rm(path, { force: true }).catch(() => {});
  return true;
}

async function freeBytesOf(folder: string): Promise<number | undefined> {
  try {
    const { bavail, bsize } = await statfs(folder);
    return bavail * bsize;
  } catch {
    return undefined;
  }
}
