// Two PGlite instances on one folder destroy it, and PGlite itself has no lock.
import { createHash } from 'node:crypto';
import { mkdir, realpath } from 'node:fs/promises';
import { createServer } from 'node:net';
import { HoldfastError } from '../../kernel/errors.ts';

export interface FolderLock {
  release(): Promise<void>;
}

/**
 * Holds a Linux abstract socket named after the folder. The kernel frees it with the process, however
 * that ends, so there is no stale lock to judge as with a pid file. It is seen within one network
 * namespace: two containers that share a volume are not kept apart by it.
 * @throws HoldfastError `database-folder-in-use`.
 */
export async function lockFolder(folder: string): Promise<FolderLock> {
  await mkdir(folder, { recursive: true });
  if (process.platform !== 'linux') return { release: async () => {} };
  const name = createHash('sha256')
    .update(await realpath(folder))
    .digest('hex');
  const server = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) =>
      reject(
        new HoldfastError(
          'database-folder-in-use',
          `${folder} is open in another process; stop that one, or set another HOLDFAST_DATA_FOLDER`,
          { cause },
        ),
      ),
    );
    server.listen(`\0holdfast-${name}`, resolve);
  });
  server.unref();
  return { release: () => new Promise((resolve) => server.close(() => resolve())) };
}
