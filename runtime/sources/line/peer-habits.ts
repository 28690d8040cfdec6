// How a peer treats connections, remembered so that learning it costs one request and not one each time: some lose requests
// of the first second or two, some close after each answer. It outlives connections and sessions.

import type { Clock } from '../../../kernel/clock.ts';
import { type LearnedStore, passingStore } from '../learned.ts';

export interface LearnedHabits {
  /** No request is heard so long after the connection was opened. 0: the peer closes one on which nothing is asked at first. */
  readonly connectDelayMs?: number;
  /** The peer closes the connection after each answer. */
  readonly closesAfterAnswer?: true;
}

/** Believed from the second time on: once may be chance. */
const timesToBelieve = 2;
/** For a peer that was seen to keep a connection open after its first answer. */
const timesToBelieveOtherwise = 8;
/** As many connections are used for one answer each, before the module tries again whether the peer still closes them. */
const connectionsATrial = 16;
/** Longer than any device was seen to be deaf. */
const maxConnectDelayMs = 5000;
/** A request without an answer on a new connection may have been lost: it is asked again, however long that takes. */
const triesAtLeast = 2;
/** A close that comes later than this after an answer is that of a connection that was idle. */
const closeAfterAnswerMs = 500;

/** One stream to the peer, from when it was opened. */
export class StreamLife {
  readonly #clock: Clock;
  readonly #habits: PeerHabits;
  readonly #unanswered = new Set<number>();
  #openedAt: number | undefined;
  #isTrial = false;
  #answers = 0;
  #requests = 0;
  #sentAt = 0;
  #answeredAt = 0;

  constructor(clock: Clock, habits: PeerHabits) {
    this.#clock = clock;
    this.#habits = habits;
  }

  /** Another one begins; true where it is not the first. */
  begin(): boolean {
    const isAgain = this.#openedAt !== undefined;
    this.#openedAt = this.#clock.monotonic();
    this.#answers = 0;
    this.#requests = 0;
    this.#unanswered.clear();
    this.#isTrial = this.#habits.begin();
    return isAgain;
  }

  asked(): void {
    this.#requests += 1;
    this.#sentAt = this.#clock.monotonic();
  }

  unanswered(unit: number): void {
    this.#unanswered.add(unit);
  }

  answered(unit: number): void {
    this.#answers += 1;
    this.#answeredAt = this.#clock.monotonic();
    if (this.#answers === 2) this.#habits.kept();
    if (this.#answers > 1) return;
    this.#habits.answered(this.#unanswered.has(unit) ? this.#sentAt - this.#openedAt! : 0);
  }

  closed(): void {
    if (this.#requests === 0) this.#habits.closedUnasked();
    else this.#habits.closed(this.#answers, this.#clock.monotonic() - this.#answeredAt);
  }

  get hasAnswered(): boolean {
    return this.#answers > 0;
  }

  /** The peer will close it, or has. */
  get isSpent(): boolean {
    return this.hasAnswered && !this.#isTrial && this.#habits.learned.closesAfterAnswer === true;
  }

  /** No bytes came yet, and the stream was opened so recently that the peer may still ignore requests. */
  get isDeaf(): boolean {
    const openMs = this.#clock.monotonic() - (this.#openedAt ?? 0);
    return !this.hasAnswered && (openMs < maxConnectDelayMs || this.#requests < triesAtLeast);
  }

  /** Something was answered just now: what is asked at once behind that may come too soon for the peer. */
  get isBusyAnswering(): boolean {
    return this.hasAnswered && this.#sentAt - this.#answeredAt < maxConnectDelayMs;
  }
}

export class PeerHabits {
  readonly #store: LearnedStore;
  #closes = 0;
  /** It was seen to answer more than once on a connection. */
  #hasKept = false;
  #connections = 0;
  #deaf = 0;
  #deafMs = 0;

  constructor(store: LearnedStore = passingStore()) {
    this.#store = store;
  }

  /** The stored habits: those that a person had removed are gone. */
  get learned(): LearnedHabits {
    const { connectDelayMs, closesAfterAnswer } = (this.#store.get().connection ?? {}) as LearnedHabits;
    return {
      ...(typeof connectDelayMs === 'number' && {
        connectDelayMs: Math.min(connectDelayMs, maxConnectDelayMs),
      }),
      ...(closesAfterAnswer === true && { closesAfterAnswer }),
    };
  }

  /** A connection begins. True where this one tests whether the peer keeps it open. */
  begin(): boolean {
    this.#connections += 1;
    return this.#connections % connectionsATrial === 0;
  }

  /** The peer answered twice on one connection, so it closed earlier ones for another reason. */
  kept(): void {
    this.#closes = 0;
    this.#hasKept = true;
    const { closesAfterAnswer, ...others } = this.learned;
    if (!closesAfterAnswer) return;
    this.#store.note('connection', Object.keys(others).length === 0 ? undefined : others);
  }

  /**
   * It ended before anything was asked on it. Where that was for a silence that the peer turned out to need, it needs to be asked
   * more.
   */
  closedUnasked(): void {
    if (this.learned.connectDelayMs) this.#store.note('connection', { ...this.learned, connectDelayMs: 0 });
  }

  /** A connection ended. `answers`: given on it; `sinceAnswerMs`: since the last of them. */
  closed(answers: number, sinceAnswerMs: number): void {
    if (answers !== 1 || sinceAnswerMs > closeAfterAnswerMs) {
      this.#closes = 0;
      return;
    }
    this.#closes += 1;
    const enough = this.#hasKept ? timesToBelieveOtherwise : timesToBelieve;
    if (this.#closes >= enough && !this.learned.closesAfterAnswer)
      this.#store.note('connection', { ...this.learned, closesAfterAnswer: true });
  }

  /**
   * The first answer on a connection. `askedAfterMs`: when after it was opened, where it was asked before in vain; else 0.
   */
  answered(askedAfterMs: number): void {
    if (askedAfterMs === 0 || askedAfterMs > maxConnectDelayMs) {
      this.#deaf = 0;
      return;
    }
    this.#deaf += 1;
    this.#deafMs = Math.max(this.#deafMs, Math.ceil(askedAfterMs));
    const known = this.learned.connectDelayMs;
    if (known !== 0 && this.#deaf >= timesToBelieve && this.#deafMs > (known ?? 0))
      this.#store.note('connection', { ...this.learned, connectDelayMs: this.#deafMs });
  }
}
