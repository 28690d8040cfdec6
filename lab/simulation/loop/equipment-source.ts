// A source as an adapter makes one: polls the equipment, states what it may, answers out of the equipment's memory. That
// real adapters keep these rules against real protocols is what `lab/hostile` is for.
import { type Clock, sleep } from '../../../kernel/clock.ts';
import { HoldfastError } from '../../../kernel/errors.ts';
import type { SourceParts } from '../../../runtime/sources/adapter.ts';
import { Continuation } from '../../../runtime/sources/continuation.ts';
import { CompletePage, GonePage, type HistoryPage } from '../../../runtime/sources/history-page.ts';
import { createPollSchedule } from '../../../runtime/sources/line/poll-schedule.ts';
import { Observation } from '../../../runtime/sources/observation.ts';
import { PolledIndex } from '../../../runtime/sources/polled-index.ts';
import type { Source, SourceHistory, SourceSink } from '../../../runtime/sources/source.ts';
import type { Reading } from '../../../wire/reading.ts';
import type { Window } from '../../../wire/window.ts';
import { type Equipment, readingsOf, type Sample } from './equipment.ts';

const answerMs = 15;
const timeoutMs = 500;
const pageSamples = 12;
const confirmMs = 1000;
/** What is told later than this comes behind its window. */
const latenessMs = 2000;

export class EquipmentSource implements Source {
  readonly index;
  readonly stampedByGateway: boolean;
  readonly isUnordered: boolean;
  readonly silenceLimitMs = 30_000;
  /** A planted fault: history is taken for complete up to now, whatever is not recorded yet. */
  readsAhead = false;
  readonly history?: SourceHistory;
  readonly #equipment: Equipment;
  readonly #clock: Clock;
  readonly #parts: SourceParts;
  readonly #isThere: () => boolean;
  /** Number of the last sample that was taken, in this process. */
  #taken: number | undefined;
  /** Taken, and not yet called durable. */
  #unsafe: number[] = [];
  /** The equipment closed the connection behind its last answer. */
  #isClosed = false;

