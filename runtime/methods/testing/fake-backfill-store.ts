// A BackfillStore in memory that keeps what a disk would keep, and can die at any save: before the write is
// durable, or after. What was called when it died never settles, as in a process that is gone.
import { HoldfastError } from '../../../kernel/errors.ts';
import type { LateNumber, LateNumbers } from '../../../wire/late.ts';
import type { LateVoid, MiniBatch, VoidDeclaration, VoidReason } from '../../../wire/mini-batch.ts';
import type { Reading } from '../../../wire/reading.ts';
import type { IndexKind, Window } from '../../../wire/window.ts';
import { overlaps } from '../../../wire/window.ts';
import type { BackfillStore, JobOutput, JobRecord, StoredWindow, StreamFacts } from '../backfill-store.ts';

interface Stored {
  readonly id: number;
  readonly batchId: string;
  readonly window: Window;
  state: 'queued' | 'archived';
  readonly readings: readonly Reading[];
  readonly void?: VoidReason;
  readonly late?: LateNumber;
}

export interface Queued {
  readonly requestId: string;
  readonly batchId: string;
  readonly window: Window;
  readonly readings: readonly Reading[];
  readonly void?: VoidReason;
  readonly late?: LateNumber;
}

/** The state that survives a crash. */
export class FakeDisk {
  readonly jobs = new Map<string, JobRecord>();
  readonly stored: Stored[] = [];
  readonly streams = new Map<string, StreamFacts>();
  /** All that was ever put into the backfill lane. */
  readonly queued: Queued[] = [];
  readonly lateVoids: LateVoid[] = [];
  saves = 0;

  stream(batchId: string, index: IndexKind = 'time', open?: Window): void {
    this.streams.set(batchId, { batchId, index, ...(open ? { open } : {}) });
  }

  /** The stream's next late window. */
  keepLate(
    batchId: string,
    window: Window,
    readings: readonly Reading[],
    state: Stored['state'] = 'archived',
  ) {
    const stream = this.streams.get(batchId)!;
    const late = { series: '00c0ffee', number: (stream.late?.number ?? 0) + 1 };
    this.streams.set(batchId, { ...stream, late });
    const id = this.stored.length + 1;
    this.stored.push({ id, batchId, window, state, readings, late });
    return late.number;
  }

  keep(
    batchId: string,
    window: Window,
    readings: readonly Reading[],
    state: 'queued' | 'archived' = 'archived',
    reason?: VoidReason,
  ): number {
    const id = this.stored.length + 1;
    this.stored.push({ id, batchId, window, state, readings, ...(reason ? { void: reason } : {}) });
    return id;
  }
}

export interface FakeStoreOptions {
  /** Dies at this save (1 is the first): before or after it is durable. */
  readonly dieAt?: { readonly save: number; readonly durable: boolean };
  /** Rejects this many saves first, as a full disk does. */
  readonly failing?: { times: number };
  /** No batch makes a message. */
  readonly notEncoded?: boolean;
}

const forever = new Promise<never>(() => {});

export function fakeBackfillStore(
  disk: FakeDisk,
  options: FakeStoreOptions = {},
): BackfillStore & { dead: boolean } {
  let saves = 0;
  const store = {
    dead: false,
    stream: (batchId: string) => disk.streams.get(batchId),
    async jobs() {
      return [...disk.jobs.values()];
    },
    async save(job: JobRecord, output: JobOutput = {}) {
      await tick();
      if (store.dead) return forever;
      if (options.failing && options.failing.times > 0) {
        options.failing.times--;
        throw new HoldfastError('store-write-failed', 'the disk is full', { retryable: true });
      }
      if (options.notEncoded && output.batches?.length)
        throw new HoldfastError('spool-window-not-encoded', 'it cannot be made into messages');
      saves++;
      const dies = options.dieAt?.save === saves;
      if (!dies || options.dieAt?.durable) apply(disk, job, output);
      if (!dies) return undefined;
      store.dead = true;
      return forever;
    },
    async forget(requestId: string) {
      await tick();
      if (store.dead) return forever;
      disk.jobs.delete(requestId);
      return undefined;
    },
    async find(batchId: string, range: Window, limit: number): Promise<readonly StoredWindow[]> {
      await tick();
      if (store.dead) return forever;
      return disk.stored
        .filter((stored) => stored.batchId === batchId && overlaps(stored.window, range))
        .sort((a, b) => a.window.start - b.window.start || a.id - b.id)
        .slice(0, limit)
        .map(({ id, window, state, void: reason, late }) => ({
          id,
          window,
          state,
          ...(reason ? { void: reason } : {}),
          ...(late ? { late: true } : {}),
        }));
    },
    async findLate(batchId: string, { series, first, last }: LateNumbers, limit: number) {
      await tick();
      if (store.dead) return forever;
      return disk.stored
        .flatMap(({ id, state, late, batchId: of }) =>
          late && of === batchId ? [{ id, state, ...late }] : [],
        )
        .filter((late) => late.series === series && late.number >= first && late.number <= last)
        .sort((a, b) => a.number - b.number)
        .slice(0, limit);
    },
  };
  return store as BackfillStore & { dead: boolean };
}

function apply(disk: FakeDisk, job: JobRecord, output: JobOutput): void {
  disk.saves++;
  disk.jobs.set(job.requestId, job);
  const { requestId } = job;
  for (const id of output.requeue ?? []) {
    const stored = disk.stored.find((candidate) => candidate.id === id);
    if (!stored) throw new Error(`requeued a window that is not stored: ${id}`);
    const { id: _, state: __, ...sent } = stored;
    disk.queued.push({ requestId, ...sent });
  }
  for (const { batchId, window, readings } of output.batches ?? ([] as MiniBatch[])) {
    disk.keep(batchId, window, readings, 'queued');
    disk.queued.push({ requestId, batchId, window, readings });
  }
  disk.lateVoids.push(...(output.lateVoids ?? []));
  for (const { batchId, window, reason } of output.voids ?? ([] as VoidDeclaration[])) {
    disk.keep(batchId, window, [], 'queued', reason);
    disk.queued.push({ requestId, batchId, window, readings: [], void: reason });
  }
}

function tick(): Promise<void> {
  return Promise.resolve();
}
