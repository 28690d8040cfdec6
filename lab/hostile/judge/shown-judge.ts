// Judges a stream of values that equipment merely shows, polled and stamped by the gateway.
//
// Each value that is reported must be what a right answer to this poll showed, or what was shown since it was asked for. Each poll that is claimed must have all
// of its tags: reported, or within the deadband of what was reported last. And within windows that touch each tag must
// have been read about as often as it is to be polled: otherwise a poll was missed, and nobody was told.
import type { SourceEvent } from '../../../runtime/sources/source.ts';
import type { Reading, Value } from '../../../wire/reading.ts';
import type { Window } from '../../../wire/window.ts';
import type { HistoryClaim, Judge, LiveClaim, Via, VoidClaim } from './judge.ts';
import type { Fault, FaultKind } from './verdict.ts';

export interface ShownTag {
  readonly name: string;
  readonly pollMs: number;
  readonly deadband?: number;
}

export interface ShownJudgeOptions {
  readonly tags: readonly ShownTag[];
  /** True time. */
  readonly now: () => number;
  /** Longest poll that counts as one. */
  readonly pollLimitMs: number;
  /** An answer that comes later than this is none to the request that was asked. Default: each counts. */
  readonly answerLimitMs?: number;
  /** A refusal may be believed for so long, where it is one that is meant to last. */
  readonly believedMs: number;
  readonly onFault: (fault: Fault) => void;
}

interface HeardValue {
  readonly at: number;
  readonly value: Value;
  readonly isValid: boolean;
}

/** One statement of the adapter: a poll is done. */
interface Poll {
  readonly at: number;
  readonly since: number;
  readonly position: number;
}

export const lastingRefusals = new Set([1, 2, 3]);
const slackMs = 150;
/** The quality by which the module says that a request for the value stayed without an answer. */
const noAnswer = 'bad:no-answer';

interface Run {
  readonly start: number;
  end: number;
  readonly from: number;
  to: number;
  /** Where what counts as told last begins. */
  readonly toldFrom: number;
}

export class ShownJudge implements Judge {
  readonly faults: Fault[] = [];
  readings = 0;
  readonly #options: ShownJudgeOptions;
  readonly #shown = new Map<string, { readonly at: number; readonly value: Value }[]>();
  readonly #asked = new Map<string, number[]>();
  readonly #heard = new Map<string, HeardValue[]>();
  readonly #refused = new Map<string, { readonly at: number; readonly until: number }[]>();
  readonly #polls: Poll[] = [];
  /** Observation began, and nothing was stated since. */
  #isBegun = false;
  /** Positions at which it went on although its own clock was set. */
  readonly #goesOn = new Set<number>();
  readonly #claims: LiveClaim[] = [];
  /** By `tag index`: when the adapter said it, true time. */
  readonly #saidAt = new Map<string, number>();
  readonly #delivered = new Map<string, Reading[]>();

  constructor(options: ShownJudgeOptions) {
    this.#options = options;
    for (const { name } of options.tags) {
      this.#shown.set(name, []);
      this.#asked.set(name, []);
      this.#heard.set(name, []);
      this.#refused.set(name, []);
      this.#delivered.set(name, []);
    }
  }

  /** It shows this from now on. */
  change(tag: string, value: Value): void {
    this.#shown.get(tag)!.push({ at: this.#options.now(), value });
  }

  ask(tag: string): void {
    this.#asked.get(tag)!.push(this.#options.now());
  }

  hear(tag: string, value: Value, isValid: boolean): void {
    this.#heard.get(tag)!.push({ at: this.#options.now(), value, isValid });
  }

