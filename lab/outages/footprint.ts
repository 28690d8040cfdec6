// Memory and descriptors of a process, as the kernel counts them.
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

export interface Footprint {
  readonly residentMb: number;
  readonly descriptors: number;
  /** Of the descriptors. */
  readonly sockets: number;
}

export function footprintOf(pid: number): Footprint {
  const resident = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  const links = readdirSync(`/proc/${pid}/fd`).map((fd) => linkOf(`/proc/${pid}/fd/${fd}`));
  return {
    residentMb: Math.round(Number(resident) / 1024),
    descriptors: links.length,
    sockets: links.filter((link) => link.startsWith('socket:')).length,
  };
}

/** Empty for a descriptor that was closed meanwhile. */
function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}

/**
 * What one run of outages may add. Memory: a heap of 40 MB grows to its working size in the first minute,
 * whatever happens (a run without any outage does the same); a leak of one connection's state per attempt, at
 * the least 300 KB with its TLS buffers, passes this within minutes of flapping. Descriptors: two for a
 * connection that is being made anew at the moment of counting.
 */
export const growthLimits = { residentMb: 64, descriptors: 2, sockets: 2 } as const;

/** What grew beyond its limit, in words. */
export function growth(before: Footprint, after: Footprint): string[] {
  return (Object.keys(growthLimits) as (keyof Footprint)[])
    .filter((what) => after[what] - before[what] > growthLimits[what])
    .map((what) => `${what} grew from ${before[what]} to ${after[what]}, more than ${growthLimits[what]}`);
}
