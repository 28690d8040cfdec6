// A disk in a process of its own: mounts it, answers the kernel, and does what the test says over IPC (`Order`). It must be
// another process than the one that uses the disk, which waits for it.
//
// node disk-process.ts MOUNTPOINT
import { spawn } from 'node:child_process';
import { constants, mkdirSync, writeFileSync, writeSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { seededRandom } from '../../kernel/random.ts';
import { FuseServer } from './fuse-server.ts';
import { maxRequestBytes } from './fuse-wire.ts';
import { rootId, SimulatedFiles } from './simulated-files.ts';

/** Each is answered by `{ done: true }`, and what it tells. */
export type Order =
  | { readonly order: 'cut-at'; readonly operation: number }
  /** Nothing is answered from now on. */
  | { readonly order: 'cut' }
  /** Who waits, or asks, hears of an error: so that what was killed can end. */
  | { readonly order: 'let-go' }
  /** What was not synced is lost by chance; mounted anew. Whoever used it must be dead. */
  | { readonly order: 'power-back'; readonly seed: number }
  /** What is in memory goes on; mounted anew, so that the kernel remembers nothing. */
  | { readonly order: 'mount-anew' }
  | { readonly order: 'spoil'; readonly path: string; readonly sectors: readonly number[] }
  | { readonly order: 'lose'; readonly path: string; readonly what: 'facts' | 'names' }
  | { readonly order: 'capacity'; readonly bytes: number | null }
  /** Statistics say that there is room; whoever wants it finds that others have it. */
  | { readonly order: 'taken'; readonly on: boolean }
  | { readonly order: 'read-only'; readonly on: boolean }
  | { readonly order: 'no-inodes'; readonly on: boolean }
  | { readonly order: 'syncs-fail'; readonly seed: number | null }
  /** What would be found had the power gone now is written to a folder elsewhere; the disk goes on. */
  | { readonly order: 'image'; readonly seed: number; readonly folder: string };

const mountPoint = process.argv[2]!;
const files = new SimulatedFiles(() => Date.now());
const server = new FuseServer(files, () => process.send!({ cut: true }));

function answerKernel(device: FileHandle, reply: Buffer): void {
  try {
    writeSync(device.fd, reply);
  } catch (error) {
    // Who asked is gone.
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}

async function run(program: string, args: readonly string[], fd?: number): Promise<void> {
  const child = spawn(program, args, {
    stdio: ['ignore', 'ignore', 'inherit', ...(fd === undefined ? [] : [fd])],
  });
  const status = await new Promise((resolve) => child.on('exit', resolve));
  if (status !== 0) throw new Error(`${program} ${args.join(' ')} ended with ${status}`);
}

async function mount(): Promise<void> {
  const handle = await open('/dev/fuse', constants.O_RDWR);
  const options = 'fd=3,rootmode=40000,user_id=0,group_id=0,allow_other,default_permissions';
  await run('mount', ['-i', '-t', 'fuse', '-o', options, 'holdfast-disk', mountPoint], handle.fd);
  void serve(handle);
}

async function serve(handle: FileHandle): Promise<void> {
  const bytes = Buffer.alloc(maxRequestBytes);
  for (;;) {
    try {
      const { bytesRead } = await handle.read(bytes, 0, bytes.byteLength, null);
      server.take(bytes.subarray(0, bytesRead), (reply) => answerKernel(handle, reply));
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      // The request was taken back.
      if (code === 'ENOENT' || code === 'EINTR' || code === 'EAGAIN') continue;
      await handle.close();
      // Not mounted any more.
      if (code === 'ENODEV' || code === 'ECONNABORTED') return;
      throw error;
    }
  }
}

const unmount = () => run('umount', ['-l', mountPoint]);

async function obey(order: Order): Promise<void> {
  switch (order.order) {
    case 'cut-at':
      return server.cutAt(order.operation);
    case 'cut':
      return server.cutNow();
    case 'let-go':
      return server.letGo();
    case 'power-back':
      await unmount();
      files.cut(seededRandom(order.seed));
      server.powerBack();
      return mount();
    case 'mount-anew':
      await unmount();
      return mount();
    case 'spoil': {
      const { id } = files.find(order.path);
      for (const sector of order.sectors) files.spoil(id, sector);
      return;
    }
    case 'lose':
      return files.lose(files.find(order.path).id, order.what);
    case 'capacity':
      files.capacity = order.bytes ?? Number.POSITIVE_INFINITY;
      return;
    case 'taken':
      files.isTaken = order.on;
      return;
    case 'read-only':
      files.isReadOnly = order.on;
      return;
    case 'no-inodes':
      files.hasNoInodes = order.on;
      return;
    case 'syncs-fail':
      files.syncsFail = order.seed === null ? undefined : seededRandom(order.seed);
      return;
    case 'image':
      writeOut(files.image(seededRandom(order.seed)), rootId, order.folder);
  }
}

/** What a folder of the disk holds, to one outside of it. */
function writeOut(image: SimulatedFiles, id: number, folder: string): void {
  mkdirSync(folder, { recursive: true });
  for (const [name, node] of image.entries(id)) {
    const path = join(folder, name);
    if (node.kind === 'folder') writeOut(image, node.id, path);
    else if (node.kind === 'file') writeFileSync(path, node.now.read(0, node.now.length));
  }
}

process.on('message', (order: Order) => {
  obey(order).then(
    () => process.send!({ done: true, operations: server.operations }),
    (error) => process.send!({ failed: String(error) }),
  );
});
const end = () => void unmount().finally(() => process.exit(0));
process.on('disconnect', end);
process.on('SIGTERM', end);
await mount();
process.send!({ done: true, operations: 0 });
