// A file system of our own, on a file, so that everything a contender makes the device write is counted: its
// data, the file system's journal, its metadata, and nothing of anybody else. Needs root (to mount). Without it a
// plain folder stands in, and what counts is what the kernel charges to the process, which leaves the journal out.
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';

export interface Device {
  /** Where to write. */
  readonly folder: string;
  /** `device`: counted at the block device. `process`: what the kernel charges to the process. */
  readonly counts: 'device' | 'process';
  /** The file under the file system, if there is one: what a power cut would leave. */
  readonly image?: string;
  /** Bytes written so far, after what was waiting in memory has been written too. */
  writtenBytes(pid: number): number;
  remove(): void;
}

const sectorBytes = 512;
const mounted = new Set<Device>();
process.on('exit', removeDevices);

/** All that are still there. */
export function removeDevices(): void {
  for (const device of mounted) device.remove();
}

export function makeDevice(parent: string, megabytes: number): Device {
  mkdirSync(parent, { recursive: true });
  const root = mkdtempSync(join(parent, 'holdfast-bench-'));
  const device = mountImage(root, makeImage(root, megabytes)) ?? plainFolder(root);
  mounted.add(device);
  return device;
}

/** Mounts a copy of an image, as after a power cut. Undefined when it cannot be mounted. */
export function mountCopy(device: Device): Device | undefined {
  if (device.image === undefined) return undefined;
  const root = mkdtempSync(join(device.image, '..', '..', 'holdfast-bench-cut-'));
  const image = join(root, 'image');
  execFileSync('cp', ['--sparse=always', device.image, image]);
  const copy = mountImage(root, image);
  if (copy !== undefined) mounted.add(copy);
  return copy;
}

function makeImage(root: string, megabytes: number): string | undefined {
  const image = join(root, 'image');
  writeFileSync(image, '');
  truncateSync(image, megabytes * 2 ** 20);
  // Nothing may be left for the file system to do later, in the middle of a measurement.
  const eager = 'lazy_itable_init=0,lazy_journal_init=0';
  return attempt('mkfs.ext4', ['-q', '-F', '-E', eager, image]) ? image : undefined;
}

function mountImage(root: string, image: string | undefined): Device | undefined {
  const folder = join(root, 'fs');
  mkdirSync(folder);
  if (image === undefined || !attempt('mount', ['-o', 'loop', image, folder])) return undefined;
  const source = execFileSync('findmnt', ['-no', 'SOURCE', folder], { encoding: 'utf8' }).trim();
  const stat = `/sys/block/${basename(source)}/stat`;
  const device: Device = {
    folder,
    counts: 'device',
    image,
    writtenBytes() {
      execFileSync('sync', ['-f', folder]);
      return Number(readFileSync(stat, 'utf8').trim().split(/\s+/)[6]) * sectorBytes;
    },
    remove() {
      if (!mounted.delete(device)) return;
      attempt('umount', ['--lazy', folder]);
      rmSync(root, { recursive: true, force: true });
    },
  };
  return device;
}

function plainFolder(root: string): Device {
  const folder = join(root, 'fs');
  const device: Device = {
    folder,
    counts: 'process',
    writtenBytes(pid) {
      execFileSync('sync', ['-f', folder]);
      return Number(/^write_bytes: (\d+)/m.exec(readFileSync(`/proc/${pid}/io`, 'utf8'))?.[1]);
    },
    remove() {
      if (mounted.delete(device)) rmSync(root, { recursive: true, force: true });
    },
  };
  return device;
}

function attempt(program: string, args: readonly string[]): boolean {
  try {
    execFileSync(program, args, { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
