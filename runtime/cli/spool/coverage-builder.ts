// The union of very many windows that come in any order. Memory grows with the number of holes, not of windows.
import { type Coverage, normalise } from '../../../wire/coverage.ts';
import type { Window } from '../../../wire/window.ts';

const slack = 1024;

export class CoverageBuilder {
  #windows: Window[] = [];
  #limit = slack;

  add(window: Window): void {
    const last = this.#windows.at(-1);
    // By far the most windows continue the one before.
    if (last !== undefined && last.start <= window.start && window.start <= last.end) {
      if (window.end > last.end)
        this.#windows[this.#windows.length - 1] = { start: last.start, end: window.end };
      return;
    }
    this.#windows.push(window);
    if (this.#windows.length < this.#limit) return;
    this.#windows = [...normalise(this.#windows)];
    this.#limit = this.#windows.length * 2 + slack;
  }

  coverage(): Coverage {
    return normalise(this.#windows);
  }
}
