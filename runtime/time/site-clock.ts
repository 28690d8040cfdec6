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
import { describeError } from '../../kernel/errors.ts';
import type { SourceSink } from '../sources/source.ts';
import { ClockEvidence } from './clock-evidence.ts';
import { readClockRecord } from './clock-record.ts';
import { isReadable, ProvisionalJournal, streamsIn } from './provisional-journal.ts';
import type { StreamEvent } from './provisional-record.ts';
import type { ClockState, SiteClock, SiteClockOptions } from './site-clock-api.ts';
import { StampedStreams } from './stamped-streams.ts';
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
/** Lower values of a stored time are ms since some start of the machine. */
const earliestStored = Date.UTC(2020, 0, 1);
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
  /** What readings are placed with; as last used while they wait. */
  #offset: Offset = { offsetMs: 0, marked: false };
  #seenOffsetMs = 0;
  #doubt: Doubt | undefined;
  #doubtedSince: number | undefined;
  #decision: Decision | undefined;
  #deciding = false;
  #finishing: Promise<void> = Promise.resolve();
  /** How often what waited was placed. */
  #releases = 0;
  /** Told once what that release placed is durable. */
  #waiters: { readonly release: number; readonly resolve: () => void }[] = [];
  #isRunning = false;
  #timer: Timer | undefined;
  #recordedAt = 0;
  #steps = { forward: 0, back: 0 };
  #lost = 0;
  #refused = 0;

  constructor(options: SiteClockOptions) {
    const { clock, boot, store, settings, releasedAt } = options;
    this.#options = options;
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
      onRefused: (readings) => this.#onRefused(readings),
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

  async start(openLeft?: (batchId: string) => void): Promise<void> {
    const { boot, clock } = this.#options;
    const store = this.#options.store();
    const record = readClockRecord(await store.loadClock());
    const records = (await store.readProvisional()).filter(isReadable);
    const isSameRun = record?.bootId === boot.id;
    for (const batchId of streamsIn(records))
      if (!this.#streams.get(batchId)) this.#openLeft(batchId, openLeft);
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
        { error: describeError(error) },
        'what waits for the clock could not be written',
      );
    }
  }

  trusted(): boolean {
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
      steps: { ...this.#steps },
      lost: this.#lost,
      refused: this.#refused,
    };
  }

  storedSince(storedAt: number): number {
    return storedAt < earliestStored ? Math.max(storedAt, this.#evidence.cameRightAt ?? storedAt) : storedAt;
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
    if (settings.trust === 'synchronised' && !this.#evidence.synchronised) {
      void synchronised?.().then(
        (isSo) => {
          this.#evidence.synchronised ||= isSo;
        },
        () => {},
      );
    }
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
      else if (this.#isPatienceOver()) this.#decide(this.#guess(doubt, offsetMs));
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
    const { log, metrics } = this.#options;
    const direction = stepMs > 0 ? 'forward' : 'back';
    this.#evidence.wasSet = true;
    this.#steps[direction] += 1;
    metrics.count('holdfast_clock_steps_total', { direction });
    log.warn({ stepMs, mode: this.#mode }, `the wall clock was set ${direction}`);
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

  #onRefused(readings: number): void {
    const { log, metrics } = this.#options;
    if (this.#refused === 0) log.error({}, 'the journal of readings that wait for the clock is full');
    this.#refused += readings;
    metrics.count('holdfast_clock_refused_readings_total', {}, readings);
  }

  #isPatienceOver(): boolean {
    const { policy, policyAfterMs, provisionalMaxBytes } = this.#options.settings;
    if (policy === 'hold') return false;
    const waitedMs = this.#localNow() - (this.#doubtedSince ?? this.#localNow());
    return waitedMs >= policyAfterMs || this.#journal.bytes > provisionalMaxBytes * nearlyFull;
  }

  // A clock that cannot be right is no guide: from what is known, time cannot be earlier than this.
  #guess(doubt: Doubt, offsetMs: number): Offset {
    const least = Math.max(this.#evidence.leastOffsetMs(), this.#offset.offsetMs);
    return { offsetMs: isPlausible(doubt) ? offsetMs : least, marked: true };
  }

  /** Places all that waits, see the crash argument above. */
  #decide(offset: Offset): void {
    if (this.#journal.isEmpty) {
      this.#release({ before: 0, offset, positions: {} });
      this.#save();
      this.#tellPlaced(this.#releases);
      return;
    }
    this.#deciding = true;
    this.#journal.freeze();
    this.#finishing = this.#finishing
      .then(() => this.#carryOut(offset))
      .catch((error) => {
        // The spool is closed: the journal is for the next process.
        this.#options.log.warn({ error: describeError(error) }, 'what waits for the clock stays on disk');
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
    const { boot, log } = this.#options;
    this.#deciding = false;
    this.#releases += 1;
    this.#offset = offset;
    this.#enter(offset.marked ? 'marked' : 'trusted');
    const { placed, lost } = this.#streams.release(decision, this.#journal.take(), boot.id);
    this.#onLost(lost);
    if (placed === 0) return;
    log.info(
      { readings: placed, marked: offset.marked },
      'readings that waited for the clock have their time',
    );
  }

  #onLost(readings: number): void {
    if (readings === 0) return;
    this.#lost += readings;
    const { log, metrics } = this.#options;
    metrics.count('holdfast_clock_lost_readings_total', {}, readings);
    log.error(
      { readings },
      'readings waited for a clock that never came right before a restart: they are a hole',
    );
  }

  async #finish(before: number): Promise<void> {
    const release = this.#releases;
    await this.#streams.placed();
    await this.#journal.forget(before);
    this.#decision = undefined;
    await this.#options.store().saveClock(this.#record());
    this.#tellPlaced(release);
  }

  /** Resolves once all that waits now has its place, durably: until then its sink is needed. */
  #allPlaced(): Promise<void> {
    const waits = this.#mode === 'waiting' || this.#deciding;
    if (!waits && this.#decision === undefined) return Promise.resolve();
    const release = this.#releases + (waits ? 1 : 0);
    return new Promise((resolve) => this.#waiters.push({ release, resolve }));
  }

  #tellPlaced(release: number): void {
    const told = this.#waiters.filter((waiter) => waiter.release <= release);
    this.#waiters = this.#waiters.filter((waiter) => waiter.release > release);
    for (const { resolve } of told) resolve();
  }

  // What an earlier process left.

  #openLeft(batchId: string, open: ((batchId: string) => void) | undefined): void {
    try {
      open?.(batchId);
    } catch (error) {
      // Its readings have no place then, and are counted as lost: no reason not to start.
      this.#options.log.warn({ batchId, reason: describeError(error) }, 'a stream cannot be opened again');
    }
  }

  /** It was this run of the machine: its judgement stands, but for what was set meanwhile. */
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
      this.#onLost(this.#streams.replay(decision, events, record.bootId, this.#offset).lost);
    }
    const { readings, before } = journal.dropOthers(this.#options.boot.id);
    this.#onLost(readings);
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
    const { log, metrics, clock } = this.#options;
    metrics.gauge('holdfast_clock_trusted', this.#mode === 'trusted' ? 1 : 0);
    const doubt = this.#doubt;
    if (doubt === undefined) {
      log.info({ offsetMs: this.#seenOffsetMs }, 'the wall clock is trusted');
      return;
    }
    const reason = explainDoubt(doubt, clock.now(), this.#evidence.facts(this.#seenOffsetMs));
    log.warn({ doubt, reason, mode: this.#mode }, 'the wall clock is not trusted');
  }
}
