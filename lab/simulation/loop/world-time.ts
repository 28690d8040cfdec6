// The time of a simulated world. It stands still while anything runs, and leaps to the next timer then. Each process of the
// world has a clock of its own on it, with a wall clock that may be wrong, which ends with the process.
import type { Clock, Timer } from '../../../kernel/clock.ts';

interface Pending {
  readonly due: number;
  readonly order: number;
  callback: (() => void) | undefined;
}

/**
 * What is left of a wait may be too little for a sum of such times to differ. Who waits for it again would do so for ever; a real
 * timer takes a millisecond then.
 */
const leastMs = 0.001;

export class WorldTime {
  readonly #startWall: number;
  #elapsed = 0;
  #order = 0;
  /** A binary heap, by `due` and `order`. */
  readonly #heap: Pending[] = [];
  /** Work under way that takes no time of the world's: a database's answer. */
  busy = 0;

  constructor(startWall: number) {
    this.#startWall = startWall;
  }

  /** Ms since the world began. */
  get elapsed(): number {
    return this.#elapsed;
  }

  /** What a right wall clock says, epoch ms. */
  get wall(): number {
    return Math.floor(this.#startWall + this.#elapsed);
  }

  setTimer(delayMs: number, callback: () => void): Timer {
    const waitMs = delayMs > 0 ? Math.max(delayMs, leastMs) : 0;
    const pending: Pending = { due: this.#elapsed + waitMs, order: this.#order++, callback };
    this.#push(pending);
    return {
      cancel() {
        pending.callback = undefined;
      },
    };
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => this.setTimer(ms, resolve));
  }

  /** Lets the world live for `ms`, or until `isOver`. */
  async run(ms: number, isOver: () => boolean = () => false): Promise<void> {
    const target = this.#elapsed + ms;
    await this.#settle();
    while (!isOver() && this.#heap.length > 0 && this.#heap[0]!.due <= target) {
      const { due, callback } = this.#pop();
      if (callback === undefined) continue;
      this.#elapsed = Math.max(this.#elapsed, due);
      callback();
      await this.#settle();
    }
    if (!isOver()) this.#elapsed = Math.max(this.#elapsed, target);
  }

  /** What runs goes on until it waits for time, or for a disk. */
  async #settle(): Promise<void> {
    await turn();
    while (this.busy > 0) await turn();
  }

  #push(pending: Pending): void {
    const heap = this.#heap;
    let at = heap.push(pending) - 1;
    while (at > 0) {
      const above = (at - 1) >> 1;
      if (isBefore(heap[above]!, pending)) break;
      heap[at] = heap[above]!;
      at = above;
    }
    heap[at] = pending;
  }

  #pop(): Pending {
    const heap = this.#heap;
    const first = heap[0]!;
    const last = heap.pop()!;
    if (heap.length === 0) return first;
    let at = 0;
    for (;;) {
      let below = 2 * at + 1;
      if (below >= heap.length) break;
      if (below + 1 < heap.length && isBefore(heap[below + 1]!, heap[below]!)) below += 1;
      if (isBefore(last, heap[below]!)) break;
      heap[at] = heap[below]!;
      at = below;
    }
    heap[at] = last;
    return first;
  }
}

function isBefore(a: Pending, b: Pending): boolean {
  return a.due < b.due || (a.due === b.due && a.order < b.order);
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** A machine's wall clock, ms ahead of a right one. */
export interface WallClock {
  offsetMs: number;
}

/** The clock of one process. Once it is ended, nothing that waits for it ever goes on. */
export class ProcessClock implements Clock {
  readonly #time: WorldTime;
  readonly #wall: WallClock;
  readonly #startedAt: number;
  #isEnded = false;

  constructor(time: WorldTime, wall: WallClock) {
    this.#time = time;
    this.#wall = wall;
    this.#startedAt = time.elapsed;
  }

  now(): number {
    return this.#time.wall + this.#wall.offsetMs;
  }

  monotonic(): number {
    return this.#time.elapsed - this.#startedAt;
  }

  setTimer(delayMs: number, callback: () => void): Timer {
    return this.#time.setTimer(delayMs, () => {
      if (!this.#isEnded) callback();
    });
  }

  end(): void {
    this.#isEnded = true;
  }
}
