// What a gap's state means, in words. Pure.
import type { GapView } from '../../../repair/gap-views.ts';
import { wordsOf } from '../text/format.ts';

type Gap = Pick<GapView, 'state' | 'missing' | 'abandoned' | 'requests' | 'lastState' | 'lastAnswer'>;

export function gapStateText(gap: Gap): string {
  // Nothing is left of it, and repair has not looked since.
  if (gap.state === 'closed' || gap.missing.length === 0) return 'Closed';
  if (gap.state === 'waiting') return 'May only be late';
  if (gap.abandoned) return 'Asked for no more';
  if (gap.lastState === 'accepted') return 'Being fetched';
  if (gap.lastState === 'pending')
    return gap.lastAnswer === null ? 'About to be requested' : 'Waiting for the device';
  return gap.requests === 0 ? 'Found' : 'To be requested again';
}

/** The last thing that was heard about it. */
export function gapCause(gap: Gap): string {
  if (gap.lastAnswer !== null) return gap.lastAnswer;
  if (gap.lastState !== null) return `last request ${wordsOf(gap.lastState)}`;
  return gap.state === 'closed' ? 'came by itself' : 'no request yet';
}
