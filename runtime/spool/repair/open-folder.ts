// Opens the store in a spool's folder, whatever state the folder is in. Never refuses for what is on the
// disk, and never begins an empty store over one that might be read:
//
// - Another process holds the folder: refused (`spool-locked`). The lock is that of a LevelDB of its own, empty,
//   since the store's cannot be held while the store is replaced.
// - The store opens: used. What LevelDB skips in its log was counted before.
// - Its files are damaged: moved to `quarantine`, salvaged record by record into a new store.
// - It takes a key that was not given: moved to `quarantine` and kept for good; what can be read goes into a new one.
// - It is not the one of which the mark beside it speaks: moved to `quarantine`. What is ours goes into a new one.
// - It is another module's: moved to `quarantine` and kept for good; a new one begun.
// - A newer format, or something that is no store: moved to `quarantine`, and a new store begun.
// - The disk is full, failing or read-only: tried again, for ever. Nothing is wrong with the data.
// - The file system has lost a file of it, or a folder: of the store, what is left of that is salvaged; of what stands beside
//   the store, the whole folder is renamed, and what is left of the store salvaged into a new one.
//
// Crash argument. The new store is built under another name and takes its place by a rename, once it is
// complete and synced. A store that was moved away and not salvaged yet carries `-unsalvaged` in its name: a
// start that finds one, and no store, begins the salvage again. A first start says in FORMAT.json that there is no store until
// there is one: what it left when it was cut off is neither damage nor a loss.

import { rename, rm } from 'node:fs/promises';
import type { Clock } from '../../../kernel/clock.ts';
import { describeError, HoldfastError } from '../../../kernel/errors.ts';
import type { Log } from '../../../kernel/log.ts';
import type { Random } from '../../../kernel/random.ts';
import { foreignOwner } from '../continuity/folder-record.ts';
import { watchMissingKeys } from '../encryption/sealed-codec.ts';
import { exists, isDiskTrouble, syncFolder } from '../engine/disk.ts';
import type { Store } from '../engine/store.ts';
import {
  type FolderLayout,
  keptForKey,
  keptForOwner,
  layoutOf,
  readMarker,
  writeMarker,
} from '../format/folder-layout.ts';
import type { RecordCodec } from '../format/record.ts';
import { openSpoolEngine } from '../format/spool-engine.ts';
import { lockFolder } from './folder-lock.ts';
import { clearFolder, clearForLock, closeToOthers, tellCleared } from './foreign-files.ts';
import { checkFiles } from './foreign-segments.ts';
import { findLost, isBeingLeft, leaveFolder } from './lost-files.ts';
import { begin, orClose, salvageStore, takeKeys } from './new-store.ts';
import {
  findFromLock,
  keepFromLock,
  type NotOurs,
  readOwnFiles,
  setAsideFromLock,
  toldMark,
  toSalvage,
  whyNotOurs,
} from './own-store.ts';
import {
  findUnsalvaged,
  keepMark,
  lookAt,
  moveToQuarantine,
  pruneQuarantine,
  unsalvaged,
} from './quarantine.ts';
import type { SalvageReport, SalvageRoom } from './salvage.ts';
import { noteEnd, noteStart } from './start-log.ts';
import { whenDiskAllows } from './when-disk-allows.ts';

export interface OpenFolderOptions {
  readonly folder: string;
  readonly codec: RecordCodec;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** See the spool's own options. */
  readonly owners: readonly string[];
  /** Ends the tries while the disk refuses. */
  readonly signal?: AbortSignal;
}

/** The damage that was found, and what was done about it; undefined when there was none. */
export interface Repair {
  readonly reason: string;
  /** Where the damaged store went, if it had to be replaced. */
  readonly quarantine?: string;
  readonly salvaged?: SalvageReport;
  /** All that is there is whole; it is of an earlier state. `continuity` says so, too. */
  readonly isRollback?: true;
}

export interface OpenedFolder {
  readonly store: Store;
  readonly layout: FolderLayout;
  readonly repair?: Repair;
  /** The index is large: not all of it was read through. */
  readonly isUnchecked?: boolean;
  /** Replaces the store, whose files turned out damaged while it was in use. The old one must be closed. */
  rebuild(reason: string): Promise<{ store: Store; repair: Repair }>;
  /** After the store is closed. */
  release(): Promise<void>;
}

