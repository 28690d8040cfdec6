// Bytes of a line that is asked, which nobody asked for: what is sent next waits until they are over.
import { pendingInputMs } from './line-quiet.ts';

/** Bytes that come right after an answer, and no more than these, are what the instrument ends it with: a prompt. */
const prompt = { withinMs: 50, bytes: 8 };
/** Between the last byte that nobody asked for and the next command. */
const strayQuietMs = 30;

export class StrayBytes {
  #isPrompt = false;
  #count = 0;

  /** `sinceAnswerMs`: after an answer. */
  note(count: number, sinceAnswerMs: number): void {
    if (this.#count === 0) this.#isPrompt = sinceAnswerMs <= prompt.withinMs;
    this.#count += count;
  }

  clear(): void {
    this.#count = 0;
  }

  /** Silence that has to follow them. `amidGapMs`: a message was begun, which ends by so long a silence. */
  quietMs(amidGapMs: number | undefined): number {
    if (this.#count === 0) return 0;
    // What was begun and is not whole may be a late answer: what is left of it would be taken for the next one.
    const isBegun = amidGapMs !== undefined && !(this.#isPrompt && this.#count <= prompt.bytes);
    return isBegun ? amidGapMs + pendingInputMs : strayQuietMs;
  }
}
