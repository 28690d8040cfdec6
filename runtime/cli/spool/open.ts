// Opens a stopped module's spool for reading: as its files are, and as the module will have it after its next start.
import { statfsSync } from 'node:fs';
import { HoldfastError } from '../../../kernel/errors.ts';
import { watchMissingKeys } from '../../spool/encryption/sealed-codec.ts';
import { isSystemError } from '../../spool/engine/disk.ts';
import type { StoreFiles } from '../../spool/engine/offline/store-files.ts';
import { layoutOf } from '../../spool/format/folder-layout.ts';
import { plainCodec, type RecordCodec } from '../../spool/format/record.ts';
import { readSpoolFiles } from '../../spool/format/spool-engine.ts';
import { readOwnFiles } from '../../spool/repair/own-store.ts';
import type { SalvageReport } from '../../spool/repair/salvage.ts';
import { SpoolReader } from '../../spool/repair/spool-reader.ts';
import { damageIn } from '../../spool/repair/start-check.ts';
import {
  checkFormat,
  findSpool,
  type HeldLock,
  isInside,
  lockSpool,
  type SpoolLayout,
  storeGone,
} from './layout.ts';
import type { ReadSpool, Rehearse } from './read-spool.ts';
import { type Rehearsal, rehearseSalvage } from './rehearse-salvage.ts';

/** What the module will do at its next start instead of using the store. */
export interface NextRepair {
  readonly reason: string;
  /** Absent where the salvage was not rehearsed. */
  readonly salvaged?: SalvageReport;
  /** Records took keys that were not given: what the salvage calls lost may be there. */
  readonly lacksKeys: boolean;
}

export interface OpenedSpool extends ReadSpool {
  readonly layout: SpoolLayout;
  /** The files as they are. The spool itself is as the module will have it: the same, unless there is a `repair`. */
  readonly asIs: ReadSpool;
  readonly repair?: NextRepair;
  /** For people: why what is shown may change meanwhile. */
  readonly warning?: string;
  /** Ids of keys that records took and that were not given, with how often that was met so far. */
  readonly missingKeys: ReadonlyMap<string, number>;
  close(): Promise<void>;
}

export interface OpenOptions {
  /** Gives what opens sealed records. */
  readonly codecFor?: ((layout: SpoolLayout) => Promise<RecordCodec>) | undefined;
  /** Default `needed`. */
  readonly rehearse?: Rehearse;
}

/**
 * Holds the lock until `close`, and changes nothing in the folder. Where the next start will salvage the store, that is done now, into a
 * temporary folder. @throws HoldfastError `spool-not-found`, `spool-gone`, `spool-newer-format`, `store-locked`, `spool-unreadable`;
 * `spool-bad-arguments` where there is no room for a rehearsal.
 */
export async function openStoppedSpool(folder: string, options: OpenOptions = {}): Promise<OpenedSpool> {
  const { codecFor = async () => plainCodec, rehearse = 'needed' } = options;
  const layout = await findSpool(folder);
  await checkFormat(layout);
  const { codec, missing } = watchMissingKeys(await codecFor(layout));
  const lock: HeldLock = await lockSpool(layout);
  let files: StoreFiles | undefined;
  try {
    files = await readFiles(layout, codec);
    const asIs = { files, reader: new SpoolReader(files, codec) };
    const reason = whySalvaged(files);
    const done = reason === undefined ? undefined : await rehearseSalvage(asIs, layout, reason, rehearse);
    return {
      layout,
      asIs,
      ...(done?.read ?? asIs),
      ...(reason === undefined ? {} : { repair: repairOf(reason, done, missing) }),
      missingKeys: missing,
      ...(lock.warning === undefined ? {} : { warning: lock.warning }),
      async close() {
        done?.end();
        asIs.files.close();
        await lock.release();
      },
    };
  } catch (error) {
    files?.close();
    await lock.release();
    throw error;
  }
}

/** Those that the module takes for this spool's. Of another one's store, which it would set aside, all of them: it is looked into all the same. */
async function readFiles({ root, store }: SpoolLayout, codec: RecordCodec): Promise<StoreFiles> {
  try {
    const own = root === undefined ? undefined : await readOwnFiles(store, codec, layoutOf(root));
    return own ?? readSpoolFiles(store);
  } catch (error) {
    const isEmpty = error instanceof HoldfastError && error.code === 'spool-unreadable';
    throw isEmpty && !isSystemError(error) ? storeGone(store) : error;
  }
}

/** As the module judges at a start. What it only finds out while it opens the store, is looked for. */
function whySalvaged(files: StoreFiles): string | undefined {
  try {
    return damageIn(files, false).store ?? files.strayValue();
  } catch (error) {
    // Files that we may not read; the module may. What is wrong with them is among the files' problems.
    if (error instanceof HoldfastError && error.code === 'store-open-failed') return undefined;
    throw error;
  }
}

const repairOf = (
  reason: string,
  done: Rehearsal | undefined,
  missing: ReadonlyMap<string, number>,
): NextRepair => ({
  reason,
  lacksKeys: missing.size > 0,
  ...(done === undefined ? {} : { salvaged: done.report }),
});

/** @throws HoldfastError `spool-bad-arguments` when the copy would land in the original or would not fit. */
export function checkSalvageTarget(spool: OpenedSpool, source: string, target: string, parent: string): void {
  if (isInside(target, source) || isInside(target, spool.layout.store)) {
    throw new HoldfastError('spool-bad-arguments', `${target} lies in ${source}: name a folder elsewhere`);
  }
  const { bavail, bsize } = statfsSync(parent);
  const free = bavail * bsize;
  const needed = spool.asIs.files.bytes;
  if (free < needed) {
    const mb = (bytes: number) => `${Math.ceil(bytes / 1024 / 1024)} MB`;
    throw new HoldfastError(
      'spool-bad-arguments',
      `${target} has ${mb(free)} free and may need ${mb(needed)}: name a folder on another disk`,
    );
  }
}
