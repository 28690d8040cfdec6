// What is known about the clock since the machine started: from the record on the disk, and from watching the clock.
import type { Boot } from '../../kernel/boot.ts';
import type { Offset } from './stream-scale.ts';
import type { ClockRecord } from './time-store.ts';
import { type Doubt, isPlausible, type TrustFacts } from './trust.ts';

/** Lower values of a stored time are ms since some start of the machine. */
export const earliestStored = Date.UTC(2020, 0, 1);

export class ClockEvidence {
  readonly #boot: Boot;
  readonly #releasedAt: number;
  readonly #upAtStartMs: number;
  #recordedTo: number | undefined;
  #recordedBeforeStart = false;
  #watchedSince: number;
  #reached: number | undefined;
  /** When it last became trusted. */
  cameRightAt: number | undefined;
  #wasSet = false;
  #leap: ClockRecord['leap'];
  synchronised = false;

  constructor(boot: Boot, releasedAt: number) {
    this.#boot = boot;
    this.#releasedAt = releasedAt;
    this.#upAtStartMs = boot.sinceStartMs();
    this.#watchedSince = this.#upAtStartMs;
  }

  /** `floor`: the end of what the streams claimed that this gateway stamps. */
  adopt(record: ClockRecord | undefined, floor: number | undefined): void {
    const reached = highest(record?.reached, floor);
    this.#reached = reached;
    this.cameRightAt = record?.cameRightAt;
    if (record === undefined || record.bootId !== this.#boot.id) {
      this.#recordedTo = reached;
      this.#recordedBeforeStart = record !== undefined;
      return;
    }
    this.#recordedTo = record.recordedTo;
    this.#recordedBeforeStart = record.recordedBeforeStart;
    this.#watchedSince = record.watchedSinceLocal;
    this.#wasSet = record.wasSet;
    this.#leap = record.leap;
  }

  /** The clock was set by that much, and now says `now`. */
  setBy(stepMs: number, now: number, wasTrusted: boolean): void {
    this.#wasSet = true;
    if (!wasTrusted) return;
    // Whichever time is right, no more of it has passed: what is stored must not be old for having been stored before.
    const byMs = (this.#leap?.byMs ?? 0) + stepMs;
    if (byMs <= 0) this.#leap = undefined;
    else this.#leap = { from: stepMs > 0 ? now - stepMs : this.#leap!.from, byMs };
  }

  /** From when something ages that was stored at that time. */
  storedSince(storedAt: number): number {
    const since = storedAt < earliestStored ? Math.max(storedAt, this.cameRightAt ?? storedAt) : storedAt;
    return this.#leap !== undefined && since < this.#leap.from ? since + this.#leap.byMs : since;
  }

  /** The wall clock, trusted, says `now`. */
  reach(now: number): void {
    this.#reached = highest(this.#reached, now);
  }

  facts(offsetMs: number): TrustFacts {
    return {
      startedAt: offsetMs,
      upAtProcessStartMs: this.#upAtStartMs,
      upAtWatchMs: this.#watchedSince,
      watchedMs: this.#boot.sinceStartMs() - this.#watchedSince,
      releasedAt: this.#releasedAt,
      recordedTo: this.#recordedTo,
      recordedBeforeStart: this.#recordedBeforeStart,
      wasSet: this.#wasSet,
      synchronised: this.synchronised,
    };
  }

  /** The lowest possible offset of the wall clock: time is later than the last record, and later than the release. */
  leastOffsetMs(): number {
    const release = this.#releasedAt - this.#upAtStartMs;
    if (this.#recordedTo === undefined) return Math.round(release);
    const recorded = this.#recordedBeforeStart ? this.#recordedTo : this.#recordedTo - this.#watchedSince;
    return Math.round(Math.max(release, recorded));
  }

  /** The offset to use while the clock is doubted: the clock's own where it may be right, else the least that is possible. */
  guess(doubt: Doubt, offsetMs: number, before: Offset): Offset {
    const least = Math.max(this.leastOffsetMs(), before.offsetMs);
    return { offsetMs: isPlausible(doubt) ? offsetMs : least, marked: true };
  }

  /** Checks whether the clock is being synchronised; once it is, that stands. */
  ask(synchronised: (() => Promise<boolean>) | undefined): void {
    if (this.synchronised) return;
    void synchronised?.().then(
      (isSo) => {
        this.synchronised ||= isSo;
      },
      () => {},
    );
  }

  record() {
    return {
      bootId: this.#boot.id,
      wasSet: this.#wasSet,
      ...(this.#leap && { leap: this.#leap }),
      watchedSinceLocal: this.#watchedSince,
      recordedBeforeStart: this.#recordedBeforeStart,
      ...(this.#recordedTo === undefined ? {} : { recordedTo: this.#recordedTo }),
      ...(this.#reached === undefined ? {} : { reached: this.#reached }),
      ...(this.cameRightAt === undefined ? {} : { cameRightAt: this.cameRightAt }),
    };
  }
}

function highest(a: number | undefined, b: number | undefined): number | undefined {
  if (a === undefined) return b;
  return b === undefined ? a : Math.max(a, b);
}
