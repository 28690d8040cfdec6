// A trace of an episode, one line an event, for a person who examines a failure. Only the last lines are kept.

export interface Trace {
  note(who: string, what: string): void;
}

interface Line {
  readonly at: number;
  readonly text: string;
}

const maxKept = 20_000;

export class EpisodeTrace implements Trace {
  readonly #now: () => number;
  #lines: Line[] = [];

  /** `now`: true time of the episode, ms. */
  constructor(now: () => number) {
    this.#now = now;
  }

  note(who: string, what: string): void {
    const at = this.#now();
    this.#lines.push({ at, text: `${(at / 1000).toFixed(3).padStart(10)}  ${who.padEnd(9)} ${what}` });
    if (this.#lines.length > 2 * maxKept) this.#lines = this.#lines.slice(-maxKept);
  }

  /** The last of all that was noted or, with `at`, what was noted around that time: two thirds of it before. */
  lines(count: number, at?: number): readonly string[] {
    const after = at === undefined ? -1 : this.#lines.findIndex((line) => line.at > at);
    const end = after < 0 ? this.#lines.length : Math.min(this.#lines.length, after + Math.ceil(count / 3));
    return this.#lines.slice(Math.max(0, end - count), end).map(({ text }) => text);
  }
}
