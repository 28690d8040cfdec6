// Limits the HTTP calls that query the database: a few at a time, the rest in a bounded queue. However many pages and
// programs call, ingest and repair wait for a few statements at most, and health, which queries nothing, for none.
import { type Clock, withTimeout } from '../../kernel/clock.ts';
import { HttpProblem } from './problem.ts';

export interface Turns {
  /**
   * Runs `read` when it is its turn.
   * @throws HttpProblem 503 when the queue is full, or the answer is not there in time; a read that has begun goes on,
   * and holds its place until it ends.
   */
  read<A>(read: () => Promise<A>): Promise<A>;
  /** A change by a person with the token: runs before all reads, and is not abandoned once it has begun, since it may take effect. */
  change<A>(change: () => Promise<A>): Promise<A>;
}

export interface TurnLimits {
  readonly running: number;
  readonly waiting: number;
  /** For a read, the time in the queue and under way; for a change, the time in the queue. */
  readonly limitMs: number;
}

export const turnLimits = { waiting: 64, limitMs: 10_000 };

/** A place rests for as long as it was used: half of the time is for ingest, repair and health. */
const maxPauseMs = 500;

interface Waiting {
  readonly begin: () => void;
}

export function createTurns(clock: Clock, limits: TurnLimits): Turns {
  const queues = { changes: new Set<Waiting>(), reads: new Set<Waiting>() };
  let running = 0;

  const next = () => {
    const queue = queues.changes.size > 0 ? queues.changes : queues.reads;
    const [first] = queue;
    if (first === undefined || running >= limits.running) return;
    queue.delete(first);
    running++;
    first.begin();
  };
  const run = async <A>(work: () => Promise<A>): Promise<A> => {
    const startedAt = clock.monotonic();
    try {
      return await work();
    } finally {
      // An embedded database keeps this thread for as long as a statement takes, and the system hands over one new
      // connection for each round of the event loop: without a pause nobody else would be heard for minutes.
      const pauseMs = Math.min(maxPauseMs, clock.monotonic() - startedAt);
      const free = () => {
        running--;
        next();
      };
      if (pauseMs < 1) setImmediate(free);
      else clock.setTimer(pauseMs, free);
    }
  };

  /** Resolves with a place, to be given back by `done`. */
  const place = (queue: Set<Waiting>) =>
    new Promise<void>((resolve, reject) => {
      if (queue.size >= limits.waiting)
        throw busy(`${limits.waiting} calls wait for the database already; ask again later`);
      const timer = clock.setTimer(limits.limitMs, () => {
        queue.delete(waiting);
        reject(tooLate(limits.limitMs));
      });
      const waiting: Waiting = {
        begin: () => {
          timer.cancel();
          resolve();
        },
      };
      queue.add(waiting);
      next();
    });

  return {
    async read(read) {
      const since = clock.monotonic();
      await place(queues.reads);
      const work = run(read);
      const leftMs = Math.max(0, limits.limitMs - (clock.monotonic() - since));
      return withTimeout(clock, leftMs, work, () => tooLate(limits.limitMs));
    },
    async change(change) {
      await place(queues.changes);
      return run(change);
    },
  };
}

const busy = (detail: string) => new HttpProblem(503, 'http-busy', detail);
const tooLate = (limitMs: number) =>
  busy(`the database had no answer within ${limitMs / 1000} s; ask for less, or later`);
