// What bounds windows and commits where nothing is set.
import type { WindowLimits } from './windows-api.ts';

export const defaultLimits: Required<WindowLimits> = {
  ageMs: 10_000,
  quietMs: 60_000,
  maxBytes: 200 * 1024,
  maxReadings: 20_000,
  commitIntervalMs: 200,
  progressIntervalMs: 2000,
  commitBytes: 4 * 1024 * 1024,
  maxMemoryBytes: 64 * 1024 * 1024,
  maxStreams: 10_000,
};
