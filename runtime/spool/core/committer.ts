// Group commit: the one writer of the store.
//
// One batch is in flight at a time; what is submitted meanwhile waits and goes as one batch when it is
// done, synced if any part of it asks for that. Submissions take effect in the order of the calls.
//
// While the disk refuses, the same batch is tried again, unchanged, for ever. That is what makes a failed
// write harmless: it may have reached the disk or not, and writing the same keys with the same values
// once more is right in both cases. Nothing that came later overtakes it, so order holds too.
import { createBackoff } from '../../../kernel/backoff.ts';
import { type Clock, sleep } from '../../../kernel/clock.ts';
import { codeOf, describeError, HoldfastError } from '../../../kernel/errors.ts';
import type { Log } from '../../../kernel/log.ts';
import type { Metrics } from '../../../kernel/metrics.ts';
import type { Random } from '../../../kernel/random.ts';
import type { BatchOp, Store } from '../engine/store.ts';
import type { TotalsDelta } from '../format/totals.ts';

export interface Submission {
  readonly ops: readonly BatchOp[];
  readonly sync: boolean;
  /** The change of the spool's counters by this batch. */
  readonly delta?: TotalsDelta;
}

export interface CommitterOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly maxBytes: number;
  readonly retryMinMs: number;
  readonly retryMaxMs: number;
  /**
   * Called once for each batch, when its parts are fixed: operations that end every batch. `drained` when
   * nothing that was submitted waits for a later one.
   */
  readonly trailer: (deltas: readonly TotalsDelta[], drained: boolean) => readonly BatchOp[];
  /** Called once a synced batch is on the disk, before any caller is told. Must not reject. */
  readonly onSynced?: () => Promise<void>;
  /** Called before a failed batch is tried again: the place to make room. */
  readonly onFailure?: (error: unknown) => Promise<void>;
}

interface PendingSubmission extends Submission {
  readonly bytes: number;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

export class Committer {
  readonly #options: CommitterOptions;
  readonly #stop = new AbortController();
  #pending: PendingSubmission[] = [];
  #running: Promise<void> | undefined;
  #problem: { readonly text: string; readonly since: number } | undefined;
  #batches = 0;
  #pendingOps = 0;

  constructor(options: CommitterOptions) {
    this.#options = options;
  }

  /** Settles when the batch that holds it has: rejects only with `spool-closed`. */
  submit(submission: Submission): Promise<void> {
    if (this.#stop.signal.aborted) return Promise.reject(closedError());
    return new Promise((resolve, reject) => {
      this.#pending.push({ ...submission, bytes: bytesOf(submission.ops), resolve, reject });
      this.#pendingOps += submission.ops.length;
      this.#running ??= this.#run();
    });
  }

  get problem(): { readonly text: string; readonly since: number } | undefined {
    return this.#problem;
  }
  get batches(): number {
    return this.#batches;
  }
  /** Operations not written yet: grows while the disk refuses. */
  get pendingOps(): number {
    return this.#pendingOps;
  }

  /** Waits for what was submitted, at most `limitMs`, and not at all while the disk refuses; gives up the rest. */
  async close(limitMs: number): Promise<void> {
    if (this.#problem === undefined && this.#running !== undefined) {
      const giveUp = new AbortController();
      const timeout = sleep(this.#options.clock, limitMs, giveUp.signal).catch(() => {});
      await Promise.race([this.#running, timeout]);
      giveUp.abort();
    }
    this.#stop.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    // Lets submissions of the same turn join the first batch.
    await Promise.resolve();
    while (this.#pending.length > 0) {
      const group = this.#nextGroup();
      const deltas = group.flatMap((pending) => pending.delta ?? []);
      const trailer = this.#options.trailer(deltas, this.#pending.length === 0);
      const ops = [...group.flatMap((pending) => pending.ops), ...trailer];
      const sync = group.some((pending) => pending.sync);
      const written = await this.#write(ops, sync);
      if (written && sync) await this.#options.onSynced?.();
      for (const pending of group) {
        this.#pendingOps -= pending.ops.length;
        if (written) pending.resolve();
        else pending.reject(closedError());
      }
    }
    this.#running = undefined;
  }

  #nextGroup(): PendingSubmission[] {
    let bytes = 0;
    let count = 0;
    for (const pending of this.#pending) {
      bytes += pending.bytes;
      if (count > 0 && bytes > this.#options.maxBytes) break;
      count++;
    }
    return this.#pending.splice(0, count);
  }

  /** False when stopped before it succeeded. */
  async #write(ops: readonly BatchOp[], sync: boolean): Promise<boolean> {
    const { store, clock, metrics, random, retryMinMs, retryMaxMs } = this.#options;
    const backoff = createBackoff({ minMs: retryMinMs, maxMs: retryMaxMs }, random);
    for (let attempt = 0; ; attempt++) {
      if (this.#stop.signal.aborted) return false;
      const startedAt = clock.monotonic();
      try {
        if (attempt > 0) await store.reopen();
        await store.batch(ops, { sync });
        this.#batches++;
        metrics.observe('holdfast_spool_commit_seconds', (clock.monotonic() - startedAt) / 1000);
        this.#recovered();
        return true;
      } catch (error) {
        this.#failed(error);
        await this.#options.onFailure?.(error).catch((inner) => {
          this.#options.log.warn(
            { code: codeOf(inner, 'disk-refuses'), error: describeError(inner) },
            'making room on the disk failed',
          );
        });
        await sleep(clock, backoff.next(), this.#stop.signal).catch(() => {});
      }
    }
  }

  #failed(error: unknown): void {
    const { clock, log, metrics } = this.#options;
    const text = describeError(error);
    metrics.count('holdfast_spool_commit_failures_total');
    if (this.#problem === undefined) {
      log.error(
        { code: 'disk-refuses', error: text },
        'the disk refuses a commit: readings wait in memory until it succeeds',
      );
    }
    this.#problem = { text, since: this.#problem?.since ?? clock.now() };
  }

  #recovered(): void {
    if (this.#problem === undefined) return;
    const { clock, log } = this.#options;
    log.info({ failingMs: clock.now() - this.#problem.since }, 'the disk takes commits again');
    this.#problem = undefined;
  }
}

function bytesOf(ops: readonly BatchOp[]): number {
  let bytes = 0;
  for (const op of ops) bytes += op.key.byteLength + (op.type === 'put' ? op.value.byteLength : 0);
  return bytes;
}

function closedError(): HoldfastError {
  return new HoldfastError('spool-closed', 'the spool is closed');
}
