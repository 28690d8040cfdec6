// What happened in an episode, one line each, for a person who looks into a failure. Only the last lines are kept.

export interface Trace {
  note(who: string, what: string): void;
}

const maxKept = 4000;

export class EpisodeTrace implements Trace {
  readonly #now: () => number;
  #lines: string[] = [];

  /** `now`: true time of the episode, ms. */
  constructor(now: () => number) {
    this.#now = now;
  }

  note(who: string, what: string): void {
    this.#lines.push(`${(this.#now() / 1000).toFixed(3).padStart(10)}  ${who.padEnd(9)} ${what}`);
    if (this.#lines.length > 2 * maxKept) this.#lines = this.#lines.slice(-maxKept);
  }

  last(count: number): readonly string[] {
    return this.#lines.slice(-count);
  }
}
