// Judges a stream of records against all that the equipment made.
//
// A live window `[start, end)` that rests on what was heard up to T says: every record with a position in it that was
// made by T has been delivered, and none is to come but repetitions. Windows that touch say more: nothing that was made
// between what the first and the last of them rest on is missing, wherever its position lies. That is how a loss is
// found although a clock that was set back has the lost records stand at positions that were claimed long ago.
import type { SourceEvent } from '../../../runtime/sources/source.ts';
import type { Reading } from '../../../wire/reading.ts';
import type { Window } from '../../../wire/window.ts';
import type { HistoryClaim, Judge, LiveClaim, Via, VoidClaim } from './judge.ts';
import type { Made, RecordRules, Records } from './records.ts';
import type { Fault, FaultKind } from './verdict.ts';

/** What was published is said a little later. */
const onTheWayMs = 1500;

interface Voided extends VoidClaim {
  /** True time. */
  readonly at: number;
  /** What the module's clock showed. */
  readonly wall: number;
}

interface Answered extends HistoryClaim {
  readonly wall: number;
}

export interface RecordJudgeOptions<M extends Made> {
  readonly records: Records<M>;
  readonly rules: RecordRules<M>;
  /** True time. */
  readonly now: () => number;
  /** The module's clock, or what it would show if it had not been set back, epoch ms. Default: nothing is past by it. */
  readonly wall?: () => number;
  /** As `Judge.watch`. */
  readonly watch?: NonNullable<Judge['watch']>;
  /** Told of each fault as it is found. */
  readonly onFault: (fault: Fault) => void;
}

export class RecordJudge<M extends Made> implements Judge {
  readonly faults: Fault[] = [];
  readings = 0;
  readonly #options: RecordJudgeOptions<M>;
  readonly #live: LiveClaim[] = [];
  /** When the run of windows that touch began that the claim is of, in true time of what was heard. */
  readonly #begun = new Map<LiveClaim, number>();
  readonly #history: Answered[] = [];
  readonly #voids: Voided[] = [];
  /** `id tag` of what came live, or was declared to have no value. */
  readonly #delivered = new Set<string>();
  readonly #blamed = new Set<string>();
  /** By tag, what the adapter said live of it, whatever it was, in the order in which it did. */
  readonly #told = new Map<
    string,
    { readonly at: number; readonly index: number; readonly isBad: boolean }[]
  >();
  readonly #unplaced: Reading[] = [];
  /** `claim record`: the page says that it is not to be had, and so it was. */
  readonly #unreadable = new Set<string>();
  /** What the last page left marked. */
  #marked: readonly Reading[] = [];
  #isFinishing = false;

  constructor(options: RecordJudgeOptions<M>) {
    this.#options = options;
  }

  watch(event: SourceEvent, isTaken: boolean): void {
    this.#options.watch?.(event, isTaken);
    if (event.kind !== 'readings' || !isTaken) return;
    const at = this.#options.now();
    for (const { tag, index, value, quality } of event.readings) {
      const told = this.#told.get(tag) ?? [];
      told.push({ at, index, isBad: value === null || quality.startsWith('bad') });
      this.#told.set(tag, told);
    }
  }

  deliver(reading: Reading, via: Via): void {
    this.readings += 1;
    this.#judgeReading(reading, via);
  }

