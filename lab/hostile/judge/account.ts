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
import type { Heard, Judge } from './judge.ts';

/** A stretch that was observed without a hole, and how far the adapter had heard when each position was reached. */
interface Run {
  readonly start: number;
  readonly heardAtStart: number;
  readonly points: { readonly end: number; readonly heard: number }[];
}

interface Stored extends ClosedWindow {
  readonly commit: number;
  readonly heard: { readonly from: number; readonly to: number };
}

export interface AccountOptions {
  readonly judge: Judge;
  readonly heard: Heard;
  readonly trace: Trace;
  /** True time. */
  readonly now: () => number;
  /** A fault to be found: late windows claim what lies between their readings. */
  readonly lateClaims: boolean;
}

export class Account {
  readonly #options: AccountOptions;
  /** True time at which the adapter last said something that was taken, and at which more was claimed than before. */
  heardAt = 0;
  claimedAt = 0;
  #runs: Run[] = [];
  #isNewLife = true;
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

  /** An event that the windows took, and where they stand now: what the open one says, and the end of all closed ones. */
  observe(event: SourceEvent, open: Window | undefined, closedTo: number | undefined): void {
    this.#options.judge.watch?.(event);
    if (event.kind === 'readings' || event.kind === 'observed') this.heardAt = this.#options.now();
    const run = this.#runs.at(-1);
    if (run && !this.#isNewLife) {
      if (closedTo !== undefined) this.#reach(run, closedTo);
      if (open && open.start >= run.start && open.start <= endOf(run)) this.#reach(run, open.end);
    }
    if (!open) return;
    if (run && !this.#isNewLife && open.start >= run.start && open.end <= endOf(run)) return;
    this.claimedAt = this.#options.now();
    this.#isNewLife = false;
    const heard = this.#heardNow();
    this.#runs.push({
      start: open.start,
      heardAtStart: this.#before(open.start)?.heard.to ?? heard,
      points: [{ end: open.end, heard }],
    });
    if (this.#runs.length > 400) this.#runs = this.#runs.slice(-200);
  }

  #reach(run: Run, end: number): void {
    if (end <= endOf(run)) return;
    this.claimedAt = this.#options.now();
    run.points.push({ end, heard: this.#heardNow() });
  }

  stored(closed: ClosedWindow, commit: number): void {
    const { batch, late } = closed;
    const { start, end } = batch.window;
    const heard = this.#heardFor(batch.window);
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
      if (!stored.late || this.#options.lateClaims)
        judge.claim({ window: stored.batch.window, heard: stored.heard });
    }
  }

  /** The process is gone. */
  newLife(): void {
    this.#isNewLife = true;
    this.#options.heard.forget();
  }

  /** Commits above `commit` are undone: what they stored and was not sent is gone. */
  rollBack(commit: number): void {
    const before = this.#unsent.length;
    this.#unsent = this.#unsent.filter((stored) => stored.commit <= commit);
    const lost = before - this.#unsent.length;
    this.#options.trace.note('disk', `rolled back to commit ${commit}: ${lost} windows are lost unsent`);
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

  #heardFor({ start, end }: Window): Stored['heard'] {
    const run = this.#runs.findLast((each) => each.start <= start && end <= endOf(each));
    if (!run) return { from: this.#heardNow(), to: this.#heardNow() };
    const at = (index: number) => run.points.find((point) => point.end >= index)!.heard;
    return { from: start === run.start ? run.heardAtStart : at(start), to: at(end) };
  }

  /** The stored window that ends where another begins. */
  #before(start: number): Stored | undefined {
    const isBefore = ({ late, batch }: Stored) => !late && batch.window.end === start;
    return this.#unsent.findLast(isBefore) ?? this.#sent.findLast(isBefore);
  }
}

function endOf(run: Run): number {
  return run.points.at(-1)!.end;
}
