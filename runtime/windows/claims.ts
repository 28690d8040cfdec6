// What windows of one stream have claimed, and from where on the next may claim. No I/O.
//
// No position is claimed twice, and a break leaves at least one position unclaimed, so that it shows as a hole whatever
// the source says. Both hold because `begin` alone says where a window starts, and never within or right behind what
// was claimed, unless it is proven that observation went on.
//
// Readings that were sent beyond the end of what could be claimed do not move that end: if it is proven that observation
// went on from there, their positions may be claimed, since all of them were sent. Without a proof others may be missing
// among them, and the next window begins behind them.
//
// Usually that is one number: the end of all claims. But a clock that jumps ahead by hours and is put right again must
// not keep the stream from claiming the hours in between, when they come: so where a window begins further ahead than
// the time that has passed, what it claims becomes an island, and the stretch before it stays free.
import type { IndexKind, Window } from '../../wire/window.ts';
import type { StreamStart } from './window-store.ts';

/** A window that begins ahead of the time that passed by more than this begins an island. */
const islandMs = 60_000;
/** The end of what was claimed lags behind the equipment by this, or less. */
const lagMs = 2000;
/** More islands than this are joined: what lies between them is then never claimed, and shows as a hole. */
const maxIslands = 16;
/** The age of the last claim, where it is not known. */
const unknownAgeMs = 3_600_000;

interface Island extends Window {
  readonly at: number;
}

export interface ClaimsOptions {
  /** Monotonic ms. Default 0. */
  readonly now?: number;
  /** Positions are this gateway's own time, which never goes back. Default: the equipment's. */
  readonly isOwnClock?: boolean;
}

export interface Beginning {
  readonly start: number;
  /** Claimed already from here on: the window must end. */
  readonly ceiling: number;
}

export class Claims {
  readonly #isTime: boolean;
  /** The equipment's clock may be set back. */
  #mayGoBack = false;
  /** Everything below counts as claimed. */
  #floor: number | undefined;
  /** Monotonic ms at which the floor was reached; undefined where that is not known. */
  #reachedAt: number | undefined;
  /** Above the floor, in order, disjoint; since when by monotonic ms. */
  #islands: readonly Island[] = [];
  /** The end of the latest claim or where observation began since, wherever it lies, and the monotonic ms of it. */
  #last: { readonly end: number; readonly at: number } | undefined;
  /** Where the latest window began, even if it claimed nothing: positions before it were not observed. */
  #begun: number | undefined;
  /** The disk lost claims: the last one that it has may not be the last one made. */
  #isLost: boolean;
  /** Monotonic ms at which `reached` last came further; undefined where it has not since the stream was opened. */
  #furtherAt: number | undefined;
  /** Readings below this, and above the floor, were sent; reached at that monotonic ms. */
  #sentAhead: { readonly to: number; readonly at: number | undefined } | undefined;

  /** `now`: monotonic ms. */
  constructor(index: IndexKind, start: Partial<StreamStart> = {}, options: ClaimsOptions = {}) {
    const { floor, seen, ageMs = unknownAgeMs, continuity } = start;
    const { now = 0, isOwnClock = false } = options;
    this.#isTime = index === 'time';
    this.isOwnClock = isOwnClock;
    this.#floor = floor;
    if (seen !== undefined) this.#sentAhead = { to: seen, at: undefined };
    if (floor !== undefined) this.#last = { end: Math.max(floor, seen ?? floor), at: now - ageMs };
    this.#isLost = continuity === 'lost' && start.ageMs !== undefined;
  }

  /** As in the options: another source may feed the stream from now on. */
  set isOwnClock(isOwnClock: boolean) {
    this.#mayGoBack = this.#isTime && !isOwnClock;
  }

  /** The end of all that was ever claimed. */
  get end(): number | undefined {
    return this.#islands.at(-1)?.end ?? this.#floor;
  }

