// One rule at work: what its inputs are known to have held goes into its engine, and what that decides becomes rows of its
// stream and intents of actions, with one commit.
//
// Time moves by observation alone. The watermark is how far all of its sources are known; one that stands still is waited for
// `waitMs`. Where none is known, the rule's stream has a hole as its sources have, and what a window that reaches into it
// decides is marked, and as a rule not acted on.
//
// Exactly once: rows below the end of what the stream claims are in it, since a row and the statement "observed" behind it
// are emitted in one turn, and so are in one commit. A rule that starts over is given the stored readings again
// from before that end, and what it decides below it is left out. The stream claims from where its inputs are known, and up to
// where all is decided. With TIMESTAMP BY a field that is not the index the latter lags, so rows may come before there is a
// claim: they go up late, and how far they reach is noted with the same commit.
import { describeError } from '../../../kernel/errors.ts';
import { Continuation } from '../../sources/continuation.ts';
import type { RuleRow, RunningRule, StepBound } from '../engine-api.ts';
import type { HostedRuleOptions, RuleMemory, RuleStatus } from './hosted-rule-types.ts';
import type { Span } from './input-tracker.ts';
import { Origins, type Stretch } from './origins.ts';
import { rowsOf } from './rows-of.ts';
import { partsOf } from './span-parts.ts';
import { Told } from './told.ts';
import { UncertainInput } from './uncertain-input.ts';

/**
 * A rule that yields more rows than all three of these (at once, in a second of event time, for each row that it was given) is suspended:
 * going on it would fill the spool.
 */
const maxRowsAtOnce = 10_000;
const rowsASecond = 1000;
const rowsForOne = 4;
/** A rule is suspended when one of its steps takes longer, since that blocks everything else. */
const maxStepMs = 2000;
/** Rows that wait for an input which stands still. Beyond that the rule goes on without that input. */
const maxWaiting = 100_000;
const haltMs = { least: 1000, most: 300_000 };
const wellAfterMs = 3_600_000;

export class HostedRule {
  #options: HostedRuleOptions;
  #origins: Origins;
  #engine: RunningRule;
  #watermark: number | undefined;
  /** By input: what reaches back beyond this rests on what nobody knows. */
  readonly #knownFrom = new Map<string, number>();
  readonly #uncertain: UncertainInput;
  #lacked: readonly string[] = [];
  /** What lies right behind the watermark follows from what the engine knows. */
  #hasBegun = false;
  #floor: number | undefined;
  readonly #told: Told;
  /** Where the stream is to go on, once something behind it is decided. */
  #resumption: { readonly at: number; readonly continues?: Continuation | undefined } | undefined;
  #haltedUntil: number | undefined;
  #haltPauseMs = haltMs.least;
  /** Monotonic ms of the last halt. */
  #haltedAt = Number.NEGATIVE_INFINITY;
  #counts = { rows: 0, unwritten: 0, halts: 0 };
  #problem: string | undefined;
  /** Decisions that it may make by now. */
  #allowance = maxRowsAtOnce;

  constructor(options: HostedRuleOptions) {
    this.#options = options;
    const { compiled, inputs, clock, metrics } = options;
    // At 0 from the start, so that the first is seen.
    metrics.count('holdfast_rules_halts_total', { rule: compiled.name }, 0);
    this.#uncertain = new UncertainInput(compiled);
    this.#origins = new Origins(inputs, clock.monotonic());
    this.#engine = compiled.start();
    this.#told = options.told ?? new Told();
    // Of a clock that was set back, the end of all claims lies where it stood before.
    this.#floor = this.#told.wasSetBack ? undefined : options.floor;
  }

  get told(): Told {
    return this.#told;
  }

  /** Below it all rows are in the stream. */
  get toldTo(): number | undefined {
    return this.#floor ?? this.#told.to;
  }

