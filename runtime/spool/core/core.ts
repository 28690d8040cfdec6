// State that the parts of the spool share: the store, its one writer, the next free id, and the counters.
import type { Boot } from '../../../kernel/boot.ts';
import type { Clock } from '../../../kernel/clock.ts';
import type { HoldfastError } from '../../../kernel/errors.ts';
import type { Log } from '../../../kernel/log.ts';
import type { Metrics } from '../../../kernel/metrics.ts';
import { StallWatch, watched } from '../engine/stall-watch.ts';
import type { BatchOp, Store } from '../engine/store.ts';
import { idKey } from '../format/keys.ts';
import { type RecordCodec, type RecordKind, sealJson } from '../format/record.ts';
import { addTotals, type SpoolState, stateOp, type Totals, type TotalsDelta } from '../format/totals.ts';
import { Committer, type CommitterOptions, type Submission } from './committer.ts';
import { Unreadable } from './unreadable.ts';

export interface CoreOptions extends Omit<CommitterOptions, 'trailer' | 'onSynced'> {
  readonly store: Store;
  readonly codec: RecordCodec;
  readonly clock: Clock;
  /** Absent: ages are told by `clock`. */
  readonly boot?: Boot | undefined;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly state: SpoolState;
  /** Lowest ids that the lanes still hold; undefined when empty. */
  readonly heads: () => { unsent: number | undefined; backfill: number | undefined };
}

/** Whether the hub, which was told of each start, confirms that this spool is the latest state. */
export interface HubConfirmation {
  /** `not-asked`: `compareWithHub` will not be called. `denies`: it knows of a later state of this spool, or of another one. */
  readonly state: 'not-asked' | 'awaited' | 'confirms' | 'denies';
  /** Number of this start. */
  readonly start: number;
  /** Withheld messages with a lower id are never claimed. */
  readonly deniedBelow: number;
}

export class SpoolCore {
  hub: HubConfirmation = { state: 'not-asked', start: 0, deniedBelow: 0 };
  readonly store: Store;
  readonly codec: RecordCodec;
  readonly clock: Clock;
  /** Absent: ages are told by `clock`. */
  readonly boot?: Boot | undefined;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly committer: Committer;
  /** Messages that the disk does not return at the moment. */
  readonly unreadable: Unreadable;
  readonly stalls: StallWatch;
  readonly #heads: CoreOptions['heads'];
  #onSynced: (() => Promise<void>) | undefined;
  #nextId: number;
  #written: SpoolState;
  #totals: Totals;
  /** Retention moves it on: no stored window has a lower id. */
  storedHead: number;

  constructor(options: CoreOptions) {
    this.stalls = new StallWatch(options.clock, options.log);
    this.store = watched(options.store, this.stalls);
    this.codec = options.codec;
    this.clock = options.clock;
    this.boot = options.boot;
    this.log = options.log;
    this.metrics = options.metrics;
    this.#heads = options.heads;
    this.#nextId = options.state.nextId;
    this.#written = options.state;
    this.#totals = options.state.totals;
    this.storedHead = options.state.storedHead;
    this.unreadable = new Unreadable(options.clock);
    this.committer = new Committer({
      ...options,
      store: this.store,
      trailer: (deltas, drained) => this.#trailer(deltas, drained),
      onSynced: () => this.stalls.run('a write', async () => this.#onSynced?.()),
    });
  }

  /** Which start of the machine this is, and how long ago that was, ms. */
  get up(): readonly [boot: string, ms: number] | undefined {
    const { boot } = this;
    return boot && [boot.id.slice(0, 8), Math.floor(boot.sinceStartMs())];
  }

  /** Batches so far, those of earlier processes included. */
  get commits(): number {
    return this.#written.commits;
  }

  /** The next batch has a number above this. */
  countFrom(commits: number): void {
    this.#written = { ...this.#written, commits };
  }

  /** Called after each synced batch, before any caller is told. Must not reject. */
  onSynced(listener: () => Promise<void>): void {
    this.#onSynced = listener;
  }

  /** Counters as of the last batch whose parts were fixed. */
  get totals(): Totals {
    return this.#totals;
  }

  /** The store was replaced: `totals` are its contents now, and the heads are not known. */
  recount(totals: Totals): void {
    const { rejected, damaged, evicted } = this.#totals;
    this.#totals = { ...totals, rejected, damaged, evicted };
    this.#written = { ...this.#written, unsentHead: 0, backfillHead: 0, storedHead: 0 };
    this.storedHead = 0;
  }

  get nextId(): number {
    return this.#nextId;
  }

  /** The first of `count` ids that were never used. */
  allocate(count: number): number {
    const first = this.#nextId;
    this.#nextId += count;
    return first;
  }

  submit(submission: Submission): Promise<void> {
    return this.committer.submit(submission);
  }

  put(kind: RecordKind, key: Uint8Array, payload: Uint8Array): BatchOp {
    return { type: 'put', key, value: this.codec.seal(kind, key, payload) };
  }

  putJson(kind: RecordKind, key: Uint8Array, value: unknown): BatchOp {
    return { type: 'put', key, value: sealJson(this.codec, kind, key, value) };
  }

  /**
   * Operations that take a damaged record out of use and keep its bytes under `d`, for a person to look at.
   */
  quarantine(key: Uint8Array, value: Uint8Array | undefined, error: HoldfastError): readonly BatchOp[] {
    this.log.error({ code: error.code, error: error.message }, 'a damaged record is quarantined');
    this.metrics.count('holdfast_spool_damaged_total');
    const ops: BatchOp[] = [{ type: 'del', key }];
    if (value !== undefined) {
      const quarantine = idKey('d', this.allocate(1));
      const text = {
        key: Buffer.from(key).toString('hex'),
        value: Buffer.from(value).toString('base64'),
        error: error.message,
        at: this.clock.now(),
      };
      ops.push(this.putJson('D', quarantine, text));
    }
    return ops;
  }

  #trailer(deltas: readonly TotalsDelta[], drained: boolean): readonly BatchOp[] {
    this.#totals = deltas.reduce(addTotals, this.#totals);
    // An entry leaves its lane in memory before its pointer is deleted on disk. While such deletions wait
    // for a later batch, the old heads stand: they are lower, so still true.
    const heads = drained ? this.#heads() : undefined;
    this.#written = {
      nextId: this.#nextId,
      unsentHead: heads === undefined ? this.#written.unsentHead : (heads.unsent ?? this.#nextId),
      backfillHead: heads === undefined ? this.#written.backfillHead : (heads.backfill ?? this.#nextId),
      storedHead: drained ? this.storedHead : this.#written.storedHead,
      commits: this.#written.commits + 1,
      totals: this.#totals,
    };
    return [stateOp(this.codec, this.#written)];
  }
}
