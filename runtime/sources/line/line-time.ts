// Who may take the time of a shared line. A unit that does not answer costs a whole time limit, in which nobody else is
// asked: so it is looked for where the line is free anyway, no longer than until the next poll of another unit is due. Now and
// then, and seldom enough to cost the others little, it gets its whole limit all the same: it may just be slow.
import type { Clock } from '../../../kernel/clock.ts';

/** A whole limit is given once in so many times as long: by all units without an answer together, two in a hundred of the line. */
const wholeEvery = 50;
/** A shorter look sees nothing. */
const minLookMs = 100;
/** The line is free again so long before the next poll. */
const marginMs = 20;
/** One that found no free time for so long goes all the same, once it is its turn. */
export const maxLookWaitMs = 30_000;
/** Over this time it is said who took the line. */
const countedMs = 600_000;
/** Less of the line than this is not worth a word. */
const minShare = 0.01;
/** Polls without an answer after which a unit that has answered before counts as silent; one that never has, after the first. */
const silentPolls = 2;

interface Silence {
  readonly unit: number;
  polls: number;
  /** Of the line's time, since `since`. */
  tookMs: number;
  since: number;
}

export class LineTime {
  readonly #clock: Clock;
  /** When the next poll of each source is due. */
  readonly #dueAt = new Map<string, number>();
  readonly #silent = new Map<string, Silence>();
  readonly #missedAt = new Map<string, number>();
  #wholeAt = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The next poll of `source` is due then. */
  plan(source: string, dueAt: number): void {
    this.#dueAt.set(source, dueAt);
  }

  /** `source` polls no more for now. */
  leave(source: string): void {
    this.#dueAt.delete(source);
  }

  /** `isNew`: it has never answered. */
  isSilent(source: string, isNew: boolean): boolean {
    return (this.#silent.get(source)?.polls ?? 0) >= (isNew ? 1 : silentPolls);
  }

  /** A poll of `source`, of this unit, is over, and took so long. */
  polled(source: string, unit: number, tookMs: number, isAnswered: boolean): void {
    if (isAnswered) {
      this.#silent.delete(source);
      return;
    }
    const now = this.#clock.monotonic();
    const known = this.#silent.get(source);
    const { polls = 0 } = known ?? {};
    const isOld = known === undefined || now - known.since > countedMs;
    const counted = isOld ? { tookMs: 0, since: now - tookMs } : known;
    const total = counted.tookMs + tookMs;
    this.#silent.set(source, { unit, polls: polls + 1, tookMs: total, since: counted.since });
  }

  /** How long `source` may look for its unit now; undefined: not at all. */
  lookMs(source: string, limitMs: number, isOverdue: boolean): number | undefined {
    const now = this.#clock.monotonic();
    const freeMs = this.#nextOf(source) - now - marginMs;
    if (freeMs >= limitMs) return limitMs;
    if (now >= this.#wholeAt) {
      this.#wholeAt = now + wholeEvery * limitMs;
      return limitMs;
    }
    if (freeMs >= minLookMs) return freeMs;
    return isOverdue ? minLookMs : undefined;
  }

  /** Until the next poll of another is due, and may have begun. */
  untilNextMs(source: string): number {
    return Math.max(1, this.#nextOf(source) - this.#clock.monotonic() + 1);
  }

  /** `source` had no time for a poll. */
  missed(source: string): void {
    this.#missedAt.set(source, this.#clock.monotonic());
  }

  /** For people: who took the line without an answer while `missing` had no time; undefined where nobody did. */
  complaintOf(missing: string): string | undefined {
    const now = this.#clock.monotonic();
    if (now - (this.#missedAt.get(missing) ?? Number.NEGATIVE_INFINITY) > countedMs) return undefined;
    const takers = [...this.#silent]
      .filter(([source]) => source !== missing)
      .map(([source, { unit, tookMs, since }]) => ({
        name: `${source} (unit ${unit}`,
        share: tookMs / Math.max(1000, now - since),
      }))
      .filter(({ share }) => share >= minShare);
    if (takers.length === 0) return undefined;
    const list = takers.map(({ name, share }) => `${name}, ${Math.round(100 * share)} %)`).join(', ');
    return `the line's time was taken by units that do not answer: ${list}`;
  }

  #nextOf(source: string): number {
    const others = [...this.#dueAt]
      .filter(([other]) => other !== source && !this.#silent.has(other))
      .map(([, dueAt]) => dueAt);
    return Math.min(...others);
  }
}
