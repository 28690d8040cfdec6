import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';

/** What the disk gives for everything under `folder`, in MB: blocks, not lengths. */
export async function diskMB(folder: string): Promise<number> {
  let blocks = 0;
  for (const entry of await readdir(folder, { withFileTypes: true, recursive: true })) {
    if (!entry.isFile()) continue;
    // Files come and go while the store is open.
    const facts = await stat(join(entry.parentPath, entry.name)).catch(() => undefined);
    blocks += facts?.blocks ?? 0;
  }
  return (blocks * 512) / 2 ** 20;
}
