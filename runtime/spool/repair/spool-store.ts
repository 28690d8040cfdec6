// The store that the spool uses, and the room that its disk has: either a folder's, or one that was handed in.
import { statfs } from 'node:fs/promises';
import type { Clock } from '../../../kernel/clock.ts';
import { describeError } from '../../../kernel/errors.ts';
import type { Log } from '../../../kernel/log.ts';
import { type Random, systemRandom } from '../../../kernel/random.ts';
import { noteKey } from '../encryption/key-record.ts';
import { isDiskTrouble } from '../engine/disk.ts';
import type { Store } from '../engine/store.ts';
import type { RecordCodec } from '../format/record.ts';
import { dropBallast, layBallast } from '../retention/ballast.ts';
import { openFolder, type Repair } from './open-folder.ts';
import { GuardedStore, type GuardedStoreEvents } from './self-repairing-store.ts';
import { checkTables } from './table-scrub.ts';

/** As the spool's own options. */
export interface SpoolStoreOptions {
  readonly folder: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly random?: Random;
  readonly signal?: AbortSignal;
  readonly freeBytes?: () => Promise<number | undefined>;
  /** Instead of a folder. */
  readonly store?: () => Promise<Store>;
}

export interface SpoolStore {
  readonly store: Store;
  /** What was found damaged, and what became of it. */
  readonly repair?: Repair;
  /** Free bytes of the disk; undefined when it cannot be asked. */
  freeBytes(): Promise<number | undefined>;
  /** What the store should hold is not there: it is put together anew, if it can be. */
  suspect(reason: string): void;
  readonly isRepairable: boolean;
  /** Ends what goes on beside. Before the store is closed. */
  stop(): void;
  /** After a failed write: gives the disk room if that was what it lacked. */
  makeRoom(error: unknown): Promise<void>;
  /** Now and then: takes that room again, once there is enough. */
  reserveRoom(): Promise<void>;
}

export async function openSpoolStore(
  options: SpoolStoreOptions,
  codec: RecordCodec,
  events: GuardedStoreEvents,
): Promise<SpoolStore> {
  const freeBytes = options.freeBytes ?? (() => freeBytesOf(options.folder));
  if (options.store !== undefined) {
    const store = await options.store();
    await noteKey(store, codec);
    const nothing = { suspect: () => {}, isRepairable: false, stop: () => {} };
    return { store, freeBytes, makeRoom: async () => {}, reserveRoom: async () => {}, ...nothing };
  }
  const { folder: path, clock, log, signal, random = systemRandom } = options;
  const abort = signal === undefined ? {} : { signal };
  const folder = await openFolder({ folder: path, codec, clock, random, log, ...abort });
  const { ballast } = folder.layout;
  const reserveRoom = async () => void (await layBallast(ballast, await freeBytes()));
  await reserveRoom();
  const store = new GuardedStore(folder, events);
  const stopped = new AbortController();
  const suspect = (reason: string) => {
    // Who reads or writes next tries again.
    store.suspect(reason).catch((error) => log.warn({ error: describeError(error) }, 'not repaired yet'));
  };
  if (folder.isUnchecked) {
    checkTables(folder.layout.store, clock, stopped.signal)
      .then((damage) => damage !== undefined && suspect(damage))
      .catch((error) => {
        if (!stopped.signal.aborted)
          log.warn({ error: describeError(error) }, 'the index could not be read through');
      });
  }
  return {
    store,
    suspect,
    isRepairable: true,
    stop: () => stopped.abort(),
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
