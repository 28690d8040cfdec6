// Where ranges, ticks and the pointer are, in pixels. Pure.

import type { IndexKind } from '../../../../wire/window.ts';
import type { CoverageView } from '../../../ledger/coverage.ts';
import type { Pair } from '../../../ledger/ranges.ts';
import { timeText } from '../text/format.ts';
import { type Viewport, widthOf } from './viewport.ts';

export interface Bar {
  readonly x: number;
  readonly width: number;
}

/**
 * Bars of a lane, at least `minPx` wide however short their range, so that nothing is too short to be seen.
 * Bars that would touch or overlap are one, so their number is bounded by the width, not by the ranges.
 */
export function layoutBars(
  ranges: readonly Pair[],
  view: Viewport,
  widthPx: number,
  minPx = 1,
): readonly Bar[] {
  const scale = widthPx / widthOf(view);
  const bars: { x: number; width: number }[] = [];
  for (const [start, end] of ranges) {
    if (end <= view.start || start >= view.end) continue;
    const left = Math.max(0, (start - view.start) * scale);
    const right = Math.min(widthPx, Math.max((end - view.start) * scale, left + minPx));
    const x = Math.min(left, widthPx - minPx);
    const last = bars[bars.length - 1];
    // Closer than a third of a pixel is no hole that could be drawn; holes have a lane of their own.
    if (last !== undefined && x <= last.x + last.width + 0.34)
      last.width = Math.max(last.width, right - last.x);
    else bars.push({ x, width: Math.max(right - x, minPx) });
  }
  return bars;
}

/** Bars as one SVG path: one element a lane, however many bars. */
export function barsPath(bars: readonly Bar[], height: number, y = 0): string {
  return bars.map(({ x, width }) => `M${round(x)} ${y}h${round(width)}v${height}h-${round(width)}z`).join('');
}

const round = (px: number) => Math.round(px * 100) / 100;

export interface Tick {
  readonly x: number;
  readonly label: string;
}

const second = 1000;
const minute = 60 * second;
const hour = 60 * minute;
const day = 24 * hour;
const timeSteps = [
  100, 200, 500, second, 2 * second, 5 * second, 10 * second, 15 * second, 30 * second, minute, 2 * minute,
  5 * minute, 10 * minute, 15 * minute, 30 * minute, hour, 2 * hour, 3 * hour, 6 * hour, 12 * hour, day,
  2 * day, 7 * day, 14 * day, 30 * day, 90 * day, 365 * day,
]; // biome-ignore format: a table

/** Round positions, as many as have room. Times are round in the zone, where its offset is whole quarters. */
export function layoutTicks(
  index: IndexKind,
  view: Viewport,
  widthPx: number,
  zone: string,
): readonly Tick[] {
  const labelPx = 84;
  const wanted = Math.max(1, Math.floor(widthPx / labelPx));
  const step = index === 'time' ? timeStep(widthOf(view) / wanted) : roundStep(widthOf(view) / wanted);
  const offset = index === 'time' ? zoneOffset(view.start, zone) : 0;
  const ticks: Tick[] = [];
  for (let at = Math.ceil((view.start + offset) / step) * step - offset; at < view.end; at += step) {
    const x = ((at - view.start) / widthOf(view)) * widthPx;
    const label = index === 'time' ? timeLabel(at, step, zone) : at.toLocaleString('en');
    // Half a time says another one.
    ticks.push({ x, label: x + 4 + label.length * charPx <= widthPx ? label : '' });
  }
  return ticks;
}

/** The widest character of the ticks' font. */
const charPx = 6.5;

const timeStep = (atLeast: number) =>
  timeSteps.find((step) => step >= atLeast) ?? roundStep(atLeast / day) * day;

function roundStep(atLeast: number): number {
  const power = 10 ** Math.max(0, Math.floor(Math.log10(atLeast)));
  return [1, 2, 5, 10].map((n) => n * power).find((step) => step >= atLeast) ?? 10 * power;
}

function timeLabel(at: number, step: number, zone: string): string {
  const text = timeText(at, { zone, date: true, ms: true });
  if (step >= day) return text.slice(5, 10);
  const time = text.slice(11);
  // The first moment of a day says which day it is.
  if (time.startsWith('00:00:00.000')) return text.slice(5, 10);
  return step >= minute ? time.slice(0, 5) : step >= second ? time.slice(0, 8) : time.slice(3, 10);
}

function zoneOffset(at: number, zone: string): number {
  const text = timeText(at, { zone, date: true });
  return Date.parse(`${text.replace(' ', 'T')}Z`) - Math.floor(at / 1000) * 1000;
}

export type Known = Pick<
  CoverageView,
  'covered' | 'backfilled' | 'voids' | 'waived' | 'gaps' | 'requested' | 'abandoned'
>;

export interface Finding {
  readonly kind:
    | 'covered'
    | 'backfilled'
    | 'void'
    | 'waived'
    | 'missing'
    | 'requested'
    | 'abandoned'
    | 'none';
  /** Its range, as the ledger has it. */
  readonly range: Pair | undefined;
  readonly reason?: string;
}

/** The state of a position, for the pointer. A void that got data all the same is covered. */
export function findAt(known: Known, position: number): Finding {
  const gap = rangeAt(known.gaps, position);
  if (gap !== undefined) {
    if (rangeAt(known.requested, position)) return { kind: 'requested', range: gap };
    return { kind: rangeAt(known.abandoned, position) ? 'abandoned' : 'missing', range: gap };
  }
  const back = rangeAt(known.backfilled, position);
  if (back !== undefined) return { kind: 'backfilled', range: back };
  const covered = rangeAt(known.covered, position);
  if (covered !== undefined) return { kind: 'covered', range: covered };
  const gone = known.voids.find(({ start, end }) => start <= position && position < end);
  if (gone !== undefined) return { kind: 'void', range: [gone.start, gone.end], reason: gone.reason };
  const waived = rangeAt(known.waived, position);
  return waived === undefined ? { kind: 'none', range: undefined } : { kind: 'waived', range: waived };
}

/** By bisection: sorted and disjoint. */
function rangeAt(ranges: readonly Pair[], position: number): Pair | undefined {
  let low = 0;
  let high = ranges.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (ranges[middle]![0] <= position) low = middle + 1;
    else high = middle;
  }
  const candidate = ranges[low - 1];
  return candidate !== undefined && position < candidate[1] ? candidate : undefined;
}
