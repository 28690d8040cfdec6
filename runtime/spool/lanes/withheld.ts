// Windows that go on from what an earlier process claimed. That nothing lies between is the word of the data folder, which may have
// been put back where nothing on the gateway tells; the hub was told of each start, and can. So such a window, one at most for
// each stream and start, is stored as all are, but not handed out before the hub was heard. If it knows of a later state,
// the window is never claimed: its readings go up as late ones, and its range is a hole, which the detector asks for.
//
// Crash argument. The lane's entry says on the disk that it is withheld. What the hub denied is denied for good: the
// spool's record keeps the id below which nothing that is withheld is ever claimed, and is synced before anything is handed
// out again.
import type { Window } from '../../../wire/window.ts';
import type { HubWord } from '../core/core.ts';
import type { Stream } from '../core/streams.ts';

/** `start`: number of the start that observed the window. True where it continues an earlier start's windows and the hub has not confirmed that. */
export function goesOnFromBefore(
  hub: HubWord,
  stream: Stream,
  { start: from }: Window,
  start: number,
): boolean {
  if (hub.state === 'not-asked' || hub.state === 'confirms') return false;
  const { floor, reachedIn = 0 } = stream;
  // Behind a break a window begins at least one position above.
  return floor !== undefined && from <= floor && reachedIn < start;
}

/** What is to become of a withheld message. */
export function fateOf(hub: HubWord, messageId: number): 'send' | 'wait' | 'unclaim' {
  if (messageId < hub.deniedBelow || hub.state === 'denies') return 'unclaim';
  return hub.state === 'awaited' ? 'wait' : 'send';
}
