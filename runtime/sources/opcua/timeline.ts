// Puts the values of many monitored items into one order of time, and says how far that order is complete.
//
// Each value has a time of its own, and messages bring them item by item, so values wait here until nothing older
// can come: a message that was published at P, with nothing left to follow, brings all that was sampled before P;
// lateness L is how long a value's time may lie before its sampling. Below P - L everything is then reported. A
// keep-alive says the same with no values at all: that is how a value that does not change for hours is observed.
//
// Where observation begins. The server watches the items from some moment on, by its own clock; what happened before was
// not watched, whatever the values' times say, since clocks of equipment may be slow. And the first value of an item is
// the last of those that came before it: others, with an earlier time or the same, were not shown. So observation begins
// behind both. Values that are older than this are reported at it: the items held them then. The same is done
// after each break, so that no item's value is forgotten because its last change fell into the hole.
import type { Clock } from '../../../kernel/clock.ts';
import type { Quality, Reading } from '../../../wire/reading.ts';
import { Observation } from '../observation.ts';
import type { SourceSink } from '../source.ts';
import { type Content, contentOf } from './content.ts';
import type { WireValue } from './opcua-session.ts';
import { PublishClock } from './publish-clock.ts';
import { hasOverflow } from './quality.ts';

export interface TimelineOptions {
  readonly sink: SourceSink;
  readonly clock: Pick<Clock, 'monotonic'>;
  readonly timestamp: 'source' | 'server';
  readonly latenessMs: number;
  /** Values older than the beginning of observation are reported at it; else they are left out. */
  readonly snapshots: boolean;
  /** Observation never begins below: what lies there was reported by a session before. */
  readonly floor?: number | undefined;
  readonly onOdd: (what: OddTime, count: number) => void;
}

/** What was wrong with a value's time. */
export type OddTime = 'late' | 'ahead' | 'overflow' | 'in-a-break';

interface Times {
  readonly index: number;
  readonly odd?: OddTime;
  /** When the server had it, where it says so. */
  readonly server?: number | undefined;
}

/** A clock of equipment that is further ahead of the server's than this is wrong. */
const maxAheadMs = 5000;
/** A server's clock that goes back by less was slewed. */
const maxBackMs = 2000;
/** A clock of equipment that is slower than this is wrong: the stream does not wait for it. */
const maxHoldMs = 120_000;
/** Nothing was measured before: such a date stands for none. */
const earliest = Date.UTC(1990, 0, 1);
export const maxPending = 200_000;

export class Timeline {
  readonly #options: TimelineOptions;
  readonly #published: PublishClock;
  #observation: Observation;
  #latenessMs: number;
  #pending: Reading[] = [];
  /** Index of the latest value of each tag in this session. */
  readonly #latest = new Map<string, number>();
  /** What each tag held last, of what was handed on or left out. */
  readonly #held = new Map<string, Content>();
  /** Tags whose equipment's clock is slow, and by how much. */
  readonly #slow = new Map<string, number>();
  #publishedAt = Number.NEGATIVE_INFINITY;
  /** Of the first values, the newest. */
  #newestFirst = Number.NEGATIVE_INFINITY;
  /** How far values were handed on; undefined while observation is broken. */
  #until: number | undefined;
  #reached: number | undefined;
  #hasBegun = false;
  #brokenAt = Number.POSITIVE_INFINITY;
  #resumedAt = Number.NEGATIVE_INFINITY;
  /** How far ahead of a message the time of a value in it lay. */
  #leadMs = 0;
  /** Tags whose older values stand at `#resumedAt`, while nothing of it is emitted. */
  #snapshot = new Set<string>();
  /** What a message says that has to be told once it is known whole. */
  #hole: { from: number; to: number } | undefined;

  constructor(options: TimelineOptions) {
    this.#options = options;
    this.#latenessMs = options.latenessMs;
    this.#observation = new Observation(options.sink);
    this.#published = new PublishClock(options.clock);
  }

  get hasBegun(): boolean {
    return this.#hasBegun;
  }

  /** How far observation was stated to reach, however it ended. */
  get until(): number | undefined {
    return this.#reached;
  }

