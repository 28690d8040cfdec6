// The site's clock: says whether the wall clock is trusted and why not, and places on it what this gateway stamps.
//
// Sources that the gateway stamps never see the wall clock. They stamp with `local`, ms since the machine started,
// which nobody can set; `open` puts a sink between them and their windows that turns local times into places
// on the wall clock's scale. So a wrong wall clock is one number that is wrong, in one place, and can be put
// right for everything that has not been claimed yet.
//
// Three modes. `trusted`: readings are placed as they come. `waiting`: they are kept with local times, durably,
// until the wall clock comes right. `marked`: it did not, and the operator's policy is to go on: they are
// placed by the best guess, with quality `uncertain:clock`.
//
// Crash argument for coming right. First the decision (offset, and per stream the lowest free index) is saved,
// synced. Then, in one go with no event in between, all that waited goes to the windows; when they have
// it durably, the journal and the decision are removed. After a crash at any point in between, the next
// process finds the decision and places the same journal in the same way: what lies below a stream's
// floor is in its windows already and is left out, the rest follows. So nothing is claimed twice.
import type { Clock, Timer } from '../../kernel/clock.ts';
import { codeOf, describeError } from '../../kernel/errors.ts';
import type { SourceSink } from '../sources/source.ts';
import { ClockEvidence, earliestStored } from './clock-evidence.ts';
import { readClockRecord } from './clock-record.ts';
import { ClockReports } from './clock-reports.ts';
import { PlacedWaiters } from './placed-waiters.ts';
import { isReadable, ProvisionalJournal, streamsIn } from './provisional-journal.ts';
import type { StreamEvent } from './provisional-record.ts';
import type { ClockState, SiteClock, SiteClockOptions } from './site-clock-api.ts';
import { openLeft, StampedStreams } from './stamped-streams.ts';
import { StampingSink } from './stamping-sink.ts';
import type { Offset } from './stream-scale.ts';
import type { ClockRecord, Decision } from './time-store.ts';
import { type Doubt, doubtOf, explainDoubt, isPlausible } from './trust.ts';
import { WallWatch } from './wall-watch.ts';

export type { ClockState, SiteClock, SiteClockOptions } from './site-clock-api.ts';

export function createSiteClock(options: SiteClockOptions): SiteClock {
  return new GuardedClock(options);
}

const checkIntervalMs = 1000;
const flushIntervalMs = 200;
/** How often the time is recorded that was reached: a clock put back by less may go unnoticed at the next start. */
const recordIntervalMs = 600_000;
/** The journal is nearly full: the policy, if it is to go on, need not wait for readings to be refused. */
const nearlyFull = 0.9;

class GuardedClock implements SiteClock {
  readonly local: Clock;
  readonly storing: Clock;
  readonly #options: SiteClockOptions;
  readonly #journal: ProvisionalJournal;
  readonly #evidence: ClockEvidence;
  readonly #streams = new StampedStreams();
  #watch: WallWatch;
  #mode: ClockRecord['mode'] = 'waiting';
  /** The offset that readings are placed with; while they wait, the last one used. */
  #offset: Offset = { offsetMs: 0, marked: false };
  #seenOffsetMs = 0;
  #doubt: Doubt | undefined;
  #doubtedSince: number | undefined;
  #decision: Decision | undefined;
  #deciding = false;
  #finishing: Promise<void> = Promise.resolve();
  readonly #placed = new PlacedWaiters();
  readonly #reports: ClockReports;
  #isRunning = false;
  #timer: Timer | undefined;
  #recordedAt = 0;

