// One seeded crash simulation of a rule: several runs on a disk that loses unsynced writes, each ended by a power cut at a
// random operation, some after a boot whose clock is not trusted, some over equipment whose clock is set; then a last run in which every action gets its outcome.

import { HoldfastError } from '../../kernel/errors.ts';
import { silentLog } from '../../kernel/log.ts';
import { noMetrics } from '../../kernel/metrics.ts';
import { type Random, randomInt, seededRandom } from '../../kernel/random.ts';
import { VirtualClock } from '../../kernel/testing/virtual-clock.ts';
import { createExecutor } from '../../runtime/rules/actions/executor.ts';
import type { Intent, Outcome } from '../../runtime/rules/actions/intent.ts';
import { CommitTap } from '../../runtime/rules/host/commit-tap.ts';
import { createRulesHost } from '../../runtime/rules/host/rules-host.ts';
import { compileTiny } from '../../runtime/rules/host/testing/tiny-rule.ts';
import { ruleSchema } from '../../runtime/rules/rule-settings.ts';
import { openSpool, type Spool } from '../../runtime/spool/spool.ts';
import { laneNames } from '../../runtime/uplink/lanes.ts';
import { createWindows } from '../../runtime/windows/windows.ts';
import { decodeBody } from '../../wire/body.ts';
import { covers, normalise } from '../../wire/coverage.ts';
import type { Reading } from '../../wire/reading.ts';
import { EngineDisk, limitsFor, type SimulatedDisk } from './simulated-disk.ts';

export interface RuleFacts {
  cuts: number;
  steps: number;
  /** Moments that were seen and not decided, and that nothing claims. */
  holes: number;
  rows: number;
  performed: number;
  repeated: number;
  outcomes: number;
  notDone: number;
}

/** With the longer one what was sent before a power cut still has time left after it, and is sent again. */
const validities = [400, 2500];
const sizeMs = 10;
const settings = ruleSchema.parse({
  name: 'hot',
  query: 'COUNT',
  inputs: { input: { source: 'a' } },
  outputs: ['upstream', { send: 'control' }],
  perMinute: 6000,
  actOnLacking: true,
});

/** @throws Error that names the seed and the broken promise. */
export async function simulateRuleCrashes(seed: number): Promise<RuleFacts> {
  const simulation = new CrashSimulation(seed);
  try {
    return await simulation.run();
  } catch (error) {
    throw new Error(`HOLDFAST_SEED=${seed}: ${(error as Error).message}`, { cause: error });
  }
}

export const noRuleFacts = (): RuleFacts => ({
  cuts: 0,
  steps: 0,
  holes: 0,
  rows: 0,
  performed: 0,
  repeated: 0,
  outcomes: 0,
  notDone: 0,
});

class CrashSimulation {
  readonly #random: Random;
  readonly #clock = new VirtualClock();
  readonly #facts = noRuleFacts();
  readonly #performed = new Map<string, number>();
  #disk: SimulatedDisk;
  #boot = 0;
  #isTrusted = true;
  #broken: string | undefined;
  #at: number;
  readonly #validForMs: number;
  /** The clock of the equipment is set, forth and back. */
  readonly #isStepping: boolean;

  constructor(seed: number) {
    this.#validForMs = validities[seed % validities.length]!;
    this.#isStepping = seed % 4 >= 2;
    this.#random = seededRandom(seed * 2 + 1);
    this.#disk = new EngineDisk(this.#random, limitsFor(seed));
    this.#at = this.#clock.now();
  }

