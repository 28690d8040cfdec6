// Removes what has been kept long enough, and what there is no room for. Nothing else deletes payload.
//
// Crash argument. Archived windows are removed unsynced, each with all of its records in one batch: a power
// cut brings whole windows back, and the next sweep removes them again. A window that was never sent goes
// in one synced batch together with the void that says so, so a loss is never silent. Of streams whose
// equipment can perhaps be asked again no void is written: the gap makes the detector ask, and the history answers, or
// declares the void then. That counts for a source that cannot be built, too: its equipment may have it all.
import type { Timer } from '../../../kernel/clock.ts';
import { codeOf, describeError } from '../../../kernel/errors.ts';
import type { Archive } from '../archive/archive.ts';
import type { WindowWriter } from '../archive/window-writer.ts';
import type { SpoolCore } from '../core/core.ts';
import type { StreamTable } from '../core/streams.ts';
import type { BatchOp } from '../engine/store.ts';
import { spaceBounds } from '../format/keys.ts';
import { storedOverheadBytes } from '../format/message-record.ts';
import type { LaneStore } from '../lanes/lane-store.ts';
import { ArchiveSweep } from './archive-sweep.ts';
import { Eviction } from './eviction.ts';
import { FreedSpace } from './freed-space.ts';
import {
  decide,
  needsBackpressure,
  type RetentionLimits,
  roomLeft,
  type SpaceFacts,
} from './retention-policy.ts';

export interface RetentionOptions {
  readonly core: SpoolCore;
  readonly lanes: LaneStore;
  readonly archive: Archive;
  readonly streams: StreamTable;
  readonly limits: RetentionLimits;
  readonly writer: () => WindowWriter;
  /** Free bytes of the disk; undefined when it cannot be asked. */
  readonly freeBytes: () => Promise<number | undefined>;
  /** Called after each sweep. */
  readonly onSwept: () => Promise<void>;
  readonly clockTrusted: () => boolean;
  /** From when something ages that was stored at that time, perhaps on a clock that was wrong. */
  readonly storedSince: (storedAt: number) => number;
  /** Streams whose equipment can perhaps be asked again, now or later. */
  readonly hasHistory: (batchId: string) => boolean;
}

const maxQuarantined = 1000;

export class Retention {
  readonly #options: RetentionOptions;
  readonly #freed: FreedSpace;
  readonly #archived: ArchiveSweep;
  readonly #unsent: Eviction;
  readonly #listeners = new Set<(isActive: boolean) => void>();
  #timer: Timer | undefined;
  #sweeping: Promise<void> | undefined;
  #again = false;
  #stopped = false;
  #backpressure = false;
  #room: number | undefined;
  #lastFailure: string | undefined;

  constructor(options: RetentionOptions) {
    this.#options = options;
    const { core, lanes, archive, storedSince } = options;
    this.#freed = new FreedSpace(core);
    this.#archived = new ArchiveSweep({ core, lanes, archive, freed: this.#freed, storedSince });
    this.#unsent = new Eviction({ ...options, freed: this.#freed });
  }

  get unsentMs(): number {
    return this.#options.limits.unsentMs;
  }

  /** As of the last sweep: see `roomLeft`. */
  get room(): number | undefined {
    return this.#room;
  }

  get backpressure(): boolean {
    return this.#backpressure;
  }

  onBackpressure(listener: (isActive: boolean) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  start(): void {
    if (this.#stopped) return;
    const { core, limits } = this.#options;
    this.#timer = core.clock.setTimer(limits.intervalMs, () => {
      void this.sweep().finally(() => this.start());
    });
  }

  /** Waits for a sweep under way. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    await this.#sweeping;
  }

  /** Sweeps now. Calls during a sweep lead to one more. Never rejects. */
  sweep(): Promise<void> {
    this.#again = true;
    this.#sweeping ??= this.#run().finally(() => {
      this.#sweeping = undefined;
    });
    return this.#sweeping;
  }

  /** Gives the space of what was deleted back to the disk. */
  compact(): Promise<void> {
    return this.#freed.compact();
  }

  async #run(): Promise<void> {
    while (this.#again && !this.#stopped) {
      this.#again = false;
      try {
        await this.#sweepOnce();
        this.#lastFailure = undefined;
      } catch (error) {
        this.#noteFailure(error);
      }
    }
  }

  // Once for each cause: while the disk refuses, sweeps are frequent.
  #noteFailure(error: unknown): void {
    const reason = describeError(error);
    if (this.#stopped || reason === this.#lastFailure) return;
    this.#lastFailure = reason;
    const code = codeOf(error, 'unexpected-trouble');
    this.#options.core.log.warn({ code, error: reason }, 'a retention sweep failed; the next one goes on');
  }

  async #sweepOnce(): Promise<void> {
    const { limits } = this.#options;
    const facts = await this.#facts();
    const { archive, unsent } = decide(limits, facts);
    // Between two sweeps without a pause whatever waits to be committed has its turn.
    if (await this.#archived.remove(archive)) this.#again = true;
    await this.#unsent.remove(unsent);
    await this.#removeQuarantined();
    const after = await this.#facts();
    this.#setBackpressure(needsBackpressure(limits, after, this.#backpressure));
    this.#room = roomLeft(limits, after);
    const urgent =
      archive.bytes > 0 && facts.freeBytes !== undefined && facts.freeBytes < limits.reserveBytes;
    if (this.#freed.bytes >= limits.compactBytes || (urgent && this.#freed.bytes > 0))
      await this.#freed.giveBack();
    await this.#options.onSwept();
  }

  async #facts(): Promise<SpaceFacts> {
    const { core, clockTrusted, freeBytes } = this.#options;
    const { unsent, stored } = core.totals;
    return {
      now: clockTrusted() ? core.clock.now() : undefined,
      storedBytes: stored.bytes,
      unsentBytes: unsent.bytes + unsent.messages * storedOverheadBytes,
      freeBytes: await freeBytes(),
      deletedBytes: this.#freed.bytes,
    };
  }

  async #removeQuarantined(): Promise<void> {
    const { core } = this.#options;
    const { gte, lt } = spaceBounds('d');
    const found = await core.store.range({ gte, lt, limit: maxQuarantined * 2, keysOnly: true });
    const ops = found.slice(0, -maxQuarantined).map(({ key }): BatchOp => ({ type: 'del', key }));
    if (ops.length > 0) await core.submit({ ops, sync: false });
  }

  #setBackpressure(isActive: boolean): void {
    if (isActive === this.#backpressure) return;
    this.#backpressure = isActive;
    const { log } = this.#options.core;
    if (isActive)
      log.warn({ code: 'spool-full' }, 'the spool is full: sources that keep their own history should wait');
    else log.info({}, 'the spool has room again');
    for (const listener of this.#listeners) listener(isActive);
  }
}
