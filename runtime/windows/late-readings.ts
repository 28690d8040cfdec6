// Readings that no window can claim any more: they came after their window had closed, or while observation was broken.
// They are sent all the same, in windows of exactly their positions, since readings between them may be missing.
import { exactWindows } from '../../wire/exact-windows.ts';
import type { Reading } from '../../wire/reading.ts';
import type { Window } from '../../wire/window.ts';

export interface LateWindow {
  readonly window: Window;
  readonly readings: readonly Reading[];
  /** Estimated, as plain JSON. */
  readonly bytes: number;
}

export class LateReadings {
  #readings: Reading[] = [];
  #bytes = 0;

  get bytes(): number {
    return this.#bytes;
  }

  get isEmpty(): boolean {
    return this.#readings.length === 0;
  }

  add(reading: Reading, bytes: number): void {
    this.#readings.push(reading);
    this.#bytes += bytes;
  }

  /** All that came since the last call. */
  take(): readonly LateWindow[] {
    if (this.isEmpty) return [];
    const bytesEach = this.#bytes / this.#readings.length;
    const sorted = this.#readings.sort((a, b) => a.index - b.index);
    this.#readings = [];
    this.#bytes = 0;
    return exactWindows(sorted).map(({ window, readings }) => ({
      window,
      readings,
      bytes: bytesEach * readings.length,
    }));
  }
}
