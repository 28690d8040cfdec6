import { codeOf, describeError, HoldfastError } from '../../kernel/errors.ts';
import type { BodyOptions } from '../../wire/body.ts';
import { normalise } from '../../wire/coverage.ts';
import type { LateNumbers } from '../../wire/late.ts';
import type { MiniBatch } from '../../wire/mini-batch.ts';
import type { IndexKind, Window } from '../../wire/window.ts';
import type {
  JobOutput,
  JobRecord,
  StoredLate,
  StoredWindow,
  StreamFacts,
} from '../methods/backfill-store.ts';
import type { LaneDepth, LaneName, Outgoing } from '../uplink/lanes.ts';
import type { EncodedWindow, SettingChanges, StreamChange, StreamStart } from '../windows/window-store.ts';
import { StoredReadings } from './archive/stored-readings.ts';
import type { WindowWriter } from './archive/window-writer.ts';
import type { ContinuityTracker, SpoolLife } from './continuity/tracker.ts';
import { countAnew } from './core/load-state.ts';
import { ageOf } from './core/stream-age.ts';
import { streamStats } from './core/stream-stats.ts';
import type { StreamTable } from './core/streams.ts';
import { TimeRecords } from './core/time-records.ts';
import { applyKeyChange, encryptionStats, type KeyState } from './encryption/key-change.ts';
import { textKey } from './format/keys.ts';
import type { Pointer } from './format/message-record.ts';
import { plainCodec, type RecordCodec } from './format/record.ts';
import { noTotals } from './format/totals.ts';
import type { Recovery } from './journal/journal-recovery.ts';
import { writeChange } from './journal/journal-writer.ts';
import type { Repair } from './repair/open-folder.ts';
import { openSpoolStore, type SpoolStore } from './repair/spool-store.ts';
import type { RepairStats, Spool, SpoolOptions, SpoolStats } from './spool-api.ts';
import { closeOpenWindows, continuityTracker, loadParts, type SpoolParts } from './spool-parts.ts';

export type { Spool, SpoolLimits, SpoolOptions, SpoolStats } from './spool-api.ts';

/**
 * Opens the spool, closes what the last process left open, and makes everything unsent backlog.
 * Whatever state the folder is in, it opens; while the disk refuses it goes on trying.
 * @throws HoldfastError `spool-locked` while another process holds the folder; the signal's reason.
 */
export async function openSpool(options: SpoolOptions): Promise<Spool> {
  const spool = new DurableSpool(options);
  try {
    await spool.start();
    return spool;
  } catch (error) {
    await spool.close();
    throw error;
  }
}

const closeLimitMs = 5000;

