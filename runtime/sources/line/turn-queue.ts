// One connection, several users: each takes a turn, one at a time. A poll's turn is all of its requests, so
// that nothing comes between the parts of one sample; history's turn is one request. After a turn of live
// polling a waiting history read goes first, and the other way round: neither can starve the other.

export const lanes = ['write', 'live', 'history', 'look'] as const;
/**
 * In order of precedence; `write` is a person or a rule that waits for a device to act, `look` a look for a unit that does not
 * answer.
 */
export type TurnLane = (typeof lanes)[number];

interface Waiting {
  start(): void;
}

export class TurnQueue {
  readonly #waiting: Readonly<Record<TurnLane, Set<Waiting>>> = {
    write: new Set(),
    live: new Set(),
    history: new Set(),
    look: new Set(),
  };
  #isBusy = false;
  #lastLane: TurnLane = 'history';

  /** Somebody has the turn, or waits for it. */
  get isBusy(): boolean {
    return this.#isBusy;
  }

  /**
   * Runs `work` when its turn comes, and settles as it does. Rejects at once with the signal's reason when
   * that aborts; work that has begun then still keeps the turn until it has settled, so it must be bounded.
   */
  run<T>(lane: TurnLane, work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    if (signal?.aborted) return Promise.reject(signal.reason);
    if (!this.#isBusy && signal === undefined) return this.#begin(lane, work);
    return new Promise((resolve, reject) => {
      const onAbort = () => {
        this.#waiting[lane].delete(waiting);
        reject(signal?.reason);
      };
      const waiting: Waiting = {
        start: () => {
          const done = () => signal?.removeEventListener('abort', onAbort);
          this.#begin(lane, work).finally(done).then(resolve, reject);
        },
      };
      signal?.addEventListener('abort', onAbort, { once: true });
      if (this.#isBusy) this.#waiting[lane].add(waiting);
      else waiting.start();
    });
  }

  async #begin<T>(lane: TurnLane, work: () => Promise<T>): Promise<T> {
    this.#isBusy = true;
    this.#lastLane = lane;
    try {
      return await work();
    } finally {
      this.#isBusy = false;
      this.#next();
    }
  }

  #next(): void {
    const order: readonly TurnLane[] =
      this.#lastLane === 'live' ? ['write', 'history', 'live', 'look'] : lanes;
    for (const lane of order) {
      const [first] = this.#waiting[lane];
      if (!first) continue;
      this.#waiting[lane].delete(first);
      first.start();
      return;
    }
  }
}
