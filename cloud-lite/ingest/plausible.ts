// Whether a message's window is plausible. A window claims all of its positions, and what lies between it and the rest of
// its stream becomes a gap: so one wrong clock or counter could erase every gap of a stream, or open one of decades. A
// window that no correct clock or counter would claim is set aside, until a person accepts it. Pure.
//
// Windows by time are compared with the hub's own time. Record numbers carry no time: they are compared with the stream's
// last position and its pace so far (pace.ts). A stream's first message may have any number; its position counts as known
// once the second message agrees (sort.ts).
import { type IndexKind, length, type Window } from '../../wire/window.ts';
import type { Arrival } from '../ledger/arrival.ts';
import { isAccepted, noReach, type Reach } from '../ledger/reach.ts';
import { isTooFar, type Move, moveTo, type PaceBounds } from './pace.ts';

export interface Bounds {
  /** Time windows that start before this come from a clock that was never set. UTC epoch ms. */
  readonly earliest: number;
  /** How far a window may end after its arrival at the hub: what clocks may differ by. */
  readonly maxAheadMs: number;
  /** How far a window may start before its arrival, where that makes its stream begin earlier. Longest width of a void. */
  readonly maxAgeMs: number;
  /** The widest window of readings, by what its stream counts in. No less than the widest request. */
  readonly maxWidth: Readonly<Record<IndexKind, number>>;
  /** Records that a stream may leave out at once, beside those that its pace explains. */
  readonly maxJump: number;
}

/** The same for many messages together, whether by jumps or by wide windows. */
const jumpsOfSeries = 4;

const paceBounds = ({ maxJump, maxWidth }: Bounds): PaceBounds => ({
  maxJump,
  maxSeries: jumpsOfSeries * Math.max(maxJump, maxWidth.sequence),
});

const dayMs = 86_400_000;

export const defaultBounds: Bounds = {
  earliest: Date.UTC(2020, 0),
  maxAheadMs: 300_000,
  maxAgeMs: 31 * dayMs,
  maxWidth: { time: dayMs, sequence: 1_000_000 },
  maxJump: 1_000_000,
};

export const implausibleReasons = [
  'implausible-time',
  'implausible-width',
  'implausible-jump',
  'implausible-void',
] as const;

export interface Implausible {
  readonly reason: (typeof implausibleReasons)[number];
  readonly detail: string;
  /** What it claims. */
  readonly window: Window;
}

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
      : judgeRecords(window, moveOf(arrival, window, stream, enqueuedAt, bounds), stream, bounds);
  }
  const numbers =
    content.kind === 'late'
      ? { start: content.late.number, end: content.late.number + 1 }
      : { start: content.late.first, end: content.late.last + 1 };
  return judgeNumbers(numbers, count, enqueuedAt, bounds);
}

/** The request that a void says to answer. */
export interface Answered {
  readonly id: string;
  readonly range: Window;
  /** Whether it asked for the stream, or the count of late windows, that the void is of. */
  readonly isOfIt: boolean;
}

/**
 * The part of a void that can be so: of windows by time nothing later than the hub had it, since nothing is lost before it
 * was (of a clock that is ahead a little, that may leave `nothing`); and where it answers a request, nothing but what that asked
 * for, and only of its stream. A range that a person accepted for good messages excuses no void from its request.
 * What is cut off is a gap like any other, once the stream is known to reach there. Other arrivals as they are.
 * @param answered undefined where it answers no request that is known.
 */
