// Judges what rules decided: each verdict, when the hub has it, and all of them once the world is healed. The rule of the simulation counts the
// samples of a source in windows of 20 s; the equipment knows how many there were.
import { type Coverage, covers, normalise } from '../../../wire/coverage.ts';
import type { WireMessage } from '../../../wire/mini-batch.ts';
import type { Reading } from '../../../wire/reading.ts';
import type { Window } from '../../../wire/window.ts';
import { type Equipment, qualityOf, type Sample } from './equipment.ts';
import type { Gateway } from './gateway.ts';
import { simulatedRule } from './simulated-rule.ts';

/** What a rule can be found guilty of. */
export type RuleVerdict =
  | 'doubled' // a verdict stands in two windows
  | 'unfounded' // it is called good, and counts what was lost, or not all that there was
  | 'no-verdict' // the stream claims a moment whose verdict is missing
  | 'old-action' // something was sent after its time was over
  | 'wild-action' // or without a verdict
  | 'action-again' // although its outcome was told
  | 'no-outcome'; // nobody says what became of what a verdict wants done

export type FindRule = (verdict: RuleVerdict, detail: string) => void;

interface Heard {
  readonly n: number;
  readonly isGood: boolean;
  /** Windows that hold it: a message that comes again adds none. */
  readonly places: Set<string>;
}

/** The order of link and clock may take so long after the last look at the deadline. */
const slackMs = 1000;
/** An outcome comes within this: an action has its time, and a window has to close. */
const outcomeMs = 120_000;

export class RuleJudge {
  readonly #equipment: Equipment;
  readonly #find: FindRule;
  readonly #gateway: Pick<Gateway, 'lostStorageAt' | 'hasOutcome'>;
  /** Times of verdicts whose actions have an outcome. */
  readonly #outcomes = new Set<number>();
  readonly #verdicts = new Map<number, Heard>();
  readonly #actions = new Map<string, number>();
  readonly #seen: Window[] = [];

  constructor(equipment: Equipment, find: FindRule, gateway: Pick<Gateway, 'lostStorageAt' | 'hasOutcome'>) {
    this.#equipment = equipment;
    this.#find = find;
    this.#gateway = gateway;
  }

  get verdicts(): number {
    return this.#verdicts.size;
  }

  get actions(): number {
    return this.#actions.size;
  }

  /** The hub has a message of the rule's stream. */
  hear(window: Window, isLate: boolean, readings: readonly Reading[]): void {
    for (const { index, tag, value, quality } of readings) {
      if (tag.startsWith('action#')) this.#outcomes.add((value as { readonly time: number }).time);
      if (tag !== 'n') continue;
      const fresh = { n: Number(value), isGood: quality === 'good', places: new Set<string>() };
      const verdict = this.#verdicts.get(index) ?? fresh;
      this.#verdicts.set(index, verdict);
      verdict.places.add(`${isLate} ${window.start}-${window.end}`);
      if (verdict.places.size > 1 && !this.#isSentAgain(verdict, fresh))
        this.#find('doubled', `the verdict of ${index} stands in ${[...verdict.places].join(' and ')}`);
      const shown = this.#equipment.shown(windowOf(index));
      if (fresh.isGood && fresh.n !== shown.length)
        this.#find('unfounded', `the verdict of ${index} counts ${value}, there were ${shown.length}`);
      const sum = readings.find((each) => each.index === index && each.tag === 's');
      if (fresh.isGood && this.#equipment.plan.isMixed) this.#judgeSum(index, sum?.value, shown);
    }
  }

  /** What the equipment calls bad is no value, and what it is not sure of makes no good verdict. */
  #judgeSum(index: number, sum: unknown, shown: readonly Sample[]): void {
    const qualities = shown.map(({ number }) => qualityOf(number));
    if (qualities.some((quality) => quality.startsWith('uncertain')))
      this.#find('unfounded', `the verdict of ${index} is called good, and rests on what is uncertain`);
    const values = shown.filter((_, at) => !qualities[at]!.startsWith('bad')).map(({ value }) => value);
    const right = values.length === 0 ? null : values.reduce((one, other) => one + other);
    if (sum !== right) this.#find('unfounded', `the verdict of ${index} sums up to ${sum}, not ${right}`);
  }

  /** Some of what was stored may be gone: what was sent from there is sent again. */
  get #hasLostStorage(): boolean {
    return this.#gateway.lostStorageAt > Number.NEGATIVE_INFINITY;
  }

