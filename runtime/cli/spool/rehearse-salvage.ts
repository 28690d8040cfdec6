// Salvages a stopped store into a temporary folder, as the module will at its next start, so that people see what it will have.
import { mkdtempSync, rmSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HoldfastError } from '../../../kernel/errors.ts';
import { openSpoolEngine, readSpoolFiles } from '../../spool/format/spool-engine.ts';
import { type SalvageReport, salvage } from '../../spool/repair/salvage.ts';
import { SpoolReader } from '../../spool/repair/spool-reader.ts';
import type { SpoolLayout } from './layout.ts';
import type { ReadSpool, Rehearse } from './read-spool.ts';

export interface Rehearsal {
  readonly read: ReadSpool;
  readonly report: SalvageReport;
  /** Closes the files and removes them. */
  end(): void;
}

/** Undefined where it is not wanted. @throws HoldfastError `spool-bad-arguments` where there is no room for it. */
export async function rehearseSalvage(
  { files, reader }: ReadSpool,
  layout: SpoolLayout,
  reason: string,
  rehearse: Rehearse,
): Promise<Rehearsal | undefined> {
  if (rehearse === 'no') return undefined;
  const { bavail, bsize } = statfsSync(tmpdir());
  if (bavail * bsize < files.bytes * 1.2) {
    if (rehearse === 'if-there-is-room') return undefined;
    const needed = Math.ceil((files.bytes * 1.2) / 1024 / 1024);
    throw new HoldfastError(
      'spool-bad-arguments',
      `${layout.store} has to be salvaged first (${reason}), which takes ${needed} MB below ${tmpdir()}: set TMPDIR to a folder with more room, or use holdfast spool salvage`,
    );
  }
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-salvaged-'));
  const remove = () => rmSync(folder, { recursive: true, force: true });
  try {
    const store = join(folder, 'store');
    const { store: target } = await openSpoolEngine({ folder: store });
    let report: SalvageReport;
    try {
      report = await salvage(reader, target);
    } finally {
      await target.close();
    }
    const salvaged = readSpoolFiles(store);
    return {
      read: { files: salvaged, reader: new SpoolReader(salvaged, reader.codec) },
      report,
      end() {
        salvaged.close();
        remove();
      },
    };
  } catch (error) {
    remove();
    throw error;
  }
}
