// The account: what the plant made against what the cloud received, reading by reading. A reading is one
// value of one tag at one index. Pure: the same inputs give the same account.
//
// What counts. For a unit that stamps its own samples: every sample from the start of the first window that
// the cloud received (observation cannot begin before it began) up to the last sample that the plant made.
// The end is not the end of the last window: the plant stops making samples first, everything then has time
// to drain, so a tail that never arrived is missing, not out of scope. For a unit that is only polled there
// is no truth but what was shown to the poller: every answer given between the start of the first window
// and the end of the last one counts; an answer after that was given to nobody who could still send it.
//
// A void is no excuse where the equipment still remembers: a stamped sample that the device's log still
// held, declared void, counts as missing.
import { isDeepStrictEqual } from 'node:util';
import { covers, gaps, subtract, union } from '../../wire/coverage.ts';
import type { Value } from '../../wire/reading.ts';
import type { Window } from '../../wire/window.ts';
import { holds, type SeenReading, type StreamCopy, sameValue, voidCoverage } from './cloud-copy.ts';
import type { LedgerStream } from './ledger-check.ts';
import { matchAnswers } from './match-answers.ts';
import { createMissingRanges, type MissingRange } from './missing-ranges.ts';
import type { TrueSample } from './true-sample.ts';
import type { VerdictAccount } from './verdict-account.ts';

export interface StreamAccount {
  readonly stream: string;
  /** From the first window's start to the end of what counts. */
  readonly span?: Window;
  /** All counts are readings. */
  readonly produced: number;
  readonly delivered: number;
  /** Deliveries of the same value beyond the first. */
  readonly duplicates: number;
  readonly void: number;
  readonly missing: number;
  /** Received, but never made. */
  readonly invented: number;
  /** Received with another value than was made. */
  readonly changed: number;
  readonly missingRanges: readonly MissingRange[];
  /** Holes between the windows and voids that the cloud received. */
  readonly openGaps: readonly Window[];
  /** Ranges that are declared void and that nothing else covers. */
  readonly voids: readonly Window[];
  /** Contradictions in the messages themselves. */
  readonly problems: readonly string[];
}

interface Tally {
  produced: number;
  delivered: number;
  duplicates: number;
  void: number;
  missing: number;
  invented: number;
  changed: number;
}

const emptyTally = (): Tally => ({
  produced: 0,
  delivered: 0,
  duplicates: 0,
  void: 0,
  missing: 0,
  invented: 0,
  changed: 0,
});

export interface StampedInput {
  readonly stream: string;
  /** Every sample made, by time. */
  readonly truth: readonly TrueSample[];
  /** What the cloud received; undefined: nothing at all. */
  readonly copy: StreamCopy | undefined;
  /** Time of the oldest sample that the device's log still holds. */
  readonly logReachesBackTo: number;
}

/** The account of a unit that stamps its samples and logs them. */
export function accountStamped(input: StampedInput): StreamAccount {
  const { stream, truth, copy } = input;
  const first = copy && firstStart(copy);
  if (!copy || first === undefined) return nothingReceived(stream, truth);
  const tally = emptyTally();
  const voids = voidCoverage(copy);
  const missing = createMissingRanges();
  const bySample = new Map(truth.map((sample) => [sample.at, sample.values]));

  for (const { at, values } of truth) {
    if (at < first) continue;
    for (const [tag, value] of Object.entries(values)) {
      tally.produced += 1;
      const seen = copy.readings.get(at)?.get(tag);
      if (seen && holds(seen, value)) tally.delivered += 1;
      // With a wrong value it counts as changed, below.
      else if (seen) continue;
      else if (covers(copy.covered, instant(at))) missing.add(at, 'not in the window that claims them');
      else if (!covers(voids, instant(at))) missing.add(at, 'in a gap');
      else if (at >= input.logReachesBackTo) missing.add(at, 'declared void though the device has them');
      else tally.void += 1;
    }
  }
  for (const [at, tags] of copy.readings) {
    for (const [tag, seen] of tags) addReceived(tally, seen, bySample.get(at)?.[tag]);
  }
  tally.missing = missing.count();
  const end = Math.max(lastEnd(copy) ?? first + 1, (truth.at(-1)?.at ?? first) + 1);
  return close(copy, { start: first, end }, tally, missing.ranges());
}

export interface PolledInput {
  readonly stream: string;
  /** Every answer given to a poll, by time. */
  readonly shown: readonly TrueSample[];
  readonly copy: StreamCopy | undefined;
  /** How long after the answer left the plant a reading may be stamped, in ms; and how long before, for clocks. */
  readonly laterMs?: number;
  readonly earlierMs?: number;
}

/** Answers to several requests that leave the plant together. */
const atOnceMs = 5;