  /** For the disk, and for who goes on from there: nothing is proven across where the latest window began. */
  reached(): Pick<StreamStart, 'floor' | 'seen'> {
    const { end } = this;
    const begun = this.#begun ?? end;
    const floor = end === undefined ? begun : Math.max(end, begun!);
    const seen = this.#sentAhead?.to;
    return {
      ...(floor === undefined ? {} : { floor }),
      ...(seen === undefined || (floor !== undefined && seen <= floor) ? {} : { seen }),
    };
  }

  get furtherAt(): number | undefined {
    return this.#furtherAt;
  }

  /**
   * No window will ever claim anything below. What lies before an island may still be lived through, but for so long only
   * as a right clock takes to get there. `openStart`: of the window that is open.
   */
  settled(now: number, openStart = Number.POSITIVE_INFINITY): number | undefined {
    const first = this.#islands[0];
    if (first === undefined || this.#reachedAt === undefined || openStart < first.start) return this.#floor;
    if (this.#floor! + (now - this.#reachedAt) < first.start + islandMs) return this.#floor;
    [this.#floor, this.#reachedAt] = [first.end, first.at];
    this.#absorb();
    return this.settled(now, openStart);
  }

  /** True where `at` may be claimed by a window that begins now. */
  isFree(at: number): boolean {
    return at >= (this.#floor ?? at) && !this.#islands.some(({ start, end }) => at >= start && at < end);
  }

  /** `isProven`: nothing lies between the end of the last claim and `at`, so the windows may touch. */
  begin(at: number, isProven: boolean, now: number): Beginning {
    if (!isProven) {
      this.#leaveSentAhead();
      this.#leaveLost(at, now);
    }
    const before = this.reached().floor;
    const beginning = this.#beginningAt(at, isProven, now);
    // Also where nothing is claimed then: what the clock comes by again, once it is set back, was not observed.
    if (!isProven) this.#last = { end: at, at: now };
    this.#begun = beginning.start;
    this.#noteFurther(before, now);
    return beginning;
  }

  #beginningAt(at: number, isProven: boolean, now: number): Beginning {
    const floor = this.#floor;
    if (floor === undefined) return { start: at, ceiling: Number.POSITIVE_INFINITY };
    let start = isProven ? Math.max(at, floor) : Math.max(at, floor + 1);
    for (const island of this.#islands) {
      if (start >= island.start && start <= island.end) start = isProven ? island.end : island.end + 1;
    }
    this.#leaveBehind(start, now);
    return { start, ceiling: this.#ceilingOf(start) };
  }

  /** `[start, end)` is claimed; observation reached its end at monotonic `reachedAt`. */
  add({ start, end }: Window, reachedAt: number): void {
    const before = this.reached().floor;
    this.#last = { end, at: reachedAt };
    if (this.#floor === undefined || start <= this.#floor) {
      if (end > (this.#floor ?? Number.NEGATIVE_INFINITY)) [this.#floor, this.#reachedAt] = [end, reachedAt];
    } else this.#addIsland({ start, end, at: reachedAt });
    this.#absorb();
    if (this.#sentAhead !== undefined && this.#sentAhead.to <= (this.#floor ?? this.#sentAhead.to - 1))
      this.#sentAhead = undefined;
    this.#noteFurther(before, reachedAt);
  }

  #noteFurther(before = Number.NEGATIVE_INFINITY, at: number): void {
    if ((this.reached().floor ?? before) > before) this.#furtherAt = at;
  }

  /** The readings at `index` were sent; only a window that is proven to continue from before may claim that position. */
  noteSent(index: number, now: number): void {
    if (this.#isFarAhead(index, now)) this.forbid(index, now);
    else if (index >= (this.#sentAhead?.to ?? this.#floor ?? index))
      this.#sentAhead = { to: index + 1, at: now };
  }

  /** Readings at `index` are known to be incomplete, so no window may claim that position. */
  forbid(index: number, now: number): void {
    const floor = this.#floor;
    if (floor !== undefined && index < floor) return;
    const before = this.reached().floor;
    if (floor === undefined || !this.#isFarAhead(index, now)) {
      [this.#floor, this.#reachedAt] = [index + 1, now];
      this.#islands = this.#islands.filter(({ end }) => end > index + 1);
    } else this.#addIsland({ start: index, end: index + 1, at: now });
    this.#absorb();
    this.#noteFurther(before, now);
  }

  #leaveSentAhead(): void {
    if (this.#sentAhead === undefined) return;
    const { to, at } = this.#sentAhead;
    this.#sentAhead = undefined;
    if (to <= (this.#floor ?? Number.NEGATIVE_INFINITY)) return;
    [this.#floor, this.#reachedAt] = [to, at];
    this.#islands = this.#islands.filter(({ end }) => end > to);
    this.#absorb();
  }

  /**
   * What was lost before a break lies beyond the last claim, as far as the clock can have got meanwhile: up to where
   * observation begins again or, where the clock was set back, where it will come by again. Nothing of that is ever claimed.
   * Where the disk lost claims, they may lie there, too, and what they held.
   */
  #leaveLost(at: number, now: number): void {
    const last = this.#last;
    if (!this.#mayGoBack || last === undefined) return;
    const wasSetBack = at < last.end - lagMs;
    const reached = last.end + Math.ceil(now - last.at) + lagMs;
    const lost = { start: last.end, end: reached, at: now };
    if (!wasSetBack && !this.#isLost) {
      lost.end = Math.min(at - 1, reached);
      // Below the islands, `#leaveBehind` sees to it.
      if (lost.end > lost.start && lost.start > (this.#floor ?? lost.start)) this.#addIsland(lost);
      this.#absorb();
      return;
    }
    this.#last = undefined;
    this.#isLost = false;
    if (last.end > (this.#floor ?? last.end)) this.#addIsland(lost);
    else [this.#floor, this.#reachedAt] = [Math.max(this.#floor ?? lost.end, lost.end), now];
    this.#absorb();
  }

  #ceilingOf(start: number): number {
    return this.#islands.find((island) => island.start > start)?.start ?? Number.POSITIVE_INFINITY;
  }

  /** A window begins at `start`: positions before it stay free only as far as they lie ahead of the time that has passed. */
  #leaveBehind(start: number, now: number): void {
    if (start <= this.#floor!) return;
    const isFree = this.#isTime && this.#reachedAt !== undefined;
    const lived = isFree ? this.#floor! + Math.ceil(now - this.#reachedAt!) + lagMs : start;
    const leaves = isFree && start > lived + islandMs;
    [this.#floor, this.#reachedAt] = [leaves ? Math.max(this.#floor!, lived) : start, now];
    this.#islands = this.#islands.filter(({ end }) => end > this.#floor!);
    this.#absorb();
  }

  #isFarAhead(index: number, now: number): boolean {
    if (!this.#isTime || this.#reachedAt === undefined || this.#floor === undefined) return false;
    return index > this.#floor + (now - this.#reachedAt) + lagMs + islandMs;
  }

  #addIsland(island: Island): void {
    const islands: Island[] = [];
    let { start, end, at } = island;
    for (const each of this.#islands) {
      if (each.end < start || each.start > end) islands.push(each);
      else [start, end, at] = [Math.min(start, each.start), Math.max(end, each.end), Math.min(at, each.at)];
    }
    islands.push({ start, end, at });
    this.#islands = islands.sort((a, b) => a.start - b.start);
    if (this.#islands.length > maxIslands) this.#floor = this.#islands[0]!.end;
  }

  /** The floor takes in the islands that it has reached. */
  #absorb(): void {
    while (this.#islands.length > 0 && this.#islands[0]!.start <= this.#floor!) {
      this.#floor = Math.max(this.#floor!, this.#islands[0]!.end);
      this.#islands = this.#islands.slice(1);
    }
  }
}