  async run(): Promise<RuleFacts> {
    const runs = 1 + randomInt(this.#random, 4);
    for (let run = 0; run < runs; run++) {
      this.#disk.supply.plan({ atOperation: 5 + randomInt(this.#random, 250) });
      await this.#runModule(60);
      this.#disk.supply.cut();
      this.#disk = await this.#disk.survivor();
      this.#facts.cuts += 1;
      this.#boot += 1;
      this.#isTrusted = this.#random.next() < 0.7;
      await this.#clock.advance(randomInt(this.#random, 2) * 600);
    }
    this.#isTrusted = true;
    await this.#runModule(10, true);
    return this.#facts;
  }

  async #runModule(steps: number, isLast = false): Promise<void> {
    const { supply } = this.#disk;
    const begun = await this.#until(this.#begin());
    if (begun === undefined) return;
    const { spool, windows, host, sink } = begun;
    // What came while nobody looked is a hole.
    this.#at = Math.max(this.#at + 5, this.#clock.now());
    this.#step();
    sink.emit({ kind: 'resumed', at: this.#at });
    for (let step = 0; step < steps && !supply.isDead; step++) {
      if (this.#random.next() < 0.6) this.#observe(sink);
      else await this.#clock.advance(this.#random.next() < 0.2 ? 300 : 40);
    }
    if (!isLast) return;
    // In small steps: what the disk does takes turns of the loop, not time, and a long step would end before it.
    for (let step = 0; step < 300; step++) await this.#clock.advance(10);
    await this.#until(host.stop());
    await this.#until(windows.closeAll());
    await this.#judge(spool);
  }

  /** By as much as an hour, or within what a rule looks back at. */
  #step(): boolean {
    if (!this.#isStepping || this.#random.next() < 0.9) return false;
    const farMs = this.#random.next() < 0.5 ? 3_600_000 : 40;
    // Mostly it is put right again: else nothing is claimed any more.
    if (this.#at > this.#clock.now() + 3000 && this.#random.next() < 0.7) this.#at = this.#clock.now();
    else this.#at += Math.round((2 * this.#random.next() - 1) * farMs);
    this.#facts.steps += 1;
    return true;
  }

  #observe(sink: { emit(event: never): boolean }): void {
    const before = this.#at;
    if (this.#step()) {
      sink.emit({ kind: 'broken', at: before, reason: 'clock-set' } as never);
      sink.emit({ kind: 'resumed', at: this.#at } as never);
    }
    const until = this.#at + 1 + randomInt(this.#random, 25);
    const readings: Reading[] = [];
    for (let index = this.#at; index < until; index++)
      if (this.#random.next() < 0.7) readings.push({ index, tag: 'v', value: 1, quality: 'good' });
    sink.emit({ kind: 'readings', readings } as never);
    sink.emit({ kind: 'observed', until } as never);
    this.#at = until;
  }

  /** Undefined where the power goes first. */
  async #until<T>(work: Promise<T>): Promise<T | undefined> {
    let done: { readonly value: T } | undefined;
    let failure: { readonly error: unknown } | undefined;
    work.then(
      (value) => {
        done = { value };
      },
      (error) => {
        failure = { error };
      },
    );
    while (!done && !failure && !this.#disk.supply.isDead) await this.#clock.advance(1);
    if (failure) throw failure.error;
    return done?.value;
  }

  async #begin() {
    const clock = this.#clock;
    const random = this.#random;
    const spool = await openSpool({
      ...{ folder: 'simulated', clock, random, log: silentLog, metrics: noMetrics },
      encode: { schema: 'columns/1', gzip: false },
      store: () => this.#disk.open(),
      freeBytes: async () => undefined,
    });
    const tap = new CommitTap(silentLog);
    const limits = { ageMs: 200, quietMs: 500, commitIntervalMs: 50 };
    const windows = createWindows({
      store: tap.over(spool),
      clock,
      log: silentLog,
      metrics: noMetrics,
      limits,
    });
    const [boot, isTrusted, bornAt] = [`boot ${this.#boot}`, this.#isTrusted, clock.monotonic()];
    const moment = () => ({ boot, isTrusted, sinceStartMs: clock.monotonic() - bornAt, wall: clock.now() });
    const { supply } = this.#disk;
    const host = createRulesHost({
      ...{ store: spool.rules, tap, clock, moment, log: silentLog, metrics: noMetrics },
      openStream: (batchId) => {
        const sink = windows.openStream({ batchId, index: 'time', pace: 'derived', isUnordered: true });
        return { sink, floor: windows.known(batchId)?.floor };
      },
      closeStream: (batchId) => windows.closeStream(batchId),
      loadCompiler: async () => compileTiny,
      executor: (onOutcome: (intent: Intent, outcome: Outcome) => void) =>
        createExecutor({
          ...{ clock, moment, random, log: silentLog, metrics: noMetrics, onOutcome },
          performer: {
            perform: async (intent, { onSend }) => {
              if (this.#random.next() < 0.3)
                throw new HoldfastError('uplink-not-connected', 'away', { retryable: true });
              onSend();
              // A machine without power sends nothing.
              if (!supply.isDead) this.#onSent(intent);
            },
          },
        }),
    });
    const sources = { ids: new Map([['a', 'a']]), paces: new Map() };
    await host.start([{ ...settings, validForMs: this.#validForMs }], sources);
    host.release();
    return {
      spool,
      windows,
      host,
      sink: windows.openStream({ batchId: 'a', index: 'time', pace: 'derived' }),
    };
  }

  #onSent({ id, time }: Intent): void {
    const lateMs = this.#clock.now() - time - this.#validForMs;
    // Not thrown here: the executor would take it for a failure of the action.
    if (lateMs > 0) this.#broken ??= `${id} was carried out ${lateMs} ms after its deadline`;
    if (!this.#isTrusted) this.#broken ??= `${id} was carried out while nobody could say how old it is`;
    this.#facts.performed += 1;
    const before = this.#performed.get(id) ?? 0;
    if (before > 0) this.#facts.repeated += 1;
    this.#performed.set(id, before + 1);
  }

  async #judge(spool: Spool): Promise<void> {
    if (this.#broken !== undefined) throw new Error(this.#broken);
    const everything = { start: 0, end: Number.MAX_SAFE_INTEGER };
    const inputs = await spool.rules.batches('a', everything, 10_000);
    const claimed = await spool.rules.batches('rule:hot', everything, 10_000);
    const told = await readAll(spool);
    const counts = new Map<number, number>();
    const places = new Set<string>();
    for (const { index, tag } of told) {
      if (places.has(`${index} ${tag}`)) throw new Error(`'${tag}' is at ${index} twice`);
      places.add(`${index} ${tag}`);
    }
    for (const { index, value } of told.filter(({ tag }) => tag === 'n')) {
      if (counts.has(index)) throw new Error(`the verdict of ${index} is in the stream twice`);
      counts.set(index, value as number);
    }
    this.#facts.rows = counts.size;
    const readings = inputs.flatMap((batch) => batch.readings);
    const known = normalise(inputs.map(({ window }) => window));
    const isKnown = (time: number) => covers(known, { start: time - sizeMs + 1, end: time + 1 });
    // A verdict rests on what is in the stream of its input, and on all of it.
    for (const [time, n] of counts) {
      // What a clock that was put right came by again was seen after that.
      if (this.#isStepping && !isKnown(time)) continue;
      const there = readings.filter(({ index }) => index > time - sizeMs && index <= time).length;
      // Over a clock that was set back, the spool cannot tell late readings from those that a window claims afterwards.
      if (this.#isStepping ? n > there : n !== there)
        throw new Error(`the verdict of ${time} counts ${n}, its input has ${there}`);
    }
    // Where the stream claims a moment, its verdict is there.
    for (const { window } of claimed) {
      const ends = new Set(readings.map(({ index }) => Math.ceil(index / sizeMs) * sizeMs));
      for (const time of ends)
        if (time >= window.start && time < window.end && !counts.has(time))
          throw new Error(
            `the verdict of ${time} is claimed by [${window.start}, ${window.end}), and missing`,
          );
    }
    // What its input is known to have held without a break is decided, whatever happened in between.
    const decided = normalise(claimed.map(({ window }) => window));
    for (const time of new Set(readings.map(({ index }) => Math.ceil(index / sizeMs) * sizeMs))) {
      if (!isKnown(time) || counts.has(time)) continue;
      // A clock that was set back twice between two commits, and a power cut before the rule's own: it is a hole then.
      if (this.#isStepping && !covers(decided, { start: time, end: time + 1 })) this.#facts.holes += 1;
      else throw new Error(`the verdict of ${time} is missing, and its input was seen`);
    }
    await this.#judgeActions(spool, told, new Set(counts.keys()));
  }

  async #judgeActions(spool: Spool, told: readonly Reading[], verdicts: ReadonlySet<number>): Promise<void> {
    const open = await spool.rules.settings('rules.intent.', 1000);
    if (open.size > 0) throw new Error(`${open.size} intents have no outcome`);
    const outcomes = told
      .filter(({ tag }) => tag.startsWith('action'))
      .map(({ value }) => value as unknown as Told);
    const ids = new Set<string>();
    for (const { id, outcome, time } of outcomes) {
      if (ids.has(id)) throw new Error(`${id} has two outcomes`);
      ids.add(id);
      if (!verdicts.has(time)) throw new Error(`${id} is of no verdict`);
      if (outcome === 'done' && !this.#performed.has(id))
        throw new Error(`${id} is said to be done, and was not`);
      if (outcome !== 'done') this.#facts.notDone += 1;
    }
    this.#facts.outcomes = ids.size;
    for (const id of this.#performed.keys())
      if (!ids.has(id)) throw new Error(`${id} was carried out, and has no outcome`);
    if (ids.size !== verdicts.size) throw new Error(`${verdicts.size} verdicts have ${ids.size} outcomes`);
  }
}

interface Told {
  readonly id: string;
  readonly outcome: string;
  readonly time: number;
}

/** All readings of the rule's stream, late ones too: nothing was acknowledged, so all are in the lanes. */
async function readAll(spool: Spool): Promise<readonly Reading[]> {
  const readings: Reading[] = [];
  for (const lane of laneNames) {
    for (const { message } of await spool.take(lane, { messages: 100_000, bytes: 1e9 })) {
      const { properties, contentEncoding, body } = message;
      if (properties.batchId !== 'rule:hot' || body.byteLength === 0) continue;
      readings.push(...decodeBody(body, { schema: properties.schema ?? '', contentEncoding, index: 'time' }));
    }
  }
  return readings;
}
