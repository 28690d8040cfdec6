// Compiles the windows of GROUP BY: their names and their arguments.
import { durationOf } from '../expressions/units.ts';
import { RuleQueryError } from '../language/query-error.ts';
import type { Call, Expression, Position } from '../language/tree.ts';

export type WindowSpec =
  | {
      readonly kind: 'tumbling' | 'hopping';
      readonly sizeMs: number;
      readonly hopMs: number;
      readonly offsetMs: number;
    }
  | { readonly kind: 'sliding'; readonly sizeMs: number }
  | { readonly kind: 'snapshot' }
  | {
      readonly kind: 'session';
      readonly timeoutMs: number;
      readonly maxMs: number;
      readonly partitionBy: readonly Expression[];
    };

export interface NamedWindow {
  readonly id: string | null;
  readonly spec: WindowSpec;
  readonly at: Position;
}

const dayMs = 86_400_000;
/** As in Stream Analytics. */
export const maxWindowMs = 7 * dayMs;
/** Panes that a second's windows are made of, for one key: more would take a good part of that second. */
const maxPanesASecond = 1_000_000;
const maxPanes = 100_000;
const maxWindows = 16;

const names = /^(?:TUMBLING|HOPPING|SLIDING|SESSION|SNAPSHOT)(?:WINDOW)?$/i;

/** The windows that an item of GROUP BY stands for; none where it is a key. @throws RuleQueryError */
export function windowsOf(item: Expression): readonly NamedWindow[] | undefined {
  if (isTimestamp(item)) return [{ id: null, spec: { kind: 'snapshot' }, at: item.at }];
  if (item.kind !== 'call') return undefined;
  if (names.test(item.name)) return [{ id: null, spec: windowOf(item), at: item.at }];
  if (!/^WINDOWS$/i.test(item.name)) return undefined;
  const all = item.args.map((arg) => namedWindow(arg, item.at));
  if (all.length === 0 || all.length > maxWindows)
    throw new RuleQueryError(
      item.at,
      `Windows() takes 1 to ${maxWindows} windows`,
      'Make several statements of it.',
    );
  const ids = all.map(({ id }) => id?.toLowerCase() ?? null);
  if (ids.includes(null) && ids.some((id) => id !== null))
    throw new RuleQueryError(
      item.at,
      'some windows have an identity and some have none',
      'Give each one, or none.',
    );
  if (ids[0] !== null && new Set(ids).size < ids.length)
    throw new RuleQueryError(
      item.at,
      'two windows have one identity',
      'Identities differ, in more than their case.',
    );
  return all;
}

/** The items of GROUP BY that are windows. `System.Timestamp()` beside another window is a key. */
export function windowItems(groupBy: readonly Expression[]): readonly Expression[] {
  const all = groupBy.filter((item) => windowsOf(item) !== undefined);
  const others = all.filter((item) => !isTimestamp(item));
  return others.length > 0 ? others : all.slice(0, 1);
}

/** `System.Timestamp`, with or without brackets. */
export function isTimestamp(item: Expression): boolean {
  if (item.kind === 'call') return /^System\.Timestamp$/i.test(item.name) && item.args.length === 0;
  return item.kind === 'column' && /^System\.Timestamp$/i.test(item.path.join('.'));
}

function namedWindow(arg: Expression, at: Position): NamedWindow {
  if (isTimestamp(arg)) return { id: null, spec: { kind: 'snapshot' }, at: arg.at };
  if (arg.kind === 'call' && names.test(arg.name)) return { id: null, spec: windowOf(arg), at: arg.at };
  if (arg.kind === 'call' && /^WINDOW$/i.test(arg.name)) {
    const [id, definition] = arg.args;
    if (id?.kind === 'literal' && typeof id.value === 'string' && definition && isTimestamp(definition))
      return { id: id.value, spec: { kind: 'snapshot' }, at: arg.at };
    if (
      id?.kind === 'literal' &&
      typeof id.value === 'string' &&
      definition?.kind === 'call' &&
      names.test(definition.name)
    )
      return { id: id.value, spec: windowOf(definition), at: arg.at };
  }
  throw new RuleQueryError(
    arg.at ?? at,
    'this is no window',
    "Write Window('id', TumblingWindow(second, 10)).",
  );
}