  /** `isThere`: whether the equipment has the address that the settings name; nobody answers elsewhere. */
  constructor(equipment: Equipment, clock: Clock, parts: SourceParts, isThere: () => boolean) {
    this.#equipment = equipment;
    this.#isThere = isThere;
    this.#clock = clock;
    this.#parts = parts;
    this.index = equipment.plan.index;
    this.stampedByGateway = equipment.plan.stamping === 'gateway';
    this.isUnordered = equipment.plan.late !== undefined;
    if (equipment.plan.memory > 0) this.history = { read: (range, signal) => this.#read(range, signal) };
  }

  async run(sink: SourceSink, signal: AbortSignal): Promise<void> {
    const observation = new Observation(sink);
    const { periodMs } = this.#equipment.plan;
    const schedule = createPollSchedule(this.#clock, this.stampedByGateway ? periodMs : periodMs / 3);
    const positions = new PolledIndex(this.#parts.stampClock);
    try {
      await this.#untilHeard(signal);
      if (this.isUnordered) await this.#listen(observation, sink, schedule, signal);
      for (;;) {
        const missed = await schedule.next(signal);
        const sample = await this.#poll(signal);
        if (sample === 'refused') {
          observation.lose('simulated-refused');
          continue;
        }
        if (this.stampedByGateway) this.#takeOwn(observation, positions, sample, missed);
        else this.#take(observation, sample);
        this.#note(sink, observation, sample.number);
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  /** To equipment that tells by itself what it has, in any order: what is told while nobody listens is not heard. */
  async #listen(
    observation: Observation,
    sink: SourceSink,
    schedule: ReturnType<typeof createPollSchedule>,
    signal: AbortSignal,
  ): Promise<never> {
    let heard: number | undefined;
    for (;;) {
      await schedule.next(signal);
      const { told, now } = this.#equipment;
      const isRefused = (await this.#poll(signal)) === 'refused';
      const fresh = heard === undefined || isRefused ? [] : told.slice(heard);
      heard = told.length;
      if (isRefused) observation.lose('simulated-refused');
      else if (observation.isBroken) observation.begin(this.#equipment.now + 1);
      if (observation.isBroken) continue;
      observation.take(fresh.flatMap((sample) => this.#readings(sample, sample.index)));
      observation.observe(now - latenessMs);
      for (const { number } of fresh) this.#note(sink, observation, number);
    }
  }

  /** As adapters do: what is deaf when it was connected to is asked again, before that is given up. */
  async #untilHeard(signal: AbortSignal): Promise<void> {
    const { deafMs = 0 } = this.#equipment.habit;
    for (let waitedMs = 0; waitedMs < deafMs; waitedMs += timeoutMs)
      await sleep(this.#clock, timeoutMs, signal);
  }

  /** As adapters do: what closes behind an answer is connected to again, what refuses for a while is asked on. */
  async #poll(signal: AbortSignal): Promise<Sample | 'refused'> {
    if (this.#isClosed) await this.#untilHeard(signal);
    this.#isClosed = false;
    await sleep(this.#clock, answerMs, signal);
    if (this.#isThere() && this.#equipment.hears()) {
      this.#isClosed = this.#equipment.closes();
      return this.#equipment.isBusy ? 'refused' : this.#equipment.show();
    }
    await sleep(this.#clock, timeoutMs, signal);
    throw new HoldfastError('simulated-timeout', 'the equipment does not answer', { retryable: true });
  }

  #takeOwn(observation: Observation, positions: PolledIndex, sample: Sample, missed: number): void {
    if (missed > 0) observation.lose('poll-missed');
    const { index, stepped } = positions.next();
    if (stepped) observation.lose(stepped);
    observation.report(index, this.#readings(sample, index), { now: this.#clock.monotonic() });
  }

  /** Asks now and then for what was taken to be safe, as a source does that frees its equipment's memory. */
  #note(sink: SourceSink, observation: Observation, number: number): void {
    if (observation.isBroken || this.#unsafe.at(-1) === number) return;
    this.#unsafe.push(number);
    const { freesEvery = 10 } = this.#equipment.plan;
    if (this.#unsafe.length < freesEvery) return;
    const asked = this.#unsafe;
    this.#unsafe = [];
    const { promised } = this.#equipment;
    sink.durable().then(
      () => asked.forEach((each) => void promised.add(each)),
      () => {},
    );
  }

  /** Its numbers tell what was missed. */
  #take(observation: Observation, sample: Sample): void {
    const last = this.#taken ?? this.#parts.start?.()?.number;
    if (last === sample.number && !observation.isBroken) {
      this.#confirm(observation);
      return;
    }
    if (!observation.isBroken && last !== sample.number - 1) observation.lose('samples-missed');
    const now = this.#clock.monotonic();
    this.#statedAt = now;
    if (observation.isBroken && last === sample.number) {
      // Taken before, perhaps in an earlier process: observation goes on behind it.
      const same = Continuation.sameNumber(last, sample.number);
      if (observation.begin(sample.index + 1, same) === undefined) observation.begin(sample.index + 1);
      observation.observe(sample.index + 1, sample.number);
      return;
    }
    const continues = Continuation.nextNumber(last, sample.number);
    observation.report(sample.index, this.#readings(sample, sample.index), {
      now,
      continues,
      number: sample.number,
    });
    if (!observation.isBroken) this.#taken = sample.number;
  }

  #statedAt = Number.NEGATIVE_INFINITY;

  #confirm(observation: Observation): void {
    const now = this.#clock.monotonic();
    if (now - this.#statedAt < confirmMs) return;
    this.#statedAt = now;
    observation.confirm();
  }

  #readings(sample: Sample, index: number): readonly Reading[] {
    return readingsOf(this.#equipment.plan, sample, index);
  }

  async *#read(range: Window, signal: AbortSignal): AsyncGenerator<HistoryPage> {
    for (let from = range.start; from < range.end; ) {
      await sleep(this.#clock, answerMs, signal);
      const answers = this.#isThere() && this.#equipment.answers;
      if (answers && this.#equipment.isBusy)
        throw new HoldfastError('simulated-refused', 'the equipment is busy', { retryable: true });
      if (!answers) {
        await sleep(this.#clock, timeoutMs, signal);
        throw new HoldfastError('simulated-timeout', 'the equipment does not answer', { retryable: true });
      }
      const page = this.#page(from, range.end);
      if (page === undefined) return;
      yield page;
      from = page.window.end;
    }
  }

  #page(from: number, upTo: number): HistoryPage | undefined {
    const { heldFrom, plan } = this.#equipment;
    // Some read whole blocks, and so behind what they were asked for.
    const to = plan.isMixed ? upTo + (plan.index === 'sequence' ? 9 : 9 * plan.periodMs) : upTo;
    const recordedTo = this.readsAhead ? this.#equipment.reachedTo : this.#equipment.recordedTo;
    if (from < heldFrom) {
      const window = { start: from, end: Math.min(heldFrom, to) };
      return GonePage.of(window, { reason: 'history-expired', heldFrom });
    }
    const asked = { start: from, end: Math.min(to, recordedTo) };
    if (Math.min(asked.end, upTo) <= asked.start) return undefined;
    const samples = this.#equipment.held(asked);
    const end = samples[pageSamples]?.index ?? asked.end;
    const readings = samples.slice(0, pageSamples).flatMap((sample) => this.#readings(sample, sample.index));
    return CompletePage.of({ start: from, end }, readings, { asked, ended: 'no-more', heldFrom, recordedTo });
  }
}