export function boundVoid(
  arrival: Arrival,
  { stream, count }: { readonly stream: Reach; readonly count: Reach | undefined },
  answered: Answered | undefined,
  enqueuedAt: number,
  bounds: Bounds,
): Arrival | Implausible | 'nothing' {
  const { content } = arrival;
  if (content.kind !== 'void' && content.kind !== 'late-void') return arrival;
  const isLate = content.kind === 'late-void';
  const claimed = isLate ? { start: content.late.first, end: content.late.last + 1 } : content.window;
  const of = isLate ? count : stream;
  let { start, end } = claimed;
  if (answered !== undefined) {
    const { id, range, isOfIt } = answered;
    [start, end] = [Math.max(start, range.start), Math.min(end, range.end)];
    if (!isOfIt || start >= end) {
      const asked = isOfIt
        ? `which asked for [${range.start}, ${range.end})`
        : 'which asked for another stream';
      const detail = `the void [${claimed.start}, ${claimed.end}) answers request ${id}, ${asked}`;
      return { reason: 'implausible-void', detail, window: claimed };
    }
  }
  // Further ahead is no clock that differs a little.
  const isExcused = of !== undefined && isAccepted(of, claimed);
  if (!isLate && !isExcused && arrival.index === 'time' && claimed.end <= enqueuedAt + bounds.maxAheadMs) {
    end = Math.min(end, enqueuedAt);
    if (start >= end) return 'nothing';
  }
  if (start === claimed.start && end === claimed.end) return arrival;
  return isLate
    ? { ...arrival, content: { ...content, late: { ...content.late, first: start, last: end - 1 } } }
    : { ...arrival, content: { ...content, window: { start, end } } };
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

/**
 * Whether a stream can have begun at `start`, before all that is known of it: what lies between becomes a gap. Undefined
 * where it can; else why not.
 */
export function implausibleStart(
  start: number,
  index: IndexKind,
  reach: Reach & { readonly span: Window },
  enqueuedAt: number,
  bounds: Bounds,
): string | undefined {
  const before = { start, end: reach.span.start };
  if (isAccepted(reach, before)) return undefined;
  if (index === 'sequence') {
    const move = moveOfStart(start, reach, enqueuedAt, bounds);
    if (!isTooFar(move, paceBounds(bounds))) return undefined;
    return `the stream says that it began at ${start}, ${length(before)} records before the first that is known of it; they are not asked for until the range is accepted`;
  }
  const oldest = Math.max(bounds.earliest, enqueuedAt - bounds.maxAgeMs);
  if (start >= oldest) return undefined;
  return `the stream says that it began at ${isoOf(start)}, and the first that is known of it is at ${isoOf(before.end)}; so far back nothing is asked for until the range is accepted`;
}

/** The same of a stream by record number: how far it reaches back. */
export function moveOfStart(start: number, reach: Reach, enqueuedAt: number, bounds: Bounds): Move {
  return moveTo({ start, end: start + 1 }, 0, reach, enqueuedAt, paceBounds(bounds));
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

/** Where a message that claims `window` moves its stream. Of a void, and where nobody counted, no reading explains anything. */
export function moveOf(
  { content }: Pick<Arrival, 'content'>,
  window: Window,
  reach: Reach,
  enqueuedAt: number,
  bounds: Bounds,
): Move {
  const isBatch = content.kind === 'batch';
  const readings = isBatch ? content.readings * (content.part?.n ?? 1) : 0;
  return moveTo(window, readings, reach, enqueuedAt, paceBounds(bounds));
}

/** The same of the numbers of a count of late windows, up to `last`. They begin with 1, and each is one window. */
export function moveOfCount(last: number, count: Reach, enqueuedAt: number, bounds: Bounds): Move {
  const reach = { ...count, span: count.span ?? { start: 1, end: 1 } };
  return moveTo({ start: last, end: last + 1 }, 1, reach, enqueuedAt, paceBounds(bounds));
}

function judgeRecords(window: Window, move: Move, { span }: Reach, bounds: Bounds): Implausible | undefined {
  const bad = (reason: Implausible['reason'], detail: string): Implausible => ({ reason, detail, window });
  if (length(window) > bounds.maxWidth.sequence) {
    const widest = bounds.maxWidth.sequence;
    return bad(
      'implausible-width',
      `the window [${window.start}, ${window.end}) holds more than ${widest} records`,
    );
  }
  if (!isTooFar(move, paceBounds(bounds))) return undefined;
  const from = span === undefined ? 'it was nowhere' : `the stream was at [${span.start}, ${span.end})`;
  const { leftOut, leapt } = move;
  return bad(
    'implausible-jump',
    `the window [${window.start}, ${window.end}) leaves out ${leftOut} records; ${from}, and ${Math.round(leapt)} records of its way are explained by nothing that came`,
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
  const last = numbers.end - 1;
  if (!isTooFar(moveOfCount(last, reach, enqueuedAt, bounds), paceBounds(bounds))) return undefined;
  const before = (reach.span?.end ?? 1) - 1;
  const detail = `late windows up to ${last}; there were ${before} until then`;
  return { reason: 'implausible-jump', detail, window: numbers };
}

const isoText = ({ start, end }: Window) => `from ${isoOf(start)} to ${isoOf(end)}`;

/** Also of what no date can be. */
function isoOf(at: number): string {
  const date = new Date(at);
  return Number.isNaN(date.getTime()) ? String(at) : date.toISOString();
}
