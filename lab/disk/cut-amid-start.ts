// Takes the power of a disk of tests while a process opens a spool on it.
import { fork } from 'node:child_process';
import { closeSync, fsyncSync, openSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { FuseDisk } from './fuse-disk.ts';

/** The folder and what stands below it is on the disk from now on. */
export function syncAll(folder: string): void {
  const sync = (path: string) => {
    const file = openSync(path, 'r');
    fsyncSync(file);
    closeSync(file);
  };
  for (const each of readdirSync(folder, { withFileTypes: true, recursive: true }))
    if (each.isFile() || each.isDirectory()) sync(join(each.parentPath, each.name));
  sync(folder);
  sync(dirname(folder));
}

/** At the n-th operation that changes something. `isCut`: false where the start was over before. */
export async function cutAmidStart(
  disk: FuseDisk,
  folder: string,
  operation: number,
  seed: number,
): Promise<{ isCut: boolean }> {
  const { cut } = await disk.cutAt(operation);
  const child = fork(join(import.meta.dirname, 'claims-child.ts'), [folder], { execArgv: [], silent: true });
  const ended = new Promise<boolean>((resolve) => child.on('exit', () => resolve(true)));
  const isOver = await Promise.race([cut.then(() => false), ended]);
  await disk.cutNow();
  child.kill('SIGKILL');
  await disk.letGo();
  await ended;
  await disk.powerBack(seed);
  return { isCut: !isOver };
}