  get latenessMs(): number {
    return this.#latenessMs;
  }

  get tagsSeen(): number {
    return this.#latest.size;
  }

  /** How much older than a message the time of a value in the next one may be: lateness, or what clocks are slow by. */
  get settleMs(): number {
    return Math.max(this.#latenessMs, ...this.#slow.values());
  }

  /** Grows when an item is sampled more slowly than those before. */
  allow(latenessMs: number): void {
    this.#latenessMs = Math.max(this.#latenessMs, latenessMs);
  }

  /** One value, out of a message that was published at `publishedAt`; `mayHide`: others before it, without a word. */
  add(tag: string, value: WireValue, publishedAt: number, mayHide = false): void {
    const isHiding = mayHide || hasOverflow(value.statusCode);
    this.#place(tag, this.#timesOf(value, publishedAt), contentOf(value), { isHiding, publishedAt });
  }

  /** A tag that has no value, for a reason that the server gave. */
  addRefused(tag: string, quality: Quality): void {
    const index = this.#until ?? Number.NEGATIVE_INFINITY;
    this.#place(tag, { index }, { value: null, quality }, { isHiding: false, publishedAt: index });
  }

  /**
   * Observation begins: all first values are here, or those that will come in reasonable time. `watchedFrom`: when the
   * server had begun to watch, by its clock.
   */
  begin(watchedFrom: number, publishedAt: number): void {
    this.#hasBegun = true;
    const first = Math.max(watchedFrom, this.#newestFirst + 1);
    const { floor = first } = this.#options;
    // A server whose clock was put back does not have to wait until it comes to where it was.
    const from = floor > publishedAt + maxBackMs ? first : Math.max(first, floor);
    this.#observation.lose('not-watched', { upTo: from });
    this.#resume(from);
  }

  /** All that was sampled before `publishedAt` is here. */
  advance(publishedAt: number): void {
    const step = this.#published.step(publishedAt);
    this.#publishedAt = publishedAt;
    if (!this.#hasBegun) return;
    const frontier = publishedAt - this.settleMs;
    if (step !== undefined) this.#leap(step, publishedAt);
    else if (this.#hole) this.#tellHole(this.#hole, publishedAt);
    this.#hole = undefined;
    if (this.#observation.isBroken) this.#resume(Math.max(this.#reached ?? frontier, frontier), true);
    this.#emitBelow(frontier);
    this.#state();
    if (this.#pending.length > maxPending) this.#emitBelow(this.#middle());
  }

  /** Messages are missing: anything may have happened until `publishedAt`. Begins again with `advance`. */
  lose(reason: string, publishedAt: number): void {
    // What the items held before may have changed.
    this.#held.clear();
    this.#break(reason, this.#until, publishedAt + this.#leadMs + 1);
  }

  #place(
    tag: string,
    { index, odd, server }: Times,
    { value, quality }: Content,
    { isHiding, publishedAt }: { readonly isHiding: boolean; readonly publishedAt: number },
  ): void {
    const before = this.#latest.get(tag);
    if (before === undefined) this.#newestFirst = Math.max(this.#newestFirst, index);
    else this.#noteClock(tag, before, index, publishedAt);
    this.#latest.set(tag, index);
    if (odd) this.#options.onOdd(odd, 1);
    if (isHiding) this.#hide(before, index, publishedAt);
    const until = this.#until;
    if (index === this.#resumedAt) this.#dropSnapshot(tag);
    if (until === undefined || index >= until) {
      this.#pending.push({ index, tag, value, quality: odd ? doubt(quality, odd) : quality });
      return;
    }
    // An item's first value may be of any age, and one out of a break is what the item holds after it. Another that
    // comes so late belongs to what was stated already: it is not lost, but its time is not its own.
    const isOutOfBreak = index >= this.#brokenAt && index < this.#resumedAt;
    const isLate = before !== undefined && !isOutOfBreak;
    if (!isLate) {
      // A newer one is known where the items were read again.
      const isOlder = before !== undefined && index < before;
      if (isOlder || !this.#keepsOlder(index)) return;
      this.#dropSnapshot(tag);
      this.#pending.push({ index: until, tag, value, quality });
      if (until === this.#resumedAt) this.#snapshot.add(tag);
      return;
    }
    this.#options.onOdd('late', 1);
    this.#doubtSnapshot(tag);
    // When the server had it is as near as can be said.
    const place = server !== undefined && server <= publishedAt ? Math.max(until, server) : until;
    this.#pending.push({ index: place, tag, value, quality: doubt(quality, 'late') });
  }

  /** What the item held before is not reported where it is known to have held something else. */
  #dropSnapshot(tag: string): void {
    if (!this.#snapshot.delete(tag)) return;
    this.#pending = this.#pending.filter((each) => each.tag !== tag || each.index !== this.#resumedAt);
  }

  /** By its time the late value was held there. */
  #doubtSnapshot(tag: string): void {
    if (!this.#snapshot.delete(tag)) return;
    const isIt = (each: Reading) => each.tag === tag && each.index === this.#resumedAt;
    this.#pending = this.#pending.map((each) =>
      isIt(each) ? { ...each, quality: doubt(each.quality, 'late') } : each,
    );
  }

  /**
   * A value was sampled after the message before, and until the one that brings it; so its clock is slow by what its time
   * lies before the one at least, and before the other at most. A time that stays as it was is that of an old value with
   * another status, and says nothing of clocks. What is stated waits for slow ones.
   */
  #noteClock(tag: string, before: number, index: number, publishedAt: number): void {
    const [least, most] = [this.#publishedAt - index, publishedAt - index];
    const known = this.#slow.get(tag);
    if (most <= this.#latenessMs) this.#slow.delete(tag);
    else if (least > (known ?? this.#latenessMs)) {
      if (index !== before && most <= maxHoldMs) this.#slow.set(tag, most);
    } else if (known !== undefined) this.#slow.set(tag, Math.min(known, most));
  }

  /** Values of this tag up to `index` are lost, behind the one before, or with its time. */
  #hide(before: number | undefined, index: number, publishedAt: number): void {
    this.#options.onOdd('overflow', 1);
    // Before observation begins it is enough to know behind what it may; from when on the item held it, nobody knows.
    if (!this.#hasBegun) {
      this.#observation.lose('queue-overflow', { upTo: Math.max(index + 1, publishedAt) });
      return;
    }
    const from = before ?? Number.NEGATIVE_INFINITY;
    const hole = this.#hole ?? { from, to: index };
    this.#hole = { from: Math.min(hole.from, from), to: Math.max(hole.to, index) };
  }

  #tellHole({ from, to }: { readonly from: number; readonly to: number }, publishedAt: number): void {
    const until = this.#until;
    if (until === undefined) {
      this.#observation.lose('queue-overflow', { upTo: to + 1 });
      return;
    }
    const at = Math.max(until, Math.min(from, publishedAt - this.settleMs));
    this.#emitBelow(at);
    // Lost values that were late would have stood where the late ones of this message do, at most.
    this.#break('queue-overflow', at, to >= at ? to + 1 : Math.max(publishedAt, at + 1));
    this.#resume(at);
  }

  #timesOf(value: WireValue, publishedAt: number): Times {
    const server = timeOf(value.serverTimestamp);
    const own = this.#options.timestamp === 'source' ? (timeOf(value.sourceTimestamp) ?? server) : server;
    if (own === undefined) return { index: publishedAt, server };
    this.#leadMs = Math.min(maxAheadMs, Math.max(this.#leadMs, own - publishedAt));
    if (own <= publishedAt + maxAheadMs) return { index: own, server };
    const index = server !== undefined && server <= publishedAt + maxAheadMs ? server : publishedAt;
    return { index, odd: 'ahead', server };
  }

  /** The server's clock was set: what lies between is no time that passed. */
  #leap(step: 'back' | 'ahead', publishedAt: number): void {
    this.#break(step === 'back' ? 'server-clock-went-back' : 'server-clock-jumped', this.#until, publishedAt);
    // The same positions come again: what was missing among them, or reached, was another time.
    if (step === 'back') this.#observation = new Observation(this.#options.sink);
    this.#slow.clear();
    this.#reached = publishedAt;
    this.#resume(publishedAt);
  }

  /** Hands on what is complete below `limit`. Never goes back. */
  #emitBelow(limit: number): void {
    const until = this.#until;
    if (until === undefined || limit <= until) return;
    const ready = this.#pending.filter(({ index }) => index < limit);
    this.#snapshot.clear();
    this.#until = limit;
    if (ready.length === 0) return;
    this.#pending = this.#pending.filter(({ index }) => index >= limit);
    const inTime = inOrder(ready);
    this.#hold(inTime);
    if (!this.#observation.take(inTime)) this.#until = undefined;
  }

  #state(): void {
    if (this.#until === undefined) return;
    if (this.#observation.observe(this.#until)) this.#reached = this.#until;
    else this.#until = undefined;
  }

  /** A refused tag has no time of its own, and is reported in any case. */
  #keepsOlder(index: number): boolean {
    return this.#options.snapshots || index === Number.NEGATIVE_INFINITY;
  }

  #break(reason: string, at: number | undefined, upTo: number): void {
    this.#giveSnapshot();
    this.#observation.lose(reason, { ...(at !== undefined && { at }), upTo });
    if (at !== undefined) this.#reached = Math.max(this.#reached ?? at, at);
    this.#brokenAt = at ?? this.#brokenAt;
    this.#until = undefined;
  }

  /**
   * What stands where observation began is given before it ends: where breaks follow each other, nothing else would be. A
   * newer value of that time may not have come yet.
   */
  #giveSnapshot(): void {
    const isIt = ({ index, tag }: Reading) => index === this.#resumedAt && this.#snapshot.has(tag);
    const given = this.#pending.filter(isIt);
    if (given.length === 0 || this.#until === undefined) return;
    this.#pending = this.#pending.filter((reading) => !isIt(reading));
    this.#snapshot.clear();
    this.#hold(given);
    this.#observation.take(given.map((each) => ({ ...each, quality: doubt(each.quality, 'late') })));
  }

  /** `isAfresh`: with what each tag holds, since what was stated before was not taken. */
  #resume(wanted: number, isAfresh = false): void {
    const at = this.#observation.begin(wanted);
    if (at === undefined) return;
    const latest = new Map<string, Reading>();
    const kept: Reading[] = [];
    const older: Reading[] = [];
    for (const reading of inOrder(this.#pending)) {
      if (reading.index >= at) kept.push(reading);
      else {
        older.push(reading);
        if (this.#keepsOlder(reading.index)) latest.set(reading.tag, { ...reading, index: at });
      }
    }
    this.#hold(older);
    if (isAfresh && this.#options.snapshots)
      for (const [tag, content] of this.#held)
        if (!latest.has(tag)) latest.set(tag, { index: at, tag, ...content });
    for (const { index, tag } of kept) if (index === at) latest.delete(tag);
    const dropped = older.length - older.filter(({ tag }) => latest.has(tag)).length;
    if (dropped > 0) this.#options.onOdd('in-a-break', dropped);
    // They came, so they are not lost, though what came with them may be.
    this.#observation.late(older.filter(({ tag, index }) => index >= this.#brokenAt && !latest.has(tag)));
    this.#pending = [...latest.values(), ...kept];
    this.#snapshot = new Set(latest.keys());
    this.#until = at;
    this.#resumedAt = at;
  }

  #hold(readings: readonly Reading[]): void {
    for (const { tag, value, quality } of readings) this.#held.set(tag, { value, quality });
  }

  /** Half of what waits lies below: memory is bounded, whatever lateness was asked for. */
  #middle(): number {
    const indexes = this.#pending.map(({ index }) => index).sort((a, b) => a - b);
    return indexes[indexes.length >> 1]!;
  }
}

function inOrder(readings: Reading[]): Reading[] {
  // Stable: values of one tag at one time stay in the order in which the server sent them.
  return readings.sort((a, b) => a.index - b.index);
}

function timeOf(date: Date | null): number | undefined {
  const time = date?.getTime();
  return time === undefined || Number.isNaN(time) || time < earliest ? undefined : time;
}

function doubt(quality: Quality, odd: OddTime): Quality {
  return quality === 'good' ? `uncertain:time-${odd}` : quality;
}
