// int8range and int8multirange as the database writes them, and as windows.
import { HoldfastError } from '../../kernel/errors.ts';
import type { Window } from '../../wire/window.ts';

/** `[{start: 1, end: 5}]` as `{[1,5)}`. */
export function formatMultirange(windows: readonly Window[]): string {
  return `{${windows.map(formatRange).join(',')}}`;
}

export function formatRange(window: Window): string {
  return `[${window.start},${window.end})`;
}

/** Reads `{[1,5),[7,9)}`, which PostgreSQL gives in order, disjoint and not touching. */
export function parseMultirange(text: unknown): readonly Window[] {
  if (typeof text !== 'string') throw unreadable(text);
  return Array.from(text.matchAll(/\[(-?\d+),(-?\d+)\)/g), ([, start, end]) => ({
    start: Number(start),
    end: Number(end),
  }));
}

/** Reads `[1,5)`; `undefined` for `empty`. */
export function parseRange(text: unknown): Window | undefined {
  if (text === 'empty') return undefined;
  const [window] = parseMultirange(text);
  if (window === undefined) throw unreadable(text);
  return window;
}

const unreadable = (text: unknown) =>
  new HoldfastError('database-bad-range', `not a range as the database writes it: ${String(text)}`);
