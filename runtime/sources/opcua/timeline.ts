// Puts the values of many monitored items into one order of time, and says how far that order is complete.
//
// Each value has a time of its own, and messages bring them item by item, so values wait here until nothing older
// can come: a message that was published at P, with nothing left to follow, brings all that was sampled before P;
// lateness L is how long a value's time may lie before its sampling. Below P - L everything is then reported. A
// keep-alive says the same with no values at all: that is how a value that does not change for hours is observed.
//
// Where observation begins. The first values of all items are what they hold then, whatever their age: no item has
// changed since the newest of them, so from there on nothing is missed. Values that are older than this beginning
// are reported at it: the item held them then. The same is done after each break, so that no item's value is
// forgotten because its last change fell into the hole.
import type { Quality, Reading } from '../../../wire/reading.ts';
import type { SourceSink } from '../source.ts';
import { contentOf } from './content.ts';
import type { WireValue } from './opcua-session.ts';
import { hasOverflow } from './quality.ts';

export interface TimelineOptions {
  readonly sink: SourceSink;
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

/** A clock of equipment that is further ahead of the server's than this is wrong. */
const maxAheadMs = 5000;
/** How long before the message that shows it a value may have changed for observation to begin there. */
const maxBeginMs = 10_000;
/** A server's clock that goes back by less was slewed. */
const maxBackMs = 2000;
/** Nothing was measured before: such a date stands for none. */
const earliest = Date.UTC(1990, 0, 1);
export const maxPending = 200_000;

export class Timeline {
  readonly #options: TimelineOptions;
  #latenessMs: number;
  #pending: Reading[] = [];
  /** Index of the latest value of each tag in this session. */
  readonly #latest = new Map<string, number>();
  /** Of the first values, the newest. */
  #newestFirst = Number.NEGATIVE_INFINITY;
  /** How far the statements reach; undefined while observation is broken. */
  #until: number | undefined;
  #publishedAt = Number.NEGATIVE_INFINITY;
  #resumedAt = Number.NEGATIVE_INFINITY;
  /** Tags whose older values stand at `#resumedAt`, while nothing of it is emitted. */
  #snapshot = new Set<string>();
  /** What a message says that has to be told once it is known whole. */
  #hole: { from: number; to: number } | undefined;

  constructor(options: TimelineOptions) {
    this.#options = options;
    this.#latenessMs = options.latenessMs;
  }

  get isObserving(): boolean {
    return this.#until !== undefined;
  }

  get until(): number | undefined {
    return this.#until;
  }

  get latenessMs(): number {
    return this.#latenessMs;
  }

  get tagsSeen(): number {
    return this.#latest.size;
  }

  /** Grows when an item is sampled more slowly than those before. */
  allow(latenessMs: number): void {
    this.#latenessMs = Math.max(this.#latenessMs, latenessMs);
  }

  /** One value, out of a message that was published at `publishedAt`. */
  add(tag: string, value: WireValue, publishedAt: number): void {
    this.#place(tag, this.#indexOf(value, publishedAt), contentOf(value), hasOverflow(value.statusCode));
  }

  /** A tag that has no value, for a reason that the server gave. */
  addRefused(tag: string, quality: Quality): void {
    const index = this.#until ?? Number.NEGATIVE_INFINITY;
    this.#place(tag, { index }, { value: null, quality }, false);
  }