class DurableSpool implements Spool {
  readonly #options: SpoolOptions;
  readonly #codec: RecordCodec;
  readonly #encoding: BodyOptions;
  readonly time = new TimeRecords(() => this.#open());
  readonly rules = new StoredReadings(() => this.#open());
  #from: SpoolStore | undefined;
  #parts: SpoolParts | undefined;
  #lastRepair: RepairStats | undefined;
  #repairDuringStart: Repair | undefined;
  #recoveredWindows = 0;
  #continuity: ContinuityTracker | undefined;
  readonly #lostListeners = new Set<() => void>();
  #keys: KeyState = { former: [], quarantinedStores: [] };
  #closed = false;

  constructor(options: SpoolOptions) {
    this.#options = options;
    this.#codec = options.codec ?? plainCodec;
    this.#encoding = options.encode ?? { schema: 'columns/1', gzip: true };
  }

  /** Undefined for a spool without one. */
  get #folder(): string | undefined {
    return this.#options.store === undefined ? this.#options.folder : undefined;
  }

  async start(): Promise<void> {
    const { clock, log } = this.#options;
    const startedAt = clock.monotonic();
    const from = await openSpoolStore(this.#options, this.#codec, {
      onDamage: (reason) =>
        log.error({ code: 'spool-damage', reason }, 'the store turned out damaged; it is being repaired'),
      onRepair: (repair) => void this.#afterRepair(repair),
    });
    this.#from = from;
    const recovery = await this.#load(from);
    const openMs = Math.round(clock.monotonic() - startedAt);
    log.info({ openMs, recovery, totals: this.#open().core.totals }, 'the spool is open');
  }

  async #load(from: SpoolStore): Promise<Recovery> {
    const parts = await loadParts(this.#options, from, this.#codec, this.#encoding);
    this.#parts = parts;
    if (from.repair !== undefined) await this.#keepRepair(from.repair);
    await this.#judge(parts, from.repair);
    this.#keys = await applyKeyChange(parts.core, this.#folder);
    const recovery = await closeOpenWindows(parts, this.#encoding);
    this.#recoveredWindows = recovery.windows;
    // Repaired while it was loaded: what was read before may no longer be true.
    if (this.#repairDuringStart !== undefined) await this.#afterRepair(this.#repairDuringStart);
    parts.streams.markDurable();
    parts.retention.start();
    return recovery;
  }

  /** Whether it is the spool that was left: before anything is done with what it holds. */
  async #judge({ core, streams }: SpoolParts, repair: Repair | undefined): Promise<void> {
    this.#continuity = continuityTracker(this.#options);
    const verdict = await this.#continuity?.begin(core, streams, repair?.reason);
    if (verdict?.continuity === 'lost' && verdict.isDamage)
      await this.#keepRepair({ reason: verdict.reason, isRollback: true });
  }

  /** While running: the store was replaced, so all that was known of its contents is read again. */
  async #afterRepair(repair: Repair): Promise<void> {
    const { log } = this.#options;
    this.#lastRepair = { at: this.#options.clock.now(), ...repair };
    this.#repairDuringStart = repair;
    const parts = this.#parts;
    if (parts === undefined) return;
    try {
      const { core, lanes, streams } = parts;
      const { totals } = await countAnew(core.store, this.#codec, core.nextId);
      core.recount(totals);
      lanes.reset(totals);
      await streams.refresh(core.store);
      await this.#keepRepair(repair);
      this.#keys = await applyKeyChange(core, this.#folder);
      log.info({ totals: core.totals }, 'the repaired store is in use');
    } catch (error) {
      log.error(
        { code: codeOf(error, 'spool-damage'), error: describeError(error) },
        'the repaired store could not be read through',
      );
    }
  }

  /** Writes the records of all streams again, and remembers the repair. */
  async #keepRepair(repair: Repair): Promise<void> {
    const { core, streams } = this.#open();
    this.#lastRepair = { at: this.#options.clock.now(), ...repair };
    const records = streams.all().flatMap((stream) => streams.recordOps(stream));
    const folder = this.#continuity === undefined ? [] : [this.#continuity.recordOp(core)];
    await core.submit({
      ops: [...records, ...folder, core.putJson('S', textKey('m', 'repair'), this.#lastRepair)],
      sync: true,
      delta: { damaged: lostIn(repair) },
    });
    core.metrics.count('holdfast_spool_repairs_total');
  }

  openStream(batchId: string, index: IndexKind): StreamStart {
    const { core, streams } = this.#open();
    const stream = streams.openOrCreate(batchId, index, this.#options.clock.now());
    const { floor, seen, lastNumber, continuity = 'proven' } = stream;
    return {
      continuity,
      ...ageOf(stream, core),
      ...(floor === undefined ? {} : { floor }),
      ...(seen === undefined || seen <= (floor ?? seen - 1) ? {} : { seen }),
      ...(lastNumber === undefined ? {} : { number: lastNumber }),
    };
  }

  async commitWindows(
    changes: readonly StreamChange[],
    settings?: SettingChanges,
  ): Promise<readonly EncodedWindow[]> {
    const { core, streams, writer, documents } = this.#open();
    const written = writer();
    if (settings !== undefined) written.add(...documents.settingOps(settings));
    const encoded = changes.flatMap((change) => writeChange(core, streams, written, change));
    await this.#write(written);
    streams.markDurable(changes.map(({ batchId }) => batchId));
    return encoded;
  }

  async take(lane: LaneName, limit: { messages: number; bytes: number }): Promise<readonly Outgoing[]> {
    return this.#open().lanes.take(lane, limit);
  }
  async acknowledge(entries: readonly Outgoing[]): Promise<void> {
    await this.#open().lanes.acknowledge(entries);
  }
  release(entries: readonly Outgoing[]): void {
    this.#parts?.lanes.release(entries);
  }
  async reject(entry: Outgoing, reason: string): Promise<void> {
    await this.#open().lanes.reject(entry, reason);
  }
  demoteLive(): void {
    this.#parts?.lanes.demoteLive();
  }
  depth(lane: LaneName): LaneDepth {
    return this.#parts?.lanes.depth(lane) ?? { messages: 0, bytes: 0 };
  }
  onWork(listener: () => void): () => void {
    return this.#open().lanes.onWork(listener);
  }

  stream(batchId: string): StreamFacts | undefined {
    const stream = this.#parts?.streams.durable(batchId);
    if (stream === undefined) return undefined;
    const { index, open, late } = stream;
    // Known before the write that removes it ends: until then it is found here.
    const evicted = this.#parts?.streams.get(batchId)?.evicted;
    return { batchId, index, late, ...(open && { open }), ...(evicted && { evicted }) };
  }

  floorOf(batchId: string): number | undefined {
    return this.#parts?.streams.get(batchId)?.floor;
  }

  async jobs(): Promise<readonly JobRecord[]> {
    return this.#open().documents.jobs();
  }

  async save(job: JobRecord, output: JobOutput = {}): Promise<void> {
    const { archive } = this.#open();
    const ids = output.requeue ?? [];
    const unpin = archive.pin(ids);
    try {
      const mark = { requestId: job.requestId };
      const requeued = await Promise.all(ids.map((id) => archive.pointers(id, mark)));
      await this.#write(this.#jobWriter(job, output, requeued.flat()));
    } finally {
      unpin();
    }
  }

  async forget(requestId: string): Promise<void> {
    await this.#open().documents.forgetJob(requestId);
  }

  async find(batchId: string, range: Window, limit: number): Promise<readonly StoredWindow[]> {
    const { archive, lanes } = this.#open();
    const stored: StoredWindow[] = [];
    for (const { parts, ...found } of await archive.find(batchId, range, limit)) {
      stored.push({ ...found, state: await stateOf(lanes, found.id, parts) });
    }
    return stored;
  }

  async findLate(batchId: string, late: LateNumbers, limit: number): Promise<readonly StoredLate[]> {
    const { archive, lanes } = this.#open();
    const stored: StoredLate[] = [];
    for (const { id, number, parts } of await archive.findLate(batchId, late, limit)) {
      stored.push({ id, number, state: await stateOf(lanes, id, parts) });
    }
    return stored;
  }

  async putSetting(name: string, value: unknown): Promise<void> {
    await this.#open().documents.putSetting(name, value);
  }
  async getSetting(name: string): Promise<unknown> {
    return this.#open().documents.getSetting(name);
  }

  stats(): SpoolStats {
    const { core, lanes, retention, streams } = this.#parts ?? {};
    const problem = core?.committer.problem ?? core?.stalls.problem ?? core?.unreadable.problem;
    const totals = core?.totals ?? noTotals;
    return {
      state: this.#closed ? 'closed' : problem === undefined ? 'ok' : 'failing',
      ...(problem === undefined ? {} : { problem: problem.text, problemSince: problem.since }),
      lanes: { live: this.depth('live'), backlog: this.depth('backlog'), backfill: this.depth('backfill') },
      stored: totals.stored,
      rejected: totals.rejected,
      damaged: totals.damaged,
      evicted: totals.evicted,
      backpressure: retention?.backpressure ?? false,
      ...(retention?.room === undefined ? {} : { roomBytes: retention.room, unsentMs: retention.unsentMs }),
      commits: core?.committer.batches ?? 0,
      recoveredWindows: this.#recoveredWindows,
      ...(lanes === undefined || lanes.withheld === 0 ? {} : { withheld: lanes.withheld }),
      ...encryptionStats(this.#codec, this.#keys, core?.storedHead ?? 0),
      ...(this.#lastRepair === undefined ? {} : { repair: this.#lastRepair }),
      ...(this.#continuity === undefined
        ? {}
        : { continuity: this.#continuity.stats, life: this.#continuity.life }),
      streams: streams?.all().map(({ batchId }) => streamStats(streams.durable(batchId)!)) ?? [],
    };
  }

  onBackpressure(listener: (isActive: boolean) => void): () => void {
    return this.#open().retention.onBackpressure(listener);
  }

  async compact(): Promise<void> {
    const { retention } = this.#open();
    await retention.sweep();
    await retention.compact();
  }

  async diskBytes(): Promise<number> {
    return this.#open().core.store.sizeBytes();
  }

  async compareWithHub(told: Partial<SpoolLife> | undefined): Promise<void> {
    const { core, streams } = this.#open();
    const reason = await this.#continuity?.hear(told ?? {}, core, streams);
    this.#open().lanes.hubHeard();
    if (reason === undefined) return;
    await this.#keepRepair({ reason, isRollback: true });
    for (const listener of this.#lostListeners) listener();
  }

  onLost(listener: () => void): () => void {
    this.#lostListeners.add(listener);
    return () => this.#lostListeners.delete(listener);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#from?.stop();
    const swept = this.#parts?.retention.stop();
    await this.#parts?.core.committer.close(closeLimitMs);
    await swept;
    this.#parts?.lanes.close();
    await this.#continuity?.close();
    await this.#from?.store.close();
  }

  #jobWriter(job: JobRecord, output: JobOutput, requeued: readonly Pointer[]): WindowWriter {
    const { documents, streams, writer, core } = this.#open();
    const to = { lane: 'backfill', mark: { requestId: job.requestId } } as const;
    const now = core.clock.now();
    const written = writer();
    written.add(documents.jobOp(job));
    written.requeue(requeued);
    for (const batch of output.batches ?? []) {
      const stream = streams.openOrCreate(batch.batchId, batch.index, now);
      if (written.addBatch(stream, batch, to) === 0) throw notEncoded(batch);
    }
    for (const declared of output.voids ?? []) {
      written.addVoid(streams.openOrCreate(declared.batchId, declared.index, now), declared, to);
    }
    for (const declared of output.lateVoids ?? []) {
      written.addLateVoid(streams.openOrCreate(declared.batchId, declared.index, now), declared, to);
    }
    const settled = [...(output.batches ?? []), ...(output.voids ?? [])].map(({ window }) => window);
    streams.settleEvicted(job.batchId, normalise(settled));
    written.add(...recordOpsOf(streams, job.batchId));
    return written;
  }

  /** In one atomic, synced batch. From the first id allocated to here nothing may have come between. */
  async #write(writer: WindowWriter): Promise<void> {
    const { ops, delta, publish } = writer.finish();
    await this.#open().core.submit({ ops, sync: true, delta });
    publish();
  }

  #open(): SpoolParts {
    if (this.#closed || this.#parts === undefined)
      throw new HoldfastError('spool-closed', 'the spool is closed');
    return this.#parts;
  }
}

function notEncoded({ batchId, window: { start, end } }: MiniBatch): HoldfastError {
  const message = `[${start}, ${end}) of stream ${batchId} cannot be made into messages: it stays unanswered`;
  return new HoldfastError('spool-window-not-encoded', message);
}

async function stateOf(
  lanes: SpoolParts['lanes'],
  id: number,
  parts: number,
): Promise<StoredWindow['state']> {
  const queued = await lanes.queuedIds(id, id + parts);
  return queued.size > 0 ? 'queued' : 'archived';
}

/** Records that damage took; at least one, since something was wrong. */
function lostIn({ salvaged }: Repair): number {
  return Math.max(1, (salvaged?.lostMessages ?? 0) + (salvaged?.lostRecordCount ?? 0));
}

function recordOpsOf(streams: StreamTable, batchId: string) {
  const stream = streams.get(batchId);
  return stream === undefined ? [] : streams.recordOps(stream);
}