  get streams(): ReadonlySet<string> {
    return new Set(this.#origins.all.map(({ streamId }) => streamId));
  }

  /** Continues from the state that an earlier process saved. False where that state is not of this rule: it starts without. */
  remember(memory: RuleMemory): boolean {
    const { compiled, log } = this.#options;
    try {
      if (memory.state.fingerprint !== compiled.fingerprint) return false;
      this.#engine = compiled.start(memory.state);
      const { watermark } = memory.state;
      this.#watermark = watermark ?? undefined;
      for (const origin of this.#origins.all)
        Object.assign(origin, structuredClone(memory.origins[origin.streamId]));
      for (const [input, from] of Object.entries(memory.knownFrom)) this.#knownFrom.set(input, from);
      this.#uncertain.load(memory.uncertain);
      this.#hasBegun = this.#watermark !== undefined;
      return true;
    } catch (error) {
      log.info(
        { reason: describeError(error) },
        'saved rule state unusable; the rule starts with empty state',
      );
      this.#engine = compiled.start();
      return false;
    }
  }

  /**
   * Goes on with other bounds, and with all that it holds. `compiled`: the same rule.
   * @throws HoldfastError where that has no room for what it holds
   */
  retune(change: Pick<HostedRuleOptions, 'compiled' | 'waitMs'>): void {
    if (change.compiled !== this.#options.compiled)
      this.#engine = change.compiled.start(this.#engine.state());
    this.#options = { ...this.#options, ...change };
  }

  memory(): RuleMemory | undefined {
    if (this.#haltedUntil !== undefined) return undefined;
    const known = this.#origins.all.map(({ streamId, until, holes }) => [
      streamId,
      { until, holes: [...holes] },
    ]);
    const knownFrom = Object.fromEntries(this.#knownFrom);
    const uncertain = this.#uncertain.save();
    return { state: this.#engine.state(), origins: Object.fromEntries(known), knownFrom, uncertain };
  }

  /** A stretch of one of its streams is known, and durable. `settle` decides the rest of it. */
  take(streamId: string, span: Span): void {
    const { clock } = this.#options;
    const now = clock.monotonic();
    if (this.#isHalted(now)) return;
    if (span.follows === 'back') {
      // What was known before that is decided as it would have been.
      this.settle();
      this.#beginAnew('clock-set-back');
      // The stretch before what was claimed is free, and nothing was decided there.
      this.#floor = undefined;
      this.#told.setBack();
      this.#options.onTold(this.#told.note());
      this.#options.onSetBack();
    }
    for (const part of partsOf(span)) {
      this.#takePart(streamId, part);
      if (part.end < span.end) this.settle();
    }
  }

  #takePart(streamId: string, span: Span): void {
    const { clock } = this.#options;
    const now = clock.monotonic();
    if (this.#isHalted(now)) return;
    for (const origin of this.#origins.of(streamId)) {
      // Noted before: the engine has it.
      const known = origin.until ?? Number.NEGATIVE_INFINITY;
      if (span.end <= known) continue;
      const fresh = span.readings.filter(({ index }) => index >= known);
      this.#origins.take(origin, span, now);
      this.#uncertain.take(origin.input, fresh);
      this.#guard(() => {
        for (const { index, row } of rowsOf(fresh)) {
          this.#engine.push(origin.input, streamId, index, row);
          this.#allowance += rowsForOne;
        }
      });
    }
  }

  /** Decides what can be decided by now. */
  settle(): void {
    const { clock, waitMs } = this.#options;
    const now = clock.monotonic();
    if (this.#isHalted(now)) return;
    const watermark = this.#origins.watermark(now, this.#engine.waiting() > maxWaiting ? 0 : waitMs);
    if (watermark === undefined || watermark <= (this.#watermark ?? Number.NEGATIVE_INFINITY)) return;
    const from = this.#watermark ?? this.#begin(watermark);
    this.#guard(() => {
      for (const stretch of this.#origins.stretches(from, watermark)) this.#decide(stretch);
      this.#watermark = watermark;
      // What waits for other inputs was counted when it came.
      const kept = Math.max(maxRowsAtOnce, rowsForOne * this.#engine.waiting());
      this.#allowance = Math.min(kept, this.#allowance);
      this.#hasBegun = true;
      const tookMs = clock.monotonic() - now;
      if (tookMs > maxStepMs) throw new Error(`one step took ${Math.round(tookMs)} ms`);
    });
  }

  /** When `settle` may have something to do although nothing comes; monotonic ms. */
  nextDue(): number | undefined {
    const { waitMs, clock } = this.#options;
    return this.#haltedUntil ?? this.#origins.nextGiveUp(clock.monotonic(), waitMs);
  }

  /** Nothing more comes: the stream ends where its inputs were observed last. */
  end(reason: string): void {
    this.#options.stream.break(reason);
  }

  status(): RuleStatus {
    const problem = this.#problem ?? this.#engine.lastProblem();
    return {
      phase: this.#haltedUntil === undefined ? 'running' : 'halted',
      ...(this.#watermark === undefined ? {} : { watermark: this.#watermark }),
      ...this.#counts,
      ...this.#engine.counts(),
      held: this.#engine.usage(),
      ...(problem === undefined ? {} : { problem }),
      ...(this.#lacked.length === 0 ? {} : { lacking: this.#lacked }),
    } as RuleStatus;
  }

  /** Nothing was decided yet: from the first position that one of its sources knows. */
  #begin(watermark: number): number {
    const starts = this.#origins.all.flatMap(({ holes, until }) =>
      until === undefined ? [] : (holes[0]?.end ?? until),
    );
    const start = Math.min(watermark, ...starts);
    for (const { input } of this.#origins.all) this.#knownFrom.set(input, start);
    return start;
  }

  #decide({ start, end, lacking, isBlind }: Stretch): void {
    const { stream, onTold, actOnLacking = false } = this.#options;
    const wasSetBack = this.#told.wasSetBack;
    if (isBlind) {
      stream.break('input-broken');
      this.#resumption = undefined;
    } else if (!stream.isObserving && end > (this.#floor ?? Number.NEGATIVE_INFINITY))
      this.#resumption ??= this.#resumptionAt(start);
    const knownFrom = actOnLacking ? Number.NEGATIVE_INFINITY : Math.max(...this.#knownFrom.values());
    const unknown = lacking.length === 0 ? undefined : lacking;
    const from = Math.max(start, this.#engine.decidedUntil());
    this.#allowance += Math.min(maxRowsAtOnce, ((end - from) / 1000) * rowsASecond);
    const rows = this.#engine.advance(end, unknown, knownFrom, this.#bound());
    this.#allowance = Math.max(0, this.#allowance - rows.length);
    const decided = Math.min(end, this.#engine.decidedUntil());
    for (const input of lacking) this.#knownFrom.set(input, end);
    this.#lacked = lacking;
    const floor = this.#floor ?? Number.NEGATIVE_INFINITY;
    let isOutside = wasSetBack;
    const fresh = rows.filter(({ time }) => time >= floor && !this.#told.has(time));
    for (const row of fresh) {
      if ((this.#resumption?.at ?? Number.POSITIVE_INFINITY) <= row.time) this.#resume();
      isOutside ||= !stream.isObserving;
      this.#emit(row);
    }
    if ((this.#resumption?.at ?? Number.POSITIVE_INFINITY) < decided) this.#resume();
    stream.observed(decided);
    for (const { time } of fresh) this.#told.row(time);
    if (decided > floor) this.#told.decided(start, decided, !isBlind);
    if (isOutside) onTold(this.#told.note());
  }

  /** The bound of the step that is decided now. */
  #bound(): StepBound {
    const { clock } = this.#options;
    const since = clock.monotonic();
    const isOver = () =>
      clock.monotonic() - since > maxStepMs ? `one step took more than ${maxStepMs} ms` : undefined;
    return { maxRows: Math.floor(this.#allowance), isOver };
  }

  /** What is decided is in the stream up to `floor`, what is known goes back to `#knownFrom`: between both nothing was decided. */
  #resumptionAt(start: number): { readonly at: number; readonly continues?: Continuation | undefined } {
    const { stream, compiled, isAmid = false } = this.#options;
    const floor = this.#floor;
    // Of a moment whose window it has not seen whole it may lack the row, and not know that.
    if (isAmid && !this.#hasBegun && floor !== undefined)
      return { at: Math.max(start + compiled.reachMs, floor) };
    const toldTo = this.#told.to ?? Number.NEGATIVE_INFINITY;
    // What was broken in this process is a hole, whatever is known of it; and so is what went up late.
    if (floor === undefined || stream.position !== floor || toldTo > floor)
      return { at: Math.max(start, floor ?? start, toldTo) };
    const knownFrom = this.#hasBegun ? Math.max(...this.#knownFrom.values()) : start;
    const at = Math.max(knownFrom, floor);
    return { at, continues: Continuation.derived({ claimedTo: floor, knownFrom, knownTo: at }) };
  }

  #resume(): void {
    const { at, continues } = this.#resumption!;
    this.#resumption = undefined;
    this.#options.stream.resume(at, continues);
  }

  #emit(row: RuleRow): void {
    const { stream, upstream, onRow, metrics, compiled, beforeDurable } = this.#options;
    const lacks = this.#lacksOf(row);
    const durable = beforeDurable ? 'uncertain:before-durable' : 'good';
    const certain = this.#uncertain.isUnder(row) ? 'uncertain:input-uncertain' : durable;
    const quality = lacks.length === 0 ? certain : 'uncertain:input-missing';
    const isWritten = !upstream.has(row.output) || stream.row(row, quality, lacks);
    metrics.count('holdfast_rules_rows_total', { rule: compiled.name });
    this.#counts.rows += 1;
    // What is not in the stream was not decided: its range is a hole now.
    if (isWritten) onRow(row, lacks);
    else this.#counts.unwritten += 1;
  }

  /** Inputs of which something that the row rests on is not known. */
  #lacksOf({ restsFrom, lacking = [] }: RuleRow): readonly string[] {
    const from = restsFrom - this.#options.compiled.aheadMs;
    const before = [...this.#knownFrom].flatMap(([input, known]) => (from < known ? [input] : []));
    return before.length === 0 ? lacking : [...new Set([...lacking, ...before])].sort();
  }

  #isHalted(now: number): boolean {
    if (this.#haltedUntil === undefined) return false;
    if (now < this.#haltedUntil) return true;
    this.#haltedUntil = undefined;
    return false;
  }

  /** Suspends the rule after an error, so that nothing else is affected. It then starts over. */
  #guard(work: () => void): void {
    const { clock, log, metrics, compiled } = this.#options;
    try {
      work();
    } catch (error) {
      this.#problem = describeError(error).slice(0, 500);
      const now = clock.monotonic();
      // One that ran well for long is not what it was then.
      if (now - this.#haltedAt > wellAfterMs) this.#haltPauseMs = haltMs.least;
      this.#haltedAt = now;
      this.#counts.halts += 1;
      metrics.count('holdfast_rules_halts_total', { rule: compiled.name });
      log.error(
        { code: 'rule-halted', reason: this.#problem, pauseMs: this.#haltPauseMs },
        'rule suspended for a while; other rules continue',
      );
      this.#beginAnew('rule-halted');
      this.#haltedUntil = now + this.#haltPauseMs;
      this.#haltPauseMs = Math.min(haltMs.most, 2 * this.#haltPauseMs);
    }
  }

  #beginAnew(reason: string): void {
    const { stream, compiled, inputs, clock } = this.#options;
    stream.break(reason);
    this.#resumption = undefined;
    this.#engine = compiled.start();
    this.#allowance = maxRowsAtOnce;
    this.#origins = new Origins(inputs, clock.monotonic());
    this.#watermark = undefined;
    this.#knownFrom.clear();
    this.#uncertain.load(undefined);
    this.#hasBegun = false;
  }
}
