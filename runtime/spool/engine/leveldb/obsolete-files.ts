// Files that LevelDB no longer needs, and would remove itself if it could open. After a compaction that failed for want of
// room they may be what fills the disk, and LevelDB needs room to open. So they are removed here.
import { readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { readLog } from './level-log.ts';
import { readManifest } from './level-manifest.ts';

/**
 * Removes them from the folder of a store that no process has open, by LevelDB's own rule: tables that the MANIFEST
 * does not name, logs that are in tables already, earlier MANIFESTs. Removes nothing when the MANIFEST is
 * not sound. Returns the names.
 */
export async function removeObsoleteFiles(folder: string): Promise<readonly string[]> {
  const removed = await findObsoleteFiles(folder);
  for (const file of removed) await rm(join(folder, file), { force: true });
  return removed;
}

/** The space that removing them would free, in bytes. */
export async function obsoleteBytes(folder: string): Promise<number> {
  let bytes = 0;
  for (const file of await findObsoleteFiles(folder)) {
    const facts = await stat(join(folder, file)).catch(() => undefined);
    bytes += (facts?.blocks ?? 0) * 512;
  }
  return bytes;
}

async function findObsoleteFiles(folder: string): Promise<readonly string[]> {
  const current = await soundManifest(folder);
  if (current === undefined) return [];
  const { name, manifest } = current;
  const found: string[] = [];
  for (const file of await readdir(folder)) {
    const number = Number.parseInt(file, 10);
    const isObsolete =
      (/^\d+\.(ldb|sst)$/.test(file) && !manifest.tables.has(number)) ||
      (/^\d+\.log$/.test(file) && number < manifest.logNumber && number !== manifest.previousLogNumber) ||
      (/^MANIFEST-\d+$/.test(file) && file !== name) ||
      /^\d+\.dbtmp$/.test(file);
    if (isObsolete) found.push(file);
  }
  return found;
}

async function soundManifest(folder: string) {
  try {
    const name = /^(MANIFEST-\d+)\n$/.exec(await readFile(join(folder, 'CURRENT'), 'latin1'))?.[1];
    if (name === undefined) return undefined;
    const { records, bad } = readLog(await readFile(join(folder, name)));
    // A torn tail is an edit that never took effect: its new files are isObsolete, its old ones are named still.
    return bad.length > 0 ? undefined : { name, manifest: readManifest(records) };
  } catch {
    return undefined;
  }
}
