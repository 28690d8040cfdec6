import { statfs } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../kernel/clock.ts';
import { HoldfastError } from '../../kernel/errors.ts';
import type { Log } from '../../kernel/log.ts';
import type { Metrics } from '../../kernel/metrics.ts';
import { type Random, systemRandom } from '../../kernel/random.ts';
import type { IndexKind, Window } from '../../wire/window.ts';
import type {
  BackfillStore,
  JobOutput,
  JobRecord,
  StoredWindow,
  StreamFacts,
} from '../methods/backfill-store.ts';
import type { LaneDepth, LaneName, Lanes, Outgoing } from '../uplink/lanes.ts';
import type {
  ClosedWindow,
  EncodedWindow,
  JournalAppend,
  StreamChange,
  StreamStart,
  WindowStore,
} from '../windows/window-store.ts';
import { Archive } from './archive.ts';
import { SpoolCore } from './core.ts';
import { Documents } from './documents.ts';
import { encodeJournal } from './journal.ts';
import { recoverJournal } from './journal-recovery.ts';
import { journalKey } from './keys.ts';
import { LaneStore } from './lane-store.ts';
import { openLevelStore } from './level-store.ts';
import { loadState } from './load-state.ts';
import type { Pointer } from './message-record.ts';
import { plainCodec } from './record.ts';
import { Retention } from './retention.ts';
import { defaultRetention, type RetentionLimits } from './retention-policy.ts';
import type { Store } from './store.ts';
import { type Stream, StreamTable } from './streams.ts';
import { noTotals, type SpoolState } from './totals.ts';
import { type Destination, WindowWriter } from './window-writer.ts';

export interface SpoolEncoding {
  readonly schema: 'readings/1' | 'columns/1';
  readonly gzip: boolean;
}

export interface SpoolLimits {
  /** Upper bound of one group commit, in bytes. Default 16 MiB. */
  readonly maxCommitBytes?: number;
  /** First and longest pause between tries while the disk refuses, in ms. Default 100 and 5,000. */
  readonly retryMinMs?: number;
  readonly retryMaxMs?: number;
}

export interface SpoolOptions {
  /** Created when missing. Belongs to the spool alone. */
  readonly folder: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  /** How mini-batches are encoded from now on; what is stored stays as it is. Default columns/1, gzip. */
  readonly encode?: SpoolEncoding;
  readonly limits?: SpoolLimits;
  /** For jitter between tries. Default: the system's. */
  readonly random?: Random;
  /** What is kept for how long, and how much. See retention-policy.ts for the defaults. */
  readonly retention?: Partial<RetentionLimits>;
  /** Age counts only while this is true. Default: always. */
  readonly clockTrusted?: () => boolean;
  /** Streams whose source can be asked again for what was removed unsent: no void is declared for them. */
  readonly hasHistory?: (batchId: string) => boolean;
  /** Free bytes of the disk. Default: asks the file system of `folder`. */
  readonly freeBytes?: () => Promise<number | undefined>;
  /** Instead of LevelDB in `folder`: tests and the simulation. */
  readonly store?: () => Promise<Store>;
}

export interface StreamStats {
  readonly batchId: string;
  readonly index: IndexKind;
  /** End of the last closed window. */
  readonly floor?: number;
  readonly lastWindow?: Window;
  readonly open?: Window;
}

export interface SpoolStats {
  /** `failing`: the disk refuses writes; nothing is acknowledged, all is tried again. */
  readonly state: 'ok' | 'failing' | 'closed';
  /** For people, while failing: what the disk said, since when. */
  readonly problem?: string;
  /** Wall clock, epoch ms. */
  readonly problemSince?: number;
  readonly lanes: Readonly<Record<LaneName, LaneDepth>>;
  /** All that is stored, sent or not. */
  readonly stored: { readonly messages: number; readonly bytes: number };
  readonly rejected: number;
  readonly damaged: number;
  /** Windows that were removed without having been sent. */
  readonly evicted: number;
  /** True while sources that keep their own history should wait: the spool is full, its policy is to hold. */
  readonly holding: boolean;
  readonly commits: number;
  readonly recoveredWindows: number;
  readonly streams: readonly StreamStats[];
}

