// Proof that observation continued without a hole although its session ended, the process was restarted, or the wall clock
// was set. Only the equipment or the sender can prove what it did meanwhile: our own connection proves nothing.

/** Made only by its five makers. */
export class Continuation {
  readonly because: 'next-number' | 'same-number' | 'kept-upstream' | 'own-clock' | 'derived';
  // A private field makes the type nominal: an object that merely looks like it does not pass for it.
  readonly #isProven = true;

  private constructor(because: Continuation['because']) {
    this.because = because;
  }

  /**
   * The equipment numbers its samples, and `next` is the one after `last`. `modulus`: where its numbers start again
   * from 0. Undefined where it is not.
   */
  static nextNumber(last: number | undefined, next: number, modulus?: number): Continuation | undefined {
    if (last === undefined) return undefined;
    const expected = modulus === undefined ? last + 1 : (last + 1) % modulus;
    return next === expected ? new Continuation('next-number') : undefined;
  }

  /** The equipment still shows the sample that was taken last: none came since. Undefined where it shows another. */
  static sameNumber(last: number | undefined, shown: number | undefined): Continuation | undefined {
    return last !== undefined && last === shown ? new Continuation('same-number') : undefined;
  }

  /**
   * A queue keeps what is sent while nobody listens, and delivers it in order; the sender sends at least every
   * `silenceMs`, its times out of order by `latenessMs`. `lastIndex`: of the last message before, `index`: of the first
   * one after. Undefined where more time lies between them.
   */
  static keptUpstream(given: {
    readonly lastIndex: number | undefined;
    readonly index: number;
    readonly silenceMs: number;
    readonly latenessMs: number;
  }): Continuation | undefined {
    const { lastIndex, index, silenceMs, latenessMs } = given;
    if (lastIndex === undefined || index - lastIndex >= silenceMs) return undefined;
    if (index < lastIndex - latenessMs) return undefined;
    return new Continuation('kept-upstream');
  }

  /**
   * The wall clock was set while this gateway stamped what it saw: by its monotonic clock it went on without a break.
   * For the stamping sink alone.
   */
  static ownClock(): Continuation {
    return new Continuation('own-clock');
  }

  /**
   * Of a stream that is computed from others: what it is computed from is known without a hole from `knownFrom` to
   * `knownTo`, and its claims end within. Undefined where they do not.
   */
  static derived(given: {
    readonly claimedTo: number;
    readonly knownFrom: number;
    readonly knownTo: number;
  }): Continuation | undefined {
    const { claimedTo, knownFrom, knownTo } = given;
    return knownFrom <= claimedTo && claimedTo <= knownTo ? new Continuation('derived') : undefined;
  }

  get isProven(): boolean {
    return this.#isProven;
  }
}