  /** Observation begins: all first values are here, or those that will come in reasonable time. */
  begin(publishedAt: number): void {
    const from = Math.max(Math.min(this.#newestFirst, publishedAt), publishedAt - maxBeginMs);
    const { floor = from } = this.#options;
    // A server whose clock was put back does not have to wait until it comes to where it was.
    this.#resume(floor > publishedAt + maxBackMs ? from : Math.max(from, floor));
  }

  /** All that was sampled before `publishedAt` is here. */
  advance(publishedAt: number): void {
    const wentBack = publishedAt < this.#publishedAt - maxBackMs;
    this.#publishedAt = publishedAt;
    if (this.#until === undefined) return;
    if (wentBack) {
      this.#break(this.#until, 'server-clock-went-back');
      this.#resume(publishedAt);
    } else if (this.#hole) {
      const { from, to } = this.#hole;
      const at = Math.max(this.#until, Math.min(from, publishedAt - this.#latenessMs));
      this.#emitBelow(at);
      this.#break(at, 'queue-overflow');
      this.#resume(Math.max(at, to));
    }
    this.#hole = undefined;
    this.#emitBelow(publishedAt - this.#latenessMs);
    this.#options.sink.emit({ kind: 'observed', until: this.#until });
    if (this.#pending.length > maxPending) this.#emitBelow(this.#middle());
  }

  /** Messages are missing: anything may have happened until `publishedAt`. */
  lose(reason: string, publishedAt: number): void {
    if (this.#until === undefined) return;
    const at = this.#until;
    this.#break(at, reason);
    this.#resume(Math.max(at, publishedAt));
  }

  #place(
    tag: string,
    { index, odd }: { index: number; odd?: OddTime },
    { value, quality }: Pick<Reading, 'value' | 'quality'>,
    overflowed: boolean,
  ): void {
    const before = this.#latest.get(tag);
    if (before === undefined) this.#newestFirst = Math.max(this.#newestFirst, index);
    this.#latest.set(tag, Math.max(index, before ?? index));
    if (odd) this.#options.onOdd(odd, 1);
    if (overflowed) this.#overflow(before, index);
    const until = this.#until;
    if (index === this.#resumedAt && this.#snapshot.delete(tag)) {
      // What the item held before is not reported where what it held then is.
      this.#pending = this.#pending.filter((each) => each.tag !== tag || each.index !== index);
    }
    if (until === undefined || index >= until) {
      this.#pending.push({ index, tag, value, quality: odd ? doubt(quality, odd) : quality });
      return;
    }
    // An item's first value may be of any age, and one out of a break is what the item holds after it. Another that
    // comes so late belongs to what was stated already: it is not lost, but its time is not its own.
    const isLate = before !== undefined && index >= this.#resumedAt;
    if (isLate) this.#options.onOdd('late', 1);
    else if (!this.#keepsOlder(index)) return;
    this.#pending.push({ index: until, tag, value, quality: isLate ? doubt(quality, 'late') : quality });
  }

  /** Values of this tag between `before` and `index` are lost. */
  #overflow(before: number | undefined, index: number): void {
    this.#options.onOdd('overflow', 1);
    const from = before ?? Number.NEGATIVE_INFINITY;
    const hole = this.#hole ?? { from, to: index };
    this.#hole = { from: Math.min(hole.from, from), to: Math.max(hole.to, index) };
  }

  #indexOf(value: WireValue, publishedAt: number): { index: number; odd?: OddTime } {
    const server = timeOf(value.serverTimestamp);
    const own = this.#options.timestamp === 'source' ? (timeOf(value.sourceTimestamp) ?? server) : server;
    if (own === undefined) return { index: publishedAt };
    if (own <= publishedAt + maxAheadMs) return { index: own };
    const index = server !== undefined && server <= publishedAt + maxAheadMs ? server : publishedAt;
    return { index, odd: 'ahead' };
  }

  /** Reports what is complete below `limit`, and states so. Never goes back. */
  #emitBelow(limit: number): void {
    const until = this.#until;
    if (until === undefined || limit <= until) return;
    const ready = this.#pending.filter(({ index }) => index < limit);
    if (ready.length > 0) {
      this.#pending = this.#pending.filter(({ index }) => index >= limit);
      this.#options.sink.emit({ kind: 'readings', readings: inOrder(ready) });
    }
    this.#until = limit;
    this.#snapshot.clear();
  }

  /** A refused tag has no time of its own, and is reported in any case. */
  #keepsOlder(index: number): boolean {
    return this.#options.snapshots || index === Number.NEGATIVE_INFINITY;
  }

  #break(at: number, reason: string): void {
    this.#options.sink.emit({ kind: 'broken', at, reason });
    this.#until = undefined;
  }

  #resume(at: number): void {
    const latest = new Map<string, Reading>();
    let dropped = 0;
    const kept: Reading[] = [];
    for (const reading of inOrder(this.#pending)) {
      if (reading.index >= at) {
        kept.push(reading);
        continue;
      }
      dropped += 1;
      if (this.#keepsOlder(reading.index)) latest.set(reading.tag, { ...reading, index: at });
    }
    for (const { index, tag } of kept) if (index === at) latest.delete(tag);
    dropped -= latest.size;
    if (dropped > 0) this.#options.onOdd('in-a-break', dropped);
    this.#pending = [...latest.values(), ...kept];
    this.#snapshot = new Set(latest.keys());
    this.#until = at;
    this.#resumedAt = at;
    this.#hole = undefined;
    this.#options.sink.emit({ kind: 'resumed', at });
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
