// Watches the sends in flight for the two ways in which an AMQP link goes wrong in silence: nothing is
// acknowledged any more, or one delivery never is while later ones are. An age alone would not do: with
// 8 MB in flight on a slow link the newest message rightly waits for minutes.
//
// The first message of a connection has less time: as much as a slow link takes for one of its size. A hub that takes
// messages and settles none is then left within seconds, and so found well within seconds, too.
//
// Cost: constant per send. Sends settle nearly in order, so the head is found by walking a map that keeps
// insertion order.

export interface SendWatch {
  /** Returns the send's number. */
  sent(now: number, bytes: number): number;
  settled(id: number, now: number): void;
  readonly inFlight: number;
  /** Why the connection is in doubt at `now` (monotonic ms), if it is. */
  doubt(now: number): string | undefined;
}

/** For the first acknowledgement of a connection; and the link that is still given time for a message's bytes. */
const firstAnswerMs = 8_000;
const slowBytesPerMs = 8;

/** `stallMs`: longest time without any acknowledgement, and longest that one send may be overtaken. */
export function createSendWatch(stallMs: number): SendWatch {
  const pending = new Map<number, { readonly at: number; overtakenAt?: number }>();
  let next = 0;
  let newestSettled = -1;
  let lastProgress = 0;
  let progressMs = stallMs;

  const head = () => pending.entries().next().value;
  /** Starts the overtaken clock of the oldest send once a later one has settled. */
  const markHead = (now: number) => {
    const first = head();
    if (first && first[0] < newestSettled) first[1].overtakenAt ??= now;
  };

  return {
    sent(now, bytes) {
      if (pending.size === 0) lastProgress = now;
      if (next === 0) progressMs = Math.min(stallMs, firstAnswerMs + bytes / slowBytesPerMs);
      pending.set(next, { at: now });
      return next++;
    },
    settled(id, now) {
      if (!pending.delete(id)) return;
      lastProgress = now;
      progressMs = stallMs;
      newestSettled = Math.max(newestSettled, id);
      markHead(now);
    },
    get inFlight() {
      return pending.size;
    },
    doubt(now) {
      const first = head();
      if (!first) return undefined;
      if (now - lastProgress >= progressMs) {
        return `nothing acknowledged for ${seconds(now - lastProgress)} s with ${pending.size} messages in flight`;
      }
      const { overtakenAt } = first[1];
      if (overtakenAt !== undefined && now - overtakenAt >= stallMs) {
        return `one message not settled for ${seconds(now - first[1].at)} s although later ones are`;
      }
      return undefined;
    },
  };
}

function seconds(ms: number): string {
  return (ms / 1000).toFixed(1);
}
