// The store that the spool uses: a folder's, or one that is handed in.
import type { Clock } from '../../../kernel/clock.ts';
import { codeOf, describeError } from '../../../kernel/errors.ts';
import type { Log } from '../../../kernel/log.ts';
import { type Random, systemRandom } from '../../../kernel/random.ts';
import { noteKey } from '../encryption/key-record.ts';
import type { Store } from '../engine/store.ts';
import type { RecordCodec } from '../format/record.ts';
import { type DiskSpace, diskSpace } from '../retention/full-disk.ts';
import { openFolder, type Repair } from './open-folder.ts';
import { type RepairEvents, SelfRepairingStore } from './self-repairing-store.ts';
import { checkTables } from './table-scrub.ts';

/** As the spool's own options. */
export interface SpoolStoreOptions {
  readonly folder: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly random?: Random;
  readonly signal?: AbortSignal;
  readonly freeBytes?: () => Promise<number | undefined>;
  readonly owners?: readonly string[];
  /** Instead of a folder. */
  readonly store?: () => Promise<Store>;
  readonly storeDamage?: () => string | undefined;
}

export interface SpoolStore {
  readonly store: Store;
  readonly space: DiskSpace;
  /** The damage that was found, and what was done about it. */
  readonly repair?: Repair;
  /** Entries are missing that were written: the store is rebuilt, if it can be. */
  reportDamage(reason: string): void;
  readonly isRepairable: boolean;
  /** Stops the background check of the index. Call before the store is closed. */
  stop(): void;
}

export async function openSpoolStore(
  options: SpoolStoreOptions,
  codec: RecordCodec,
  events: RepairEvents,
): Promise<SpoolStore> {
  if (options.store !== undefined) {
    const store = await options.store();
    await noteKey(store, codec);
    const reason = options.storeDamage?.();
    const nothing = { reportDamage: () => {}, isRepairable: false, stop: () => {} };
    const space = diskSpace(undefined, options.folder, options.freeBytes);
    return { store, space, ...nothing, ...(reason !== undefined && { repair: { reason } }) };
  }
  const { folder: path, clock, log, signal, random = systemRandom } = options;
  const abort = signal === undefined ? {} : { signal };
  const folder = await openFolder({
    folder: path,
    codec,
    clock,
    random,
    log,
    owners: options.owners ?? [],
    ...abort,
  });
  const space = diskSpace(folder.layout, path, options.freeBytes);
  await space.reserveRoom();
  const store = new SelfRepairingStore(folder, events);
  const stopped = new AbortController();
  const reportDamage = (reason: string) => {
    // The next read or write tries again.
    store
      .reportDamage(reason)
      .catch((error) =>
        log.warn(
          { code: codeOf(error, 'spool-damage'), error: describeError(error) },
          'the damaged store could not be repaired; the next read or write tries again',
        ),
      );
  };
  if (folder.isUnchecked) {
    checkTables(folder.layout.store, clock, stopped.signal)
      .then((damage) => damage !== undefined && reportDamage(damage))
      .catch((error) => {
        if (!stopped.signal.aborted)
          log.warn(
            { code: codeOf(error, 'disk-refuses'), error: describeError(error) },
            'the index could not be read through',
          );
      });
  }
  return {
    store,
    space,
    reportDamage,
    isRepairable: true,
    stop: () => stopped.abort(),
    ...(folder.repair === undefined ? {} : { repair: folder.repair }),
  };
}
