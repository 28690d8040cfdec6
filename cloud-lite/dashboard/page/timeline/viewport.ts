// The part of a stream that the timeline shows, and how it is moved. Pure.
import type { IndexKind } from '../../../../wire/window.ts';

/** `[start, end)` in index positions; fractions are allowed, it is a view. */
export interface Viewport {
  readonly start: number;
  readonly end: number;
}

export interface Limits {
  /** The whole range that can be shown. */
  readonly span: Viewport;
  readonly minWidth: number;
}

const minWidths: Readonly<Record<IndexKind, number>> = { time: 1000, sequence: 10 };
/** Room beside what there is, so that its ends are seen as ends. */
const margin = 0.04;

export function limitsOf(index: IndexKind, first: number, last: number): Limits {
  const minWidth = minWidths[index];
  const length = Math.max(last - first, minWidth);
  return { span: { start: first - length * margin, end: first + length * (1 + margin) }, minWidth };
}

export const widthOf = (view: Viewport): number => view.end - view.start;

/** All there is. */
export const fit = (limits: Limits): Viewport => limits.span;

/** The newest part, `width` wide. */
export function newest(limits: Limits, width: number): Viewport {
  return clamp({ start: limits.span.end - width, end: limits.span.end }, limits);
}

/** `factor` below 1 looks closer; `anchor` (0 to 1, across the view) stays where it is. */
export function zoom(view: Viewport, factor: number, anchor: number, limits: Limits): Viewport {
  const width = Math.min(Math.max(widthOf(view) * factor, limits.minWidth), widthOf(limits.span));
  const fixed = view.start + widthOf(view) * anchor;
  return clamp({ start: fixed - width * anchor, end: fixed + width * (1 - anchor) }, limits);
}

/** Moves the view by a share of its width; positive towards newer positions. */
export function pan(view: Viewport, share: number, limits: Limits): Viewport {
  const by = widthOf(view) * share;
  return clamp({ start: view.start + by, end: view.end + by }, limits);
}

/** Centred on a range, with room around it. */
export function around(range: Viewport, limits: Limits): Viewport {
  const middle = (range.start + range.end) / 2;
  const half = Math.max(widthOf(range) * 2, limits.minWidth / 2);
  return clamp({ start: middle - half, end: middle + half }, limits);
}

/** Keeps the width where possible, and never shows positions outside of the span. */
export function clamp(view: Viewport, { span, minWidth }: Limits): Viewport {
  const width = Math.min(Math.max(widthOf(view), minWidth), widthOf(span));
  const start = Math.min(Math.max(view.start, span.start), span.end - width);
  return { start, end: start + width };
}

/** A view that showed the newest end goes on showing it; another stays where a person put it. */
export function follow(view: Viewport, before: Limits, after: Limits): Viewport {
  if (widthOf(view) >= widthOf(before.span) * 0.999) return fit(after);
  const atEnd = before.span.end - view.end < widthOf(view) * 0.01;
  return atEnd ? newest(after, widthOf(view)) : clamp(view, after);
}
