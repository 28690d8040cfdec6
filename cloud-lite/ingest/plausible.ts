// Whether a message can say what it says. A window claims all of its positions, and what lies between it and the rest of
// its stream becomes a gap: so one wrong clock or counter could erase every gap of a stream, or open one of decades. What
// no honest clock or counter says is set aside, until a person accepts it. Pure.
//
// Windows by time are held against the hub's own time. Record numbers have no time: they are held against where the
// stream was, and how fast it has moved until then.
import { type IndexKind, length, type Window } from '../../wire/window.ts';
import type { Arrival } from '../ledger/arrival.ts';
import { isAccepted, noReach, type Reach } from '../ledger/reach.ts';

export interface Bounds {
  /** Time windows that start before this come from a clock that was never set. UTC epoch ms. */
  readonly earliest: number;
  /** How far a window may end after its arrival at the hub: what clocks may differ by. */
  readonly maxAheadMs: number;
  /** How far a window may start before its arrival, where that makes its stream begin earlier. Longest width of a void. */
  readonly maxAgeMs: number;
  /** The widest window of readings, by what its stream counts in. No less than the widest request. */
  readonly maxWidth: Readonly<Record<IndexKind, number>>;
  /** Records that a stream may leave out at once, beside those that its speed explains. */
  readonly maxJump: number;
}

const dayMs = 86_400_000;

export const defaultBounds: Bounds = {
  earliest: Date.UTC(2020, 0),
  maxAheadMs: 300_000,
  maxAgeMs: 31 * dayMs,
  maxWidth: { time: dayMs, sequence: 1_000_000 },
  maxJump: 1_000_000,
};

export const implausibleReasons = ['implausible-time', 'implausible-width', 'implausible-jump'] as const;

export interface Implausible {
  readonly reason: (typeof implausibleReasons)[number];
  readonly detail: string;
  /** What it claims. */
  readonly window: Window;
}

/** A stream that is faster than this times its average so far is not believed. */
const speedFactor = 10;
/** The shortest time that an average is taken over. */
const leastSpanMs = 3_600_000;

/** @param enqueuedAt when the hub had the message, epoch ms. */
export function implausible(
  arrival: Arrival,
  { stream, count }: { readonly stream: Reach; readonly count: Reach | undefined },
  enqueuedAt: number,
  bounds: Bounds,
): Implausible | undefined {
  const { content, index } = arrival;
  if (content.kind === 'batch' || content.kind === 'void') {
    const { window } = content;
    if (isAccepted(stream, window)) return undefined;
    return index === 'time'
      ? judgeTime(window, content.kind === 'void', stream, enqueuedAt, bounds)
      : judgeRecords(window, stream, enqueuedAt, bounds);
  }
  const numbers =
    content.kind === 'late'
      ? { start: content.late.number, end: content.late.number + 1 }
      : { start: content.late.first, end: content.late.last + 1 };
  return judgeNumbers(numbers, count, enqueuedAt, bounds);
}

/** Whether that many late windows can have been given out. */
export function implausibleThrough(
  through: number,
  count: Reach | undefined,
  enqueuedAt: number,
  bounds: Bounds,
): Implausible | undefined {
  return judgeNumbers({ start: through, end: through + 1 }, count, enqueuedAt, bounds);
}

function judgeTime(
  window: Window,
  isVoid: boolean,
  { span }: Reach,
  enqueuedAt: number,
  bounds: Bounds,
): Implausible | undefined {
  const widest = isVoid ? Math.max(bounds.maxWidth.time, bounds.maxAgeMs) : bounds.maxWidth.time;
  const at = (ms: number) => new Date(ms).toISOString();
  const bad = (reason: Implausible['reason'], detail: string): Implausible => ({ reason, detail, window });
  if (length(window) > widest) {
    return bad('implausible-width', `the window ${isoText(window)} is wider than ${widest / 1000} s`);
  }
  if (window.end > enqueuedAt + bounds.maxAheadMs) {
    return bad(
      'implausible-time',
      `the window ends at ${isoOf(window.end)}, the hub had it at ${at(enqueuedAt)}`,
    );
  }
  const oldest = Math.max(bounds.earliest, enqueuedAt - bounds.maxAgeMs);
  const extends_ = span === undefined || window.start < span.start;
  if (window.start < bounds.earliest || (extends_ && window.start < oldest)) {
    return bad(
      'implausible-time',
      `the window starts at ${isoOf(window.start)}, the hub had it at ${at(enqueuedAt)}`,
    );
  }
  return undefined;
}

function judgeRecords(
  window: Window,
  reach: Reach,
  enqueuedAt: number,
  bounds: Bounds,
): Implausible | undefined {
  const bad = (reason: Implausible['reason'], detail: string): Implausible => ({ reason, detail, window });
  if (length(window) > bounds.maxWidth.sequence) {
    const widest = bounds.maxWidth.sequence;
    return bad(
      'implausible-width',
      `the window [${window.start}, ${window.end}) holds more than ${widest} records`,
    );
  }
  const { span } = reach;
  if (span === undefined) return undefined;
  const left = Math.max(window.start - span.end, span.start - window.end);
  const most = window.start >= span.end ? mostLeftOut(reach, span, enqueuedAt, bounds) : bounds.maxJump;
  if (left <= most) return undefined;
  const from = `the stream was at [${span.start}, ${span.end})`;
  return bad(
    'implausible-jump',
    `the window [${window.start}, ${window.end}) leaves out ${left} records; ${from}`,
  );
}

/** Numbers of late windows begin with 1, and every one of them counts: there is nothing before to be held against. */
function judgeNumbers(
  numbers: Window,
  count: Reach | undefined,
  enqueuedAt: number,
  bounds: Bounds,
): Implausible | undefined {
  const reach = count ?? noReach(enqueuedAt);
  if (isAccepted(reach, numbers)) return undefined;
  const span = reach.span ?? { start: 1, end: 1 };
  if (numbers.end - span.end <= mostLeftOut(reach, span, enqueuedAt, bounds) + 1) return undefined;
  const detail = `late windows up to ${numbers.end - 1}; there were ${span.end - 1} until then`;
  return { reason: 'implausible-jump', detail, window: numbers };
}

function mostLeftOut({ since, until }: Reach, span: Window, enqueuedAt: number, { maxJump }: Bounds): number {
  const perMs = length(span) / Math.max(until - since, leastSpanMs);
  return maxJump + speedFactor * perMs * Math.max(0, enqueuedAt - until);
}

const isoText = ({ start, end }: Window) => `from ${isoOf(start)} to ${isoOf(end)}`;

/** Also of what no date can be. */
function isoOf(at: number): string {
  const date = new Date(at);
  return Number.isNaN(date.getTime()) ? String(at) : date.toISOString();
}