  refuse(tag: string, exception: number): void {
    const at = this.#options.now();
    const until =
      at + (lastingRefusals.has(exception) ? this.#options.believedMs : this.#options.pollLimitMs);
    this.#refused.get(tag)!.push({ at, until });
  }

  watch(event: SourceEvent, isTaken: boolean): void {
    const at = this.#options.now();
    if (event.kind === 'readings') {
      for (const { tag, index } of event.readings) this.#saidAt.set(`${tag} ${index}`, at);
    } else if (event.kind === 'resumed' && isTaken) {
      this.#isBegun = true;
      if (event.continues?.because === 'own-clock') this.#goesOn.add(event.at);
    } else if (event.kind === 'observed' && isTaken) {
      const last = this.#polls.at(-1);
      const position = event.until - 1;
      // Said again, it is no other poll; but a process that was killed may have had the same position.
      if (last?.position !== position || this.#isBegun)
        this.#polls.push({ at, since: last?.at ?? Number.NEGATIVE_INFINITY, position });
      this.#isBegun = false;
    }
  }

  deliver(reading: Reading, via: Via): void {
    this.readings += 1;
    const { index, tag, value, quality } = reading;
    this.#delivered.get(tag)?.push(reading);
    if (quality !== 'good') return;
    const at = this.#saidAt.get(`${tag} ${index}`);
    if (at === undefined) {
      this.#fault('wrongValues', `${tag} at ${index} by ${via} was never said by the adapter`);
      return;
    }
    const seen = this.#heardIn(tag, at - this.#options.pollLimitMs, at);
    if (seen.some((each) => each.isValid && each.value === value)) return;
    // To whatever request it was the answer: it was shown between this one and what came of it.
    if (this.#wasShown(tag, value, at)) return;
    const shown =
      seen.map((each) => (each.isValid ? JSON.stringify(each.value) : 'no value')).join(', ') || 'nothing';
    this.#fault(
      'wrongValues',
      `${tag} = ${JSON.stringify(value)} at ${index}, but the unit had shown ${shown}`,
      at,
    );
  }

  claim(claim: LiveClaim): void {
    this.#claims.push(claim);
  }

  claimHistory(_claim: HistoryClaim): void {}

  claimVoid({ window }: VoidClaim): void {
    this.#fault('falseVoids', `[${window.start}, ${window.end}) is void for a unit that keeps nothing`);
  }

  finish(): void {
    for (const list of this.#delivered.values()) list.sort((a, b) => a.index - b.index);
    const runs: Run[] = [];
    for (const { window, heard } of this.#claims) {
      // One position may be claimed at two times, by a disk that was put back: so both have to fit.
      const run = runs.find(
        ({ start, end, from, to }) =>
          window.start >= start && window.start <= end && heard.from >= from && heard.from <= to,
      );
      if (!run) runs.push({ ...window, ...heard, toldFrom: this.#toldFrom(window, runs.at(-1)) });
      else [run.end, run.to] = [Math.max(run.end, window.end), Math.max(run.to, heard.to)];
    }
    // A position that came again, on a disk that was put back under a clock that was set back: two polls share it.
    const timesAt = new Map<number, number>();
    for (const { position } of this.#polls) timesAt.set(position, (timesAt.get(position) ?? 0) + 1);
    for (const run of runs) {
      for (const tag of this.#options.tags) this.#judgeGaps(tag, run);
      for (const poll of this.#polls) {
        if (poll.position < run.start || poll.position >= run.end) continue;
        if (timesAt.get(poll.position)! > 1) continue;
        const pace = this.#paceOf(poll);
        for (const tag of this.#options.tags)
          if (tag.pollMs === pace) this.#judgePoll(tag, poll, run.toldFrom);
      }
    }
  }

  /**
   * Where the module's own clock was set, its positions leap, and by its monotonic clock observation went on: what was told
   * before and has not changed is not told again.
   */
  #toldFrom({ start }: Window, before: Run | undefined): number {
    return this.#goesOn.has(start) && before !== undefined && before.end <= start ? before.toldFrom : start;
  }

  /** When it was told that a request for the tag stayed without an answer. */
  #toldUnanswered(tag: string): readonly number[] {
    return this.#delivered.get(tag)!.flatMap(({ index, quality }) => {
      const at = quality === noAnswer ? this.#saidAt.get(`${tag} ${index}`) : undefined;
      return at === undefined ? [] : [at];
    });
  }

  /** When it was asked for again after it had been told that it is refused: what came in place of an answer says nothing new. */
  #askedAgain(tag: string): readonly number[] {
    const said = this.#delivered.get(tag)!.flatMap(({ index, quality }) => {
      const at = this.#saidAt.get(`${tag} ${index}`);
      return at === undefined ? [] : [{ at, isRefused: quality.startsWith('bad') && quality !== noAnswer }];
    });
    said.sort((a, b) => a.at - b.at);
    return this.#asked.get(tag)!.filter((asked) => said.findLast(({ at }) => at <= asked)?.isRefused);
  }

  /** The tag must have been read, refused, or told to be without an answer, all the while. */
  #judgeGaps({ name, pollMs }: ShownTag, run: Run): void {
    const times = [
      ...this.#heardIn(name, run.from, run.to).map(({ at }) => at),
      ...this.#refused.get(name)!.flatMap(({ at, until }) => span(at, until, pollMs)),
      ...this.#toldUnanswered(name),
      ...this.#askedAgain(name),
    ]
      .filter((at) => at >= run.from && at <= run.to)
      .sort((a, b) => a - b);
    let last = run.from;
    for (const at of [...times, run.to]) {
      if (at - last > 3 * pollMs + slackMs) {
        const what = `${name} was not read for ${Math.round(at - last)} ms within the run [${run.start}, ${run.end})`;
        this.#fault('missedBreaks', what, at);
        return;
      }
      last = at;
    }
  }

