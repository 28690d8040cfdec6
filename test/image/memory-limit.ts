// The deployment's memory limit for a process here, as an engine for containers sets it: a control group, without swap.
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface MemoryLimit {
  /** The control group: a process writes itself into its `cgroup.procs`. */
  readonly folder: string;
  /** The most that was held at once, with the pages of files, which are given back where they are wanted. */
  peakBytes(): number;
  /** How often something had to be killed for want of memory. */
  kills(): number;
  /** Once its processes have ended; the kernel takes a moment to count them out. */
  remove(): Promise<void>;
}

const root = '/sys/fs/cgroup';
let made = 0;

/** Undefined where this machine lets nobody make one. */
export function limitMemory(bytes: number): MemoryLimit | undefined {
  const isOld = existsSync(join(root, 'memory'));
  const folder = join(isOld ? join(root, 'memory') : root, `holdfast-test-${process.pid}-${++made}`);
  try {
    mkdirSync(folder);
    writeFileSync(join(folder, isOld ? 'memory.limit_in_bytes' : 'memory.max'), String(bytes));
  } catch {
    if (existsSync(folder)) rmdirSync(folder);
    return undefined;
  }
  const swap = join(folder, isOld ? 'memory.memsw.limit_in_bytes' : 'memory.swap.max');
  if (existsSync(swap)) writeFileSync(swap, isOld ? String(bytes) : '0');
  const read = (file: string) => readFileSync(join(folder, file), 'utf8');
  return {
    folder,
    peakBytes: () => Number(read(isOld ? 'memory.max_usage_in_bytes' : 'memory.peak')),
    kills: () => {
      const events = read(isOld ? 'memory.oom_control' : 'memory.events');
      return Number(/^oom_kill (\d+)$/m.exec(events)?.[1] ?? 0);
    },
    async remove() {
      for (let tries = 50; existsSync(folder); tries--) {
        try {
          rmdirSync(folder);
        } catch (error) {
          if (tries === 0) throw error;
          await new Promise((resolve) => setTimeout(resolve, 100));
        }
      }
    },
  };
}
