// Reads a few messages of one lane ahead, so that a free slot in flight is filled in the same turn, while the next ones are
// read from the disk, several at a time.
import type { LaneName, Lanes, Outgoing } from '../lanes.ts';

export interface LaneBufferOptions {
  readonly lane: LaneName;
  readonly lanes: Pick<Lanes, 'take' | 'depth' | 'release'>;
  /** Something was taken. */
  readonly onFilled: () => void;
  readonly onError: (error: unknown) => void;
}

export interface LaneBuffer {
  /** The lane has something to send, here or on disk, as far as known. */
  readonly hasWork: boolean;
  /** The next message. */
  readonly head: Outgoing | undefined;
  /** Removes and returns the next message. */
  shift(): Outgoing | undefined;
  /** Reads more entries, if there is room and the lane has any. */
  refill(): void;
  /** The lane may have gained something. */
  moreWork(): void;
  /** Gives everything back, also what is being taken now. */
  requeue(): void;
}

const takeMessages = 64;
const takeBytes = 1024 * 1024;
/** With fewer than this in hand the next ones are taken. */
const refillBelow = 32;

export function createLaneBuffer(options: LaneBufferOptions): LaneBuffer {
  const { lane, lanes } = options;
  let entries: Outgoing[] = [];
  let taking = false;
  /** The depth includes entries already taken: only an empty take shows that none are left. */
  let dry = false;
  /** Grows when everything is given back: what a running take still brings must then go back too. */
  let generation = 0;

  async function take(): Promise<void> {
    taking = true;
    const asked = generation;
    try {
      // Work that comes while we take may be passed over by this take.
      dry = false;
      const taken = await lanes.take(lane, { messages: takeMessages, bytes: takeBytes });
      taking = false;
      if (asked !== generation) {
        lanes.release(taken);
        return;
      }
      entries.push(...taken);
      if (taken.length === 0) dry = true;
      else options.onFilled();
    } catch (error) {
      taking = false;
      options.onError(error);
    }
  }

  return {
    get hasWork() {
      return entries.length > 0 || (!dry && lanes.depth(lane).messages > 0);
    },
    get head() {
      return entries[0];
    },
    shift: () => entries.shift(),
    refill() {
      if (taking || dry || entries.length >= refillBelow || lanes.depth(lane).messages === 0) return;
      void take();
    },
    moreWork() {
      dry = false;
    },
    requeue() {
      generation++;
      dry = false;
      if (entries.length > 0) lanes.release(entries);
      entries = [];
    },
  };
}
