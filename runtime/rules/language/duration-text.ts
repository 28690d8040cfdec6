// Parses durations as the short form and the configuration write them: `500ms`, `5s`, `2m`, `1h`, `1d`.

const units: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** In ms; `undefined` where it is no duration. */
export function parseDuration(text: string): number | undefined {
  const [, digits, unit] = /^\s*(\d{1,12})\s*(ms|s|m|h|d)\s*$/.exec(text) ?? [];
  return digits === undefined ? undefined : Number(digits) * units[unit!]!;
}

/** Of a text that the lexer has taken for a duration. */
export function durationMs(text: string): number {
  return parseDuration(text) ?? 0;
}

/** The largest unit that leaves no rest. */
export function durationText(ms: number): string {
  const [unit, each] = Object.entries(units)
    .reverse()
    .find(([, size]) => ms % size === 0) ?? ['ms', 1];
  return `${ms / each} ${unit === 'm' ? 'min' : unit}`;
}
