// What is kept where nothing is set. docs/SETTINGS.md and the JSON Schema show it.

const mib = 1024 * 1024;
const dayMs = 86_400_000;

export const defaultRetention = {
  archiveMs: 3 * dayMs,
  archiveBytes: 512 * mib,
  unsentMs: 7 * dayMs,
  maxBytes: 2048 * mib,
  reserveBytes: 64 * mib,
  policy: 'drop-oldest' as const,
  compactBytes: 32 * mib,
  intervalMs: 10_000,
};