  #judgeReading(reading: Reading, via: Via): void {
    const { rules } = this.#options;
    const { index, tag, value, quality } = reading;
    const isBad = value === null || quality.startsWith('bad');
    const candidates = this.#options.records.showing(tag, value);
    if (isBad) {
      if (via === 'live') this.#declare(reading, candidates);
      return;
    }
    // Live values tell where the others of their round lie: those of history are judged once that is known.
    if (
      via === 'history' &&
      candidates.some((made) => rules.placeOf(made) === undefined) &&
      !this.#isFinishing
    ) {
      this.#unplaced.push(reading);
      return;
    }
    const reasons: string[] = [];
    for (const made of candidates) {
      const reason = rules.misplaced(made, index, via);
      if (reason === undefined || quality !== 'good') {
        if (quality === 'good' && made.values.get(tag)!.good === false)
          reasons.push('the equipment does not vouch for it');
        else {
          if (via === 'live') this.#delivered.add(`${made.id} ${tag}`);
          return;
        }
      } else reasons.push(reason);
    }
    if (quality !== 'good' || rules.isShownElse?.(index, tag, value)) return;
    const why = reasons[0] ?? 'it never showed that';
    this.#fault('wrongValues', `${tag} = ${JSON.stringify(value)} at ${index} by ${via}: ${why}`);
  }

  rollBack(since: number): void {
    this.#options.rules.rollBack?.(since, this.#options.now());
  }

  forgive({ index, tag, value }: Reading): void {
    for (const made of this.#options.records.showing(tag, value))
      if (this.#options.rules.misplaced(made, index, 'live') === undefined)
        this.#delivered.add(`${made.id} ${tag}`);
  }

  claim(claim: LiveClaim): void {
    const before = this.#live.findLast(
      ({ window, heard }) => window.end === claim.window.start && heard.unbroken === claim.heard.from,
    );
    this.#begun.set(claim, before ? this.#begun.get(before)! : claim.heard.from);
    this.#live.push(claim);
  }

  claimHistory(claim: HistoryClaim): void {
    const { rules, records } = this.#options;
    const { start, end } = claim.window;
    // A page may be sent in pieces: what is marked stays so up to the next reading of the tag.
    const before = this.#history.at(-1)?.window.end === start ? this.#marked : [];
    const readings = [...before, ...claim.readings];
    this.#marked = marksAmong(readings);
    // Now, for the equipment forgets.
    for (const made of records.all) {
      const place = rules.placeOf(made);
      if (place === undefined || place < start || place >= end) continue;
      const key = `${this.#history.length} ${made.id}`;
      if (rules.isBeyondProof?.(made)) this.#unreadable.add(key);
      if (!rules.isUnreadable?.(made)) continue;
      for (const tag of made.values.keys()) if (isMarked(readings, tag, place)) this.#unreadable.add(key);
    }
    this.#history.push({ ...claim, wall: this.#wall() });
  }

  claimVoid(claim: VoidClaim): void {
    const { records, rules, now } = this.#options;
    const { start, end } = claim.window;
    this.#voids.push({ ...claim, at: now(), wall: this.#wall() });
    for (const made of records.all) {
      const place = rules.placeOf(made);
      if (place === undefined || place < start || place >= end || !rules.isHeld(made)) continue;
      const what = `[${start}, ${end}) is void (${claim.reason}), but record ${made.id} at ${place} is still held`;
      this.#fault('falseVoids', what);
      return;
    }
  }

  finish(): void {
    this.#isFinishing = true;
    for (const reading of this.#unplaced) this.#judgeReading(reading, 'history');
    const places = this.#options.records.all.map((made) => this.#options.rules.placeOf(made));
    const order = this.#options.records.all
      .map((made, at) => ({ made, place: places[at] }))
      .filter((each): each is { made: M; place: number } => each.place !== undefined)
      .sort((a, b) => a.place - b.place);
    const within = ({ start, end }: Window) => {
      const from = lowerBound(order, start);
      const found: { made: M; place: number }[] = [];
      for (let at = from; at < order.length && order[at]!.place < end; at++) found.push(order[at]!);
      return found;
    };
    for (const claim of this.#live) this.#judgeLive(claim, within(claim.window));
    for (const claim of this.#live) this.#judgeRun(claim);
    for (const [at, claim] of this.#history.entries()) this.#judgeHistory(claim, at, within(claim.window));
    for (const claim of this.#voids) this.#judgeFuture(claim, within(claim.window));
  }

  #judgeLive(claim: LiveClaim, inside: readonly { made: M; place: number }[]): void {
    const { window, heard } = claim;
    const { rules } = this.#options;
    for (const { made, place } of inside) {
      if (!this.#wasToCome(made, place, heard.to) || rules.isHidden?.(made)) continue;
      const begun = this.#begun.get(claim)!;
      if (rules.isOutOfSight?.(made, begun)) continue;
      const missing = this.#missing(made, heard.to, begun);
      if (missing === undefined) continue;
      const what = `[${window.start}, ${window.end}) is claimed, but ${missing} of record ${made.id} at ${place} is missing`;
      this.#blame(made, 'falseCoverage', what);
    }
  }

  /** Records that were made while observation went on without a break. */
  #judgeRun({ window, heard }: LiveClaim): void {
    const { records, rules } = this.#options;
    for (const made of records.all) {
      if (made.at <= heard.from || made.at > heard.unbroken || rules.isHidden?.(made)) continue;
      const place = rules.placeOf(made);
      // Beyond the window nothing is claimed, whatever was heard.
      if (place !== undefined && place >= window.end) continue;
      const missing = this.#missing(made, heard.to);
      if (missing === undefined) continue;
      const what = `${missing} of record ${made.id} at ${place ?? '?'} was lost under observation, in the run of [${window.start}, ${window.end})`;
      this.#blame(made, 'missedBreaks', what);
    }
  }

  #judgeHistory(
    { window, readings, heard, wall }: Answered,
    at: number,
    inside: readonly { made: M; place: number }[],
  ): void {
    const { rules } = this.#options;
    const given = new Map<number, Reading[]>();
    for (const reading of readings) {
      const list = given.get(reading.index);
      if (list) list.push(reading);
      else given.set(reading.index, [reading]);
    }
    for (const { made, place } of inside) {
      if (!this.#wasToCome(made, place, heard) || this.#hadPassed(made, place, { at: heard, wall })) continue;
      if (rules.isForgotten?.(made)) continue;
      // It came live, or late: the cloud has it, whatever the page says.
      if (this.#missing(made, heard) === undefined) continue;
      const here = given.get(place) ?? [];
      for (const [tag, shown] of made.values) {
        const isThere = here.some(
          (each) =>
            each.tag === tag && (!shown.good || JSON.stringify(each.value) === JSON.stringify(shown.value)),
        );
        if (isThere || this.#unreadable.has(`${at} ${made.id}`)) continue;
        const what = `history of [${window.start}, ${window.end}) is complete, but ${tag} of record ${made.id} at ${place} is missing`;
        this.#fault('falseCoverage', what, heard);
        break;
      }
    }
  }

  /** A void over what was still to be made. */
  #judgeFuture({ window, reason, at, wall }: Voided, inside: readonly { made: M; place: number }[]): void {
    const later = inside.find(
      ({ made, place }) =>
        made.at > at &&
        !this.#options.rules.hadCome(place, at) &&
        !this.#hadPassed(made, place, { at, wall }),
    );
    if (!later) return;
    const what = `[${window.start}, ${window.end}) is void (${reason}), but record ${later.made.id} at ${later.place} was made later`;
    this.#fault('falseVoids', what, at);
  }

  #wasToCome(made: M, place: number, heard: number): boolean {
    return made.at <= heard || !this.#options.rules.hadCome(place, heard);
  }

  #wall(): number {
    return this.#options.wall?.() ?? Number.NEGATIVE_INFINITY;
  }

  /** It was made later, at a time that was over by both clocks. */
  #hadPassed(made: M, place: number, { at, wall }: { readonly at: number; readonly wall: number }): boolean {
    return made.at > at && place < wall && (this.#options.rules.hadPassed?.(place, at) ?? false);
  }

  /** A reading without a value, or with one that is bad: honest where the equipment gave none, or that one. */
  #declare({ index, tag, value }: Reading, candidates: readonly M[]): void {
    const { records, rules } = this.#options;
    // Of a bad value nobody says that its time is its own.
    if (value !== null)
      for (const made of candidates)
        if (made.values.get(tag)!.good === false) this.#delivered.add(`${made.id} ${tag}`);
    for (const made of records.all) {
      const shown = made.values.get(tag);
      if (shown === undefined || rules.placeOf(made) !== index) continue;
      if (!shown.good || rules.isExcused?.(made, tag)) this.#delivered.add(`${made.id} ${tag}`);
    }
  }

  /**
   * `heard`: up to when in true time the adapter had heard of what the equipment did. `begun`: when the run of windows
   * began that may claim it.
   */
  #missing(made: M, heard: number, begun = Number.NEGATIVE_INFINITY): string | undefined {
    for (const tag of made.values.keys()) {
      if (!this.#delivered.has(`${made.id} ${tag}`) && !this.#isDenied(made, tag, heard, begun)) return tag;
    }
    return undefined;
  }

  /** It was said before that the tag has no value, and nothing else since: who saw it earlier may have lost it. */
  #isDenied(made: M, tag: string, heard: number, begun: number): boolean {
    const { rules } = this.#options;
    if (!rules.isUnwatched || !(made.at <= begun || rules.isUnwatched(made))) return false;
    const told = this.#told.get(tag) ?? [];
    // By what was said until then, or was on its way: what is said a moment later may be of a clock that was set back since.
    const isBadAt = (place: number) =>
      [heard, heard + onTheWayMs].some(
        (by) => told.findLast(({ at, index }) => at <= by && index <= place)?.isBad ?? false,
      );
    const place = rules.placeOf(made) ?? Number.NEGATIVE_INFINITY;
    const end = rules.saidAt?.(made) ?? place;
    if (isBadAt(place) || isBadAt(end - 1)) return true;
    return told.some(({ at, index, isBad }) => {
      return isBad && at <= heard + onTheWayMs && index >= place && index <= end;
    });
  }

  /** Once for each record. */
  #blame(made: M, kind: FaultKind, what: string): void {
    if (this.#blamed.has(String(made.id))) return;
    this.#blamed.add(String(made.id));
    this.#fault(kind, what, made.at);
  }

  #fault(kind: FaultKind, what: string, at = this.#options.now()): void {
    this.faults.push({ kind, what, at });
    this.#options.onFault({ kind, what, at });
  }
}

function lowerBound(order: readonly { readonly place: number }[], place: number): number {
  let low = 0;
  let high = order.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (order[middle]!.place < place) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The page says of the tag that it is not known at `place`: up to its next reading, and to what shares that one's time. */
function isMarked(readings: readonly Reading[], tag: string, place: number): boolean {
  const last = readings.findLast(
    (reading) =>
      reading.tag === tag && (reading.index < place || (reading.index === place && isMark(reading))),
  );
  return last !== undefined && isMark(last);
}

function isMark({ value, quality }: Reading): boolean {
  return value === null && quality.startsWith('bad');
}

/** The last reading of each tag, where it says that the tag is not known from there on. */
function marksAmong(readings: readonly Reading[]): readonly Reading[] {
  const last = new Map(readings.map((reading) => [reading.tag, reading]));
  return [...last.values()].filter(isMark);
}
