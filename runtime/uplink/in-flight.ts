// How much may be sent and not yet acknowledged. The bounds in count and bytes protect memory and the
// client library. Below them, what is not live keeps to about half a second's worth of what the link has
// lately carried: on a slow link 8 MB of backlog in flight would hold up live data for minutes. After the
// hub asked for less, the window shrinks by half and grows back one message per round.
//
// A new connection is asked with one message whether it carries, before more is trusted to it: where it does not, one
// message is sent again and not 64, and the next connection may be tried so much sooner.
import type { LaneName } from './lanes.ts';

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
