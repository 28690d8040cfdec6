// What the module claims, as the cloud learns it, and what each claim rested on.
//
// Between the windows and the cloud lies the lane: what is stored is sent a little later, and what was not sent is lost
// with a disk that is rolled back. Only what the cloud learns is judged.
import type { SourceEvent } from '../../../runtime/sources/source.ts';
import type { ClosedWindow } from '../../../runtime/windows/window-store.ts';
import type { VoidReason } from '../../../wire/mini-batch.ts';
import type { Reading } from '../../../wire/reading.ts';
import type { Window } from '../../../wire/window.ts';
import type { Trace } from '../trace.ts';
import type { Heard, Judge, LiveHeard } from './judge.ts';

/** What the adapter stated from one beginning of observation on, and how far it had heard when it stated each position. */
interface Stretch {
  readonly from: number;
  /** `at`: when it was stated, in true time. */
  readonly points: { readonly end: number; readonly heard: number; readonly at: number }[];
  /** When a break was told. */
  brokenAt?: number;
}

interface Stored extends ClosedWindow {
  readonly commit: number;
  readonly heard: LiveHeard;
}

export interface AccountOptions {
  readonly judge: Judge;
  readonly heard: Heard;
  readonly trace: Trace;
  /** True time. */
  readonly now: () => number;
}

export class Account {
  readonly #options: AccountOptions;
  /** True time at which the adapter last said something that was taken, and at which more was claimed than before. */
  heardAt = 0;
  claimedAt = 0;
  #stretches: Stretch[] = [];
  #open = '';
  /** In the order in which they were stored. */
  #unsent: Stored[] = [];
  #sent: Stored[] = [];

  constructor(options: AccountOptions) {
    this.#options = options;
  }

  /** Claimed windows, in no order, that the cloud knows of or will. */
  get windows(): readonly Window[] {
    return [...this.#sent, ...this.#unsent].filter(({ late }) => !late).map(({ batch }) => batch.window);
  }

  /** What the adapter said, whether the windows took it, and what the open one says now; undefined where there is none. */
  observe(event: SourceEvent, isTaken: boolean, open: Window | undefined): void {
    this.#options.judge.watch?.(event, isTaken);
    if (!isTaken) return;
    const now = this.#options.now();
    if (event.kind === 'resumed') this.#begin(event.at, event.continues !== undefined);
    if (event.kind === 'observed') this.#reach(event.until);
    // All below is said to have been given.
    if (event.kind === 'broken') {
      this.#reach(event.at);
      const stretch = this.#stretches.at(-1);
      if (stretch) stretch.brokenAt ??= now;
    }
    // Late ones state nothing.
    if (event.kind === 'readings' && !event.isLate)
      this.#reach(Math.max(...event.readings.map(({ index }) => index)));
    if (event.kind === 'readings' || event.kind === 'observed') this.heardAt = now;
    const shown = open === undefined ? '' : `${open.start} ${open.end}`;
    if (shown !== '' && shown !== this.#open) this.claimedAt = now;
    this.#open = shown;
  }

  #begin(at: number, continues: boolean): void {
    const last = this.#stretches.at(-1);
    if (continues && last && at >= endOf(last)) return;
    this.#stretches.push({ from: at, points: [] });
    if (this.#stretches.length > 400) this.#stretches = this.#stretches.slice(-200);
  }

  #reach(end: number): void {
    const stretch = this.#stretches.at(-1);
    if (stretch && end > endOf(stretch))
      stretch.points.push({ end, heard: this.#heardNow(), at: this.#options.now() });
  }

  /** `by`: all of it was stated by then. */
  stored(closed: ClosedWindow, commit: number, by: number): void {
    const { batch, late } = closed;
    const { start, end } = batch.window;
    const heard = this.#heardFor(batch.window, by);
    this.#options.trace.note(
      'windows',
      `${late ? 'late ' : ''}[${start}, ${end}) ${batch.readings.length} readings`,
    );
    this.#unsent.push({ ...closed, commit, heard });
  }

  /** The lane brings up to `count` windows to the cloud, oldest first. */
  send(count: number): void {
    const { judge } = this.#options;
    for (const stored of this.#unsent.splice(0, count)) {
      this.#sent.push(stored);
      for (const reading of stored.batch.readings) judge.deliver(reading, 'live');
      if (!stored.late) judge.claim({ window: stored.batch.window, heard: stored.heard });
    }
  }

  /** The process is gone. */
  newLife(): void {
    this.#options.heard.forget();
  }

  /** Commits above `commit`, of `at` in true time, are undone: what they stored and was not sent is gone. */
  rollBack({ commit, at }: { readonly commit: number; readonly at: number }): void {
    this.#options.judge.rollBack?.(at);
    // What the disk gives back was stated by then, also where the same positions were stated again since.
    this.#stretches = this.#stretches.flatMap(({ from, points }): Stretch[] => {
      const kept = points.filter((point) => point.at <= at);
      return kept.length > 0 ? [{ from, points: kept }] : [];
    });
    const lost = this.#unsent.filter((stored) => stored.commit > commit);
    this.#unsent = this.#unsent.filter((stored) => stored.commit <= commit);
    const { windows } = this;
    for (const { late, batch } of lost) {
      const { start } = batch.window;
      const isClaimed = windows.some((window) => start >= window.start && start < window.end);
      if (late && isClaimed) for (const reading of batch.readings) this.#options.judge.forgive?.(reading);
    }
    const told = `rolled back to commit ${commit}: ${lost.length} windows are lost unsent`;
    this.#options.trace.note('disk', told);
  }

  page(window: Window, readings: readonly Reading[]): void {
    const { judge, heard, trace } = this.#options;
    trace.note('history', `[${window.start}, ${window.end}) ${readings.length} readings`);
    for (const reading of readings) judge.deliver(reading, 'history');
    judge.claimHistory({ window, readings, heard: heard.history });
  }

  void(window: Window, reason: VoidReason): void {
    this.#options.trace.note('history', `[${window.start}, ${window.end}) void ${reason}`);
    this.#options.judge.claimVoid({ window, reason });
  }

  #heardNow(): number {
    const { live } = this.#options.heard;
    return Number.isFinite(live) ? live : this.#options.now();
  }

  /** The same positions may have been stated again since. */
  #heardFor({ start, end }: Window, by: number): Stored['heard'] {
    const stretch = this.#stretches.findLast(({ from, points }) => {
      return from <= start && points.some((point) => point.end >= end && point.at <= by);
    });
    if (!stretch) return { from: this.#heardNow(), to: this.#heardNow(), unbroken: this.#heardNow() };
    const at = (index: number) => stretch.points.find((point) => point.end >= index)!.heard;
    const to = at(end);
    const before = this.#before(start)?.heard.unbroken;
    const from = before !== undefined && before <= to ? before : at(start);
    // Messages that came together are taken one by one.
    const isBroken = stretch.points.find((point) => point.end >= end)!.at === stretch.brokenAt;
    const last = stretch.points.findLast((point) => point.at !== stretch.brokenAt);
    return { from, to, unbroken: isBroken ? (last?.heard ?? from) : to };
  }

  /** The stored window that ends where another begins. */
  #before(start: number): Stored | undefined {
    const isBefore = ({ late, batch }: Stored) => !late && batch.window.end === start;
    return this.#unsent.findLast(isBefore) ?? this.#sent.findLast(isBefore);
  }
}

function endOf({ from, points }: Stretch): number {
  return points.at(-1)?.end ?? from;
}
