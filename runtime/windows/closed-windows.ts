// The windows of one stream that closed since the last commit.
import type { MiniBatch } from '../../wire/mini-batch.ts';
import type { ClosedWindow } from './window-store.ts';

export class ClosedWindows {
  #closed: ClosedWindow[] = [];
  #skip = 0;
  /** Estimated, as plain JSON. */
  bytes = 0;

  get isEmpty(): boolean {
    return this.#closed.length === 0;
  }

  /** So many of the next that are not late go to the archive unsent. */
  skipNext(count: number): void {
    this.#skip += count;
  }

  add(batch: MiniBatch, plainBytes: number, late: boolean): void {
    const skip = !late && this.#skip > 0;
    if (skip) this.#skip--;
    this.#closed.push({ batch, late, to: skip ? 'archive' : 'lane', plainBytes });
    this.bytes += plainBytes;
  }

  take(): readonly ClosedWindow[] {
    const closed = this.#closed;
    this.#closed = [];
    this.bytes = 0;
    return closed;
  }
}
