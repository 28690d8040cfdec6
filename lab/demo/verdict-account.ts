// The account of a rule's decisions: each verdict against what the sensor measured, and against what the machine was told.
// Pure. The rule is that of the demo: an average above a bound over tumbling windows, with the time of the last reading.
//
// A verdict is due at each end of a window that the rule's stream claims, where the readings of that window average above the bound. The
// readings are those of the sensor's own stream, which its own account holds against the sensor. Where the sensor was not seen
// in all of the window, the verdict has to say so.
import { covers } from '../../wire/coverage.ts';
import type { StreamCopy } from './cloud-copy.ts';
import type { Received } from './verdict-log.ts';

export interface RuleOfDemo {
  readonly windowMs: number;
  readonly bound: number;
  readonly tag: string;
}

/** While the way to the cloud was cut, epoch ms. */
export interface Cut {
  readonly from: number;
  readonly to: number;
}

export interface VerdictInput {
  readonly rule: RuleOfDemo;
  readonly stream: string;
  /** Of the sensor. */
  readonly sensor: StreamCopy | undefined;
  /** Of the rule. */
  readonly copy: StreamCopy | undefined;
  readonly received: Received;
  /** What the machine was told, by the sensor's own count. */
  readonly resets: readonly { readonly id: string; readonly at: number }[];
  readonly cut?: Cut | undefined;
}

/** One verdict as the seed's boxes show it: when it arrived in the cloud against the time of its last event. */
export interface Shown {
  readonly box: 'blue' | 'red' | 'green';
  /** Epoch ms. */
  readonly maxEventTime: number;
  readonly arrived: number;
}

export interface VerdictAccount {
  readonly stream: string;
  readonly verdicts: number;
  readonly missing: number;
  readonly doubled: number;
  readonly invented: number;
  /** It says something else than the readings do: another last event, or that all was known. */
  readonly wrong: number;
  readonly resets: number;
  /** Deliveries of one reset beyond the first: the same id. */
  readonly repeatedResets: number;
  readonly resetsWhileCut: number;
  /** Blue: the last before the cut. Red: what was decided meanwhile. Green: the first ones after. */
  readonly shown: readonly Shown[];
  readonly problems: readonly string[];
}

const maxProblems = 5;
const greens = 3;

export function accountVerdicts(input: VerdictInput): VerdictAccount {
  const { stream, copy, sensor, received, resets, cut } = input;
  const problems: string[] = [];
  const say = (text: string) => void (problems.length < maxProblems && problems.push(text));
  const counts = { missing: 0, invented: 0, wrong: 0 };
  const due = dueBy(input);
  for (const [end, { maxEventTime, isWhole, isDue }] of due) {
    const verdict = received.verdicts.get(end);
    if (verdict === undefined) {
      if (!isDue || !isWhole || !copy || !covers(copy.covered, instant(end))) continue;
      counts.missing += 1;
      say(`the verdict of ${time(end)} is missing`);
      continue;
    }
    if (isWhole && !isDue) {
      counts.invented += 1;
      say(`the verdict of ${time(end)} follows from nothing`);
    } else if (verdict.isWhole && !isWhole) {
      counts.wrong += 1;
      say(`the verdict of ${time(end)} says that all was known`);
    } else if (isWhole && verdict.maxEventTime !== maxEventTime) {
      counts.wrong += 1;
      say(`the verdict of ${time(end)} names ${time(verdict.maxEventTime)}, not ${time(maxEventTime)}`);
    }
  }
  for (const end of received.verdicts.keys())
    if (!due.has(end)) {
      counts.invented += 1;
      say(`the verdict of ${time(end)} has no readings`);
    }
  const doubled = [...received.verdicts.values()].filter(({ places }) => places.size > 1).length;
  if (doubled > 0) say(`${doubled} verdicts stand in several windows`);
  if (sensor === undefined || copy === undefined) say('nothing was received');
  judgeResets(input, say);
  return {
    stream,
    verdicts: received.verdicts.size,
    ...counts,
    doubled,
    resets: new Set(resets.map(({ id }) => id)).size,
    repeatedResets: resets.length - new Set(resets.map(({ id }) => id)).size,
    resetsWhileCut: cut === undefined ? 0 : resets.filter(({ at }) => at >= cut.from && at < cut.to).length,
    shown: cut === undefined ? [] : boxes(received, cut),
    problems,
  };
}

/** What is to be decided at each end of a window that has readings. */
function dueBy({ rule, sensor }: VerdictInput) {
  const windows = new Map<number, { sum: number; count: number; maxEventTime: number }>();
  for (const [index, tags] of sensor?.readings ?? []) {
    const value = tags.get(rule.tag)?.value;
    if (typeof value !== 'number') continue;
    const end = Math.ceil(index / rule.windowMs) * rule.windowMs;
    const window = windows.get(end) ?? { sum: 0, count: 0, maxEventTime: 0 };
    window.sum += value;
    window.count += 1;
    window.maxEventTime = Math.max(window.maxEventTime, index);
    windows.set(end, window);
  }
  const due = [...windows].map(([end, { sum, count, maxEventTime }]) => {
    const whole = { start: end - rule.windowMs + 1, end: end + 1 };
    const isWhole = sensor !== undefined && covers(sensor.covered, whole);
    return [end, { maxEventTime, isWhole, isDue: sum / count > rule.bound }] as const;
  });
  return new Map(due);
}

/** Nothing was done that was not decided, what is said to be done was, and what was decided has an outcome. */
function judgeResets({ received, resets }: VerdictInput, say: (text: string) => void): void {
  const told = new Set(resets.map(({ id }) => id));
  for (const { id } of resets) {
    const decided = Number(id.split(';')[1]);
    if (!received.verdicts.has(decided)) say(`the reset ${id} is of no verdict`);
  }
  for (const [id, outcome] of received.outcomes)
    if (outcome === 'done' && !told.has(id)) say(`the reset ${id} is said to be done, and was not`);
  const open = received.verdicts.size - received.outcomes.size;
  if (open > 0) say(`${open} verdicts have no outcome`);
}

function boxes({ verdicts }: Received, cut: Cut): readonly Shown[] {
  const all = [...verdicts.values()].sort((a, b) => a.maxEventTime - b.maxEventTime);
  const shown = (box: Shown['box']) => (verdict: (typeof all)[number]) => ({
    box,
    maxEventTime: verdict.maxEventTime,
    arrived: verdict.arrived,
  });
  const before = all.filter(({ arrived }) => arrived < cut.from).slice(-1);
  const during = all.filter(({ maxEventTime, arrived }) => maxEventTime < cut.to && arrived >= cut.to);
  const after = all.filter(({ maxEventTime }) => maxEventTime >= cut.to).slice(0, greens);
  return [...before.map(shown('blue')), ...during.map(shown('red')), ...after.map(shown('green'))];
}

const instant = (at: number) => ({ start: at, end: at + 1 });
const time = (at: number) => new Date(at).toISOString().slice(11, 23);
