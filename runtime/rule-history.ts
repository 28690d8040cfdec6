// What answers for a hole in a rule's stream. A rule has no memory to be asked: nothing decides again what is past, since a
// verdict is what the gateway decided at that time. So all of it is void, and the question is why.
//
// Where an input was declared lost, the rule's range is lost for the same reason. While that is open (the input can be asked
// for it, and is) the rule's range stays open, too. Where the input was seen, or was had later from its own history, the rule did
// not decide, and nobody can have it: `no-history`.
import type { Clock } from '../kernel/clock.ts';
import { type Coverage, intersection, normalise, subtract } from '../wire/coverage.ts';
import type { Window } from '../wire/window.ts';
import type { HistoryAnswer } from './methods/backfill-jobs-api.ts';
import type { BackfillStore, JobRecord } from './methods/backfill-store.ts';
import { isOpen, remainingOf, type VoidRange } from './methods/job-ranges.ts';
import { storedIn } from './methods/stored-in.ts';
import { GonePage, type HistoryPage } from './sources/history-page.ts';
import type { SourceHistory } from './sources/source.ts';

export interface RuleHistoryOptions {
  /** The rule's stream. */
  readonly batchId: string;
  /** Streams of its inputs. */
  readonly inputs: readonly string[];
  /** Who can be asked for what an input lacks. */
  readonly answer: (batchId: string) => HistoryAnswer;
  readonly store: Pick<BackfillStore, 'find'>;
  readonly jobs: () => readonly JobRecord[];
  readonly clock: Clock;
}

/** What is missing of an input is asked for at about the same time as what follows from it; after that nobody asks. */
const askedWithinMs = 300_000;
const pageWindows = 200;
const undecided = 'a rule decides once: nothing decides again what is past';

export function ruleHistory(options: RuleHistoryOptions): SourceHistory {
  return { read: (range) => pages(range, options), waitsFor: 'what it would follow from is asked for, too' };
}

async function* pages(range: Window, options: RuleHistoryOptions): AsyncGenerator<HistoryPage> {
  const { inputs } = options;
  const fates = await Promise.all(inputs.map((input) => fateOf(input, range, options)));
  const edges = new Set([range.start, range.end]);
  for (const { voids, open } of fates)
    for (const { start, end } of [...voids.map(({ window }) => window), ...open])
      for (const edge of [start, end]) if (edge > range.start && edge < range.end) edges.add(edge);
  const sorted = [...edges].sort((a, b) => a - b);
  for (const [at, end] of sorted.slice(1).entries()) {
    const window = { start: sorted[at]!, end };
    const lost = fates
      .flatMap(({ input, voids }) => voids.map((each) => ({ input, ...each })))
      .find((each) => contains(each.window, window));
    if (lost !== undefined)
      yield GonePage.of(window, { reason: lost.reason, follows: lost.input, declared: lost.window });
    else if (fates.some(({ open }) => open.some((each) => contains(each, window)))) return;
    else yield GonePage.of(window, { reason: 'no-history', said: undecided });
  }
}

interface Fate {
  readonly input: string;
  readonly voids: readonly VoidRange[];
  /** The ranges that are not decided yet. */
  readonly open: Coverage;
}

async function fateOf(input: string, range: Window, options: RuleHistoryOptions): Promise<Fate> {
  const { answer, store, jobs, batchId, clock } = options;
  const voids: VoidRange[] = [];
  const held: Window[] = [];
  for await (const { window, late, void: reason } of storedIn(input, range, store, pageWindows))
    if (reason !== undefined) voids.push({ window, reason });
    else if (!late) held.push(window);
  const known = normalise([...held, ...voids.map(({ window }) => window)]);
  const unknown = subtract([range], known);
  const history = answer(input);
  if (history === 'no-history' || history === 'removed') return { input, voids, open: [] };
  const asked = jobs().filter((job) => isOpen(job) && job.lateSeries === undefined);
  const own = asked.filter((job) => job.batchId === batchId).map(({ createdAt }) => createdAt);
  const isFresh = clock.now() - Math.min(...own) < askedWithinMs;
  const beingAsked = asked.filter((job) => job.batchId === input).flatMap((job) => remainingOf(job));
  return { input, voids, open: isFresh ? unknown : intersection(unknown, normalise(beingAsked)) };
}

const contains = (outer: Window, inner: Window) => outer.start <= inner.start && outer.end >= inner.end;
