// Windows: half-open ranges of a stream's index. The arithmetic that everything else rests on.

export { formatIndex, type IndexKind, isIndex, parseIndex } from './index-position.ts';

/** `[start, end)`, `start < end`. */
export interface Window {
  readonly start: number;
  readonly end: number;
}

/** True for `{start, end}` with safe integers and `start < end`; never throws. */
export function isWindow(candidate: unknown): candidate is Window {
  if (typeof candidate !== 'object' || candidate === null) return false;
  const { start, end } = candidate as Partial<Window>;
  return Number.isSafeInteger(start) && Number.isSafeInteger(end) && start! < end!;
}

/** True when `index` lies in the window. */
export function contains(window: Window, index: number): boolean {
  return window.start <= index && index < window.end;
}

/** True when `inner` lies wholly in `outer`. */
export function encloses(outer: Window, inner: Window): boolean {
  return outer.start <= inner.start && inner.end <= outer.end;
}

/** True when one begins exactly where the other ends: nothing between them, nothing shared. */
export function touches(a: Window, b: Window): boolean {
  return a.end === b.start || b.end === a.start;
}

/** True when they share at least one index position. */
export function overlaps(a: Window, b: Window): boolean {
  return a.start < b.end && b.start < a.end;
}

/** The smallest window that holds both. */
export function hull(a: Window, b: Window): Window {
  return { start: Math.min(a.start, b.start), end: Math.max(a.end, b.end) };
}

/** Number of index positions: milliseconds for a time stream, record numbers for a sequence. */
export function length(window: Window): number {
  return window.end - window.start;
}

/** Orders by start, then by end. */
export function compareWindows(a: Window, b: Window): number {
  return a.start - b.start || a.end - b.end;
}
