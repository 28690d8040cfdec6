// Makes a store where there is none: an empty one, or what can be read of a damaged one.
import { rm } from 'node:fs/promises';
import type { Clock } from '../../../kernel/clock.ts';
import { HoldfastError } from '../../../kernel/errors.ts';
import type { Log } from '../../../kernel/log.ts';
import type { Random } from '../../../kernel/random.ts';
import { readFolderRecord } from '../continuity/folder-record.ts';
import { missingKeys, noteKey } from '../encryption/key-record.ts';
import { isDiskTrouble } from '../engine/disk.ts';
import type { StoreFiles } from '../engine/offline/store-files.ts';
import type { Store } from '../engine/store.ts';
import type { FolderLayout } from '../format/folder-layout.ts';
import type { RecordCodec } from '../format/record.ts';
import { openSpoolEngine } from '../format/spool-engine.ts';
import { readOwnFiles, toldMark } from './own-store.ts';
import { type SalvageReport, type SalvageRoom, salvage, withLessRoom } from './salvage.ts';
import { SpoolReader } from './spool-reader.ts';

export interface NewStoreOptions {
  readonly codec: RecordCodec;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Each salvage that the disk refused makes the next one leave out more. */
  readonly room: { for: SalvageRoom };
}

/** Empty, in its place. @throws as `openSpoolEngine`. */
export async function begin(options: NewStoreOptions, layout: FolderLayout): Promise<Store> {
  const { codec } = options;
  const identity = await newIdentity(options, layout);
  const { store } = await openSpoolEngine({ folder: layout.store, identity });
  await orClose(store, () => noteKey(store, codec));
  return store;
}

/** Else the next try would find the store in use, by ourselves. */
export async function orClose<T>(store: Store, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    await store.close();
    throw error;
  }
}

/** Into `layout.newStore`. Undefined when no record can be read: the store stays in quarantine, and the module goes on. */
export async function salvageStore(
  quarantine: string,
  layout: FolderLayout,
  options: NewStoreOptions,
): Promise<SalvageReport | undefined> {
  const files = await openSource(quarantine, layout, options);
  try {
    await rm(layout.newStore, { recursive: true, force: true });
    const known = files && ((await readFolderRecord(files, options.codec))?.id ?? files.identity);
    const { store } = await openSpoolEngine({
      folder: layout.newStore,
      identity: known ?? (await newIdentity(options, layout)),
    });
    try {
      if (files === undefined) return undefined;
      const { codec, clock, room } = options;
      return await salvage(new SpoolReader(files, codec), store, { room: room.for, clock });
    } catch (error) {
      if (isDiskTrouble(error)) options.room.for = withLessRoom(options.room.for, error);
      throw error;
    } finally {
      await store.close();
    }
  } finally {
    files?.close();
  }
}

async function openSource(
  quarantine: string,
  layout: FolderLayout,
  { codec, log }: NewStoreOptions,
): Promise<StoreFiles | undefined> {
  try {
    const files = await readOwnFiles(quarantine, codec, layout);
    if (files === undefined)
      log.error(
        { code: 'spool-store-swapped', quarantine },
        'no record of the store belongs to this spool: none is taken over',
      );
    return files;
  } catch (error) {
    if (!(error instanceof HoldfastError) || error.code !== 'spool-unreadable') throw error;
    log.error({ code: 'spool-damage', error: error.message }, 'nothing of the damaged store can be read');
    return undefined;
  }
}

/** For a store that is begun: of the spool that the mark beside it speaks of, or of a new one. */
async function newIdentity({ random }: NewStoreOptions, layout: FolderLayout): Promise<string> {
  return (await toldMark(layout))?.mark.spool ?? random.uuid();
}

/** Why the codec cannot be used on the store, which is closed then. Else the store knows of its key. */
export async function takeKeys(store: Store, codec: RecordCodec): Promise<string | undefined> {
  return orClose(store, async () => {
    const missing = await missingKeys(store, codec);
    if (missing.length === 0) return void (await noteKey(store, codec));
    await store.close();
    return `it holds records that are sealed with key ${missing.join(' and ')}, which was not given`;
  });
}
