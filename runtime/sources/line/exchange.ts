// What ties an answer to its request, on lines where the answer carries nothing that says so.
//
// The unit or instrument at the other end works its requests off in the order in which it got them, and answers each at
// most once; it may be slow, and a request or an answer may be lost on the way. So an answer that arrives may belong to
// the request under way, or to an earlier one that was given up. It is told apart by how it looks alone:
//
// - It is tied to the request under way when it fits that one, and fits no earlier one that may still be answered.
// - Whatever fits a request proves, by the order of the answers, that those before that request are answered no more.
// - So after a request without an answer, one is asked whose answer looks different. Once that has come, the line is
//   proven to be in step, and everything may be asked again.
// - Where the other end answers no such request, only silence is left: since the last request, for longer than any
//   answer was ever seen to take. That is weaker, so it is the last resort.
//
// When something came that nobody here asked for, others may be asking, too (another master, an earlier run of ours), or
// answers are said twice: then only a request that no other could have made is believed, until one is answered that was
// sent after the last such sign. For an hour the unit stays doubtful all the same: whoever uses this may have each answer
// followed by another one, before it believes it.
import type { Clock } from '../../../kernel/clock.ts';

/** How answers of type A look, to requests of type Q. */
export interface Likeness<Q, A> {
  /** By all that it shows, `answer` may be the answer to `request`. */
  fits(answer: A, request: Q): boolean;
  /** The usual answer to `request` would fit `other` as well. */
  isAlike(request: Q, other: Q): boolean;
  /** They are the same request, asked twice. */
  isSame(request: Q, other: Q): boolean;
  /** Nothing that others ask is answered like this request. */
  isUnmistakable(request: Q): boolean;
  /** What came may be an unmistakable request, of somebody else. */
  asUnmistakable?(answer: A): Q | undefined;
}

/** An answer, and to which request it was tied. Only `Exchange.offer` makes one. */
export class TiedAnswer<Q, A> {
  readonly request: Q;
  readonly answer: A;
  /** From the request to the answer. */
  readonly tookMs: number;
  // A private field makes the type nominal: an object that merely looks like it does not pass for it.
  readonly #isTied = true;

  private constructor(request: Q, answer: A, tookMs: number) {
    this.request = request;
    this.answer = answer;
    this.tookMs = tookMs;
  }

  /** Undefined where `answer` does not fit `request`, or may as well be that of one of `earlier`. */
  static tie<Q, A>(
    likeness: Likeness<Q, A>,
    given: {
      readonly request: Q;
      readonly answer: A;
      readonly earlier: readonly Q[];
      readonly hasOthers: boolean;
      readonly tookMs: number;
    },
  ): TiedAnswer<Q, A> | undefined {
    const { request, answer, earlier, hasOthers, tookMs } = given;
    if (!likeness.fits(answer, request)) return undefined;
    if (hasOthers && !likeness.isUnmistakable(request)) return undefined;
    if (earlier.some((other) => likeness.fits(answer, other))) return undefined;
    return new TiedAnswer(request, answer, tookMs);
  }

  get isTied(): boolean {
    return this.#isTied;
  }
}

/** One request, from the moment that it is sent. */
export interface Exchange<Q, A> {
  readonly request: Q;
  /** Something came. Undefined where it is not surely the answer to this request: then go on waiting. */
  offer(answer: A): TiedAnswer<Q, A> | undefined;
}

interface Sent<Q> {
  readonly request: Q;
  /** When it was sent last, and how often it was. */
  readonly at: number;
  readonly times: number;
  /** Its place among all that was sent and heard; the first time that it was sent. */
  readonly place: number;
}

/** As many different requests without an answer are kept; then nothing but silence helps. */
const maxOpen = 16;
/**
 * Silence is never demanded for longer, and a request that is ours alone is taken for lost: an answer that is later still
 * belongs to a line that cannot be used.
 */
const maxSilenceMs = 60_000;
/** Where more came than was asked for it will come again, on the same line: so long it is not believed that it will not. */
const doubtMs = 3_600_000;

export interface ExchangesOptions<Q, A> {
  readonly likeness: Likeness<Q, A>;
  readonly clock: Clock;
  /** Silence is proof after this at the earliest. */
  readonly minSilenceMs: number;
  /** Others may have asked before us: an earlier run of ours, for one. */
  readonly hasOthers?: boolean;
}

/** What one unit or instrument was asked, and which of it may still be answered. */
export class Exchanges<Q, A> {
  readonly #options: ExchangesOptions<Q, A>;
  /** Sent, and not known to be answered no more; in order. */
  #open: readonly Sent<Q>[] = [];
  /** Counts all that was sent and heard. */
  #place = 0;
  /** Place of the last sign that others may be asking; undefined where what was asked since has proven otherwise. */
  #othersAt: number | undefined;
  /** When more came than was asked for, from a unit that was in step. */
  #doubtedAt = Number.NEGATIVE_INFINITY;
  #worstMs = 0;
  /** When something was last sent to it, or heard from it. */
  #lastSignAt: number;
  #strays = 0;

  constructor(options: ExchangesOptions<Q, A>) {
    this.#options = options;
    this.#othersAt = options.hasOthers ? this.#place : undefined;
    this.#lastSignAt = options.clock.monotonic();
  }

  /** The longest that an answer took, late ones included. */
  get worstMs(): number {
    return this.#worstMs;
  }