interface Options extends OpenFolderOptions {
  /** Each salvage that the disk refused makes the next one leave out more. */
  readonly room: { for: SalvageRoom };
  /** The opening goes on without what cannot be read. */
  readonly skipUnreadable: boolean;
  /** Something else stood in the place of the whole folder, or it was left. */
  readonly isReplaced: boolean;
  /** What the file system has lost of the store. */
  readonly lost: readonly string[];
}

// What was quarantined is kept for people to look at, within bounds.
const maxQuarantineCount = 4;
const maxQuarantineBytes = 64 * 1024 * 1024;

/** @throws HoldfastError `spool-locked`; the signal's reason. */
export async function openFolder(given: OpenFolderOptions): Promise<OpenedFolder> {
  const layout = layoutOf(given.folder);
  const options: Options = {
    ...given,
    room: { for: 'all' },
    skipUnreadable: false,
    isReplaced: false,
    lost: [],
  };
  let isReplaced = false;
  const lock = await whenDiskAllows(options, layout, async (skipUnreadable) => {
    const isBegun = await isBeingLeft(layout);
    const lost = isBegun ? undefined : await findLost(layout);
    if (lost !== undefined && !skipUnreadable) throw lost.error;
    if (isBegun || lost !== undefined) {
      const why = isBegun ? 'a start was cut off as it did so' : `the file system has lost ${lost?.path}`;
      await leaveFolder(layout, nameOf(options.clock), why, options.log);
      isReplaced = true;
    }
    const cleared = await clearForLock(layout, skipUnreadable);
    tellCleared(options.log, cleared);
    isReplaced ||= cleared.some(({ path }) => path.startsWith(`${layout.root}.foreign-`));
    return lockFolder(layout, skipUnreadable);
  });
  try {
    let suspicious: boolean | undefined;
    const opened = await whenDiskAllows(options, layout, async (skipUnreadable) => {
      const { cleared, lost } = await clearFolder(layout, skipUnreadable);
      tellCleared(options.log, cleared);
      await setAsideFromLock(layout, nameOf(options.clock), options.log);
      await closeToOthers(layout);
      suspicious ??= await noteStart(layout.starts, options.clock);
      return openOwnStore({ ...options, skipUnreadable, isReplaced, lost }, layout, suspicious);
    });
    return {
      ...opened,
      layout,
      async rebuild(reason) {
        // A rebuild that failed half-way has moved the store already.
        const left = (await exists(layout.store)) ? undefined : await findUnsalvaged(layout);
        const quarantine =
          left ?? (await moveToQuarantine(layout, layout.store, nameOf(options.clock) + unsalvaged));
        return replaceStore(options, layout, quarantine, reason);
      },
      async release() {
        await noteEnd(layout.starts);
        await lock.close();
      },
    };
  } catch (error) {
    await lock.close();
    throw error;
  }
}

interface OpenedStore {
  readonly store: Store;
  readonly repair?: Repair;
  readonly isUnchecked?: boolean;
  /** The store was created by this start. */
  readonly isBegun?: boolean;
}

async function openOwnStore(
  options: Options,
  layout: FolderLayout,
  suspicious: boolean,
): Promise<OpenedStore> {
  const opened = await openStore(options, layout, suspicious);
  return orClose(opened.store, () => ownOf(opened, options, layout));
}

/** A store of another module is kept for its owner: its messages would be sent as ours. */
async function ownOf(opened: OpenedStore, options: Options, layout: FolderLayout): Promise<OpenedStore> {
  const { codec, owners, clock, log } = options;
  const owner = await foreignOwner(opened.store, codec, owners);
  if (owner === undefined) {
    const isMade = opened.isBegun === true || opened.repair?.quarantine !== undefined;
    const wrong = isMade ? undefined : await whyNotOurs(opened.store, codec, layout);
    if (wrong !== undefined) {
      await opened.store.close();
      return replaceNotOurs(options, layout, wrong);
    }
    await keepFromLock(layout);
    return opened;
  }
  await opened.store.close();
  const name = nameOf(clock) + keptForOwner;
  // First: the spool that is begun must not take it for its own.
  await keepMark(layout, name);
  const quarantine = await moveToQuarantine(layout, layout.store, name);
  const reason = `the spool is that of ${owner}, this is ${owners[0]}: what it holds is not sent under this name`;
  const advice =
    'put it back to the module that it belongs to; if it is this one, renamed: docs/OPERATIONS.md';
  log.error(
    { code: 'spool-of-another', reason, quarantine, advice },
    "another module's spool was quarantined, and a new one begun",
  );
  return { store: await begin(options, layout), repair: { reason, quarantine } };
}