  constructor(options: SiteClockOptions) {
    const { clock, boot, store, settings, releasedAt } = options;
    this.#options = options;
    this.#reports = new ClockReports(options);
    this.#watch = new WallWatch(clock, boot);
    this.#evidence = new ClockEvidence(boot, releasedAt);
    const maxBytes = settings.provisionalMaxBytes;
    this.#journal = new ProvisionalJournal({ store, clock, bootId: boot.id, maxBytes, flushIntervalMs });
    const monotonic = () => clock.monotonic();
    const setTimer: Clock['setTimer'] = (delayMs, callback) => clock.setTimer(delayMs, callback);
    this.local = { now: () => this.#localNow(), monotonic, setTimer };
    this.storing = { now: () => this.#storingNow(), monotonic, setTimer };
  }

  open(inner: SourceSink, stream: { readonly batchId: string; readonly floor?: number }): SourceSink {
    const { batchId } = stream;
    const floor = this.#streams.floorOf(batchId, stream.floor);
    const sink = new StampingSink({
      batchId,
      inner,
      offset: this.#offset,
      slewMs: this.#options.settings.slewMs,
      floor,
      check: () => this.#check(),
      keep: (event) => this.#keep({ batchId, event }),
      kept: () => this.#journal.durable(),
      onRefused: (readings) => this.#reports.refused(readings),
    });
    this.#streams.add(sink, floor);
    if (this.#mode === 'waiting') sink.wait('clock-not-trusted');
    return sink;
  }

  async close(batchId: string): Promise<boolean> {
    const sink = this.#streams.get(batchId);
    // What its equipment stamps never waits.
    if (sink === undefined) return true;
    await this.#allPlaced();
    if (this.#streams.get(batchId) !== sink) return false;
    this.#streams.remove(batchId);
    return true;
  }

  async start(open?: (batchId: string) => void): Promise<void> {
    const { boot, clock } = this.#options;
    const store = this.#options.store();
    const record = readClockRecord(await store.loadClock());
    const records = (await store.readProvisional()).filter(isReadable);
    const isSameRun = record?.bootId === boot.id;
    for (const batchId of streamsIn(records))
      if (!this.#streams.get(batchId)) openLeft(batchId, open, this.#options.log);
    this.#evidence.adopt(record, this.#streams.floor);
    this.#doubtedSince = this.#localNow();
    if (record !== undefined && isSameRun) this.#goOn(record);
    // Numbers below a decision's are done with, and are about to be removed.
    this.#journal.load(records, record?.decision?.before ?? 1);
    this.#settleEarlier(record);
    this.#isRunning = true;
    this.#check(true);
    if (this.#doubt === undefined) this.#report();
    this.#save();
    this.#timer = clock.setTimer(checkIntervalMs, () => this.#tick());
  }

  async stop(): Promise<void> {
    this.#isRunning = false;
    this.#timer?.cancel();
    try {
      await this.#journal.flush();
      if (this.#mode === 'trusted') this.#evidence.reach(this.#options.clock.now());
      await this.#options.store().saveClock(this.#record());
    } catch (error) {
      this.#options.log.warn(
        { code: codeOf(error, 'disk-refuses'), error: describeError(error) },
        'readings that wait for a right clock could not be written; retrying',
      );
    }
  }

  trusted(): boolean {
    // A clock that was set since the last look: who asks is about to compare times.
    this.#check();
    return this.#isRunning && this.#mode === 'trusted';
  }

  state(): ClockState {
    const { clock } = this.#options;
    const local = this.#localNow();
    const aheadMs = this.#mode === 'waiting' ? 0 : this.#streams.aheadMs(local);
    const facts = this.#evidence.facts(this.#seenOffsetMs);
    return {
      trusted: this.#mode === 'trusted',
      mode: this.#mode,
      ...(this.#doubt && { doubt: this.#doubt, reason: explainDoubt(this.#doubt, clock.now(), facts) }),
      ...(this.#doubtedSince !== undefined && { doubtedForMs: local - this.#doubtedSince }),
      ...(this.#journal.isEmpty ? {} : { waitingBytes: this.#journal.bytes }),
      ...(aheadMs > this.#options.settings.slewMs && { aheadMs }),
      ...this.#reports.counts,
    };
  }

  storedSince(storedAt: number): number {
    return this.#evidence.storedSince(storedAt);
  }

  // Time.

  #localNow(): number {
    return Math.floor(this.#options.boot.sinceStartMs());
  }

  #storingNow(): number {
    const now = this.#options.clock.now();
    // Until the record is read there is only the look of it to go by.
    const isTold = this.#isRunning ? this.#mode === 'trusted' : now >= earliestStored;
    return isTold && now >= earliestStored ? now : this.#localNow();
  }

  // Watching.

  #tick(): void {
    const { clock, settings, synchronised } = this.#options;
    if (!this.#isRunning) return;
    this.#timer = clock.setTimer(checkIntervalMs, () => this.#tick());
    this.#check(true);
    if (settings.trust === 'synchronised') this.#evidence.ask(synchronised);
    if (this.#mode !== 'trusted' || clock.monotonic() - this.#recordedAt < recordIntervalMs) return;
    this.#evidence.reach(clock.now());
    this.#save();
  }

  /** Without `full` only a clock that was set makes a difference: cheap, for each event. */
  #check(full = false): void {
    if (!this.#isRunning || this.#deciding) return;
    const { settings } = this.#options;
    const { offsetMs, stepMs } = this.#watch.glance();
    if (stepMs === 0 && !full) return;
    this.#seenOffsetMs = offsetMs;
    const isLarge = Math.abs(stepMs) > settings.slewMs;
    if (isLarge) this.#onStep(stepMs);
    const doubt = doubtOf(settings, this.#evidence.facts(offsetMs));
    const reason = isLarge ? (stepMs > 0 ? 'clock-stepped-forward' : 'clock-stepped-back') : undefined;
    this.#judge(doubt, offsetMs, reason);
  }

  #judge(doubt: Doubt | undefined, offsetMs: number, reason: string | undefined): void {
    const was = this.#doubt;
    this.#doubt = doubt;
    if (this.#mode === 'waiting') {
      if (doubt === undefined) this.#decide({ offsetMs, marked: false });
      else if (this.#isPatienceOver()) this.#decide(this.#evidence.guess(doubt, offsetMs, this.#offset));
    } else if (this.#mode === 'trusted') {
      if (doubt !== undefined) this.#hold();
      else this.#rescale({ offsetMs, marked: false }, reason);
    } else if (doubt === undefined) {
      this.#comeRight(offsetMs);
    } else if (isPlausible(doubt)) {
      this.#rescale({ offsetMs, marked: true }, reason);
    }
    if (doubt !== was) this.#report();
  }

  #onStep(stepMs: number): void {
    this.#evidence.setBy(stepMs, this.#options.clock.now(), this.#mode === 'trusted');
    this.#reports.stepped(stepMs, this.#mode);
    this.#save();
  }

  #rescale(offset: Offset, reason: string | undefined): void {
    if (offset.offsetMs === this.#offset.offsetMs && offset.marked === this.#offset.marked) return;
    this.#offset = offset;
    this.#streams.rescale(offset, reason);
  }

  /** The wall clock can no longer be right: what comes now waits. */
  #hold(): void {
    this.#mode = 'waiting';
    this.#doubtedSince = this.#localNow();
    this.#streams.wait('clock-not-trusted');
    this.#save();
  }

  /** From going on marked. */
  #comeRight(offsetMs: number): void {
    const isLarge = Math.abs(offsetMs - this.#offset.offsetMs) > this.#options.settings.slewMs;
    this.#rescale({ offsetMs, marked: false }, isLarge ? 'clock-came-right' : undefined);
    this.#enter('trusted');
    this.#save();
  }

  #enter(mode: 'trusted' | 'marked'): void {
    this.#mode = mode;
    if (mode === 'marked') return;
    this.#doubtedSince = undefined;
    this.#evidence.cameRightAt = this.#options.clock.now();
  }

  // Waiting, and what ends it.

  #keep(event: StreamEvent): boolean {
    const { settings } = this.#options;
    const hasRoom = this.#journal.append(event);
    if (this.#journal.bytes > settings.provisionalMaxBytes * nearlyFull) this.#check(true);
    return hasRoom;
  }

  #isPatienceOver(): boolean {
    const { policy, policyAfterMs, provisionalMaxBytes } = this.#options.settings;
    if (policy === 'hold') return false;
    const waitedMs = this.#localNow() - (this.#doubtedSince ?? this.#localNow());
    return waitedMs >= policyAfterMs || this.#journal.bytes > provisionalMaxBytes * nearlyFull;
  }

  /** Places all that waits, see the crash argument above. */
  #decide(offset: Offset): void {
    if (this.#journal.isEmpty) {
      this.#release({ before: 0, offset, positions: {} });
      this.#save();
      this.#placed.tell(this.#placed.releases);
      return;
    }
    this.#deciding = true;
    this.#journal.freeze();
    this.#finishing = this.#finishing
      .then(() => this.#carryOut(offset))
      .catch((error) => {
        // The spool is closed: the journal is for the next process.
        this.#options.log.info({ error: describeError(error) }, 'readings that wait stay on disk');
      });
  }

  async #carryOut(offset: Offset): Promise<void> {
    const store = this.#options.store();
    const positions = this.#streams.positions();
    this.#decision = { before: this.#journal.nextSequence, offset, positions };
    await store.saveClock({ ...this.#record(), mode: offset.marked ? 'marked' : 'trusted', offset });
    // Stopped meanwhile: the windows take nothing any more, and the next process carries it out.
    if (!this.#isRunning) return;
    this.#release(this.#decision);
    await this.#finish(this.#decision.before);
  }

  /** In one go: no event of a source comes in between. */
  #release(decision: Decision): void {
    const { offset } = decision;
    this.#deciding = false;
    this.#placed.release();
    this.#offset = offset;
    this.#enter(offset.marked ? 'marked' : 'trusted');
    const { boot } = this.#options;
    const { placed, lost } = this.#streams.release(decision, this.#journal.take(), boot.id);
    this.#reports.lost(lost);
    this.#reports.placed(placed, offset.marked);
  }

  async #finish(before: number): Promise<void> {
    const { releases } = this.#placed;
    await this.#streams.placed();
    await this.#journal.forget(before);
    this.#decision = undefined;
    await this.#options.store().saveClock(this.#record());
    this.#placed.tell(releases);
  }

  /** Resolves once all that waits now has its place, durably: until then its sink is needed. */
  #allPlaced(): Promise<void> {
    const waits = this.#mode === 'waiting' || this.#deciding;
    if (!waits && this.#decision === undefined) return Promise.resolve();
    return this.#placed.wait(waits);
  }

  // What an earlier process left.

  /** The record is from the current boot: its judgement stands, except for steps of the clock since. */
  #goOn(record: ClockRecord): void {
    const { clock, boot } = this.#options;
    this.#watch = new WallWatch(clock, boot, record.seenOffsetMs);
    this.#seenOffsetMs = record.seenOffsetMs;
    this.#offset = record.offset;
    this.#doubtedSince = record.doubtedSinceLocal ?? this.#localNow();
    if (record.mode === 'waiting') return;
    this.#mode = record.mode;
    if (record.mode === 'trusted') this.#doubtedSince = undefined;
    this.#streams.goOn(record.offset);
    this.#streams.endWaiting();
  }

  /** Carries out a decision that was taken, and clears what can have no place any more. */
  #settleEarlier(record: ClockRecord | undefined): void {
    const journal = this.#journal;
    const decision = record?.decision;
    if (record !== undefined && decision !== undefined) {
      this.#decision = decision;
      const events = journal.takeBelow(decision.before);
      this.#reports.lost(this.#streams.replay(decision, events, record.bootId, this.#offset).lost);
    }
    const { readings, before } = journal.dropOthers(this.#options.boot.id);
    this.#reports.lost(readings);
    const done = Math.max(before, decision?.before ?? 0);
    if (done > 0) this.#finishing = this.#finish(done).catch(() => {});
  }

  #record(): ClockRecord {
    return {
      version: 1,
      mode: this.#mode,
      seenOffsetMs: this.#seenOffsetMs,
      offset: this.#offset,
      ...this.#evidence.record(),
      ...(this.#doubtedSince === undefined ? {} : { doubtedSinceLocal: this.#doubtedSince }),
      ...(this.#decision === undefined ? {} : { decision: this.#decision }),
    };
  }

  #save(): void {
    this.#recordedAt = this.#options.clock.monotonic();
    this.#options
      .store()
      .saveClock(this.#record())
      .catch(() => {});
  }

  #report(): void {
    const doubt = this.#doubt;
    const facts = this.#evidence.facts(this.#seenOffsetMs);
    const reason = doubt && { doubt, reason: explainDoubt(doubt, this.#options.clock.now(), facts) };
    this.#reports.judged(this.#mode, this.#seenOffsetMs, reason);
  }
}
