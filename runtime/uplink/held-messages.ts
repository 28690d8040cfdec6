// What was handed to the uplink and has no end yet: acknowledged it is taken out, failed it goes back to its lane.
// Failures come in bursts, all in one turn; they go back together, oldest first, before anything else is sent.
import type { Lanes, Outgoing } from './lanes.ts';

export interface HeldMessages {
  add(entry: Outgoing): void;
  /** Takes it out; false when it was given back meanwhile, and is no longer ours to acknowledge. */
  remove(entry: Outgoing): boolean;
  /** Gives it back, with all others of this turn. */
  requeueSoon(entry: Outgoing): void;
  /** Gives everything back, at once. */
  requeueAll(): void;
}

/** `aroundRequeue` runs what it is given, and may do things of these entries' lanes before and after it. */
export function createHeldMessages(
  lanes: Pick<Lanes, 'release'>,
  aroundRequeue: (entries: readonly Outgoing[], requeue: () => void) => void,
): HeldMessages {
  const held = new Set<Outgoing>();
  const failed = new Set<Outgoing>();

  const requeue = (entries: readonly Outgoing[]) => {
    const ours = entries.filter((entry) => held.delete(entry)).sort((a, b) => a.id - b.id);
    if (ours.length > 0) lanes.release(ours);
  };

  return {
    add: (entry) => void held.add(entry),
    remove: (entry) => held.delete(entry),
    requeueSoon(entry) {
      if (failed.size === 0) {
        queueMicrotask(() => {
          const entries = [...failed];
          failed.clear();
          aroundRequeue(entries, () => requeue(entries));
        });
      }
      failed.add(entry);
    },
    requeueAll: () => requeue([...held]),
  };
}