  /** Answers that came to nothing that was asked. */
  get strays(): number {
    return this.#strays;
  }

  /** More came lately than was asked for: what fits a request may again be what came too much. */
  get isDoubtful(): boolean {
    return this.#options.clock.monotonic() - this.#doubtedAt < doubtMs;
  }

  get #hasOthers(): boolean {
    return this.#othersAt !== undefined;
  }

  /** An answer to `request`, asked now, could not be told from what may still come: prove that the line is in step first. */
  isMistakable(request: Q): boolean {
    const { likeness } = this.#options;
    if (this.#hasOthers && !likeness.isUnmistakable(request)) return true;
    return this.#open.some((sent) => likeness.isAlike(request, sent.request));
  }

  /** So much was left without an answer that nothing more may be asked before silence has proven the line. */
  get isFull(): boolean {
    return this.#open.length >= maxOpen;
  }

  /** `request` is sent now. Not while `isFull`. */
  begin(request: Q): Exchange<Q, A> {
    if (this.isFull) throw new Error('too much was left without an answer: prove the line by silence first');
    const now = this.#options.clock.monotonic();
    const { likeness } = this.#options;
    this.#lastSignAt = now;
    // A lost one would for ever stand before those that look like it. What was asked before or after it stays.
    this.#open = this.#open.filter(
      (each) => now - each.at < maxSilenceMs || !likeness.isUnmistakable(each.request),
    );
    this.#place += 1;
    const sent = { request, at: now, times: 1, place: this.#place };
    const last = this.#open.at(-1);
    // Asked again, with nothing in between, it is one request that may be answered more than once.
    this.#open =
      last && likeness.isSame(last.request, request)
        ? this.#open.with(-1, { ...last, at: now, times: last.times + 1 })
        : [...this.#open, sent];
    return { request, offer: (answer) => this.#offer(sent, answer) };
  }

  /** Something came while no request was under way. */
  hear(answer: A): void {
    this.#take(answer);
  }

  /** Something was heard that proves nothing, but that others may be asking. */
  overhear(answer: A): void {
    this.#onStray(answer);
  }

  /** Others may be asking the same unit, or may have asked before us. Whatever was said until now, it was not listened for. */
  suspectOthers(): void {
    this.#place += 1;
    this.#othersAt = this.#place;
    this.#lastSignAt = this.#options.clock.monotonic();
  }

  /** Silence that is needed, since the last sign, to prove what no answer proves; in ms. */
  get silenceMs(): number {
    return Math.min(maxSilenceMs, Math.max(this.#options.minSilenceMs, 2 * this.#worstMs));
  }

  /** True where it has been silent for so long that no request can still be answered. */
  proveBySilence(): boolean {
    if (this.#options.clock.monotonic() - this.#lastSignAt < this.silenceMs) return false;
    this.#open = [];
    this.#othersAt = undefined;
    return true;
  }

  #offer({ request, at }: Sent<Q>, answer: A): TiedAnswer<Q, A> | undefined {
    const { likeness, clock } = this.#options;
    const place = this.#open.findLastIndex((each) => likeness.isSame(each.request, request));
    const own = this.#open[place];
    const tied =
      own &&
      TiedAnswer.tie(likeness, {
        request,
        answer,
        // Asked more than once, it may be the answer to the first time.
        earlier: [...this.#open.slice(0, place), ...(own.times > 1 ? [own] : [])].map((each) => each.request),
        hasOthers: this.#hasOthers,
        tookMs: clock.monotonic() - at,
      });
    this.#take(answer);
    if (tied) this.#open = this.#open.filter((each) => !likeness.isSame(each.request, request));
    return tied;
  }

  /** What any answer proves, whatever it is the answer to. */
  #take(answer: A): void {
    const { likeness, clock } = this.#options;
    const now = clock.monotonic();
    this.#lastSignAt = now;
    const oldest = this.#open.findIndex(({ request }) => likeness.fits(answer, request));
    if (oldest < 0) {
      this.#onStray(answer);
      return;
    }
    const sent = this.#open[oldest]!;
    // An older one may have been lost long ago.
    const newest = this.#open.findLast(({ request }) => likeness.fits(answer, request))!;
    this.#worstMs = Math.max(this.#worstMs, now - newest.at);
    const isOurs = likeness.isUnmistakable(sent.request);
    // Where others ask as well, it may be the answer to one of theirs.
    if (this.#hasOthers && !isOurs) return;
    // Answers come in the order of their requests: what was asked before is answered no more, by whomever it was asked.
    // Who was heard after it was sent may have asked after it.
    if ((this.#othersAt ?? 0) < sent.place) this.#othersAt = undefined;
    // Ours alone: either it is answered by this, or it was lost, since a later one is.
    const rest = isOurs && sent.times === 1 ? [] : [isOurs ? { ...sent, times: sent.times - 1 } : sent];
    this.#open = [...rest, ...this.#open.slice(oldest + 1)];
  }

  #onStray(answer: A): void {
    if (!this.#hasOthers || this.isDoubtful) this.#doubtedAt = this.#options.clock.monotonic();
    this.#strays += 1;
    this.suspectOthers();
    const request = this.#options.likeness.asUnmistakable?.(answer);
    // It is answered in its turn, and that would look like the answer to the next one of ours.
    if (request !== undefined && !this.isFull)
      this.#open = [...this.#open, { request, at: this.#lastSignAt, times: 1, place: this.#place }];
  }
}
