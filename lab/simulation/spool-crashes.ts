// One seeded crash simulation of a spool: several runs, each ended by a power cut at a random write, then a last one in
// which all is sent. A model beside it knows what was emitted and what was promised.
import { isDeepStrictEqual } from 'node:util';
import { silentLog } from '../../kernel/log.ts';
import { noMetrics } from '../../kernel/metrics.ts';
import { type Random, randomInt, seededRandom } from '../../kernel/random.ts';
import { VirtualClock } from '../../kernel/testing/virtual-clock.ts';
import type { JobRecord } from '../../runtime/methods/backfill-store.ts';
import type { SourceSink } from '../../runtime/sources/source.ts';
import { plainCodec, type RecordCodec } from '../../runtime/spool/format/record.ts';
import { openSpool, type Spool } from '../../runtime/spool/spool.ts';
import { type LaneName, laneNames, type Outgoing } from '../../runtime/uplink/lanes.ts';
import { createWindows } from '../../runtime/windows/windows.ts';
import type { Windows } from '../../runtime/windows/windows-api.ts';
import type { Reading } from '../../wire/reading.ts';
import { type SimulatedDisk, singleStoreDisk } from './simulated-disk.ts';
import { checkDelivered, type StreamModel } from './stream-model.ts';

export interface CrashFacts {
  runs: number;
  cuts: number;
  promises: number;
  evicted: number;
  /** Messages that came twice: their acknowledgement was lost. */
  resent: number;
  /** Operations that the disk refused. */
  refusals: number;
}

const streams = ['a', 'b', 'c'];
const everything = { messages: 1000, bytes: 1e9 };

/** What seals the records of a run, counted from 0. It must open those of all runs before. */
export type CodecOf = (run: number) => RecordCodec;

export interface CrashOptions {
  /** Hears what happens, to look into a failure. */
  readonly tell?: (line: string) => void;
  readonly codecOf?: CodecOf;
  /** What the spool's store is made of. Default: one ordered store. */
  readonly diskOf?: (random: Random, seed: number) => SimulatedDisk;
  /** The power goes at one of the first so many operations of a run. Default 40. */
  readonly operations?: number;
  /** The disk refuses writes now and then. */
  readonly faults?: boolean;
}

/** @throws Error that names the seed and the broken promise. */
export async function simulateSpoolCrashes(seed: number, options: CrashOptions = {}): Promise<CrashFacts> {
  const simulation = new CrashSimulation(seed, options);
  try {
    return await simulation.run();
  } catch (error) {
    throw new Error(`HOLDFAST_SEED=${seed}: ${(error as Error).message}`, { cause: error });
  }
}

class CrashSimulation {
  readonly #tell: (line: string) => void;
  readonly #codecOf: CodecOf;
  readonly #random: Random;
  readonly #clock = new VirtualClock();
  readonly #model = new Map<string, StreamModel>();
  readonly #delivered = new Map<string, Outgoing>();
  readonly #jobs = new Map<string, JobRecord>();
  readonly #facts: CrashFacts = { runs: 0, cuts: 0, promises: 0, evicted: 0, resent: 0, refusals: 0 };
  // What is skipped on purpose is in the archive alone, so the archive must last then.
  readonly #skips: boolean;
  #setting = -1;
  #nextSetting = 0;
  #run = 0;
  #disk: SimulatedDisk;
  readonly #operations: number;
  readonly #faults: boolean;

  constructor(seed: number, options: CrashOptions) {
    const {
      tell = () => {},
      codecOf = () => plainCodec,
      diskOf = singleStoreDisk,
      operations = 40,
    } = options;
    this.#codecOf = codecOf;
    this.#operations = operations;
    this.#faults = options.faults ?? false;
    this.#tell = (line) => tell(`run ${this.#run}, ${this.#clock.monotonic()} ms: ${line}`);
    this.#random = seededRandom(seed * 2 + 1);
    this.#disk = diskOf(this.#random, seed);
    this.#skips = this.#random.next() < 0.5;
    for (const id of streams) this.#model.set(id, { emitted: [], observed: [], at: 0 });
  }

