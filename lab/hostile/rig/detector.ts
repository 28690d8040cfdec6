// Stands in for the detector and its backfill jobs: looks for holes between the windows that were stored, asks the
// source's history for them, and for ranges that nobody misses, and books what the pages say. Ranges that are not
// answered are asked for again.
import type { VirtualClock } from '../../../kernel/testing/virtual-clock.ts';
import { historyPass } from '../../../runtime/methods/history-pass.ts';
import type { JobChange } from '../../../runtime/methods/job-ranges.ts';
import type { SourceHistory } from '../../../runtime/sources/source.ts';
import { gaps, normalise, subtract } from '../../../wire/coverage.ts';
import type { IndexKind, Window } from '../../../wire/window.ts';
import type { Dice } from '../dice.ts';
import type { Account } from '../judge/account.ts';
import type { Trace } from '../trace.ts';

export interface DetectorOptions {
  readonly account: Account;
  readonly history: () => SourceHistory | undefined;
  readonly index: () => IndexKind;
  readonly clock: VirtualClock;
  readonly dice: Dice;
  readonly trace: Trace;
}

interface Ask {
  readonly window: Window;
  /** Nobody misses it: it is asked for once. */
  readonly isIdle: boolean;
  notBefore: number;
  attempts: number;
}

const maxOpen = 40;

export class Detector {
  readonly #options: DetectorOptions;
  #asks: Ask[] = [];
  /** What was answered, in either way. */
  #answered: readonly Window[] = [];
  #pass: AbortController | undefined;

  constructor(options: DetectorOptions) {
    this.#options = options;
  }

  /** Holes that are not answered although they were asked for again and again. */
  get unanswered(): readonly Window[] {
    return this.#asks.filter(({ isIdle, attempts }) => !isIdle && attempts >= 4).map(({ window }) => window);
  }

  /** Holes that are not answered yet. */
  get open(): number {
    return this.#asks.filter(({ isIdle }) => !isIdle).length;
  }

  /** Looks for new holes, and now and then for what nobody misses; works on one. */
  step(): void {
    const { account, dice } = this.#options;
    const covered = normalise(account.windows);
    const known = normalise([...this.#answered, ...this.#asks.map(({ window }) => window)]);
    for (const window of subtract(gaps(covered), known)) this.#ask(window, false);
    const all = covered.length > 0 ? { start: covered[0]!.start, end: covered.at(-1)!.end } : undefined;
    if (all && dice.chance(0.1)) this.#ask(somewhere(all, dice), true);
    if (!this.#pass) void this.#work();
  }

  /** The process is gone. */
  interrupt(): void {
    this.#pass?.abort(new Error('the process is gone'));
    this.#pass = undefined;
  }

  #ask(window: Window, isIdle: boolean): void {
    if (this.#asks.length >= maxOpen) return;
    this.#asks.push({ window, isIdle, notBefore: 0, attempts: 0 });
  }

  async #work(): Promise<void> {
    const { clock, history: source, trace } = this.#options;
    const history = source();
    const ask = this.#asks.find(({ notBefore }) => notBefore <= clock.monotonic());
    if (!history || !ask) return;
    const pass = new AbortController();
    this.#pass = pass;
    ask.attempts += 1;
    let outcome: string;
    try {
      outcome = await this.#read(history, ask.window, pass.signal);
    } catch (error) {
      outcome =
        error instanceof Error
          ? `${(error as { code?: string }).code ?? ''} ${error.message}`
          : String(error);
    }
    if (this.#pass !== pass) return;
    this.#pass = undefined;
    trace.note('detector', `[${ask.window.start}, ${ask.window.end}): ${outcome}`);
    this.#settle(ask);
    void this.#work();
  }

  async #read(history: SourceHistory, window: Window, signal: AbortSignal): Promise<string> {
    const { account, clock, index } = this.#options;
    return historyPass(window, {
      batchId: 'hostile',
      index: index(),
      history,
      limits: { windowMs: 600_000, windowBytes: 262_144 },
      pageTimeoutMs: 120_000,
      clock,
      signal,
      room: async () => {},
      permit: { awaited: (page) => page },
      save: async (change: JobChange, batches) => {
        signal.throwIfAborted();
        for (const batch of batches) account.page(batch.window, batch.readings);
        for (const { window: gone, reason } of change.voids ?? []) account.void(gone, reason);
        const voids = (change.voids ?? []).map(({ window: gone }) => gone);
        this.#answered = normalise([...this.#answered, ...(change.covered ?? []), ...voids]);
      },
    });
  }

  /** What is left of the range is asked for again, later and later. */
  #settle(ask: Ask): void {
    const { clock } = this.#options;
    this.#asks = this.#asks.filter((each) => each !== ask);
    if (ask.isIdle) return;
    const pauseMs = Math.min(30_000, 1000 * 2 ** ask.attempts);
    for (const window of subtract([ask.window], normalise(this.#answered))) {
      const notBefore = clock.monotonic() + pauseMs;
      this.#asks.push({ window, isIdle: false, notBefore, attempts: ask.attempts });
    }
  }
}

/** A range in, around, before or after `all`. */
function somewhere({ start, end }: Window, dice: Dice): Window {
  const length = Math.max(1, Math.min(end - start, 600_000));
  const from = dice.between(Math.max(0, start - Math.floor(length / 4)), end + Math.floor(length / 4));
  return { start: from, end: from + dice.between(1, Math.max(2, Math.floor(length / 2))) };
}
