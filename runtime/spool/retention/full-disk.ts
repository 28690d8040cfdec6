// What happens when the disk is full: the whole policy, and the files that make it possible.
//
// What is given up, in this order. Each step is taken only while the one before did not bring enough room.
// While less than `retention.reserveBytes` are free, at each sweep:
// 1. Acknowledged windows, the oldest first, and at once the space of what was deleted
//    (retention-policy.ts decides, archive-sweep.ts and freed-space.ts do it).
// 2. Windows that were never sent, the oldest first, down to the newest 8 MiB, if the policy is `drop-oldest`. The batch that
//    removes them declares them void, unless their equipment can be asked again (eviction.ts). If the policy is
//    `backpressure`, nothing unsent is removed: sources that keep their own history are paused instead (needsBackpressure).
// Where the disk refuses a write:
// 3. Nothing at first. The write-ahead log overwrites blocks that it has already, so commits mostly go on for a while
//    (engine/wal.ts).
// 4. The ballast: 8 MiB of zeros in a file of our own, removed at the first write that is refused for want of room. Room helps
//    neither a disk that fails nor one that is read-only, so there the ballast stays. LevelDB that cannot
//    write cannot delete either, so without it nothing could be cleaned up. Then a sweep, as above.
// 5. Where LevelDB was closed and does not open again for want of room: files that it no longer needs
//    (engine/leveldb/obsolete-files.ts).
// A salvage that runs out of room leaves out what was sent (repair/open-folder.ts).
//
// What still works. What is stored is sent: LevelDB is not closed while there is no room to open it again, and if it is
// closed all the same, its files are read without it (engine/leveldb/level-store.ts). Acknowledgements wait in memory;
// beyond 50,000 operations nothing more is handed out (lanes/lane-store.ts). No reading counts as durable before it is on
// the disk: the batch that was refused is repeated unchanged, for ever, and later ones wait behind it (core/committer.ts);
// 64 MiB of readings wait in the windows, and beyond that events become holes. Status says `failing`, with what the disk
// said and since when. To open, LevelDB begins a
// MANIFEST and a log and turns the old log into a table: for that a start on a full disk gets the reserve, up to 4 MiB in another
// file of our own, before the ballast, which its forerunner may have used up. What that takes is free again soon after, and is taken again at
// once, so that the next start finds it. Without either a start tries again for ever.
//
// How it resumes. The refused batch is repeated after 0.1 to 5 s; each refusal starts a retention sweep. Once the disk takes
// the batch, all that waited follows in order, and status says `ok`. The ballast is made again after a sweep that finds
// 32 MiB free.
import { open, rm, stat, statfs } from 'node:fs/promises';
import { displace, kindOf } from '../../../kernel/small-file.ts';
import { isFull } from '../engine/disk.ts';

const mib = 1024 * 1024;
export const ballastBytes = 8 * mib;
export const startReserveBytes = 4 * mib;
const leastReserveBytes = 2 * mib;
/** The space that a running spool gets on a disk that is full except for the reserve. */
const spareBytes = mib / 4;
// Others shall have some of what comes free.
const freeForBallast = 4 * ballastBytes;

export interface DiskSpace {
  /** Free bytes of the disk; undefined when it cannot be asked. */
  freeBytes(): Promise<number | undefined>;
  /** After a failed write: removes the ballast where the error says that the disk, or the quota, is full. True: there was one. */
  makeRoom(error: unknown): Promise<boolean>;
  /** After a failed start, the same: the reserve first, then the ballast. */
  makeRoomToOpen(error: unknown): Promise<boolean>;
  /** After a start, and now and then: makes the reserve again, as large as there is room for, and the ballast, once there is enough. */
  reserveRoom(): Promise<void>;
}

/** Paths; undefined for a store without a folder, which has none. */
export interface RoomFiles {
  readonly ballast: string;
  readonly reserve: string;
}

export function diskSpace(
  files: RoomFiles | undefined,
  folder: string,
  freeBytes: () => Promise<number | undefined> = () => freeBytesOf(folder),
): DiskSpace {
  return {
    freeBytes,
    makeRoom: async (error) => files !== undefined && isFull(error) && freeFile(files.ballast),
    async makeRoomToOpen(error) {
      if (files === undefined || !isFull(error)) return false;
      return (await freeFile(files.reserve)) || (await freeFile(files.ballast));
    },
    async reserveRoom() {
      if (files === undefined) return;
      await makeReserve(files.reserve, await freeBytes());
      await makeBallast(files.ballast, await freeBytes());
    },
  };
}

async function makeBallast(path: string, freeBytes: number | undefined): Promise<void> {
  if ((await sizeOf(path)) === ballastBytes) return;
  if (freeBytes !== undefined && freeBytes < freeForBallast) return;
  await take(path, ballastBytes);
}

async function makeReserve(path: string, freeBytes = Number.POSITIVE_INFINITY): Promise<void> {
  const there = await sizeOf(path);
  const room = Math.floor((there + freeBytes - spareBytes) / mib) * mib;
  const bytes = Math.min(startReserveBytes, room);
  if (bytes >= leastReserveBytes && bytes > there) await take(path, bytes);
}

async function sizeOf(path: string): Promise<number> {
  return (await stat(path).catch(() => undefined))?.size ?? 0;
}

async function take(path: string, bytes: number): Promise<void> {
  try {
    if (!['file', 'missing'].includes(await kindOf(path))) await displace(path);
    const file = await open(path, 'w', 0o600);
    try {
      // Written, not just allotted: some file systems give room only then.
      const zeros = Buffer.alloc(mib);
      for (let at = 0; at < bytes; at += zeros.byteLength) await file.write(zeros, 0, zeros.byteLength, at);
      await file.sync();
    } finally {
      await file.close();
    }
  } catch {
    await rm(path, { force: true }).catch(() => {});
  }
}

/** False: there was none, or it cannot be removed. */
function freeFile(path: string): Promise<boolean> {
  return rm(path).then(
    () => true,
    () => false,
  );
}

async function freeBytesOf(folder: string): Promise<number | undefined> {
  try {
    const { bavail, bsize } = await statfs(folder);
    return bavail * bsize;
  } catch {
    return undefined;
  }
}