  async run(): Promise<CrashFacts> {
    const runs = 1 + randomInt(this.#random, 4);
    for (this.#run = 0; this.#run < runs; this.#run++) {
      await this.#untilPowerCut();
      this.#facts.refusals += this.#disk.supply.refusals;
      this.#disk = await this.#disk.survivor();
      this.#facts.cuts++;
    }
    await this.#drain();
    this.#check();
    return this.#facts;
  }

  /** Starts, works until the power goes, and leaves its promises in the model. */
  async #untilPowerCut(): Promise<void> {
    this.#facts.runs++;
    const { supply } = this.#disk;
    supply.plan({ atOperation: 1 + randomInt(this.#random, this.#operations) });
    let spool: Spool | undefined;
    const opening = this.#open().then((opened) => {
      spool = opened;
    });
    let failure: { error: unknown } | undefined;
    opening.catch((error) => {
      failure = { error };
    });
    // It may die while it recovers.
    while (spool === undefined && failure === undefined && !supply.isDead) await this.#clock.advance(1);
    if (failure !== undefined) throw failure.error;
    if (spool === undefined) return;
    await opening;
    await this.#checkJobs(spool);
    const windows = this.#makeWindows(spool);
    const sinks = streams.map((batchId) => windows.openStream({ batchId, index: 'time', pace: 'own' }));
    for (const [n, sink] of sinks.entries()) this.#resume(sink, streams[n]!);
    for (let step = 0; step < 400 && !supply.isDead; step++) await this.#step(spool, windows, sinks);
    supply.cut();
  }

  #open(): Promise<Spool> {
    return openSpool({
      folder: 'simulated',
      clock: this.#clock,
      random: this.#random,
      log: silentLog,
      metrics: noMetrics,
      encode: { schema: 'columns/1', gzip: false },
      store: () => this.#disk.open(),
      codec: this.#codecOf(this.#run),
      // Small groups: what is submitted together is then often written in several batches.
      limits: this.#run % 2 === 0 ? { maxCommitBytes: 1500 } : {},
      freeBytes: async () => undefined,
      retention: {
        archiveMs: this.#skips ? 1e12 : 3000,
        unsentMs: this.#skips ? 1e12 : 2500,
        maxBytes: this.#skips ? 1e9 : 12_000,
        intervalMs: 700,
      },
    });
  }

