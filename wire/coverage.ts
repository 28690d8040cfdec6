// Multiranges: sets of index positions held as windows that are sorted, disjoint and do not touch. With
// that form two sets are equal exactly when their lists are, and every operation is one merge pass.
import { compareWindows, encloses, type Window } from './window.ts';

/** Sorted, disjoint, not touching. Only the functions of this file make one. */
export type Coverage = readonly Window[];

/** The set of all positions of `windows`, which may overlap, touch and come in any order. */
export function normalise(windows: readonly Window[]): Coverage {
  return mergeSorted([...windows].sort(compareWindows));
}

/** Positions in `a`, in `b` or in both. */
export function union(a: Coverage, b: Coverage): Coverage {
  if (a.length === 0) return b;
  if (b.length === 0) return a;
  return normalise([...a, ...b]);
}

/** Positions in both. */
export function intersection(a: Coverage, b: Coverage): Coverage {
  const shared: Window[] = [];
  for (let i = 0, j = 0; i < a.length && j < b.length; ) {
    const start = Math.max(a[i]!.start, b[j]!.start);
    const end = Math.min(a[i]!.end, b[j]!.end);
    if (start < end) shared.push({ start, end });
    if (a[i]!.end < b[j]!.end) i++;
    else j++;
  }
  return shared;
}

/** Positions in `a` and not in `b`. */
export function subtract(a: Coverage, b: Coverage): Coverage {
  const rest: Window[] = [];
  let j = 0;
  for (const window of a) {
    let start = window.start;
    while (j < b.length && b[j]!.end <= start) j++;
    for (let k = j; k < b.length && b[k]!.start < window.end; k++) {
      if (start < b[k]!.start) rest.push({ start, end: b[k]!.start });
      start = Math.max(start, b[k]!.end);
    }
    if (start < window.end) rest.push({ start, end: window.end });
  }
  return rest;
}

/** The holes between the first and the last window. */
export function gaps(a: Coverage): Window[] {
  return a.slice(1).map((window, i) => ({ start: a[i]!.end, end: window.start }));
}

/** True when every position of `window` is in `a`. */
export function covers(a: Coverage, window: Window): boolean {
  const candidate = a[lastStartingAtOrBefore(a, window.start)];
  return candidate !== undefined && encloses(candidate, window);
}

/** From the first position to the last, holes included; undefined for the empty set. */
export function span(a: Coverage): Window | undefined {
  return a.length === 0 ? undefined : { start: a[0]!.start, end: a[a.length - 1]!.end };
}

/** Number of positions: milliseconds for a time stream, records for a sequence. */
export function size(a: Coverage): number {
  return a.reduce((sum, window) => sum + (window.end - window.start), 0);
}

function mergeSorted(sorted: readonly Window[]): Coverage {
  const merged: Window[] = [];
  for (const { start, end } of sorted) {
    const last = merged[merged.length - 1];
    if (last === undefined || start > last.end) merged.push({ start, end });
    else if (end > last.end) merged[merged.length - 1] = { start: last.start, end };
  }
  return merged;
}

function lastStartingAtOrBefore(a: Coverage, start: number): number {
  let low = 0;
  let high = a.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (a[middle]!.start <= start) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}
