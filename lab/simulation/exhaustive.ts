// Every power cut of one small workload, and every single unsynced write that may be lost, torn or early at each.
//
// The workload is always the same: streams that are observed, windows that close, a late one, messages that are sent and
// acknowledged, a job, a setting, retention; small limits make the engine write checkpoints, use segments again and empty
// others. It is cut off at each of its operations in turn. Of each cut the disk is looked at in many ways: all that was not
// synced is there, nothing of it is, or one write, name or batch goes another way than all others (`oddFates`). Each is a
// state; from each the spool is opened, everything is sent, and what came out is held against what was promised.
import { isDeepStrictEqual } from 'node:util';
import { silentLog } from '../../kernel/log.ts';
import { noMetrics } from '../../kernel/metrics.ts';
import { seededRandom } from '../../kernel/random.ts';
import { VirtualClock } from '../../kernel/testing/virtual-clock.ts';
import type { JobRecord } from '../../runtime/methods/backfill-store.ts';
import type { SourceSink } from '../../runtime/sources/source.ts';
import { openSpool, type Spool } from '../../runtime/spool/spool.ts';
import { laneNames, type Outgoing } from '../../runtime/uplink/lanes.ts';
import { createWindows } from '../../runtime/windows/windows.ts';
import { EngineDisk, smallLimits } from './simulated-disk.ts';
import { checkDelivered, type StreamModel } from './stream-model.ts';
import { oddFates, type SurvivalPlan, survivalByPlan } from './survival.ts';

export interface ExhaustiveFacts {
  /** Operations of the whole workload: the power was cut at each. */
  operations: number;
  /** States of the disk that were opened. */
  states: number;
  promises: number;
}

export interface ExhaustiveOptions {
  /** Only each n-th cut, from the first on. Default 1: all. */
  readonly everyCut?: number;
  /** Which cut to begin with, counted from 1. Default 1. */
  readonly firstCut?: number;
  /** A planted fault: the disk says that it has written what it has not. */
  readonly isSyncFalse?: boolean;
}

const streams = ['a', 'b', 'c'];
const everything = { messages: 1000, bytes: 1e9 };
/** More than the workload has: it ends by itself. */
const never = 1_000_000;

/** @throws Error that names the cut, the state and the promise that was broken. */
export async function runExhaustively({
  everyCut = 1,
  firstCut = 1,
  isSyncFalse = false,
}: ExhaustiveOptions = {}): Promise<ExhaustiveFacts> {
  const whole = await Workload.run(never, isSyncFalse);
  const facts: ExhaustiveFacts = { operations: whole.operations, states: 0, promises: whole.promises };
  for (let cut = firstCut; cut <= whole.operations; cut += everyCut) {
    const cutOff = await Workload.run(cut, isSyncFalse);
    for (const plan of await cutOff.plans()) {
      try {
        await cutOff.check(plan);
      } catch (error) {
        const where = `cut at operation ${cut}, ${typeof plan === 'string' ? plan : `${plan.fate} of ${plan.nth}`}`;
        throw new Error(`${where}: ${(error as Error).message}`, { cause: error });
      }
      facts.states += 1;
    }
  }
  return facts;
}

