// How much may be sent and not yet acknowledged. The bounds in count and bytes protect memory and the
// client library. Below them, what is not live keeps to about half a second's worth of what the link has
// lately carried: on a slow link 8 MB of backlog in flight would hold up live data for minutes. After the
// hub asked for less, the window shrinks by half and grows back one message per round.
//
// A new connection is asked with one message whether it carries, before more is trusted to it: where it does not, one
// message is sent again and not 64, and the next connection may be tried so much sooner.
import type { LaneName, Lanes, Outgoing } from '../lanes.ts';

export interface InFlightLimits {
  readonly inFlightMessages: number;
  readonly inFlightBytes: number;
}

export interface InFlight {
  readonly messages: number;
  readonly bytes: number;
  /** Room for the lane now; both 0 when there is none. */
  room(lane: LaneName): { messages: number; bytes: number };
  /** One message of that size may go. One larger than all the room goes when nothing else does. */
  hasRoom(lane: LaneName, bytes: number): boolean;
  sent(lane: LaneName, bytes: number): void;
  /** `now`: monotonic ms. */
  done(lane: LaneName, bytes: number, accepted: boolean, now: number): void;
  /** The hub throttles. */
  shrink(): void;
  /** A new connection. */
  restart(): void;
  /** Other limits hold from now on. */
  relimit(): void;
}

/** Slots that only live data may use, so that it never waits for a slot. */
const liveSlots = 0.25;
const bulkSeconds = 0.5;
const minBulkBytes = 256 * 1024;
const rateSpanMs = 2_000;

export function createInFlight(limits: InFlightLimits): InFlight {
  let messages = 0;
  let bytes = 0;
  let bulkMessages = 0;
  let bulkBytes = 0;
  let window = limits.inFlightMessages;
  let isAsking = false;
  const rate = createRate();

  const bulkByteLimit = () => {
    const carried = rate.bytesPerSecond();
    const most = limits.inFlightBytes * (1 - liveSlots);
    return carried === undefined ? most : Math.min(most, Math.max(minBulkBytes, carried * bulkSeconds));
  };

  const room = (lane: LaneName) => {
    const slots = (isAsking ? 1 : Math.floor(window)) - messages;
    const space = limits.inFlightBytes - bytes;
    if (lane === 'live') return clamp(slots, space);
    const bulkSlots = Math.max(1, Math.floor(window * (1 - liveSlots))) - bulkMessages;
    return clamp(Math.min(slots, bulkSlots), Math.min(space, bulkByteLimit() - bulkBytes));
  };

  return {
    get messages() {
      return messages;
    },
    get bytes() {
      return bytes;
    },
    room,
    hasRoom(lane, size) {
      const free = room(lane);
      return free.messages > 0 && (size <= free.bytes || (lane === 'live' ? messages : bulkMessages) === 0);
    },
    sent(lane, size) {
      messages++;
      bytes += size;
      if (lane === 'live') return;
      bulkMessages++;
      bulkBytes += size;
    },
    done(lane, size, accepted, now) {
      messages--;
      bytes -= size;
      if (lane !== 'live') {
        bulkMessages--;
        bulkBytes -= size;
      }
      if (!accepted) return;
      isAsking = false;
      rate.add(size, now, messages > 0);
      window = Math.min(limits.inFlightMessages, window + 1 / window);
    },
    shrink() {
      window = Math.max(1, window / 2);
    },
    restart() {
      isAsking = true;
    },
    relimit() {
      window = limits.inFlightMessages;
    },
  };
}

function clamp(messages: number, bytes: number): { messages: number; bytes: number } {
  return messages > 0 && bytes > 0 ? { messages, bytes } : { messages: 0, bytes: 0 };
}

/** Bytes a second over the last seconds in which something was always in flight: what the link can carry. */
function createRate() {
  let since: number | undefined;
  let bytes = 0;
  let known: number | undefined;
  return {
    add(size: number, now: number, busy: boolean): void {
      since ??= now;
      bytes += size;
      const ms = now - since;
      if (ms >= rateSpanMs) {
        known = (bytes / ms) * 1000;
        since = now;
        bytes = 0;
      } else if (!busy) {
        // Idle time says nothing about the link.
        since = undefined;
        bytes = 0;
      }
    },
    bytesPerSecond: () => known,
  };
}

/**
 * The messages that were taken from their lanes and handed to the uplink. An acknowledged one is removed, a failed one goes back to its lane.
 * Failures come in bursts, all in one turn; they go back together, oldest first, before anything else is sent.
 */
export interface TakenMessages {
  add(entry: Outgoing): void;
  /** Removes the entry; false when it was given back meanwhile, and must not be acknowledged any more. */
  remove(entry: Outgoing): boolean;
  /** Gives the entry back to its lane, together with all others of this turn. */
  requeueSoon(entry: Outgoing): void;
  /** Gives everything back, at once. */
  requeueAll(): void;
}

/** `aroundRequeue` runs its argument, and may work on the lanes of these entries before and after. */
export function createTakenMessages(
  lanes: Pick<Lanes, 'release'>,
  aroundRequeue: (entries: readonly Outgoing[], requeue: () => void) => void,
): TakenMessages {
  const taken = new Set<Outgoing>();
  const failed = new Set<Outgoing>();

  const requeue = (entries: readonly Outgoing[]) => {
    const ours = entries.filter((entry) => taken.delete(entry)).sort((a, b) => a.id - b.id);
    if (ours.length > 0) lanes.release(ours);
  };

  return {
    add: (entry) => void taken.add(entry),
    remove: (entry) => taken.delete(entry),
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
    requeueAll: () => requeue([...taken]),
  };
}

/**
 * Finds the message that the hub refuses. It refuses by ending the link, and all that is in flight fails with the same error;
 * so they are sent again one at a time, until the one that fails alone is known.
 */
export interface PoisonWatch {
  /** Messages must go one at a time. */
  readonly any: boolean;
  add(id: number): void;
  /** The message went through, or was refused alone. */
  cleared(id: number): void;
  /** One message was sent while suspects remained. */
  sent(): void;
}

/** `maxSends`: a suspect that retention removed meanwhile never comes; going single ends after so many in any case. */
export function createPoisonWatch(maxSends: () => number): PoisonWatch {
  const ids = new Set<number>();
  let sendsLeft = 0;
  return {
    get any() {
      return ids.size > 0;
    },
    add(id) {
      ids.add(id);
      sendsLeft = maxSends();
    },
    cleared(id) {
      ids.delete(id);
    },
    sent() {
      if (--sendsLeft <= 0) ids.clear();
    },
  };
}
