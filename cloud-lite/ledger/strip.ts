// A stream's recent past as a row of cells, small enough to send for every stream of a page. Pure.
import { type Coverage, subtract } from '../../wire/coverage.ts';
import type { Window } from '../../wire/window.ts';

/** The states of a stream's positions, the worst last: a cell shows the worst state within it. */
export const cellKinds = ['none', 'covered', 'backfilled', 'void', 'requested', 'missing'] as const;
export type CellKind = (typeof cellKinds)[number];

/** One letter a cell, in order: `.` nothing known, `c`, `b`, `v` (void or waived), `r`, `m`. */
const letters: Readonly<Record<CellKind, string>> = {
  none: '.',
  covered: 'c',
  backfilled: 'b',
  void: 'v',
  requested: 'r',
  missing: 'm',
};

export type Layers = Readonly<Record<Exclude<CellKind, 'none'>, Coverage>>;

/** Worse kinds lie over better ones: however short a hole, its cell shows it. What is requested is missing too. */
export function drawStrip(layers: Layers, period: Window, cells: number): string {
  const drawn: string[] = new Array(cells).fill(letters.none);
  const width = (period.end - period.start) / cells;
  const shown = { ...layers, missing: subtract(layers.missing, layers.requested) };
  for (const kind of cellKinds) {
    if (kind === 'none') continue;
    for (const { start, end } of shown[kind]) {
      const first = Math.max(0, Math.floor((start - period.start) / width));
      const last = Math.min(cells, Math.ceil((end - period.start) / width));
      for (let cell = first; cell < last; cell++) drawn[cell] = letters[kind];
    }
  }
  return drawn.join('');
}
