// Time since the machine started, which no setting of the wall clock moves. Readings carry it while the wall clock cannot
// be trusted, also across a restart of the process.
import { readFileSync } from 'node:fs';
import { hrtime } from 'node:process';

export interface Boot {
  /** Differs at every start of the machine. */
  readonly id: string;
  /** Milliseconds since the machine started, fractional; the same for all processes of it. Never goes back. */
  sinceStartMs(): number;
}

const bootIdFile = '/proc/sys/kernel/random/boot_id';

/** Where the kernel gives no boot id, each process counts as a boot of its own: nothing is assumed about the time before. */
export function readBoot(fallbackId: string): Boot {
  return { id: readBootId() ?? fallbackId, sinceStartMs: () => Number(hrtime.bigint()) / 1e6 };
}

function readBootId(): string | undefined {
  try {
    return readFileSync(bootIdFile, 'utf8').trim() || undefined;
  } catch {
    return undefined;
  }
}
