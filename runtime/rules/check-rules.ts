// Checks the references of rules to each other and to sources, with the place of each problem.
import type { Value } from '../../wire/reading.ts';
import type { WritableTags } from '../sources/tag-write.ts';
import { type RuleSettings, ruleStreamId } from './rule-settings.ts';

export interface QueryProblem {
  readonly path: readonly (string | number)[];
  /** With line and column in the query. */
  readonly message: string;
}

export interface SourceFacts {
  readonly name: string;
  readonly streamId: string;
  /** Absent: nobody can say, since the source is wrong by itself. */
  readonly writable?: WritableTags;
  /** Absent where nobody lists them: what other modules send has the fields that it has. */
  readonly tags?: readonly string[];
  /** Ordered by record numbers, not by time. */
  readonly isNumbered: boolean;
}

/**
 * What rules say of each other, and of sources. Rules that are wrong by themselves are undefined.
 * @param areAllNamed every source has told its name: one that is not among them is nowhere
 */
export function checkRules(
  rules: readonly (RuleSettings | undefined)[],
  sources: readonly SourceFacts[],
  areAllNamed: boolean,
  tell: Say,
): void {
  const byName = new Map(sources.map((source) => [source.name, source]));
  const streams = new Set(sources.map(({ streamId }) => streamId));
  const seen = new Map<string, number>();
  for (const [at, rule] of rules.entries()) {
    if (rule === undefined) continue;
    const say: Say = (path, message) => tell(['rules', at, ...path], message);
    const isNowhere = (name: string) => areAllNamed && !byName.has(name);
    const first = seen.get(rule.name);
    if (first !== undefined) say(['name'], `is taken by rules[${first}]: each rule needs its own`);
    else seen.set(rule.name, at);
    if (streams.has(ruleStreamId(rule)))
      say(['name'], `its stream ${ruleStreamId(rule)} is that of a source`);
    for (const [input, { source }] of Object.entries(rule.inputs ?? {})) {
      for (const name of [source].flat())
        if (name !== '*' && isNowhere(name)) say(['inputs', input, 'source'], unknownSource(name));
        else if (byName.get(name)?.isNumbered)
          say(['inputs', input, 'source'], `'${name}' is ordered by record numbers: a rule decides by time`);
    }
    checkWrites(rule, byName, isNowhere, say);
  }
}

type Say = (path: readonly (string | number)[], message: string) => void;

function checkWrites(
  { outputs }: RuleSettings,
  sources: ReadonlyMap<string, SourceFacts>,
  isNowhere: (name: string) => boolean,
  say: Say,
): void {
  const lists = Array.isArray(outputs)
    ? [[[] as string[], outputs] as const]
    : Object.entries(outputs).map(([name, list]) => [[name], list] as const);
  for (const [path, list] of lists) {
    for (const [n, action] of list.entries()) {
      if (action === 'upstream' || !('write' in action)) continue;
      const { source, tag, value } = action.write;
      const at = ['outputs', ...path, n, 'write'];
      const found = sources.get(source);
      const limits = found?.writable?.get(tag);
      if (isNowhere(source)) say([...at, 'source'], unknownSource(source));
      else if (found?.writable === undefined) continue;
      else if (!limits) say([...at, 'tag'], `'${tag}' of ${source} may not be written: allow it on the tag`);
      else if (typeof value !== 'object')
        checkValue(limits, value, (message) => say([...at, 'value'], message));
    }
  }
}

function checkValue(
  { min, max }: { min?: number | undefined; max?: number | undefined },
  value: Value,
  say: (message: string) => void,
): void {
  if (min === undefined && max === undefined) return;
  if (typeof value !== 'number') say('must be a number: the tag has limits');
  else if (value < (min ?? value)) say(`must be at least ${min}, the tag's min`);
  else if (value > (max ?? value)) say(`must be at most ${max}, the tag's max`);
}

function unknownSource(name: string): string {
  return `there is no source '${name}' in this configuration`;
}