  #makeWindows(spool: Spool): Windows {
    return createWindows({
      store: spool,
      clock: this.#clock,
      log: silentLog,
      metrics: noMetrics,
      limits: { ageMs: 500, quietMs: 1500, maxBytes: 1200, commitIntervalMs: 50 },
    });
  }

  async #step(spool: Spool, windows: Windows, sinks: readonly SourceSink[]): Promise<void> {
    if (this.#faults && this.#random.next() < 0.04) this.#planFault();
    const choice = this.#random.next();
    if (choice < 0.55) this.#emit(sinks);
    else if (choice < 0.6) this.#break(sinks);
    else if (choice < 0.75) await this.#send(spool);
    else if (choice < 0.78) spool.demoteLive();
    else if (choice < 0.81) this.#saveJob(spool);
    else if (choice < 0.84) this.#saveSetting(spool);
    else if (choice < 0.85 && this.#skips) windows.skipNext(streams[randomInt(this.#random, 3)]!, 1);
    else await this.#clock.advance(this.#random.next() < 0.1 ? 900 : 60);
  }

  #planFault(): void {
    const { supply } = this.#disk;
    const code = this.#random.next() < 0.5 ? 'ENOSPC' : 'EIO';
    const [atOperation, count] = [1 + randomInt(this.#random, 8), 1 + randomInt(this.#random, 4)];
    supply.planFault({ atOperation, code, count });
  }

  #emit(sinks: readonly SourceSink[]): void {
    const n = randomInt(this.#random, sinks.length);
    const [sink, id] = [sinks[n]!, streams[n]!];
    const model = this.#model.get(id)!;
    const observed = model.observed.at(-1)!;
    const until = model.at + 1 + randomInt(this.#random, 12);
    const readings: Reading[] = [];
    for (let index = model.at; index < until; index++) {
      const count = index % 3 === 0 ? randomInt(this.#random, 3) : 0;
      for (let k = 0; k < count; k++) {
        readings.push({
          index,
          tag: `t${k}`,
          value: model.emitted.length + readings.length,
          quality: 'good',
        });
      }
    }
    this.#tell(`${id} emits ${model.at}..${until}`);
    sink.emit({ kind: 'readings', readings });
    model.emitted.push(...readings);
    sink.emit({ kind: 'observed', until });
    observed.end = until;
    model.at = until;
    if (this.#random.next() < 0.4) return;
    const { supply } = this.#disk;
    const run = this.#run;
    void sink.durable().then(() => {
      if (supply.isDead) return;
      this.#facts.promises++;
      this.#tell(`${id} is durable to ${until}`);
      for (const known of model.observed) {
        if (known.run === run) known.durable = Math.max(known.durable, Math.min(known.end, until));
      }
    });
  }

  #break(sinks: readonly SourceSink[]): void {
    const n = randomInt(this.#random, sinks.length);
    const model = this.#model.get(streams[n]!)!;
    this.#tell(`${streams[n]} breaks at ${model.at}`);
    sinks[n]!.emit({ kind: 'broken', at: model.at, reason: 'simulated' });
    model.at += 1 + randomInt(this.#random, 10);
    this.#resume(sinks[n]!, streams[n]!);
  }

  #resume(sink: SourceSink, id: string): void {
    const model = this.#model.get(id)!;
    // A new run starts further on: what came between nobody saw.
    if (model.observed.length > 0) model.at += 5;
    model.observed.push({ start: model.at, end: model.at, durable: model.at, run: this.#run });
    sink.emit({ kind: 'resumed', at: model.at });
  }

  async #send(spool: Spool): Promise<void> {
    const lane = laneNames[randomInt(this.#random, 3)] as LaneName;
    const limit = { messages: 1 + randomInt(this.#random, 6), bytes: 20_000 };
    const entries = await this.#orDead(spool.take(lane, limit));
    if (entries === undefined) return;
    const fate = this.#random.next();
    if (fate < 0.2) {
      spool.release(entries);
      return;
    }
    for (const entry of entries) this.#deliver(entry);
    const done = spool.acknowledge(entries).then(() => {
      this.#tell(`acknowledged ${entries.map(({ message }) => message.messageId).join(' ')}`);
    });
    if (this.#random.next() < 0.5) await this.#orDead(done);
  }

  #deliver(entry: Outgoing): void {
    const { messageId, body } = entry.message;
    this.#tell(`${entry.lane} sends ${messageId}`);
    const before = this.#delivered.get(messageId);
    if (before !== undefined) {
      this.#facts.resent++;
      if (!Buffer.from(before.message.body).equals(Buffer.from(body))) {
        throw new Error(`${messageId} came twice with different readings`);
      }
    }
    this.#delivered.set(messageId, entry);
  }

  #saveJob(spool: Spool): void {
    const batchId = streams[randomInt(this.#random, 3)]!;
    const requestId = `r${this.#run}-${this.#jobs.size}-${randomInt(this.#random, 1e6)}`;
    const at = -1000 - this.#jobs.size * 10 - randomInt(this.#random, 1000) * 100_000;
    const range = { start: at, end: at + 5 };
    const job: JobRecord = {
      requestId,
      batchId,
      index: 'time',
      range,
      state: 'done',
      covered: [],
      voids: [{ window: range, reason: 'no-history' }],
      createdAt: 0,
      updatedAt: 0,
    };
    const voids = [{ batchId, index: 'time' as const, window: range, reason: 'no-history' as const }];
    const { supply } = this.#disk;
    void spool.save(job, { voids }).then(() => {
      if (!supply.isDead) this.#jobs.set(requestId, job);
    });
  }

  #saveSetting(spool: Spool): void {
    const value = this.#nextSetting++;
    const { supply } = this.#disk;
    void spool.putSetting('n', value).then(() => {
      if (!supply.isDead) this.#setting = Math.max(this.#setting, value);
    });
  }

  async #checkJobs(spool: Spool): Promise<void> {
    const jobs = await this.#orDead(spool.jobs());
    const setting = await this.#orDead(spool.getSetting('n'));
    if (jobs === undefined || this.#disk.supply.isDead) return;
    for (const job of this.#jobs.values()) {
      const found = jobs.find(({ requestId }) => requestId === job.requestId);
      if (!isDeepStrictEqual(found, job)) throw new Error(`job ${job.requestId} is not as it was saved`);
    }
    const value = typeof setting === 'number' ? setting : -1;
    if (value < this.#setting) throw new Error(`the setting went back from ${this.#setting} to ${value}`);
    this.#setting = value;
  }

  /** The last run: no more cuts, everything goes out. */
  async #drain(): Promise<void> {
    const spool = await this.#open();
    await this.#checkJobs(spool);
    for (const lane of laneNames) {
      for (;;) {
        const entries = await spool.take(lane, everything);
        if (entries.length === 0) break;
        for (const entry of entries) this.#deliver(entry);
        await spool.acknowledge(entries);
      }
      const depth = spool.depth(lane);
      if (depth.messages !== 0 || depth.bytes !== 0) {
        throw new Error(`${lane} is empty, and counts ${depth.messages} messages, ${depth.bytes} bytes`);
      }
    }
    this.#facts.evicted = spool.stats().evicted;
    if (this.#skips) await this.#keepArchive(spool);
    await spool.close();
  }

  /** What was skipped on purpose is only in the archive. */
  async #keepArchive(spool: Spool): Promise<void> {
    for (const batchId of streams) {
      const found = await spool.find(batchId, { start: 0, end: 1e9 }, 10_000);
      const ids = found.filter((each) => each.void === undefined).map(({ id }) => id);
      const template = [...this.#jobs.values()][0];
      const range = { start: 0, end: 1e9 };
      const job = { requestId: 'last', batchId, index: 'time', range, state: 'done', ...times } as const;
      await spool.save(template === undefined ? job : { ...template, ...job }, { requeue: ids });
    }
    for (let more = await spool.take('backfill', everything); more.length > 0; ) {
      for (const entry of more) this.#deliver(entry);
      await spool.acknowledge(more);
      more = await spool.take('backfill', everything);
    }
  }

  #check(): void {
    for (const [id, model] of this.#model) checkDelivered(id, model, [...this.#delivered.values()]);
  }

  /** Undefined if the power went while waiting. */
  async #orDead<T>(work: Promise<T>): Promise<T | undefined> {
    let result: { value: T } | undefined;
    let failure: { error: unknown } | undefined;
    work.then(
      (value) => {
        result = { value };
      },
      (error) => {
        failure = { error };
      },
    );
    for (let turn = 0; turn < 100 && result === undefined && failure === undefined; turn++) {
      if (this.#disk.supply.isDead) return undefined;
      await this.#clock.advance(1);
    }
    if (failure !== undefined) throw failure.error;
    return result?.value;
  }
}

const times = { covered: [], voids: [], createdAt: 0, updatedAt: 0 };
