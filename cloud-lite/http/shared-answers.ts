// Shares answers that cover the whole fleet: they cost more the larger it is, and every open page asks for them again and
// again. A call that comes while an answer is being computed waits for that one, and an answer that took long is reused for
// a while. So all pages together keep the database busy for a fixed share of its time at most.
import type { Clock } from '../../kernel/clock.ts';

export interface SharedAnswers<Q, A> {
  /** Rejects as making it does; a failure is not kept. */
  get(question: Q): Promise<A>;
}

/** An answer that took less is made again each time. */
const quickMs = 100;
/** How long an answer is reused, in multiples of the time that it took. */
const keptTimes = 4;
const maxKeptMs = 10_000;
/** Questions whose answers are kept at once. */
const maxKept = 20;

interface Kept<A> {
  readonly answer: Promise<A>;
  /** Monotonic ms; Infinity while it is being made. */
  until: number;
}

/** @param make answers a question; questions are alike when their JSON is. */
export function shareAnswers<Q, A>(make: (question: Q) => Promise<A>, clock: Clock): SharedAnswers<Q, A> {
  const answers = new Map<string, Kept<A>>();

  const drop = (key: string, kept: Kept<A>) => {
    if (answers.get(key) === kept) answers.delete(key);
  };

  const begin = (key: string, question: Q): Promise<A> => {
    const startedAt = clock.monotonic();
    const kept: Kept<A> = { answer: make(question), until: Number.POSITIVE_INFINITY };
    answers.set(key, kept);
    kept.answer.then(
      () => {
        const tookMs = clock.monotonic() - startedAt;
        kept.until = clock.monotonic() + Math.min(maxKeptMs, tookMs * keptTimes);
        if (tookMs < quickMs) drop(key, kept);
      },
      () => drop(key, kept),
    );
    return kept.answer;
  };

  return {
    get(question) {
      const now = clock.monotonic();
      for (const [key, kept] of answers) if (kept.until <= now) answers.delete(key);
      const key = JSON.stringify(question);
      const kept = answers.get(key);
      if (kept !== undefined) return kept.answer;
      // The oldest first; one that is still being made goes on for those who wait for it.
      for (const oldest of answers.keys()) {
        if (answers.size < maxKept) break;
        answers.delete(oldest);
      }
      return begin(key, question);
    },
  };
}