  /** Tags of one pace are polled together: which ones tells the last answer. */
  #paceOf({ at }: Poll): number | undefined {
    return this.#options.tags.find(({ name }) => this.#heardIn(name, at, at).length > 0)?.pollMs;
  }

  /** What was read for this poll must be told. */
  #judgePoll({ name, deadband }: ShownTag, { at, since, position }: Poll, toldFrom: number): void {
    // What came in the moment of the last statement belongs to that one.
    const seen = this.#heardIn(name, at - this.#options.pollLimitMs, at).filter((each) => each.at > since);
    if (seen.length === 0) return;
    const list = this.#delivered.get(name)!;
    const here = list.filter(({ index }) => index === position);
    if (here.some(({ quality }) => !quality.startsWith('bad'))) return;
    if (seen.some(({ isValid }) => !isValid)) return;
    if (here.length > 0) {
      const isExcused = this.#refused.get(name)!.some((refused) => refused.at <= at && refused.until >= at);
      const saysNoAnswer = here.every(({ quality }) => quality === noAnswer);
      if (isExcused || (saysNoAnswer && this.#wasUnanswered(name, since, at))) return;
      this.#fault(
        'falseCoverage',
        `${name} at ${position} is ${here[0]!.quality}, but the unit had shown it`,
        at,
      );
      return;
    }
    const before = list.findLast(({ index }) => index < position && index >= toldFrom);
    if (before?.quality === noAnswer && this.#wasUnanswered(name, since, at)) return;
    const isNear = (value: Value) =>
      deadband !== undefined &&
      typeof value === 'number' &&
      typeof before?.value === 'number' &&
      Math.abs(value - before.value) <= deadband;
    // It may have been read twice, to confirm what came first: that one was believed.
    if (seen.some((each) => isNear(each.value))) return;
    const what = `${name} at ${position} is claimed, but not there: the unit showed ${JSON.stringify(seen.at(-1)!.value)}, last told was ${JSON.stringify(before?.value)}`;
    this.#fault('falseCoverage', what, at);
  }

  /**
   * It was asked for, and not answered in time: what came later was no answer to that. An answer is that to what was asked
   * last before it, also where the next request was sent in the same moment.
   */
  #wasUnanswered(tag: string, since: number, at: number): boolean {
    const { answerLimitMs = Number.POSITIVE_INFINITY } = this.#options;
    const asked = this.#asked.get(tag)!;
    return asked.some((each, place) => {
      if (each < since || each > at) return false;
      const until = Math.min(each + answerLimitMs, asked[place + 1] ?? Number.POSITIVE_INFINITY);
      return !this.#heardIn(tag, each, until).some((heard) => heard.at > each);
    });
  }

  #wasShown(tag: string, value: Value, at: number): boolean {
    const asked = this.#asked.get(tag)!.findLast((each) => each <= at) ?? at;
    const shown = this.#shown.get(tag)!;
    return shown.some((each, place) => {
      const until = shown[place + 1]?.at ?? Number.POSITIVE_INFINITY;
      return each.value === value && each.at <= at && until >= asked;
    });
  }

  #heardIn(tag: string, from: number, to: number): readonly HeardValue[] {
    const list = this.#heard.get(tag)!;
    let low = 0;
    let high = list.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (list[middle]!.at < from) low = middle + 1;
      else high = middle;
    }
    const found: HeardValue[] = [];
    for (let at = low; at < list.length && list[at]!.at <= to; at++) found.push(list[at]!);
    return found;
  }

  #fault(kind: FaultKind, what: string, at = this.#options.now()): void {
    this.faults.push({ kind, what, at });
    this.#options.onFault({ kind, what, at });
  }
}

/** Times no further apart than `stepMs`. */
function span(from: number, to: number, stepMs: number): number[] {
  const times: number[] = [];
  for (let at = from; at < to; at += stepMs) times.push(at);
  return [...times, to];
}
