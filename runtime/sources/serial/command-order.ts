// Tracks which commands may still be answered, in order, and whether the next answer belongs to the next command. It
// outlives sessions: an instrument goes on working off earlier commands.

interface Sent {
  /** Monotonic. */
  readonly at: number;
  /** One message answers it, so that its response time is comparable with others. */
  readonly isShort: boolean;
}

/** An answer that takes longer than this, in the time limit of an answer, is taken for lost. */
export const longestWait = 10;
/** Silence that proves the line while answers are outstanding, in the time limit of an answer. */
const cautiousWait = 5;

export class CommandOrder {
  #unanswered: readonly Sent[] = [];
  #isDoubtful = false;
  #worstMs = 0;

  /** Each command that was sent has been answered, and nothing came that nobody asked for. */
  get isInStep(): boolean {
    return !this.#isDoubtful && this.#unanswered.length === 0;
  }

  sent(now: number, timeoutMs: number, isShort: boolean): void {
    const known = this.#unanswered.filter(({ at }) => now - at <= longestWait * timeoutMs);
    if (known.length < this.#unanswered.length) this.#isDoubtful = true;
    this.#unanswered = [...known, { at: now, isShort }];
  }

  /** An answer came: it is that to the first command of all that wait for one. */
  answered(now: number): void {
    const [first, ...others] = this.#unanswered;
    // Where others wait as well, one of them may be lost, and this the answer to another.
    if (first?.isShort && others.length === 0) this.#worstMs = Math.max(this.#worstMs, now - first.at);
    this.#unanswered = others;
  }

  /** The longest that an answer took so far, late ones included. */
  get worstMs(): number {
    return this.#worstMs;
  }

  /** The end of an answer was seen by silence only, or something came that could be an answer and was not asked for. */
  doubt(): void {
    this.#isDoubtful = true;
  }

  /** The line was silent for long enough after an answer: no other will come. */
  prove(): void {
    this.#isDoubtful = false;
    this.#unanswered = [];
  }

  /** Silence behind an answer that proves that it was the last one. */
  proofMs(timeoutMs: number): number {
    return this.#unanswered.length === 0 ? timeoutMs : this.#waitMs(timeoutMs, cautiousWait * timeoutMs);
  }

  /** For how long a command that was not answered in time may still be answered. */
  overdueMs(timeoutMs: number): number {
    return this.#waitMs(timeoutMs, timeoutMs);
  }

  #waitMs(timeoutMs: number, leastMs: number): number {
    return Math.min(longestWait * timeoutMs, Math.max(leastMs, 2 * this.#worstMs));
  }
}
