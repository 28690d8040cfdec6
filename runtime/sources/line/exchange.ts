// Matches answers to requests, on lines where an answer carries no identifier of its request.
//
// The unit or instrument at the other end works its requests off in the order in which it got them, and answers each at
// most once; it may be slow, and a request or an answer may be lost on the way. So an answer that arrives may belong to
// the request under way, or to an earlier one that timed out. Only its contents tell which:
//
// - It is tied to the request under way when it fits that one, and fits no earlier one that may still be answered.
// - Since answers keep the order of their requests, an answer to a request proves that no earlier request will be answered.
// - So after a request without an answer, one is sent whose answer has another form. Once that has come, the line is
//   proven to be in step, and every request may be sent again.
// - Where the other end answers no such request, only silence is left: since the last request, for longer than any
//   answer was ever seen to take. That is weaker, so it is the last resort.
//
// When something came that nobody here asked for, there may be another master (or an earlier run of ours), or answers are
// repeated: then only an answer to a request that no other master can have sent is accepted, until a request is answered that
// was sent after the last such sign. For an hour the unit stays doubtful all the same: the caller may then require a second
// answer before it accepts the first.
import type { Clock } from '../../../kernel/clock.ts';

/** Compares answers of type A with requests of type Q, by their contents. */
export interface ResponseMatch<Q, A> {
  /** `answer` can be an answer to `request`. */
  fits(answer: A, request: Q): boolean;
  /** The usual answer to `request` would fit `other` as well. */
  isAlike(request: Q, other: Q): boolean;
  /** They are the same request, sent twice. */
  isSame(request: Q, other: Q): boolean;
  /** No other master sends a request that has the same answer as this one. */
  isUnmistakable(request: Q): boolean;
  /** The unmistakable request of another master that `answer` may be; undefined where it cannot be one. */
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
    match: ResponseMatch<Q, A>,
    given: {
      readonly request: Q;
      readonly answer: A;
      readonly earlier: readonly Q[];
      readonly hasOthers: boolean;
      readonly tookMs: number;
    },
  ): TiedAnswer<Q, A> | undefined {
    const { request, answer, earlier, hasOthers, tookMs } = given;
    if (!match.fits(answer, request)) return undefined;
    if (hasOthers && !match.isUnmistakable(request)) return undefined;
    if (earlier.some((other) => match.fits(answer, other))) return undefined;
    return new TiedAnswer(request, answer, tookMs);
  }

  get isTied(): boolean {
    return this.#isTied;
  }
}

/** One request, from the moment that it is sent. */
export interface Exchange<Q, A> {
  readonly request: Q;
  /** Takes bytes that came. Undefined where they are not certainly the answer to this request: then go on waiting. */
  offer(answer: A): TiedAnswer<Q, A> | undefined;
}

interface Sent<Q> {
  readonly request: Q;
  /** When it was sent last, and how often it was. */
  readonly at: number;
  readonly times: number;
  /** The sequence number of its first sending, among everything sent and received. */
  readonly place: number;
}

/** The most different requests without an answer that are kept; beyond that, only silence proves the line. */
const maxOpen = 16;
/** The longest silence that is ever required; after it an unmistakable request counts as lost. A line with later answers is unusable. */
const maxSilenceMs = 60_000;
/** How long a unit stays doubtful after an answer that nobody asked for: where one came, more come. */
const doubtMs = 3_600_000;

export interface ExchangesOptions<Q, A> {
  readonly match: ResponseMatch<Q, A>;
  readonly clock: Clock;
  /** Silence is proof after this at the earliest. */
  readonly minSilenceMs: number;
  /** Others may have asked before us: an earlier run of ours, for one. */
  readonly hasOthers?: boolean;
}

/** The requests to one unit or instrument that may still be answered. */
export class Exchanges<Q, A> {
  readonly #options: ExchangesOptions<Q, A>;
  /** Requests that may still be answered, in order. */
  #open: readonly Sent<Q>[] = [];
  /** Counts all that was sent and heard. */
  #place = 0;
  /** Place of the last sign of another master; undefined once an answer has proven that there is none. */
  #othersAt: number | undefined;
  /** When more came than was asked for, from a unit that was in step. */
  #doubtedAt = Number.NEGATIVE_INFINITY;
  #worstMs = 0;
  /** When something was last sent to it, or heard from it. */
  #lastSignAt: number;
  #strays = 0;
  #doubts = 0;

