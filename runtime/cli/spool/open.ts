// Opens a stopped module's spool for reading.

import { statfsSync } from 'node:fs';
import { HoldfastError } from '../../../kernel/errors.ts';
import { watchMissingKeys } from '../../spool/encryption/sealed-codec.ts';
import type { StoreFiles } from '../../spool/engine/offline/store-files.ts';
import { plainCodec, type RecordCodec } from '../../spool/format/record.ts';
import { readSpoolFiles } from '../../spool/format/spool-engine.ts';
import { SpoolReader } from '../../spool/repair/spool-reader.ts';
import { checkFormat, findSpool, type HeldLock, isInside, lockSpool, type SpoolLayout } from './layout.ts';

export interface OpenedSpool {
  readonly layout: SpoolLayout;
  readonly files: StoreFiles;
  readonly reader: SpoolReader;
  /** For people: why what is shown may change meanwhile. */
  readonly warning?: string;
  /** Ids of keys that records took and that were not given, with how often that was met so far. */
  readonly missingKeys: ReadonlyMap<string, number>;
  close(): Promise<void>;
}

/**
 * Holds the lock until `close`, and changes nothing. `codecFor` gives what opens sealed records.
 * @throws HoldfastError `spool-not-found`, `spool-newer-format`, `store-locked`, `spool-unreadable`.
 */
export async function openStoppedSpool(
  folder: string,
  codecFor: (layout: SpoolLayout) => Promise<RecordCodec> = async () => plainCodec,
): Promise<OpenedSpool> {
  const layout = findSpool(folder);
  await checkFormat(layout);
  const { codec, missing } = watchMissingKeys(await codecFor(layout));
  const lock: HeldLock = await lockSpool(layout);
  let files: StoreFiles;
  try {
    files = readSpoolFiles(layout.store);
    const reader = new SpoolReader(files, codec);
    return {
      layout,
      files,
      reader,
      missingKeys: missing,
      ...(lock.warning === undefined ? {} : { warning: lock.warning }),
      async close() {
        files.close();
        await lock.release();
      },
    };
  } catch (error) {
    await lock.release();
    throw error;
  }
}

/** @throws HoldfastError `spool-bad-arguments` when the copy would land in the original or would not fit. */
export function checkSalvageTarget(spool: OpenedSpool, source: string, target: string, parent: string): void {
  if (isInside(target, source) || isInside(target, spool.layout.store)) {
    throw new HoldfastError('spool-bad-arguments', `${target} lies in ${source}: name a folder elsewhere`);
  }
  const { bavail, bsize } = statfsSync(parent);
  const free = bavail * bsize;
  if (free < spool.files.bytes) {
    const mb = (bytes: number) => `${Math.ceil(bytes / 1024 / 1024)} MB`;
    throw new HoldfastError(
      'spool-bad-arguments',
      `${target} has ${mb(free)} free and may need ${mb(spool.files.bytes)}: name a folder on another disk`,
    );
  }
}