/** The workload up to its cut, and what was promised before. */
class Workload {
  readonly #random = seededRandom(7);
  readonly #clock = new VirtualClock();
  readonly #disk = new EngineDisk(this.#random, smallLimits);
  readonly #models = new Map<string, StreamModel>(
    streams.map((id) => [id, { emitted: [], observed: [], at: 0 }]),
  );
  readonly #delivered = new Map<string, Outgoing>();
  #job: JobRecord | undefined;
  #setting = -1;
  promises = 0;

  static async run(cut: number, isSyncFalse: boolean): Promise<Workload> {
    const workload = new Workload();
    workload.#disk.supply.isSyncFalse = isSyncFalse;
    workload.#disk.supply.plan({ atOperation: cut });
    await workload.#live();
    return workload;
  }

  get operations(): number {
    return this.#disk.supply.operations;
  }

  /** What may be left of the disk: asked with a plan that counts. */
  async plans(): Promise<readonly SurvivalPlan[]> {
    const counting = survivalByPlan('all');
    await this.#disk.survivor(counting);
    const odd = Array.from({ length: counting.counted }, (_, nth) => oddFates.map((fate) => ({ nth, fate })));
    return ['all', 'none', ...odd.flat()];
  }

  async #live(): Promise<void> {
    const spool = await this.#orDead(open(this.#disk, this.#clock));
    if (spool === undefined) return;
    const limits = { ageMs: 300, quietMs: 900, maxBytes: 900, commitIntervalMs: 50 };
    const windows = createWindows({
      store: spool,
      clock: this.#clock,
      log: silentLog,
      metrics: noMetrics,
      limits,
    });
    const sinks = streams.map((batchId) => windows.openStream({ batchId, index: 'time', pace: 'own' }));
    for (const [n, sink] of sinks.entries()) this.#resume(sink, streams[n]!);
    for (let step = 0; step < 20 && !this.#disk.supply.isDead; step++) {
      for (const [n, sink] of sinks.entries()) if ((step + n) % 3 !== 0) this.#emit(sink, streams[n]!);
      if (step % 7 === 6) this.#break(sinks[step % 3]!, streams[step % 3]!);
      await this.#advance(120);
      if (step % 4 === 3) await this.#send(spool);
      if (step === 9) await this.#orDead(this.#saveJob(spool));
      if (step % 8 === 5) await this.#orDead(this.#saveSetting(spool, step));
    }
    await this.#advance(1500);
    this.#disk.supply.cut();
  }

  #resume(sink: SourceSink, id: string): void {
    const model = this.#models.get(id)!;
    model.observed.push({ start: model.at, end: model.at, durable: model.at, run: 0 });
    sink.emit({ kind: 'resumed', at: model.at });
  }

  #break(sink: SourceSink, id: string): void {
    const model = this.#models.get(id)!;
    sink.emit({ kind: 'broken', at: model.at, reason: 'simulated' });
    model.at += 5;
    this.#resume(sink, id);
  }

  #emit(sink: SourceSink, id: string): void {
    const model = this.#models.get(id)!;
    const until = model.at + 9;
    const readings = Array.from({ length: 6 }, (_, n) => ({
      index: model.at + n,
      tag: `t${n % 2}`,
      value: model.emitted.length + n,
      quality: 'good' as const,
    }));
    sink.emit({ kind: 'readings', readings });
    model.emitted.push(...readings);
    sink.emit({ kind: 'observed', until });
    const run = model.observed.at(-1)!;
    run.end = until;
    model.at = until;
    const { supply } = this.#disk;
    void sink.durable().then(() => {
      if (supply.isDead) return;
      this.promises += 1;
      for (const known of model.observed) known.durable = Math.max(known.durable, Math.min(known.end, until));
    });
  }

  async #send(spool: Spool): Promise<void> {
    for (const lane of laneNames) {
      const entries = await this.#orDead(spool.take(lane, { messages: 3, bytes: 20_000 }));
      if (entries === undefined || entries.length === 0) continue;
      for (const entry of entries) this.#delivered.set(entry.message.messageId, entry);
      await this.#orDead(spool.acknowledge(entries));
    }
  }

  async #saveJob(spool: Spool): Promise<void> {
    const range = { start: -100, end: -95 };
    const voids = [{ window: range, reason: 'no-history' as const }];
    const times = { createdAt: 0, updatedAt: 0 };
    const job: JobRecord = {
      requestId: 'r',
      batchId: 'a',
      index: 'time',
      range,
      state: 'done',
      covered: [],
      voids,
      ...times,
    };
    await spool.save(job, { voids: [{ batchId: 'a', index: 'time', window: range, reason: 'no-history' }] });
    if (!this.#disk.supply.isDead) this.#job = job;
  }

  async #saveSetting(spool: Spool, value: number): Promise<void> {
    await spool.putSetting('n', value);
    if (!this.#disk.supply.isDead) this.#setting = value;
  }

  /** Opens what is left, sends all, and holds it against what was promised. @throws Error that says what is broken. */
  async check(plan: SurvivalPlan): Promise<void> {
    const disk = await this.#disk.survivor(survivalByPlan(plan));
    const spool = await settled(open(disk, this.#clock), this.#clock);
    const jobs = await spool.jobs();
    const found = jobs.find(({ requestId }) => requestId === 'r');
    if (this.#job !== undefined && !isDeepStrictEqual(found, this.#job))
      throw new Error('the job is not as it was saved');
    const setting = (await spool.getSetting('n')) ?? -1;
    if ((setting as number) < this.#setting) throw new Error(`the setting went back to ${setting}`);
    const delivered = new Map(this.#delivered);
    for (const lane of laneNames) {
      for (
        let more = await spool.take(lane, everything);
        more.length > 0;
        more = await spool.take(lane, everything)
      ) {
        for (const entry of more) {
          const before = delivered.get(entry.message.messageId);
          if (before && !Buffer.from(before.message.body).equals(Buffer.from(entry.message.body)))
            throw new Error(`${entry.message.messageId} came twice with different readings`);
          delivered.set(entry.message.messageId, entry);
        }
        await settled(spool.acknowledge(more), this.#clock);
      }
    }
    await spool.close();
    for (const [id, model] of this.#models) checkDelivered(id, model, [...delivered.values()]);
  }

  async #advance(ms: number): Promise<void> {
    for (let passed = 0; passed < ms && !this.#disk.supply.isDead; passed += 20)
      await this.#clock.advance(20);
  }

  /** Undefined if the power went while waiting. */
  async #orDead<T>(work: Promise<T>): Promise<T | undefined> {
    const { supply } = this.#disk;
    const done = work.then((value) => ({ value }));
    done.catch(() => {});
    for (;;) {
      const result = await Promise.race([done, this.#clock.advance(1).then(() => undefined)]);
      if (result !== undefined) return result.value;
      if (supply.isDead) return undefined;
    }
  }
}

function open(disk: EngineDisk, clock: VirtualClock): Promise<Spool> {
  return openSpool({
    folder: 'simulated',
    clock,
    random: seededRandom(11),
    log: silentLog,
    metrics: noMetrics,
    encode: { schema: 'columns/1', gzip: false },
    store: () => disk.open(),
    freeBytes: async () => undefined,
    // One sweep finds something to remove.
    retention: { archiveMs: 1200, unsentMs: 1e12, maxBytes: 1e9, intervalMs: 700 },
  });
}

/** The work goes on while time does. */
async function settled<T>(work: Promise<T>, clock: VirtualClock): Promise<T> {
  const done = work.then((value) => ({ value }));
  for (;;) {
    const result = await Promise.race([done, clock.advance(1).then(() => undefined)]);
    if (result !== undefined) return result.value;
  }
}
