// A server and the equipment behind it: what each node held from when on, and what the server remembers of it.
import type { VirtualClock } from '../../../kernel/testing/virtual-clock.ts';
import type { WireStatus, WireValue } from '../../../runtime/sources/opcua/opcua-session.ts';
import type { Dice } from '../dice.ts';
import type { EquipmentClock } from '../equipment-clock.ts';
import { type Made, Records } from '../judge/records.ts';
import type { Trace } from '../trace.ts';
import type { ServerPlan, ServerTag } from './server-plan.ts';

export interface Change extends Made {
  readonly tag: ServerTag;
  /** By the equipment's clock; undefined where it gives none. */
  readonly sourceTime: number | undefined;
  readonly serverTime: number;
  readonly status: WireStatus;
  readonly value: number;
}

export interface ServerOptions {
  readonly plan: ServerPlan;
  readonly clock: VirtualClock;
  readonly sourceClock: EquipmentClock;
  readonly serverClock: EquipmentClock;
  readonly dice: Dice;
  readonly trace: Trace;
}

export const good: WireStatus = { value: 0, name: 'Good' };
const sensorFailure: WireStatus = { value: 0x808c_0000, name: 'BadSensorFailure' };
const double = 11;
/** What happened is known to who watches so much later. */
const seenAfterMs = 5000;
/** And is on the disk so much later, however slow that is. */
const keptAfterMs = 25_000;

export class Server {
  readonly records = new Records<Change>();
  /** It answers at all. */
  isOn = true;
  readonly #options: ServerOptions;
  readonly #current = new Map<string, Change>();
  readonly #history = new Map<string, Change[]>();
  /** Made, and not in the history yet. */
  readonly #unwritten = new Map<string, { readonly change: Change; readonly dueAt: number }[]>();
  readonly #watched = new Map<string, { readonly from: number; to: number | undefined }[]>();
  readonly #unknown = new Set<string>();
  /** Lost in the queue of an item. */
  readonly #dropped = new Set<Change>();
  #lifeBegan = 0;
  #knownFrom = 0;
  readonly #listeners = new Set<(change: Change) => void>();
  #latestMoment = 0;

  constructor(options: ServerOptions) {
    this.#options = options;
    for (const tag of options.plan.tags) {
      this.#history.set(tag.name, []);
      this.#unwritten.set(tag.name, []);
      // It has run for a while.
      for (let ago = 30; ago >= 1; ago--) this.#change(tag, -ago * tag.changeMs);
      this.#schedule(tag);
    }
  }

  /** True time, ms. Of what happens within one millisecond, too, it tells what came first. */
  moment(): number {
    this.#latestMoment = Math.max(this.#options.clock.monotonic(), this.#latestMoment + 1e-4);
    return this.#latestMoment;
  }

  current(tag: string): Change {
    return this.#current.get(tag)!;
  }

  /** In the order in which they were written, oldest first. */
  history(tag: string): readonly Change[] {
    const history = this.#history.get(tag)!;
    const unwritten = this.#unwritten.get(tag)!;
    const now = this.#options.clock.monotonic();
    while (unwritten.length > 0 && unwritten[0]!.dueAt <= now) {
      const { change } = unwritten.shift()!;
      history.push(change);
      if (history.length > change.tag.capacity) history.shift();
    }
    return history;
  }

  /** It can be asked for it, or will be. */
  isHeld(change: Change): boolean {
    const { hasHistory, name } = change.tag;
    if (!hasHistory) return false;
    return this.history(name).includes(change) || this.#isUnwritten(change);
  }