function windowOf(call: Call): WindowSpec {
  const name = call.name.toUpperCase().replace(/WINDOW$/, '');
  if (name === 'SESSION') return sessionOf(call);
  if (call.over !== undefined)
    throw new RuleQueryError(call.at, `${call.name} takes no OVER`, 'Add the key to GROUP BY.');
  if (name === 'SNAPSHOT') return { kind: 'snapshot' };
  const { args, at } = call;
  if (name === 'SLIDING') {
    const [sizeMs] = lengths(call, ['Duration'], 1);
    return { kind: 'sliding', sizeMs: bounded(sizeMs!, at) };
  }
  if (name === 'TUMBLING') {
    const [sizeMs, offsetMs = 0] = lengths(call, ['Duration', 'Offset'], 1);
    return { kind: 'tumbling', sizeMs: bounded(sizeMs!, at), hopMs: sizeMs!, offsetMs };
  }
  const [sizeMs, hopMs, offsetMs = 0] = lengths(call, ['Duration', 'Hop', 'Offset'], 2);
  const panes = sizeMs! / greatestCommonDivisor(sizeMs!, hopMs!);
  if (panes > maxPanes || (panes * 1000) / hopMs! > maxPanesASecond)
    throw new RuleQueryError(
      args[0]?.at ?? at,
      `a window of ${panes} hops is summed up at each hop`,
      'Choose a longer hop.',
    );
  return { kind: 'hopping', sizeMs: bounded(sizeMs!, at), hopMs: bounded(hopMs!, at), offsetMs };
}

function sessionOf(call: Call): WindowSpec {
  const [timeoutMs, maxMs] = lengths(call, ['Timeout', 'MaxDuration'], 2);
  const partitionBy = call.over?.partitionBy ?? [];
  const { over } = call;
  if (over !== undefined && (over.orderBy.length > 0 || over.limit !== undefined || over.when !== undefined))
    throw new RuleQueryError(
      over.at,
      'OVER of a session window takes PARTITION BY alone',
      'Leave the rest out.',
    );
  return {
    kind: 'session',
    timeoutMs: bounded(timeoutMs!, call.at),
    maxMs: bounded(maxMs!, call.at),
    partitionBy,
  };
}

/** `(second, 10, 5)`, or `(Duration(second, 10), Hop(second, 5))`. The last name may be an offset, which may be missing or negative. */
function lengths(call: Call, parts: readonly string[], least: number): readonly number[] {
  const { args, at } = call;
  const mayBeNegative = (index: number) => parts[index] === 'Offset';
  const wrong = () =>
    new RuleQueryError(
      at,
      `${call.name} does not take these arguments`,
      `Write ${call.name}(${parts.map((part) => `${part}(second, n)`).join(', ')}), or ${call.name}(second, n${', n'.repeat(least - 1)}).`,
    );
  if (args[0]?.kind !== 'call') {
    const sizes = args.slice(1);
    if (sizes.length < least || sizes.length > parts.length) throw wrong();
    return sizes.map((size, index) => durationOf(args[0], size, at, mayBeNegative(index)));
  }
  if (args.length < least || args.length > parts.length) throw wrong();
  return args.map((arg, index) => {
    if (
      arg.kind !== 'call' ||
      arg.args.length !== 2 ||
      arg.name.toUpperCase() !== parts[index]!.toUpperCase()
    )
      throw wrong();
    return durationOf(arg.args[0], arg.args[1], arg.at, mayBeNegative(index));
  });
}

function bounded(ms: number, at: Position): number {
  if (ms <= maxWindowMs) return ms;
  throw new RuleQueryError(
    at,
    `a window of ${Number((ms / dayMs).toFixed(2))} days is too long`,
    'At most 7 days are taken: sum up shorter windows where the rows arrive.',
  );
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}
