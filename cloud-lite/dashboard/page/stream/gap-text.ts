// What a gap's state means, in words. Pure.
import type { GapView } from '../../../repair/gap-views.ts';
import type { LostOf, RangeOfStream } from '../../../repair/range-of-stream.ts';
import { wordsOf } from '../text/format.ts';
import { sizeText } from '../text/which-text.ts';

type Lossy = LostOf & Pick<RangeOfStream, 'index' | 'lateSeries' | 'start' | 'end'>;
type Gap = Lossy & Pick<GapView, 'state' | 'missing' | 'abandoned' | 'requests' | 'lastState' | 'lastAnswer'>;

export function gapStateText(gap: Gap): string {
  if (hasEnded(gap)) return gap.lostLength > 0 ? lostStateText(gap) : 'Closed';
  if (gap.state === 'waiting') return 'May only be late';
  if (gap.abandoned) return 'Asked for no more';
  if (gap.lastState === 'accepted') return 'Being fetched';
  if (gap.lastState === 'pending')
    return gap.lastAnswer === null ? 'About to be requested' : 'Waiting for the device';
  return gap.requests === 0 ? 'Found' : 'To be requested again';
}

/** Why it ended as it did, or the last thing that was heard about it. */
export function gapCause(gap: Gap): string {
  if (hasEnded(gap)) {
    if (gap.lostLength > 0) return lostText(gap);
    return gap.requests > 0 ? 'fetched' : 'came by itself';
  }
  if (gap.lastAnswer !== null) return gap.lastAnswer;
  return gap.lastState !== null ? `last request ${wordsOf(gap.lastState)}` : 'no request yet';
}

/** Nothing is left of it, and repair may not have looked since. */
const hasEnded = (gap: Gap) => gap.state === 'closed' || gap.missing.length === 0;

export function lostStateText(range: Lossy): string {
  return isLostWhole(range) ? 'Lost' : 'Partly lost';
}

/** `no history`; how much, where it is not all of the range, or where there is more than one reason. */
export function lostText(range: Lossy): string {
  const { lost } = range;
  const [first] = lost;
  if (lost.length === 1 && isLostWhole(range)) return wordsOf(first!.reason);
  return lost.map(({ reason, length }) => `${sizeText(range, length)} ${wordsOf(reason)}`).join(', ');
}

const isLostWhole = ({ lostLength, start, end }: Lossy) => lostLength >= end - start;
