// Notices early that the network is back. Attempts to connect notice it late: one that began while packets vanished waits
// for the kernel to repeat its first packet, up to 16 s later, and the pauses between them have grown.
//
// So while there is no connection, a bare TCP connection to the hub's port is tried every second or two, one packet while
// the network is away. A try that succeeds after one that failed means that the network has returned. It only triggers the
// next attempt sooner: whatever the tries show, attempts go on at their own pace.
//
// Bounds. One try at a time, also where a name server hangs for longer than a try may take: name resolution occupies a
// thread that the disk needs too. Where the port can be reached, and the trouble is another, a try is made every 5 to 10 s
// only.
import { type Clock, sleep } from '../../kernel/clock.ts';
import type { Random } from '../../kernel/random.ts';
import type { EdgeTarget } from './edge-client.ts';

/** Whether the port takes a connection. Never rejects; bounded but for the name resolution. */
export type Reach = (target: EdgeTarget) => Promise<boolean>;

export interface ReturnWatchOptions {
  readonly reach: Reach;
  readonly clock: Clock;
  readonly random: Random;
  /** The network is back; `awayAt`: when it was last found away, monotonic ms. */
  readonly onReturn: (awayAt: number) => void;
}

export interface ReturnWatch {
  /** There is no connection to `target`. Idempotent. */
  start(target: EdgeTarget): void;
  /** There is one. */
  stop(): void;
}

/** A hub that merely restarts is back before that: no look is needed. */
const firstLookMs = 1_500;
const awayMs = 2_000;
const reachableMs = 10_000;

export function createReturnWatch(options: ReturnWatchOptions): ReturnWatch {
  const { clock, random, onReturn } = options;
  let watching: AbortController | undefined;
  let target: EdgeTarget | undefined;
  let looking: Promise<boolean> | undefined;

  /** Joins a look that an earlier watch has left behind. */
  const look = (at: EdgeTarget) => {
    looking ??= options.reach(at).finally(() => {
      looking = undefined;
    });
    return looking;
  };

  async function watch(signal: AbortSignal): Promise<void> {
    let awayAt: number | undefined;
    let pauseMs = firstLookMs;
    for (;;) {
      // Half of it random: a fleet must not come back in one moment.
      await sleep(clock, pauseMs / 2 + (random.next() * pauseMs) / 2, signal);
      if (target === undefined) return;
      const isOpen = await look(target);
      if (signal.aborted) return;
      if (isOpen && awayAt !== undefined) onReturn(awayAt);
      awayAt = isOpen ? undefined : clock.monotonic();
      pauseMs = isOpen ? reachableMs : awayMs;
    }
  }

  return {
    start(where) {
      target = where;
      if (watching) return;
      watching = new AbortController();
      watch(watching.signal).catch(() => {});
    },
    stop() {
      watching?.abort();
      watching = undefined;
    },
  };
}
