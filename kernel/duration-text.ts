// Durations as people write and read them: the one form for settings, the short form of rules, and queries.

const unitMs: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  min: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** `500ms`, `1.5 h`, `5min` (or `5m`), `7d`. */
export const durationForm = /^\s*(\d+(?:\.\d+)?)\s*(ms|s|min|m|h|d)\s*$/;

/** In milliseconds; undefined for what is no duration. */
export function durationMs(text: string): number | undefined {
  const [, count, unit] = durationForm.exec(text) ?? [];
  return unit === undefined ? undefined : Math.round(Number(count) * unitMs[unit]! * 1e6) / 1e6;
}

/** In the largest unit that fits: `40 s`, `12 min`, `3.5 h`, `2.1 d`. */
export function durationText(ms: number): string {
  const seconds = Math.max(0, ms) / 1000;
  if (seconds < 100) return `${Math.round(seconds)} s`;
  if (seconds < 6000) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172_800) return `${(seconds / 3600).toFixed(1)} h`;
  return `${(seconds / 86_400).toFixed(1)} d`;
}
