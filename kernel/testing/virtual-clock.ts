import type { Clock, Timer } from '../clock.ts';

interface Pending {
  readonly due: number;
  readonly order: number;
  readonly callback: () => void;
}

/**
 * A clock that moves only when told to. `advance` runs every timer that falls due, in order, and lets
 * promises settle after each, so that code which sleeps in a loop runs as it would in real time.
 */
export class VirtualClock implements Clock {
  #wallOffset: number;
  #elapsed = 0;
  #order = 0;
  #timers = new Set<Pending>();

  constructor(startMs = Date.UTC(2026, 10, 21)) {
    this.#wallOffset = startMs;
  }

  now(): number {
    return Math.floor(this.#wallOffset + this.#elapsed);
  }

  monotonic(): number {
    return this.#elapsed;
  }

  setTimer(delayMs: number, callback: () => void): Timer {
    const pending = { due: this.#elapsed + Math.max(0, delayMs), order: this.#order++, callback };
    this.#timers.add(pending);
    return { cancel: () => this.#timers.delete(pending) };
  }

  /** Moves both clocks on by `ms`, running what falls due. */
  async advance(ms: number): Promise<void> {
    const target = this.#elapsed + ms;
    await settle();
    for (let next = this.#earliest(); next && next.due <= target; next = this.#earliest()) {
      this.#timers.delete(next);
      this.#elapsed = Math.max(this.#elapsed, next.due);
      next.callback();
      await settle();
    }
    this.#elapsed = target;
    await settle();
  }

  /** Steps the wall clock alone, as NTP or an operator would. */
  stepWall(ms: number): void {
    this.#wallOffset += ms;
  }

  get pendingTimers(): number {
    return this.#timers.size;
  }

  #earliest(): Pending | undefined {
    let best: Pending | undefined;
    for (const timer of this.#timers) {
      if (!best || timer.due < best.due || (timer.due === best.due && timer.order < best.order)) best = timer;
    }
    return best;
  }
}

/** Lets queued microtasks and immediate callbacks run: enough for chains of awaited promises. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 4; turn++) await new Promise((resolve) => setImmediate(resolve));
}