export interface Spool extends Lanes, BackfillStore, WindowStore {
  /** A JSON value, synced before this resolves. */
  putSetting(name: string, value: unknown): Promise<void>;
  getSetting(name: string): Promise<unknown>;
  stats(): SpoolStats;
  /** Calls `listener` when `stats().holding` changes. Returns the way to stop that. */
  onHold(listener: (holding: boolean) => void): () => void;
  /** Runs retention now, and gives the disk back what it can. */
  compact(): Promise<void>;
  /** Bytes that the folder takes on the disk. */
  diskBytes(): Promise<number>;
  /** Writes what is queued (bounded in time), then lets go of the folder. Later calls reject `spool-closed`. */
  close(): Promise<void>;
}

/**
 * Opens the spool, closes what the last process left open, and makes everything unsent backlog.
 * @throws HoldfastError `store-locked` while another process holds the folder, `store-open-failed`
 * (retryable), `spool-newer-format`.
 */
export async function openSpool(options: SpoolOptions): Promise<Spool> {
  const store = await (options.store ?? (() => openLevelStore({ folder: join(options.folder, 'store') })))();
  try {
    const spool = new LaneSpool(options, store);
    await spool.start();
    return spool;
  } catch (error) {
    await store.close();
    throw error;
  }
}

const closeLimitMs = 5000;

class LaneSpool implements Spool {
  readonly #options: SpoolOptions;
  readonly #store: Store;
  readonly #codec = plainCodec;
  readonly #encoding: SpoolEncoding;
  readonly #streams: StreamTable;
  readonly #lanes: LaneStore;
  readonly #archive: Archive;
  readonly #documents: Documents;
  #core: SpoolCore | undefined;
  #retention: Retention | undefined;
  #recoveredWindows = 0;
  #closed = false;

  constructor(options: SpoolOptions, store: Store) {
    this.#options = options;
    this.#store = store;
    this.#encoding = options.encode ?? { schema: 'columns/1', gzip: true };
    this.#streams = new StreamTable(this.#codec);
    const core = () => this.#open();
    this.#archive = new Archive(core, this.#streams);
    this.#documents = new Documents(core);
    this.#lanes = new LaneStore({ core, onRejected: (id) => this.#archive.unindexOps(id) });
  }

  async start(): Promise<void> {
    const { clock, log } = this.#options;
    const startedAt = clock.monotonic();
    const state = await loadState(this.#store, this.#codec, log);
    const core = this.#makeCore(state);
    this.#core = core;
    await this.#streams.load(this.#store, (key, value, error) => {
      const ops = core.quarantine(key, value, error);
      core.submit({ ops, sync: false, delta: { damaged: 1 } }).catch(() => {});
    });
    await this.#lanes.load(state);
    const recovery = await recoverJournal(core, this.#lanes, this.#streams, this.#encoding);
    this.#recoveredWindows = recovery.windows;
    this.#lanes.demoteLive();
    this.#retention = this.#makeRetention(core);
    this.#retention.start();
    const openMs = Math.round(clock.monotonic() - startedAt);
    log.info({ openMs, recovery, totals: core.totals }, 'the spool is open');
  }

  openStream(batchId: string, index: IndexKind): StreamStart {
    const now = this.#options.clock.now();
    const { floor } = this.#streams.openOrCreate(batchId, index, now);
    return floor === undefined ? {} : { floor };
  }