/** Another store stands in the place of ours: it is kept, and records that are known to be ours are copied. */
async function replaceNotOurs(
  options: Options,
  layout: FolderLayout,
  { reason, isOther }: NotOurs,
): Promise<OpenedStore> {
  const ours = await findFromLock(layout, options.codec);
  // Of no other spool: whatever records of a spool it holds are ours. Of another one's index, what the logs hold may be.
  const isSource = ours === undefined && (!isOther || (await holdsOurs(options, layout)));
  const kind = isOther ? keptForOwner : isSource ? '' : '-not-ours';
  const name = nameOf(options.clock) + kind + (isSource ? unsalvaged : '');
  const quarantine = await moveToQuarantine(layout, layout.store, name);
  options.log.error(
    { code: 'spool-store-swapped', reason, quarantine },
    'the store folder belongs to another spool; it was quarantined',
  );
  const source = ours === undefined ? (isSource ? quarantine : undefined) : await toSalvage(ours);
  if (source !== undefined) return replaceStore(options, layout, source, reason, 'spool-store-swapped');
  return { store: await begin(options, layout), repair: { reason, quarantine } };
}

async function holdsOurs({ codec }: Options, layout: FolderLayout): Promise<boolean> {
  const files = await readOwnFiles(layout.store, codec, layout);
  files?.close();
  return files !== undefined;
}

async function openStore(options: Options, layout: FolderLayout, suspicious: boolean): Promise<OpenedStore> {
  await rm(layout.newStore, { recursive: true, force: true });
  let found = await lookAt(layout.store);
  const marker = await readMarker(layout, options.skipUnreadable);
  if (marker === 'newer')
    return beginAnew(options, layout, found, 'it was written by a newer version', 'spool-newer-format');
  if (found === 'foreign') return beginAnew(options, layout, found, 'what stood in its place is no store');
  const told = await toldMark(layout);
  // A first start that was cut off had promised nothing yet: whatever it made of its store is no loss.
  const isFirst = marker === 'begun' && told === undefined;
  if (isFirst && found === 'store') {
    await moveToQuarantine(layout, layout.store, nameOf(options.clock));
    // On a full disk each try may leave a part of a store.
    await pruneQuarantine(layout, maxQuarantineCount, maxQuarantineBytes);
    found = 'none';
  }
  if (found === 'none') {
    const left = await findUnsalvaged(layout);
    if (left !== undefined) return replaceStore(options, layout, left, 'a salvage was interrupted');
    const moved = await findFromLock(layout, options.codec);
    const why = 'the store stood in the place of the lock';
    if (moved !== undefined)
      return replaceStore(options, layout, await toSalvage(moved), why, 'spool-store-swapped');
    // The marker says that there was a store: without it, the folder is new.
    const isNew = (marker === 'unreadable' && told === undefined) || isFirst;
    if (isNew && !options.isReplaced) return beginFirst(options, layout);
    const reason = 'the store is gone: its folder is missing or empty';
    options.log.error({ code: 'spool-gone', folder: layout.store }, reason);
    await marked(layout, marker);
    return { store: await begin(options, layout), isBegun: true, repair: { reason } };
  }
  if (options.lost.length > 0)
    return replaceDamaged(options, layout, [`the file system has lost ${options.lost.join(', ')}`]);
  const check = { thorough: suspicious, name: nameOf(options.clock), log: options.log };
  const { damage, setAside, notOurs } = await checkFiles(layout, check);
  if (notOurs !== undefined) return replaceNotOurs(options, layout, notOurs);
  if (damage.store === undefined) {
    try {
      await marked(layout, marker);
      const { store, problem } = await openSpoolEngine({
        folder: layout.store,
        create: false,
        skipUnreadable: options.skipUnreadable,
      });
      const reasons = [
        setAside,
        damage.log,
        problem,
        marker === 'unreadable' ? 'its FORMAT.json is not readable' : undefined,
      ];
      const reason = reasons.filter((each) => each !== undefined).join('; ');
      const missing = await takeKeys(store, options.codec);
      if (missing !== undefined) {
        const name = nameOf(options.clock) + keptForKey + unsalvaged;
        const quarantine = await moveToQuarantine(layout, layout.store, name);
        return replaceStore(options, layout, quarantine, missing, 'spool-key-missing');
      }
      const { isUnchecked = false } = damage;
      return { store, isUnchecked, ...(reason === '' ? {} : { repair: { reason } }) };
    } catch (error) {
      if (!isDamage(error, options.skipUnreadable)) throw error;
      return replaceDamaged(options, layout, [setAside, describeError(error)]);
    }
  }
  return replaceDamaged(options, layout, [setAside, damage.store]);
}