  #isUnwritten(change: Change): boolean {
    return this.#unwritten.get(change.tag.name)!.some((each) => each.change === change);
  }

  now(): number {
    return this.#options.serverClock.now();
  }

  /** An item of the live subscription reports the tag, or no longer does. */
  watch(tag: string, isWatched: boolean): void {
    const now = this.moment();
    const spans = this.#watched.get(tag) ?? [];
    this.#watched.set(tag, spans);
    const open = spans.findLast(({ to }) => to === undefined);
    if (isWatched && !open) spans.push({ from: now, to: undefined });
    if (!isWatched && open) open.to = now;
  }

  isWatched(change: Change): boolean {
    return this.#spanOf(change) !== undefined;
  }

  #spanOf({ tag, at }: Change): { readonly to: number } | undefined {
    const spans = this.#watched.get(tag.name) ?? [];
    return spans
      .map(({ from, to = Number.POSITIVE_INFINITY }) => ({ from, to }))
      .find(({ from, to }) => at >= from && at <= to);
  }

  /** What a node held at a true time. */
  lastBy(tag: ServerTag, at: number): Change {
    return this.records.all.findLast((each) => each.tag === tag && each.at <= at)!;
  }

  /**
   * A later value of the tag, made by `until`, has an earlier time: the clock was set back in between. A session that
   * begins then is shown the later one, and no other.
   */
  wentBackAfter({ tag, id, ...change }: Change, until: number): boolean {
    const place = change.sourceTime ?? change.serverTime;
    return this.records.all.some(
      (other) => other.id > id && other.tag === tag && other.at <= until && placeOf(other) < place,
    );
  }

  drop(changes: readonly Change[]): void {
    for (const change of changes) this.#dropped.add(change);
  }

  /**
   * It was lost in a queue, and the clock was set back before it by no more than came until the next value that was not
   * lost: the values on either side are in order, and nobody saw those between.
   */
  wentBackAmidLost(change: Change): boolean {
    if (!this.#dropped.has(change)) return false;
    const isKept = (each: Change) => each.tag === change.tag && !this.#dropped.has(each);
    const before = this.records.all.findLast((each) => each.id < change.id && isKept(each));
    const after = this.records.all.find((each) => each.id > change.id && isKept(each));
    if (!before || !after) return false;
    return placeOf(change) < placeOf(before) && placeOf(before) <= placeOf(after);
  }

  /** A module starts, with what its disk has; `isRolledBack`: that may lack what was seen before. */
  beginLife(isRolledBack: boolean): void {
    this.#lifeBegan = this.#options.clock.monotonic();
    if (isRolledBack) this.#knownFrom = this.#lifeBegan;
  }

  /**
   * The clock came by the time of this value again, and nobody who listens now has seen it go back: its memory may show
   * older times that it wrote later, and no word of this one.
   */
  cameAgainUnseen(change: Change): boolean {
    const place = placeOf(change);
    const now = this.#options.clock.monotonic();
    const all = this.records.all.filter(({ tag }) => tag === change.tag);
    const isSeen = (each: Change) => {
      const span = this.#spanOf(each);
      if (!span || each.at < this.#knownFrom) return false;
      // In this life, or for long enough that the disk has it.
      return each.at > this.#lifeBegan ? each.at < now - seenAfterMs : span.to > each.at + keptAfterMs;
    };
    return all.some((each, i) => {
      const isBack = each.id > change.id && placeOf(each) < placeOf(all[i - 1]!) && placeOf(each) <= place;
      if (!isBack) return false;
      const before = all.slice(0, i).findLast(isSeen);
      const after = all.slice(i).find(isSeen);
      return !before || !after || placeOf(before) < place || placeOf(after) > place;
    });
  }

  /** It was written while its history was read, at a time that had come before: nobody who listens can know yet. */
  cameAgainJustNow(change: Change): boolean {
    const now = this.#options.clock.monotonic();
    if (change.at < now - seenAfterMs) return false;
    return this.records.all.some((each) => each.id < change.id && placeOf(each) > placeOf(change) + 50);
  }

  /** It said of the path of a tag, when it was asked last, whether there is such a node. */
  translate(tag: string, isFound: boolean): void {
    if (isFound) this.#unknown.delete(tag);
    else this.#unknown.add(tag);
  }

  isUnknown({ tag }: Change): boolean {
    return this.#unknown.has(tag.name);
  }

  onChange(listener: (change: Change) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #schedule(tag: ServerTag): void {
    const { clock, dice } = this.#options;
    clock.setTimer(dice.between(20, tag.changeMs), () => {
      const change = this.#change(tag, 0);
      for (const listener of [...this.#listeners]) listener(change);
      this.#schedule(tag);
    });
  }

  #dueAt(at: number): number {
    const { lateMs = 0, isGathered = false } = this.#options.plan.history ?? {};
    return isGathered && lateMs > 0 ? Math.ceil(at / lateMs) * lateMs : at + lateMs;
  }

  /** `agoMs`: 0, or so long before the episode, as a negative number. */
  #change(tag: ServerTag, agoMs: number): Change {
    const { clock, sourceClock, serverClock, plan, dice, trace } = this.#options;
    const id = this.records.all.length + 1;
    const isFine = !dice.chance(0.05);
    const step = (time: number) => Math.floor(time / plan.stampStepMs) * plan.stampStepMs;
    const change: Change = {
      id,
      at: agoMs === 0 ? this.moment() : clock.monotonic() + agoMs,
      tag,
      value: id,
      status: isFine ? good : sensorFailure,
      sourceTime: tag.hasSourceTime ? step(sourceClock.now() + agoMs) : undefined,
      serverTime: step(serverClock.now() + agoMs),
      values: new Map([[tag.name, { value: id, good: isFine }]]),
    };
    this.records.add(change);
    this.#current.set(tag.name, change);
    this.#unwritten.get(tag.name)!.push({ change, dueAt: this.#dueAt(change.at) });
    trace.note('server', `${tag.name} = ${id} at ${placeOf(change)}${isFine ? '' : ', sensor failure'}`);
    return change;
  }
}

/** The time that orders it. */
export function placeOf({ sourceTime, serverTime }: Change): number {
  return sourceTime ?? serverTime;
}

export function wireOf(change: Change, status: WireStatus = change.status): WireValue {
  return {
    value: { dataType: double, arrayType: 0, value: change.value },
    statusCode: status,
    sourceTimestamp: change.sourceTime === undefined ? null : new Date(change.sourceTime),
    serverTimestamp: new Date(change.serverTime),
  };
}

/** With the flag that values before it were lost (OPC 10000-4, 7.38.1: info type DataValue, overflow). */
export function withOverflow({ value, name }: WireStatus): WireStatus {
  return { value: (value | 0x0480) >>> 0, name };
}
