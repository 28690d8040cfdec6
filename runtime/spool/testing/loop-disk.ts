// A small real disk in a file, for tests of what a full or failing disk does. Needs root and loop devices.
import { execFileSync, spawnSync } from 'node:child_process';
import {
  appendFileSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statfsSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface LoopDisk {
  readonly folder: string;
  freeBytes(): number;
  /** Takes all room but `leaveBytes`, as others on the device would. */
  fill(leaveBytes: number): void;
  unfill(): void;
  /** What ext4 does after an I/O error: read-only, at once, for everybody. */
  abort(): void;
  /** Mounts what is on the device anew, in the same place. Files that are open stay with the old mount. */
  mountAnew(): void;
  remove(): void;
}

const run = (program: string, ...args: string[]) => execFileSync(program, args, { stdio: 'pipe' });

/** Exit status 1 says that something was put right. */
function repair(image: string): void {
  const { status, stderr } = spawnSync('fsck.ext4', ['-p', image]);
  if (status === null || status > 1) throw new Error(`fsck: ${stderr}`);
}

export function makeLoopDisk(megabytes: number): LoopDisk {
  const home = mkdtempSync(join(tmpdir(), 'holdfast-disk-'));
  const [image, folder] = [join(home, 'image'), join(home, 'mount')];
  mkdirSync(folder);
  writeFileSync(image, '');
  truncateSync(image, megabytes * 1024 * 1024);
  run('mkfs.ext4', '-q', '-m', '0', image);
  run('mount', '-o', 'loop', image, folder);
  const filler = join(folder, 'others');
  const freeBytes = () => {
    const { bavail, bsize } = statfsSync(folder);
    return bavail * bsize;
  };
  return {
    folder,
    freeBytes,
    fill(leaveBytes) {
      const most = freeBytes() - leaveBytes - 1024 * 1024;
      if (most > 0) run('fallocate', '-l', String(most), filler);
      // The rest in small steps: part of what is free goes to the file system's own records.
      try {
        while (freeBytes() > leaveBytes) appendFileSync(filler, Buffer.alloc(4096));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
      }
    },
    unfill: () => rmSync(filler, { force: true }),
    abort: () => void run('mount', '-o', 'remount,abort', folder),
    mountAnew() {
      run('umount', '-l', folder);
      // A copy: while files of the old mount are open, the same image would be the same, aborted, file system.
      const next = `${image}.next`;
      copyFileSync(image, next);
      repair(next);
      run('mount', '-o', 'loop', next, folder);
    },
    remove() {
      // Not mounted if mounting anew failed.
      spawnSync('umount', ['-l', folder]);
      rmSync(home, { recursive: true, force: true });
    },
  };
}

/** False where this machine does not let us mount; says why. */
export function canMountLoop(): boolean {
  try {
    makeLoopDisk(8).remove();
    return true;
  } catch (error) {
    const [why] = (error as Error).message.split('\n');
    process.stderr.write(`skipped: no loop disk can be mounted here: ${why}\n`);
    return false;
  }
}
