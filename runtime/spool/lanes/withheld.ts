// Withholds windows that continue what an earlier process claimed. Only the data folder says that nothing lies between, and
// the folder may be an older copy, which nothing on the gateway shows; the hub was told of each start, and can tell. So
// such a window, one at most for each stream and start, is stored as usual, but not handed out before the hub has
// confirmed. If the hub knows of a later state, the window is never claimed: its readings are sent as late ones, and its
// range is a hole, which the detector asks for.
//
// Crash argument. The lane's entry on the disk says that it is withheld. A denial is final: the spool's record keeps the id
// below which no withheld window is ever claimed, and is synced before anything is handed out again.
import type { Window } from '../../../wire/window.ts';
import type { HubConfirmation } from '../core/core.ts';
import type { Stream } from '../core/streams.ts';

/** `start`: number of the start that observed the window. True where the window continues an earlier start's windows and the hub has not confirmed that. */
export function continuesUnconfirmed(
  hub: HubConfirmation,
  stream: Stream,
  { start: from }: Window,
  start: number,
): boolean {
  if (hub.state === 'not-asked' || hub.state === 'confirms') return false;
  const { floor, reachedIn = 0 } = stream;
  // Behind a break a window begins at least one position above.
  return floor !== undefined && from <= floor && reachedIn < start;
}

/** What to do with a withheld message: send it, wait, or send it without its claim. */
export function decideWithheld(hub: HubConfirmation, messageId: number): 'send' | 'wait' | 'unclaim' {
  if (messageId < hub.deniedBelow || hub.state === 'denies') return 'unclaim';
  return hub.state === 'awaited' ? 'wait' : 'send';
}