/** After enough tries, whatever LevelDB does not open counts as damaged, unless the disk is the reason. */
function isDamage(error: unknown, skipUnreadable: boolean): boolean {
  if (!(error instanceof HoldfastError)) return false;
  return (
    error.code === 'store-damaged' ||
    (skipUnreadable && error.code === 'store-open-failed' && !isDiskTrouble(error))
  );
}

async function replaceDamaged(
  options: Options,
  layout: FolderLayout,
  reasons: readonly (string | undefined)[],
) {
  const reason = reasons.filter((each) => each !== undefined).join('; ');
  const quarantine = await moveToQuarantine(layout, layout.store, nameOf(options.clock) + unsalvaged);
  return replaceStore(options, layout, quarantine, reason);
}

async function replaceStore(
  options: Options,
  layout: FolderLayout,
  quarantine: string,
  reason: string,
  code = 'spool-damage',
): Promise<{ store: Store; repair: Repair }> {
  options.log.error(
    { code, reason, quarantine },
    'the store is damaged: what can be read is copied into a new one',
  );
  const { codec, missing } = watchMissingKeys(options.codec);
  const salvaged = await salvageStore(quarantine, layout, { ...options, codec });
  await rename(layout.newStore, layout.store);
  await syncFolder(layout.root);
  const base = quarantine.endsWith(unsalvaged) ? quarantine.slice(0, -unsalvaged.length) : quarantine;
  const kept = missing.size === 0 || base.includes(keptForKey) ? base : base + keptForKey;
  await rename(quarantine, kept);
  if (missing.size > 0) {
    const advice = `give the key back under spool.encryption and run: holdfast spool salvage ${kept} NEWFOLDER`;
    options.log.error(
      { code: 'spool-key-missing', keys: [...missing.keys()], quarantine: kept },
      `records are encrypted with a key that is not available; ${advice}`,
    );
  }
  await pruneQuarantine(layout, maxQuarantineCount, maxQuarantineBytes);
  await writeMarker(layout);
  options.log.error({ code, reason, salvaged, quarantine: kept }, 'the store was replaced');
  const { store } = await openSpoolEngine({ folder: layout.store });
  return { store, repair: { reason, quarantine: kept, ...(salvaged === undefined ? {} : { salvaged }) } };
}

async function beginAnew(
  options: Options,
  layout: FolderLayout,
  found: 'none' | 'store' | 'foreign',
  reason: string,
  code = 'spool-store-swapped',
): Promise<OpenedStore> {
  if (found === 'none') return beginFirst(options, layout);
  const quarantine = await moveToQuarantine(layout, layout.store, nameOf(options.clock));
  options.log.error(
    { code, reason, quarantine },
    'the store cannot be used by this version; a new one is begun',
  );
  await writeMarker(layout);
  return { store: await begin(options, layout), repair: { reason, quarantine } };
}

/** The folder's first store. */
async function beginFirst(options: Options, layout: FolderLayout): Promise<OpenedStore> {
  await writeMarker(layout, 'begun');
  const store = await begin(options, layout);
  try {
    await writeMarker(layout);
    return { store, isBegun: true };
  } catch (error) {
    await store.close();
    throw error;
  }
}

async function marked(layout: FolderLayout, marker: 'begun' | 'ours' | 'unreadable'): Promise<object> {
  if (marker !== 'ours') await writeMarker(layout);
  return {};
}

function nameOf(clock: Clock): string {
  return new Date(clock.now()).toISOString().replaceAll(':', '');
}
