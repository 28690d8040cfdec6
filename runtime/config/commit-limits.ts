import type { Config } from './schema.ts';

/** How often readings are made durable: by time, or once so many bytes wait. */
export interface CommitLimits {
  readonly commitIntervalMs: number;
  readonly commitBytes: number;
}

// Each synced write costs the flash about 8.5 KB, however little it holds: at low rates the interval alone
// sets the wear. What a power cut takes with it is at most what came in one interval.
const intervalMs = 200;
const flashSaverIntervalMs = 1000;

export function commitLimitsOf({ commitIntervalMs, commitBytes, flashSaver }: Config['spool']): CommitLimits {
  return {
    commitIntervalMs: commitIntervalMs ?? (flashSaver ? flashSaverIntervalMs : intervalMs),
    commitBytes,
  };
}
