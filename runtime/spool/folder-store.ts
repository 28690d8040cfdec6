// The store that the spool uses, and the room that its disk has: either a folder's, or one that was handed in.
import { statfs } from 'node:fs/promises';
import { systemRandom } from '../../kernel/random.ts';
import { dropBallast, layBallast } from './ballast.ts';
import { noteKey } from './encryption/key-record.ts';
import { isDiskTrouble } from './folder-layout.ts';
import { GuardedStore, type GuardedStoreEvents } from './guarded-store.ts';
import { openFolder, type Repair } from './open-folder.ts';
import type { RecordCodec } from './record.ts';
import type { SpoolOptions } from './spool-api.ts';
import type { Store } from './store.ts';

export interface SpoolStore {
  readonly store: Store;
  /** What was found damaged, and what became of it. */
  readonly repair?: Repair;
  /** Free bytes of the disk; undefined when it cannot be asked. */
  freeBytes(): Promise<number | undefined>;
  /** After a failed write: gives the disk room if that was what it lacked. */
  makeRoom(error: unknown): Promise<void>;
  /** Now and then: takes that room again, once there is enough. */
  reserveRoom(): Promise<void>;
}

export async function openSpoolStore(
  options: SpoolOptions,
  codec: RecordCodec,
  events: GuardedStoreEvents,
): Promise<SpoolStore> {
  const freeBytes = options.freeBytes ?? (() => freeBytesOf(options.folder));
  if (options.store !== undefined) {
    const store = await options.store();
    await noteKey(store, codec);
    return { store, freeBytes, makeRoom: async () => {}, reserveRoom: async () => {} };
  }
  const { folder: path, clock, log, signal, random = systemRandom } = options;
  const abort = signal === undefined ? {} : { signal };
  const folder = await openFolder({ folder: path, codec, clock, random, log, ...abort });
  const { ballast } = folder.layout;
  const reserveRoom = async () => void (await layBallast(ballast, await freeBytes()));
  await reserveRoom();
  return {
    store: new GuardedStore(folder, events),
    ...(folder.repair === undefined ? {} : { repair: folder.repair }),
    freeBytes,
    async makeRoom(error) {
      if (isDiskTrouble(error)) await dropBallast(ballast);
    },
    reserveRoom,
  };
}

async function freeBytesOf(folder: string): Promise<number | undefined> {
  try {
    const { bavail, bsize } = await statfs(folder);
    return bavail * bsize;
  } catch {
    return undefined;
  }
}
