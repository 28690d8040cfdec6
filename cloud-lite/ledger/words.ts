// Ranges and lengths in words, for alerts and the audit.
import type { IndexKind, Window } from '../../wire/window.ts';

/** `2026-11-21T22:20:00.000Z to 2026-11-21T22:21:00.000Z`, the end not included; `records 4 to 9`, both included. */
export function rangeWords(index: IndexKind, { start, end }: Window): string {
  if (index === 'sequence') return end - start === 1 ? `record ${start}` : `records ${start} to ${end - 1}`;
  return `${timeWords(start)} to ${timeWords(end)}`;
}

/** `42 s`, `3 min 5 s`, `2 h`; `12 records`. Never less than there is: half a second is `0.5 s`. */
export function lengthWords(index: IndexKind, length: number): string {
  if (index === 'sequence') return `${length} ${length === 1 ? 'record' : 'records'}`;
  if (length < 60_000) return `${length / 1000} s`;
  const s = Math.ceil(length / 1000);
  const parts = [
    [Math.floor(s / 86_400), 'd'],
    [Math.floor((s % 86_400) / 3600), 'h'],
    [Math.floor((s % 3600) / 60), 'min'],
    [s % 60, 's'],
  ] as const;
  return parts.flatMap(([n, unit]) => (n === 0 ? [] : [`${n} ${unit}`])).join(' ');
}

/** A position outside of what a date can hold stays a number. */
function timeWords(at: number): string {
  return Math.abs(at) <= 8_640_000_000_000_000 ? new Date(at).toISOString() : String(at);
}
