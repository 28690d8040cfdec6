// Which fault met a gateway in which state, counted: what no run has ever reached is a blind spot.
import type { Fault } from './faults.ts';

/** States of the gateway that a fault befalls, and of the cloud; several may hold at once. */
export const states = [
  'well',
  'down',
  'starting',
  'cut off',
  'edgeHub holds',
  'equipment away',
  'clock wrong',
  'tight',
  'repairing',
  'detector down',
] as const;
export type State = (typeof states)[number];

/** Times by `fault/state`. */
export type Meetings = Readonly<Record<string, number>>;

export function meet(meetings: Record<string, number>, { kind }: Fault, among: readonly State[]): void {
  for (const state of among.length === 0 ? (['well'] as const) : among) {
    const cell = `${kind}/${state}`;
    meetings[cell] = (meetings[cell] ?? 0) + 1;
  }
}

export function sumOf(all: readonly Meetings[]): Meetings {
  const total: Record<string, number> = {};
  for (const meetings of all)
    for (const [cell, times] of Object.entries(meetings)) total[cell] = (total[cell] ?? 0) + times;
  return total;
}

/** As docs/RELIABILITY.md shows it: an empty cell is a blind spot. */
export function tableOf(meetings: Meetings): string {
  const kinds = [...new Set(Object.keys(meetings).map((cell) => cell.split('/')[0]!))].sort();
  const line = (cells: readonly (string | number)[]) => `| ${cells.join(' | ')} |`;
  return [
    line(['fault', ...states]),
    line(['---', ...states.map(() => '---')]),
    ...kinds.map((kind) => line([kind, ...states.map((state) => meetings[`${kind}/${state}`] ?? '')])),
  ].join('\n');
}
