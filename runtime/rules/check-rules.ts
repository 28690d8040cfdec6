// Checks the references of rules to each other and to sources, with the place of each problem.
import type { Value } from '../../wire/reading.ts';
import type { WritableTags, WriteLimits } from '../sources/tag-write.ts';
import { type ActionSettings, type RuleSettings, ruleStreamId } from './rule-settings.ts';

export interface QueryProblem {
  readonly path: readonly (string | number)[];
  /** With line and column in the query. */
  readonly message: string;
}

export interface SourceFacts {
  readonly name: string;
  readonly streamId: string;
  /** Absent: not known, since the source is wrong by itself. */
  readonly writable?: WritableTags;
  /** Absent where there is no list of them: what other modules send has the fields that it has. */
  readonly tags?: readonly string[];
  /** Ordered by record numbers, not by time. */
  readonly isNumbered: boolean;
}

export interface SiteFacts {
  readonly sources: readonly SourceFacts[];
  /** True where the list is complete: a source that is not in it does not exist. */
  readonly areAllNamed: boolean;
  /** The output of this module that telemetry is sent to. */
  readonly output: string;
}

/** Checks what rules refer to: other rules and the rest of the site. A rule that is invalid by itself is undefined. */
export function checkRules(
  rules: readonly (RuleSettings | undefined)[],
  { sources, areAllNamed, output }: SiteFacts,
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
    checkSends(rule, output, say);
  }
}

type Say = (path: readonly (string | number)[], message: string) => void;

/** `output`: of one output of the rule; else of all of them. */
type Placed<T> = {
  readonly at: readonly (string | number)[];
  readonly action: T;
  readonly output?: string;
};

export function actionsIn({ outputs }: RuleSettings): readonly Placed<ActionSettings>[] {
  const lists = Array.isArray(outputs)
    ? [[[] as string[], outputs] as const]
    : Object.entries(outputs).map(([name, list]) => [[name], list] as const);
  return lists.flatMap(([path, list]) =>
    list.map((action, n) => ({
      at: ['outputs', ...path, n],
      action,
      ...(path[0] === undefined ? {} : { output: path[0] }),
    })),
  );
}

/** What another module is to get would go to the cloud, and be paid for. */
function checkSends(rule: RuleSettings, output: string, say: Say): void {
  for (const { at, action } of actionsIn(rule))
    if (action !== 'upstream' && 'send' in action && action.send === output)
      say(
        [...at, 'send'],
        `'${output}' is the output for telemetry (uplink.output), which is routed to the cloud: name another`,
      );
}

function checkWrites(
  rule: RuleSettings,
  sources: ReadonlyMap<string, SourceFacts>,
  isNowhere: (name: string) => boolean,
  say: Say,
): void {
  for (const { at: place, action } of actionsIn(rule)) {
    if (action === 'upstream' || !('write' in action)) continue;
    const { source, tag, value } = action.write;
    const at = [...place, 'write'];
    const found = sources.get(source);
    const limits = found?.writable?.get(tag);
    if (isNowhere(source)) say([...at, 'source'], unknownSource(source));
    else if (found?.writable === undefined) continue;
    else if (!limits) say([...at, 'tag'], `'${tag}' of ${source} may not be written: allow it on the tag`);
    else if (typeof value !== 'object') {
      const problem = valueProblem(limits, value);
      if (problem !== undefined) say([...at, 'value'], problem);
    }
  }
}

/** Why a tag takes no such value; undefined where it does, as far as the configuration says. */
export function valueProblem({ min, max, problemOf }: WriteLimits, value: Value): string | undefined {
  const isLimited = min !== undefined || max !== undefined;
  if (isLimited && typeof value !== 'number') return 'must be a number: the tag has limits';
  if (typeof value === 'number' && value < (min ?? value)) return `must be at least ${min}, the tag's min`;
  if (typeof value === 'number' && value > (max ?? value)) return `must be at most ${max}, the tag's max`;
  return problemOf?.(value);
}

function unknownSource(name: string): string {
  return `there is no source '${name}' in this configuration`;
}
