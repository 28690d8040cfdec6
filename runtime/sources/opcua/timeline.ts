// Orders the values of many monitored items by time, and states how far that order is complete.
//
// Each value has a time of its own, and messages bring them item by item, so values wait here until nothing older
// can come: a message that was published at P, with nothing left to follow, brings all that was sampled before P;
// lateness L is how long a value's time may lie before its sampling. Below P - L everything is then reported. A
// keep-alive says the same with no values at all: that is how a value that does not change for hours is observed.
//
// Where observation begins. The server watches the items from some moment on, by its own clock; what happened before was
// not watched, whatever the values' times say, since clocks of equipment may be slow. And the first value of an item is
// the last of those that came before it: others, with an earlier time or the same, were not shown. So observation begins
// behind both; behind the times of clocks that are ahead, too, which others had before. What the items held
// there is reported there. The same is done after each break, so that no item's value is forgotten because its last
// change fell into the hole; that change itself goes up late, with its own time.
import type { Quality, Reading } from '../../../wire/reading.ts';
import { Observation } from '../observation.ts';
import { type Content, contentOf } from './content.ts';
import { HeldValues } from './held-values.ts';
import { doubt, type Stamp, stampOf } from './odd-time.ts';
import type { WireValue } from './opcua-session.ts';
import { type ClockStep, PublishClock } from './publish-clock.ts';
import { hasOverflow } from './quality.ts';
import { serverClock } from './repeated-times.ts';
import { maxHoldMs, TagClocks } from './tag-clocks.ts';
import type { TimelineOptions } from './timeline-options.ts';
import { inOrder, lateFrom, readingOf, type WaitingValue, WaitingValues } from './waiting-values.ts';

export const maxPending = 200_000;

export class Timeline {
  readonly #options: TimelineOptions;
  readonly #published: PublishClock;
  readonly #clocks: TagClocks;
  readonly #held = new HeldValues();
  #observation: Observation;
  readonly #pending = new WaitingValues();
  /** Of the message that is being read, values that belong to what was stated already. */
  #late: WaitingValue[] = [];
  /** When the latest message that is whole was published; before any, when the server was asked to watch. */
  #publishedAt = Number.NEGATIVE_INFINITY;
  /** Monotonic ms. */
  #heardAt = 0;
  /** How far values were handed on; undefined while observation is broken. */
  #until: number | undefined;
  #reached: number | undefined;
  #hasBegun = false;
  /** What lies between was not observed. */
  #hole = { from: Number.POSITIVE_INFINITY, to: Number.NEGATIVE_INFINITY };
  /** Nothing was handed on since observation began. */
  #isAtBeginning = false;
  /** The server's clock was set, to this, after it had been asked to watch. */
  #setTo: number | undefined;
  /** What a message says that has to be told once it is known whole. */
  #lost: { from: number; to: number } | undefined;