  async commitWindows(changes: readonly StreamChange[]): Promise<readonly EncodedWindow[]> {
    const encoded: EncodedWindow[] = [];
    const core = this.#open();
    const writer = this.#writer();
    for (const change of changes) encoded.push(...this.#writeChange(core, writer, change));
    await this.#write(writer);
    return encoded;
  }

  take(lane: LaneName, limit: { messages: number; bytes: number }): Promise<readonly Outgoing[]> {
    return this.#lanes.take(lane, limit);
  }
  acknowledge(entries: readonly Outgoing[]): Promise<void> {
    return this.#lanes.acknowledge(entries);
  }
  release(entries: readonly Outgoing[]): void {
    this.#lanes.release(entries);
  }
  reject(entry: Outgoing, reason: string): Promise<void> {
    return this.#lanes.reject(entry, reason);
  }
  demoteLive(): void {
    this.#lanes.demoteLive();
  }
  depth(lane: LaneName): LaneDepth {
    return this.#lanes.depth(lane);
  }
  onWork(listener: () => void): () => void {
    return this.#lanes.onWork(listener);
  }

  stream(batchId: string): StreamFacts | undefined {
    const stream = this.#streams.get(batchId);
    if (stream === undefined) return undefined;
    const { index, open } = stream;
    return { batchId, index, ...(open === undefined ? {} : { open }) };
  }

  jobs(): Promise<readonly JobRecord[]> {
    return this.#documents.jobs();
  }

  async save(job: JobRecord, output: JobOutput = {}): Promise<void> {
    const mark = { requestId: job.requestId };
    // All reading first: from the first id allocated to the submission nothing may come between.
    const unpin = this.#archive.pin(output.requeue ?? []);
    try {
      const ids = output.requeue ?? [];
      const requeued = await Promise.all(ids.map((id) => this.#archive.pointers(id, mark)));
      await this.#write(this.#jobWriter(job, output, requeued));
    } finally {
      unpin();
    }
  }

  #jobWriter(job: JobRecord, output: JobOutput, requeued: readonly (readonly Pointer[])[]): WindowWriter {
    const mark = { requestId: job.requestId };
    const writer = this.#writer();
    writer.add(this.#documents.jobOp(job));
    for (const pointers of requeued) writer.requeue(pointers);
    const to = { lane: 'backfill', mark } as const;
    for (const batch of output.batches ?? []) {
      writer.addBatch(this.#streamOf(batch.batchId, batch.index), batch, to);
    }
    for (const declared of output.voids ?? []) {
      writer.addVoid(this.#streamOf(declared.batchId, declared.index), declared, to);
    }
    const stream = this.#streams.get(job.batchId);
    if (stream !== undefined) writer.add(...this.#streams.recordOps(stream));
    return writer;
  }

  #writer(): WindowWriter {
    return new WindowWriter(this.#open(), this.#lanes, this.#streams, this.#encoding);
  }

  /** In one atomic, synced batch. */
  async #write(writer: WindowWriter): Promise<void> {
    const { ops, delta, publish } = writer.finish();
    await this.#open().submit({ ops, sync: true, delta });
    publish();
  }

  forget(requestId: string): Promise<void> {
    return this.#documents.forgetJob(requestId);
  }

  async find(batchId: string, range: Window, limit: number): Promise<readonly StoredWindow[]> {
    const found = await this.#archive.find(batchId, range, limit);
    const stored: StoredWindow[] = [];
    for (const { id, window, parts, void: reason } of found) {
      const queued = await this.#lanes.queuedIds(id, id + parts);
      const state = queued.size > 0 ? 'queued' : 'archived';
      stored.push({ id, window, state, ...(reason === undefined ? {} : { void: reason }) });
    }
    return stored;
  }

  putSetting(name: string, value: unknown): Promise<void> {
    return this.#documents.putSetting(name, value);
  }
  getSetting(name: string): Promise<unknown> {
    return this.#documents.getSetting(name);
  }

  stats(): SpoolStats {
    const core = this.#core;
    const problem = core?.committer.problem;
    const totals = core?.totals ?? noTotals;
    return {
      state: this.#closed ? 'closed' : problem === undefined ? 'ok' : 'failing',
      ...(problem === undefined ? {} : { problem: problem.text, problemSince: problem.since }),
      lanes: {
        live: this.#lanes.depth('live'),
        backlog: this.#lanes.depth('backlog'),
        backfill: this.#lanes.depth('backfill'),
      },
      stored: totals.stored,
      rejected: totals.rejected,
      damaged: totals.damaged,
      evicted: totals.evicted,
      holding: this.#retention?.holding ?? false,
      commits: core?.committer.batches ?? 0,
      recoveredWindows: this.#recoveredWindows,
      streams: this.#streams.all().map(streamStats),
    };
  }

  onHold(listener: (holding: boolean) => void): () => void {
    return this.#started().onHold(listener);
  }

  async compact(): Promise<void> {
    await this.#started().sweep();
    await this.#started().compact();
  }

  diskBytes(): Promise<number> {
    return this.#store.sizeBytes();
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    const swept = this.#retention?.stop();
    await this.#core?.committer.close(closeLimitMs);
    await swept;
    await this.#store.close();
  }

  #makeCore(state: SpoolState): SpoolCore {
    const { clock, log, metrics, limits } = this.#options;
    return new SpoolCore({
      store: this.#store,
      codec: this.#codec,
      clock,
      log,
      metrics,
      random: this.#options.random ?? systemRandom,
      maxBytes: limits?.maxCommitBytes ?? 16 * 1024 * 1024,
      retryMinMs: limits?.retryMinMs ?? 100,
      retryMaxMs: limits?.retryMaxMs ?? 5000,
      state,
      heads: () => this.#lanes.heads(),
      // Room may be made at once: what is kept longest goes first.
      onFailure: async () => void this.#retention?.sweep(),
    });
  }

  #makeRetention(core: SpoolCore): Retention {
    const { retention, clockTrusted, hasHistory, freeBytes, folder } = this.#options;
    return new Retention({
      core,
      lanes: this.#lanes,
      archive: this.#archive,
      streams: this.#streams,
      limits: { ...defaultRetention, ...retention },
      writer: () => this.#writer(),
      freeBytes: freeBytes ?? (() => freeBytesOf(folder)),
      clockTrusted: clockTrusted ?? (() => true),
      hasHistory: hasHistory ?? (() => false),
    });
  }

  #started(): Retention {
    if (this.#retention === undefined) throw new HoldfastError('spool-closed', 'the spool is not open');
    return this.#retention;
  }

  #writeChange(core: SpoolCore, writer: WindowWriter, change: StreamChange): EncodedWindow[] {
    const encoded: EncodedWindow[] = [];
    let stream = this.#streamOf(change.batchId, change.index);
    if (change.restart) stream = this.#dropJournal(writer, stream);
    for (const closed of change.closed) {
      const encodedBytes = writer.addBatch(stream, closed.batch, destinationOf(closed));
      encoded.push({ batchId: change.batchId, plainBytes: closed.plainBytes, encodedBytes });
      stream = this.#streams.get(change.batchId) ?? stream;
      if (!closed.late) stream = this.#streams.update(stream, { lastWindow: closed.batch.window });
    }
    if (change.append !== undefined) stream = this.#appendJournal(core, writer, stream, change.append);
    const floorMoved = change.floor !== undefined && change.floor !== stream.floor;
    if (change.floor !== undefined) stream = this.#streams.update(stream, { floor: change.floor });
    // The journal names its stream by number: the first commit of a stream must say which that is.
    if (change.restart || change.closed.length > 0 || floorMoved || !stream.stored) {
      writer.add(...this.#streams.recordOps(stream));
    }
    return encoded;
  }

  #dropJournal(writer: WindowWriter, stream: Stream): Stream {
    const { from, to } = stream.journal;
    for (let sequence = from; sequence < to; sequence++) {
      writer.add({ type: 'del', key: journalKey(stream.number, sequence) });
    }
    const { open: _closed, ...rest } = stream;
    return this.#streams.replace({ ...rest, journal: { from: to, to } });
  }

  #appendJournal(core: SpoolCore, writer: WindowWriter, stream: Stream, append: JournalAppend): Stream {
    const { start, end, readings } = append;
    const { from, to } = stream.journal;
    const known = from < to && stream.open?.start === start ? stream.open.end : start;
    const payloads = encodeJournal(stream.index, { start, from: known, end, readings });
    for (const [n, payload] of payloads.entries()) {
      writer.add(core.put('J', journalKey(stream.number, to + n), payload));
    }
    return this.#streams.update(stream, {
      journal: { from, to: to + payloads.length },
      open: { start, end },
    });
  }

  #streamOf(batchId: string, index: IndexKind): Stream {
    return this.#streams.openOrCreate(batchId, index, this.#options.clock.now());
  }

  #open(): SpoolCore {
    if (this.#closed || this.#core === undefined) {
      throw new HoldfastError('spool-closed', 'the spool is closed');
    }
    return this.#core;
  }
}

async function freeBytesOf(folder: string): Promise<number | undefined> {
  try {
    const { bavail, bsize } = await statfs(folder);
    return bavail * bsize;
  } catch {
    return undefined;
  }
}

function destinationOf(closed: ClosedWindow): Destination {
  if (closed.to === 'archive') return { lane: 'none' };
  return closed.late ? { lane: 'live', mark: {} } : { lane: 'live' };
}

function streamStats(stream: Stream): StreamStats {
  const { batchId, index, floor, lastWindow, open } = stream;
  return {
    batchId,
    index,
    ...(floor === undefined ? {} : { floor }),
    ...(lastWindow === undefined ? {} : { lastWindow }),
    ...(open === undefined ? {} : { open }),
  };
}