/** The account of a unit that is only polled: readings carry the time at which the answer came. */
export function accountPolled(input: PolledInput): StreamAccount {
  const { stream, shown, copy } = input;
  const first = copy && firstStart(copy);
  const end = copy && lastEnd(copy);
  if (!copy || first === undefined || end === undefined) return nothingReceived(stream, shown);
  const tally = emptyTally();
  const voids = voidCoverage(copy);
  const missing = createMissingRanges();
  const pairs = matchAnswers(shown, copy, input.laterMs ?? 5000, input.earlierMs ?? 5);

  // A unit that hung answers at once what it was asked meanwhile; the module takes the answer to its last request alone.
  const isSaidAgain = (answer: TrueSample) =>
    [...pairs.byAnswer.keys()].some(
      ({ at, values }) => Math.abs(at - answer.at) <= atOnceMs && isDeepStrictEqual(values, answer.values),
    );

  for (const answer of shown) {
    const tags = pairs.byAnswer.get(answer);
    if (!tags && isSaidAgain(answer)) continue;
    if (!tags && (answer.at < first || answer.at >= end)) continue;
    for (const [tag, value] of Object.entries(answer.values)) {
      tally.produced += 1;
      const seen = tags?.get(tag);
      if (seen && holds(seen, value)) tally.delivered += 1;
      else if (seen) continue;
      else if (tags || covers(copy.covered, instant(answer.at)))
        missing.add(answer.at, 'not in the window that claims them');
      else if (!covers(voids, instant(answer.at))) missing.add(answer.at, 'in a gap');
      else tally.void += 1;
    }
  }
  for (const [at, tags] of copy.readings) {
    const answer = pairs.byIndex.get(at);
    for (const [tag, seen] of tags) addReceived(tally, seen, answer?.values[tag]);
  }
  tally.missing = missing.count();
  return close(copy, { start: first, end }, tally, missing.ranges());
}

/** Judges what was received for one tag at one index: `truth` undefined means that no such reading was made. */
function addReceived(tally: Tally, seen: SeenReading, truth: Value | undefined): void {
  tally.duplicates += seen.times - 1;
  if (truth === undefined) {
    tally.invented += 1 + seen.others.length;
    return;
  }
  for (const value of [seen.value, ...seen.others]) if (!sameValue(value, truth)) tally.changed += 1;
}

const instant = (at: number): Window => ({ start: at, end: at + 1 });

const statements = (copy: StreamCopy) => union(copy.covered, voidCoverage(copy));
const firstStart = (copy: StreamCopy): number | undefined => copy.covered[0]?.start;
const lastEnd = (copy: StreamCopy): number | undefined => statements(copy).at(-1)?.end;

function close(
  copy: StreamCopy,
  span: Window,
  tally: Tally,
  missingRanges: readonly MissingRange[],
): StreamAccount {
  const problems: string[] = [];
  if (copy.misplaced > 0) problems.push(`${copy.misplaced} readings lie outside the window of their message`);
  if (copy.miscounted > 0) problems.push(`${copy.miscounted} messages carry another count than they say`);
  return {
    stream: copy.batchId,
    span,
    ...tally,
    missingRanges,
    openGaps: gaps(statements(copy)),
    voids: subtract(voidCoverage(copy), copy.covered),
    problems,
  };
}

function nothingReceived(stream: string, truth: readonly TrueSample[]): StreamAccount {
  const produced = truth.reduce((sum, { values }) => sum + Object.keys(values).length, 0);
  return {
    stream,
    ...emptyTally(),
    produced,
    missing: produced,
    missingRanges: [],
    openGaps: [],
    voids: [],
    problems: ['nothing was received'],
  };
}

export interface Account {
  readonly ok: boolean;
  readonly streams: readonly StreamAccount[];
  readonly produced: number;
  readonly delivered: number;
  readonly duplicates: number;
  readonly void: number;
  readonly missing: number;
  readonly invented: number;
  readonly changed: number;
  readonly openGaps: number;
  readonly gapsFound: number;
  readonly gapsClosed: number;
  readonly problems: readonly string[];
  /** Of the rule that decides meanwhile. */
  readonly verdicts?: VerdictAccount;
}

/** The whole account. `ok` only if nothing is missing, invented or changed, no gap is open, nothing contradicts. */
export function total(
  streams: readonly StreamAccount[],
  ledgers: readonly LedgerStream[],
  problems: readonly string[],
  verdicts?: VerdictAccount,
): Account {
  const sum = (name: keyof Tally) => streams.reduce((total, stream) => total + stream[name], 0);
  const openGaps = streams.reduce((total, stream) => total + stream.openGaps.length, 0);
  const all = [
    ...problems,
    ...streams.flatMap((stream) => stream.problems.map((problem) => `${stream.stream}: ${problem}`)),
    ...(verdicts?.problems ?? []).map((problem) => `${verdicts?.stream}: ${problem}`),
  ];
  const counts = {
    produced: sum('produced'),
    delivered: sum('delivered'),
    duplicates: sum('duplicates'),
    void: sum('void'),
    missing: sum('missing'),
    invented: sum('invented'),
    changed: sum('changed'),
  };
  const faults = counts.missing + counts.invented + counts.changed + openGaps + all.length;
  return {
    // An account of nothing is not a good account.
    ok: faults === 0 && counts.delivered > 0,
    streams,
    ...counts,
    openGaps,
    gapsFound: ledgers.reduce((total, ledger) => total + ledger.gapsFound, 0),
    gapsClosed: ledgers.reduce((total, ledger) => total + ledger.gapsClosed, 0),
    problems: all,
    ...(verdicts && { verdicts }),
  };
}