  constructor(options: TimelineOptions) {
    this.#options = options;
    this.#clocks = new TagClocks(options.latenessMs);
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

  get tagsSeen(): number {
    return this.#clocks.tagsSeen;
  }

  /** How much older than a message the time of a value in the next one may be. */
  get settleMs(): number {
    return this.#clocks.settleMs;
  }
  /** Grows when an item is sampled more slowly than those before. */
  allow(latenessMs: number): void {
    this.#clocks.allow(latenessMs);
  }

  /** The server is about to be asked to watch: what is no first value was sampled after this, by its clock. */
  watch(serverTime: number): void {
    this.#published.step(serverTime);
    this.#publishedAt = serverTime;
    this.#hole = { from: serverTime, to: serverTime };
  }

  /** By the server's clock it is now so late: before anything of a message that was published then is added. */
  hear(publishedAt: number): void {
    this.#heardAt = this.#options.clock.monotonic();
    this.#options.repeated?.note(serverClock, publishedAt, this.#heardAt);
    const step = this.#published.step(publishedAt);
    if (step === undefined) return;
    this.#options.onClockSet?.(step);
    if (this.#hasBegun) this.#leap(step.reason, publishedAt);
    this.#setTo = publishedAt;
    this.#publishedAt = Number.NEGATIVE_INFINITY;
  }

  /** One value, out of a message that was published at `publishedAt`; `mayHide`: others before it, without a word. */
  add(tag: string, value: WireValue, publishedAt: number, mayHide = false): void {
    const stamp = this.#stampOf(tag, value, publishedAt);
    const { own, index } = stamp;
    const before = this.#clocks.note(tag, own, this.#publishedAt, publishedAt);
    if (mayHide || hasOverflow(value.statusCode)) this.#hide(before, own, publishedAt);
    // Others may have had the times up to its own, before it was watched.
    else if (before === undefined && this.#hasBegun && own > index && own <= publishedAt + maxHoldMs)
      this.#lose(index, own);
    this.#place(tag, contentOf(value), stamp, before !== undefined);
  }

  /** What an item was read to hold at `publishedAt`. */
  addRead(tag: string, value: WireValue, publishedAt: number): void {
    const stamp = this.#stampOf(tag, value, publishedAt);
    const before = this.#clocks.note(tag, stamp.own, this.#publishedAt, publishedAt);
    // What is lost came before it.
    if (stamp.own <= publishedAt + maxHoldMs)
      this.#observation.lose('messages-lost', { upTo: stamp.own + 1 });
    this.#place(tag, contentOf(value), stamp, before !== undefined && stamp.own !== before);
  }

  /** Out of a message that came after its loss was told: newer ones came before, so it says nothing of what is held. */
  addLate(tag: string, value: WireValue, publishedAt: number): void {
    const { index, own, odd, server } = stampOf(value, publishedAt, this.#options.timestamp);
    const content = contentOf(value);
    const quality = odd ? doubt(content.quality, odd) : content.quality;
    this.#giveLate([{ index, own, server, tag, value: content.value, quality, isNews: true }]);
  }

  /** A tag that has no value, for a reason that the server gave. */
  addRefused(tag: string, quality: Quality): void {
    this.#pending.pushRefused(tag, quality, this.#until);
  }

  /**
   * Observation begins: all first values are here, or those that will come in reasonable time. `watchedFrom`: when the
   * server had begun to watch, by its clock.
   */
  begin(watchedFrom: number, publishedAt: number): void {
    this.#hasBegun = true;
    this.#clocks.begin();
    const { newestFirst } = this.#clocks;
    const behind = newestFirst <= publishedAt + maxHoldMs ? newestFirst + 1 : watchedFrom;
    const first = Math.max(this.#setTo ?? watchedFrom, behind);
    const { floor = first } = this.#options;
    // A server whose clock was put back far does not have to wait until it comes to where it was.
    const from = floor > publishedAt + maxHoldMs ? first : Math.max(first, floor);
    this.#observation.lose('not-watched', { upTo: from });
    this.#hole.from = Math.min(this.#hole.from, watchedFrom);
    this.#resume(from);
  }

  /** All that was sampled before `publishedAt` is here. */
  advance(publishedAt: number): void {
    this.#publishedAt = publishedAt;
    if (!this.#hasBegun) return;
    const frontier = publishedAt - this.settleMs;
    if (this.#lost) this.#tellLost(this.#lost, publishedAt);
    this.#lost = undefined;
    if (this.#observation.isBroken) this.#resume(Math.max(this.#reached ?? frontier, frontier), true);
    if (this.#observation.isBroken) this.#fold(frontier);
    this.#giveLateOnes(frontier);
    this.#emitBelow(frontier);
    this.#state();
    if (this.#pending.length > maxPending) this.#makeRoom();
  }

  /** Messages are missing: anything may have happened until `publishedAt`. Begins again with `advance`. */
  lose(reason: string, publishedAt: number): void {
    const upTo = publishedAt + this.#clocks.leadMs + 1;
    this.#break(reason, this.#until, upTo);
    // What the items held before may have changed.
    this.#fold(Number.POSITIVE_INFINITY);
    this.#held.forget();
  }

  /** The session is over. What came and still waits is not lost, though what would have come with it may be. */
  end(): void {
    this.#giveLate([...this.#pending.takeBelow(Number.POSITIVE_INFINITY), ...this.#late]);
    this.#late = [];
  }

  #stampOf(tag: string, value: WireValue, publishedAt: number): Stamp {
    const stamp = stampOf(value, publishedAt, this.#options.timestamp);
    if (stamp.odd) this.#options.onOdd(stamp.odd, 1);
    this.#options.repeated?.note(tag, stamp.own, this.#heardAt);
    return stamp;
  }

  #place(tag: string, content: Content, { index, own, odd, server }: Stamp, isNews: boolean): void {
    const quality = odd ? doubt(content.quality, odd) : content.quality;
    const waiting = { index, own, server, tag, value: content.value, quality, isNews };
    if (this.#until === undefined) this.#pending.push(waiting);
    else if (index >= this.#until) this.#wait(waiting);
    else if (isNews) this.#takeOlder(waiting, this.#until);
    else this.#takeHeld(waiting, this.#until);
  }

  /** At its place; of a tag that is watched at last not before that: its clock may have come by there before, with what was not watched. */
  #wait(value: WaitingValue): void {
    const watchedFrom = this.#clocks.watchedFrom(value.tag);
    const isWatched = value.index >= watchedFrom;
    if (value.isNews && isWatched) this.#pending.push(value);
    else if (value.isNews) this.#giveLate(this.#pending.withHeld([lateFrom(value, watchedFrom)]));
    else {
      // What it holds is told behind its time, which another may have had before it was watched.
      const hadAt = isWatched ? undefined : this.#clocks.hadAt(value);
      this.#pending.push({ ...value, index: Math.max(value.index + 1, hadAt ?? value.index) });
    }
  }

  /** It may be of any age: it is what the item holds. */
  #takeHeld(held: WaitingValue, until: number): void {
    if (!this.#keepsOlder(held)) return;
    // Of one that could not be watched when observation began, nothing is known from there to where the server had this.
    const index = Math.max(until, this.#clocks.hadAt(held) ?? until);
    if (this.#isAtBeginning && (index === until || !this.#held.owesRefusal(held.tag))) this.#owe(held);
    else this.#pending.push({ ...held, index, isNews: false });
  }

  #isInHole({ index }: WaitingValue): boolean {
    return index >= this.#hole.from && index < this.#hole.to;
  }

  /** A change that was watched, and whose time lies below what was stated. */
  #takeOlder(older: WaitingValue, until: number): void {
    if (this.#isInHole(older)) {
      this.#options.onOdd('in-a-break', 1);
      this.#giveLate([older]);
      if (this.#isAtBeginning) this.#takeHeld(older, until);
      return;
    }
    // It belongs to what was stated already: it is not lost, but its time is not its own.
    this.#options.onOdd('late', 1);
    this.#held.doubt(older.tag);
    const late = lateFrom(older, until);
    this.#late.push(late);
    // The server had it by then: what was held before is not what has to be said there.
    if (this.#isAtBeginning && late.index === until && this.#keepsOlder(late))
      this.#held.owe(older.tag, { ...late, isTold: true });
  }

  /**
   * When the server had a late value is as near to its time as can be said. But what is stated below `frontier` says that
   * it was given: so it does not wait.
   */
  #giveLateOnes(frontier: number): void {
    const until = this.#until;
    const late = this.#late;
    this.#late = [];
    if (until === undefined || frontier <= until) this.#giveLate(this.#pending.withHeld(late));
    else
      for (const each of late)
        this.#wait({ ...each, index: Math.max(until, Math.min(each.index, frontier - 1)) });
  }

  /** Values of this tag are lost: behind the one before, or with its time, up to the one at `own`. */
  #hide(before: number | undefined, own: number, publishedAt: number): void {
    this.#options.onOdd('overflow', 1);
    // Where its clock went back in between, they may lie anywhere that it has come by.
    const wentBack = before !== undefined && own < before;
    const soFar = publishedAt + this.#clocks.leadMs;
    const last = Math.min(wentBack ? Math.max(before, soFar) : own, publishedAt + maxHoldMs);
    // Before observation begins it is enough to know behind what it may; from when on the item held it, nobody knows.
    // Nor how far back those lie that came before the first one.
    if (this.#hasBegun) this.#lose((wentBack ? undefined : before) ?? Number.NEGATIVE_INFINITY, last);
    else this.#observation.lose('queue-overflow', { upTo: Math.max(last + 1, publishedAt) });
  }

  #lose(from: number, to: number): void {
    const known = this.#lost ?? { from, to };
    this.#lost = { from: Math.min(known.from, from), to: Math.max(known.to, to) };
  }

  #tellLost({ from, to }: { readonly from: number; readonly to: number }, publishedAt: number): void {
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

  /** The server's clock was set: what lies between is no time that passed. */
  #leap(reason: ClockStep['reason'], publishedAt: number): void {
    this.#break(reason, this.#until, publishedAt);
    // They have times of the clock as it was.
    this.#fold(Number.POSITIVE_INFINITY);
    // The same positions come again: what was missing among them, or reached, was another time.
    if (reason === 'server-clock-went-back') {
      this.#observation = new Observation(this.#options.sink);
      this.#hole.from = Number.NEGATIVE_INFINITY;
    }
    this.#clocks.forget();
    this.#lost = undefined;
    this.#reached = publishedAt;
  }

  /** Hands on what is complete below `limit`. Never goes back. */
  #emitBelow(limit: number): void {
    const until = this.#until;
    if (until === undefined || limit <= until) return;
    const ready = this.#pending.takeBelow(limit);
    const readings = [...this.#takeOwed(until, ready), ...ready.map(readingOf)];
    for (const each of ready) this.#held.set(each.tag, each);
    this.#until = limit;
    if (readings.length > 0 && !this.#observation.take(readings)) this.#onUntaken(ready);
  }

  /** They are missing, at their own times: these may lie ahead of where they were placed. */
  #onUntaken(values: readonly WaitingValue[]): void {
    this.#until = undefined;
    const last = Math.max(...values.map(({ own }) => own));
    if (last <= this.#publishedAt + maxHoldMs) this.#observation.lose('not-taken', { upTo: last + 1 });
  }

  /** What each tag held where observation began. */
  #takeOwed(at: number, ready: readonly WaitingValue[]): readonly Reading[] {
    if (!this.#isAtBeginning) return [];
    this.#isAtBeginning = false;
    const shown = ready.filter(({ index }) => index === at).map(({ tag }) => tag);
    return this.#held.takeAt(at, new Set(shown));
  }

  #state(): void {
    if (this.#until === undefined) return;
    if (this.#observation.observe(this.#until, this.#options.repeated?.kept)) this.#reached = this.#until;
    else this.#until = undefined;
  }

  #keepsOlder({ isRefused = false }: WaitingValue): boolean {
    return this.#options.snapshots || isRefused;
  }

  #owe(held: WaitingValue): void {
    this.#held.owe(held.tag, { ...held, hadAt: this.#clocks.hadAt(held) });
  }

  #break(reason: string, at: number | undefined, upTo: number): void {
    if (at !== undefined) {
      this.#giveOwed(at);
      this.#reached = Math.max(this.#reached ?? at, at);
      // Nothing was claimed since it began: the hole before it goes on.
      if (at > this.#hole.to) this.#hole.from = at;
    }
    this.#observation.lose(reason, { ...(at !== undefined && { at }), upTo });
    this.#until = undefined;
  }

  /**
   * What stands where observation began is given before it ends: where breaks follow each other, nothing else would be. A
   * newer value of that time may not have come yet.
   */
  #giveOwed(at: number): void {
    if (!this.#isAtBeginning) return;
    this.#isAtBeginning = false;
    const owed = this.#held.takeAt(at, new Set());
    this.#observation.late(owed.map((each) => ({ ...each, quality: doubt(each.quality, 'late') })));
  }

  /** `isAfresh`: with what each tag holds, since what was stated before was not taken. */
  #resume(wanted: number, isAfresh = false): void {
    const at = this.#observation.begin(wanted, undefined, this.#options.repeated?.kept);
    if (at === undefined) return;
    if (isAfresh) this.#held.oweAll(this.#options.snapshots ? 'all' : 'refused');
    this.#until = at;
    this.#isAtBeginning = true;
    this.#hole = { from: Math.min(this.#hole.from, at), to: at };
    const older = this.#pending.takeBelow(at);
    const inHole = older.filter((each) => each.isNews && this.#isInHole(each));
    if (inHole.length > 0) this.#options.onOdd('in-a-break', inHole.length);
    this.#giveLate(inHole);
    for (const each of older) {
      if (each.isNews && !this.#isInHole(each)) this.#takeOlder(each, at);
      else if (this.#keepsOlder(each)) this.#owe(each);
    }
  }

  /** What waits below `limit` is given, and held, while nothing can be stated. */
  #fold(limit: number): void {
    const older = this.#pending.takeBelow(limit);
    this.#giveLate(older);
    for (const each of older) if (this.#keepsOlder(each)) this.#owe(each);
  }

  /** They came, so they are not lost, though what came with them may be. */
  #giveLate(values: readonly WaitingValue[]): void {
    const news = values.filter(({ isNews }) => isNews);
    if (news.length === 0) return;
    if (!this.#observation.late(inOrder(news).map(readingOf))) this.#onUntaken(news);
  }

  /** Memory is bounded, whatever lateness was asked for: half of what waits is not waited for. */
  #makeRoom(): void {
    const middle = this.#pending.middle();
    this.#clocks.holdLess();
    this.#break('too-many-values', this.#until, middle);
    this.#fold(middle);
  }
}
