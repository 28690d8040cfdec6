// How far a stream ordered by record number can plausibly have advanced. Numbers carry no time, so one message proves
// nothing of them: an advance that its readings do not explain is compared with the stream's pace and the time that passed,
// whatever the number of messages. Many small steps are believed no further than one large one.
//
// What a time of silence explains is not used up by the first message after it: that may be the first of a backlog, of hours
// that are still to come. So what the pace explains and has not come is kept (`owed`), and only the records by which the
// stream goes on are taken off. Nothing is explained twice, and as the pace is an average, a stream that has become slower
// is owed about what it made when it was fast, however long that is ago.
import { length, type Window } from '../../wire/window.ts';
import type { Reach } from '../ledger/reach.ts';

export interface PaceBounds {
  /** Records that a stream may leave out at once, beside those that its pace explains; and in a day, for ever. */
  readonly maxJump: number;
  /** Records that nothing explains, of many messages together. */
  readonly maxSeries: number;
}

/** The shortest time that an average is taken over. */
const leastSpanMs = 3_600_000;
const dayMs = 86_400_000;

export interface Move {
  /** Numbers between the stream and the message. */
  readonly leftOut: number;
  /** The most that can lie there. */
  readonly most: number;
  /** Numbers by which the stream gets longer, and no reading explains. */
  readonly unexplained: number;
  /** All that nothing explains of the stream's way, this message's included, less what its pace and the time explain. */
  readonly leapt: number;
  /** As `Reach.owed`, with this message. */
  readonly owed: number;
}

/**
 * What a message that claims `window`, and brings `readings`, makes of a stream that is at `reach`.
 * @param at when the hub had it, UTC epoch ms.
 */
export function moveTo(
  window: Window,
  readings: number,
  reach: Reach,
  at: number,
  { maxJump }: PaceBounds,
): Move {
  const { span, since, until } = reach;
  // What nothing explains shows no pace.
  const explained = span === undefined ? 0 : length(span) - Math.max(0, reach.leapt);
  const perMs = Math.max(0, explained) / Math.max(until - since, leastSpanMs);
  const owed = reach.owed + perMs * Math.max(0, at - until);
  const advance = span === undefined ? 0 : Math.max(0, window.end - span.end);
  const growth = span === undefined ? length(window) : advance + Math.max(0, span.start - window.start);
  const leftOut = span === undefined ? 0 : Math.max(0, window.start - span.end, span.start - window.end);
  const isOn = span === undefined || window.start >= span.end;
  // A record may have any number of readings: a window explains no more records than it is long.
  const unexplained = Math.max(0, growth - Math.min(readings, length(window)));
  const faded = reach.leapt - (perMs + maxJump / dayMs) * Math.max(0, at - reach.leaptAt);
  return {
    leftOut,
    most: isOn ? maxJump + owed : maxJump,
    unexplained,
    leapt: Math.max(faded, -owed) + unexplained,
    owed: Math.max(0, owed - advance),
  };
}

/** A message that moves nothing further is never: whatever its stream has done, or was allowed, before. */
export const isTooFar = ({ leftOut, most, unexplained, leapt }: Move, { maxSeries }: PaceBounds) =>
  leftOut > most || (unexplained > 0 && leapt > maxSeries);