  /**
   * Behind damage the journal of a window that was closed may be back: it goes up once more, as late or as far as the journal reaches,
   * and says the same, or, of input that was damaged too, that some of it may be missing.
   */
  #isSentAgain(verdict: Heard, again: Heard): boolean {
    const isSame = !again.isGood || (again.n === verdict.n && verdict.isGood);
    const claims = [...verdict.places].filter((place) => place.startsWith('false'));
    const starts = new Set(claims.map((place) => place.split('-')[0]));
    return isSame && starts.size <= 1 && this.#hasLostStorage;
  }

  /** The module sends an action. `now`: a right wall clock. */
  act({ messageId }: WireMessage, now: number): void {
    const time = timeOf(messageId);
    const lateMs = now - time - simulatedRule.validForMs;
    if (lateMs > slackMs)
      this.#find('old-action', `${messageId} is sent ${lateMs} ms after its time was over`);
    if (this.#gateway.hasOutcome(messageId) && !this.#hasLostStorage)
      this.#find('action-again', `${messageId} is sent, and its outcome was on the disk`);
    this.#actions.set(messageId, (this.#actions.get(messageId) ?? 0) + 1);
  }

  /** The source's stream: a window that was no answer to a request, so that the rule was there when it was claimed. */
  hearInput(window: Window): void {
    this.#seen.push(window);
  }

  /**
   * All is healed. `covered`: of the rule's stream, by the ledger. `voids` and `sourceVoids`: of it and of its source's, where what
   * was promised may be declared lost.
   * `delivered`: numbers of samples. `from`: where the ledger says that the source's stream begins.
   */
  close(
    {
      covered,
      voids,
      sourceVoids,
      mayLose,
    }: Readonly<Record<'covered' | 'voids' | 'sourceVoids', readonly Window[]>> & {
      readonly mayLose: boolean;
    },
    delivered: ReadonlySet<number>,
    from: number,
  ): void {
    // What is newer is on its way.
    const newest = [...delivered].reduce((most, number) => Math.max(most, number), -1);
    for (const [time, { isGood }] of this.#verdicts) {
      const shown = this.#equipment.shown(windowOf(time));
      const due = shown.filter(({ number, index }) => number < newest && index >= from);
      const isTold = (at: number) => sourceVoids.some(({ start, end }) => start <= at && at < end);
      const lost = due.filter(({ number, index }) => !delivered.has(number) && !isTold(index));
      if (isGood && lost.length > 0)
        this.#find('unfounded', `the verdict of ${time} rests on sample ${lost[0]!.number}, which was lost`);
    }
    const seen = normalise(this.#seen);
    for (const window of covered)
      for (const time of missingIn(window, seen, this.#verdicts, this.#equipment))
        this.#find('no-verdict', `${time} is claimed by [${window.start}, ${window.end})`);
    const last = Math.max(...this.#verdicts.keys());
    const isTold = (time: number) => voids.some(({ start, end }) => start <= time && time < end);
    // A store that was lost had the verdict, and nobody knows that the stream began before.
    const begins = normalise([...covered, ...voids])[0]?.start ?? Number.NEGATIVE_INFINITY;
    const isForgotten = (time: number) => time < begins && this.#hasLostStorage;
    for (const id of this.#actions.keys()) {
      const time = timeOf(id);
      if (!this.#verdicts.has(time) && time <= last && !isTold(time) && !isForgotten(time))
        this.#find('wild-action', `${id} is of no verdict`);
    }
    if (mayLose || this.#hasLostStorage) return;
    const settled = [...this.#verdicts.keys()].filter((time) => time < last - outcomeMs);
    const untold = settled.find((time) => !this.#outcomes.has(time));
    if (untold !== undefined)
      this.#find('no-outcome', `of the verdict of ${untold}, and ${settled.length} were decided`);
  }
}

/** Moments within `window` whose readings were all seen, and of which nothing was decided. */
function missingIn(
  { start, end }: Window,
  seen: Coverage,
  verdicts: ReadonlyMap<number, unknown>,
  equipment: Equipment,
): readonly number[] {
  const { windowMs } = simulatedRule;
  const missing: number[] = [];
  for (let time = Math.ceil(start / windowMs) * windowMs; time < end; time += windowMs) {
    if (verdicts.has(time) || !covers(seen, windowOf(time))) continue;
    if (equipment.shown(windowOf(time)).length > 0) missing.push(time);
  }
  return missing;
}

/** A window holds its end, and not its start. */
function windowOf(time: number): Window {
  return { start: time - simulatedRule.windowMs + 1, end: time + 1 };
}

/** Of the verdict that it follows from. */
function timeOf(messageId: string): number {
  return Number(messageId.split(';')[1]);
}
