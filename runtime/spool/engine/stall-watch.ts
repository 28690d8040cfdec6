// Notices a disk that does not answer: a call has neither succeeded nor failed. It can only be reported.
import type { Clock, Timer } from '../../../kernel/clock.ts';
import type { Log } from '../../../kernel/log.ts';
import type { BatchOp, Entry, RangeOptions, Store } from './store.ts';

/** Slower than any disk that works, also a card that tidies itself up. */
export const stallMs = 5000;

export class StallWatch {
  readonly #clock: Clock;
  readonly #log: Log;
  /** When each call under way began, monotonic. */
  readonly #begun = new Set<{ readonly at: number; readonly what: string }>();
  #timer: Timer | undefined;
  #isTold = false;

  constructor(clock: Clock, log: Log) {
    this.#clock = clock;
    this.#log = log;
  }

  /** For people: what is waited for, since when (wall clock, epoch ms). */
  get problem(): { readonly text: string; readonly since: number } | undefined {
    // The one that began first stands first.
    const [oldest] = this.#begun;
    if (oldest === undefined) return undefined;
    const forMs = this.#clock.monotonic() - oldest.at;
    if (forMs < stallMs) return undefined;
    const text = `the disk does not answer: ${oldest.what} for ${Math.floor(forMs / 1000)} s`;
    return { text, since: this.#clock.now() - Math.floor(forMs) };
  }

  async run<T>(what: string, work: () => Promise<T>): Promise<T> {
    const call = { at: this.#clock.monotonic(), what };
    this.#begun.add(call);
    this.#timer ??= this.#clock.setTimer(stallMs, () => this.#look());
    try {
      return await work();
    } finally {
      this.#begun.delete(call);
      if (this.#begun.size === 0) this.#end();
    }
  }

  #look(): void {
    const { problem } = this;
    if (problem !== undefined && !this.#isTold) {
      this.#isTold = true;
      this.#log.error({ code: 'disk-hangs', problem: problem.text }, 'the disk does not answer');
    }
    this.#timer = this.#clock.setTimer(stallMs, () => this.#look());
  }

  #end(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    if (this.#isTold) this.#log.info({}, 'the disk answers again');
    this.#isTold = false;
  }
}

/** The same store, watched. What may take long by its nature is not. */
export function watched(store: Store, watch: StallWatch): Store {
  return {
    identity: store.identity,
    batch: (ops: readonly BatchOp[], options) => watch.run('a write', () => store.batch(ops, options)),
    get: (key) => watch.run('a read', () => store.get(key)),
    getMany: (keys) => watch.run('a read', () => store.getMany(keys)),
    range: (options: RangeOptions): Promise<readonly Entry[]> =>
      watch.run('a read', () => store.range(options)),
    reopen: () => watch.run('opening again', () => store.reopen()),
    compactRange: (gte, lt) => store.compactRange(gte, lt),
    collectGarbage: () => store.collectGarbage(),
    sizeBytes: () => store.sizeBytes(),
    close: () => store.close(),
  };
}
