// What may stand at a path instead of a file or folder of ours: each kind, made from nothing or out of what is there.
import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  closeSync,
  existsSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';

/** Makes the path into something odd. Where there is nothing yet, or a folder, some kinds are the same as others. */
export type OddFile = (path: string) => void;

export const oddFiles: Readonly<Record<string, OddFile>> = {
  missing: (path) => rmSync(path, { recursive: true, force: true }),
  'an empty file': (path) => replace(path, () => writeFileSync(path, '')),
  'cut in half': (path) => {
    if (existsSync(path) && !isFolder(path)) truncateSync(path, Math.floor(statSync(path).size / 2));
  },
  'with bytes appended': (path) => {
    if (!isFolder(path)) appendFileSync(path, 'x'.repeat(5000));
  },
  'an empty folder': (path) => replace(path, () => mkdirSync(path)),
  'a folder with something in it': (path) =>
    replace(path, () => {
      mkdirSync(path);
      writeFileSync(join(path, 'notes.txt'), 'not ours');
    }),
  'a link that leads nowhere': (path) => replace(path, () => symlinkSync('nowhere', path)),
  'a link in a circle': (path) => replace(path, () => symlinkSync(path, path)),
  'a pipe': (path) => replace(path, () => execFileSync('mkfifo', [path])),
  // Root alone can, and not everywhere. This one gives zeros without end.
  ...(canMakeDevices()
    ? { 'a device': (path: string) => replace(path, () => execFileSync('mknod', [path, 'c', '1', '5'])) }
    : {}),
  'a socket': (path) => replace(path, () => makeSocket(path)),
  'a file of 3 GiB': (path) => replace(path, () => sparse(path, 3 * 1024 ** 3)),
  'itself, grown to 3 GiB': (path) => {
    if (!isFolder(path)) sparse(path, 3 * 1024 ** 3);
  },
};

const isFolder = (path: string) => existsSync(path) && statSync(path).isDirectory();

function canMakeDevices(): boolean {
  if (process.getuid?.() === 0) return true;
  process.stderr.write('skipped: no device files can be made here\n');
  return false;
}

function replace(path: string, make: () => void): void {
  rmSync(path, { recursive: true, force: true });
  make();
}

function sparse(path: string, bytes: number): void {
  const file = openSync(path, existsSync(path) ? 'r+' : 'w');
  ftruncateSync(file, bytes);
  closeSync(file);
}

// A path that is bound has 107 bytes at most; one that is made so has no such limit.
function makeSocket(path: string): void {
  const script = 'import os, stat, sys; os.mknod(sys.argv[1], stat.S_IFSOCK | 0o600)';
  execFileSync('python3', ['-S', '-E', '-c', script, path]);
}