  constructor(options: ExchangesOptions<Q, A>) {
    this.#options = options;
    this.#othersAt = options.hasOthers ? this.#place : undefined;
    this.#lastSignAt = options.clock.monotonic();
  }

  /** The longest that an answer took, late ones included. */
  get worstMs(): number {
    return this.#worstMs;
  }

  /** Answers that fit no request of ours. */
  get strays(): number {
    return this.#strays;
  }

  /** Times that there was a sign of somebody else. */
  get doubts(): number {
    return this.#doubts;
  }

  /** Unrequested answers came lately: an answer that fits a request may be one of those. */
  get isDoubtful(): boolean {
    return this.#options.clock.monotonic() - this.#doubtedAt < doubtMs;
  }

  get #hasOthers(): boolean {
    return this.#othersAt !== undefined;
  }

  /** The answer to `request`, sent now, could not be told from one that may still come: prove that the line is in step first. */
  isMistakable(request: Q): boolean {
    const { match } = this.#options;
    if (this.#hasOthers && !match.isUnmistakable(request)) return true;
    return this.#open.some((sent) => match.isAlike(request, sent.request));
  }

  /** Requests were left that may still be answered. */
  get isOwing(): boolean {
    return this.#open.length > 0;
  }

  /** Too many requests were left without an answer: send no more before silence has proven the line. */
  get isFull(): boolean {
    return this.#open.length >= maxOpen;
  }

  /** `request` is sent now. Not while `isFull`. */
  begin(request: Q): Exchange<Q, A> {
    if (this.isFull) throw new Error('too much was left without an answer: prove the line by silence first');
    const now = this.#options.clock.monotonic();
    const { match } = this.#options;
    this.#lastSignAt = now;
    // A lost request would for ever stand before those with the same answer. Requests before or after it stay.
    this.#open = this.#open.filter(
      (each) => now - each.at < maxSilenceMs || !match.isUnmistakable(each.request),
    );
    this.#place += 1;
    const sent = { request, at: now, times: 1, place: this.#place };
    const last = this.#open.at(-1);
    // Asked again, with nothing in between, it is one request that may be answered more than once.
    this.#open =
      last && match.isSame(last.request, request)
        ? this.#open.with(-1, { ...last, at: now, times: last.times + 1 })
        : [...this.#open, sent];
    return { request, offer: (answer) => this.#offer(sent, answer) };
  }

  /** Something came while no request was under way. */
  hear(answer: A): void {
    this.#take(answer);
  }

  /** Takes bytes that only show that there may be another master. */
  overhear(answer: A): void {
    this.#onStray(answer);
  }

  /** There may be another master, or was one before us, whose requests we did not hear. */
  suspectOthers(): void {
    this.#doubts += 1;
    this.#place += 1;
    this.#othersAt = this.#place;
    this.#lastSignAt = this.#options.clock.monotonic();
  }

  /** Silence since the last byte that proves that no request will be answered any more; in ms. */
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
    const { match, clock } = this.#options;
    const place = this.#open.findLastIndex((each) => match.isSame(each.request, request));
    const own = this.#open[place];
    const tied =
      own &&
      TiedAnswer.tie(match, {
        request,
        answer,
        // Where it was sent more than once, this may be the answer to the first time.
        earlier: [...this.#open.slice(0, place), ...(own.times > 1 ? [own] : [])].map((each) => each.request),
        hasOthers: this.#hasOthers,
        tookMs: clock.monotonic() - at,
      });
    this.#take(answer);
    if (tied) this.#open = this.#open.filter((each) => !match.isSame(each.request, request));
    return tied;
  }

  /** Draws the conclusions that any answer allows, whichever request it belongs to. */
  #take(answer: A): void {
    const { match, clock } = this.#options;
    const now = clock.monotonic();
    this.#lastSignAt = now;
    const oldest = this.#open.findIndex(({ request }) => match.fits(answer, request));
    if (oldest < 0) {
      this.#onStray(answer);
      return;
    }
    const sent = this.#open[oldest]!;
    // An older one may have been lost long ago.
    const newest = this.#open.findLast(({ request }) => match.fits(answer, request))!;
    this.#worstMs = Math.max(this.#worstMs, now - newest.at);
    const isOurs = match.isUnmistakable(sent.request);
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
    const request = this.#options.match.asUnmistakable?.(answer);
    // It is answered in its turn, and that would look like the answer to the next one of ours.
    if (request !== undefined && !this.isFull)
      this.#open = [...this.#open, { request, at: this.#lastSignAt, times: 1, place: this.#place }];
  }
}
