// Compiles each rule as the module would, to find errors in its query and its outputs.
import { describeError } from '../../kernel/errors.ts';
import type { Value } from '../../wire/reading.ts';
import { actionsIn, type QueryProblem, type SourceFacts, valueProblem } from './check-rules.ts';
import { compileRule } from './compile-rule.ts';
import type { CompiledRule } from './engine-api.ts';
import { isFieldOf } from './fields.ts';
import { RuleQueryError } from './language/query-error.ts';
import { inputStreams, type RuleSettings, ruleConfigOf } from './rule-settings.ts';

/** The known name that is a slip of the finger away; undefined where none is. */
export type Nearest = (text: string, known: Iterable<string>) => string | undefined;
export type QuerySource = Pick<SourceFacts, 'name' | 'streamId' | 'tags' | 'writable'>;

export function checkQueries(
  rules: readonly (RuleSettings | undefined)[],
  sources: readonly QuerySource[],
  nearest: Nearest,
): readonly QueryProblem[] {
  const ids = new Map(sources.map(({ name, streamId }) => [name, streamId]));
  return rules.flatMap((rule, at): readonly QueryProblem[] => {
    if (rule === undefined) return [];
    const place = ['rules', at];
    try {
      const inputs = inputStreams(rule, ids);
      const compiled = compileRule(ruleConfigOf(rule, inputs));
      checkTimes(rule, compiled, inputs, sources, nearest);
      return [
        ...outputProblems(rule, compiled, [...place, 'outputs']),
        ...fieldProblems(rule, compiled, sources, nearest, place),
      ];
    } catch (error) {
      return [
        { path: [...place, rule.query === undefined ? 'when' : 'query'], message: describeError(error) },
      ];
    }
  });
}

/** @throws RuleQueryError where TIMESTAMP BY names what no source of its input has: no row of it would have a time */
function checkTimes(
  rule: RuleSettings,
  { timeFields }: CompiledRule,
  inputs: ReadonlyMap<string, readonly string[]>,
  sources: readonly QuerySource[],
  nearest: Nearest,
): void {
  for (const { input, field, at } of timeFields) {
    const read = sources.filter(({ streamId }) => inputs.get(input)?.includes(streamId));
    if (read.length === 0 || read.some(({ tags }) => tags === undefined)) continue;
    const known = read.flatMap(({ tags }) => tags ?? []);
    const time = rule.inputs?.[input]?.time ?? 'time';
    if (isTimeField(field, time) || known.some((tag) => isFieldOf(tag, field))) continue;
    const meant = nearest(field, [...known, time]);
    throw new RuleQueryError(
      at,
      `TIMESTAMP BY ${field}: no tag of ${read.map(({ name }) => name).join(', ')} is named so`,
      meant === undefined
        ? `The time at which a reading was made is ${time} (inputs.${input}.time).`
        : `Did you mean ${meant}?`,
    );
  }
}

/** Rows of an output that is not named would go nowhere, and nobody would know. */
function outputProblems(
  { outputs: named, query }: RuleSettings,
  { outputs }: CompiledRule,
  path: readonly (string | number)[],
): readonly QueryProblem[] {
  if (Array.isArray(named)) return [];
  const unknown = Object.keys(named).filter((name) => !outputs.includes(name));
  const message = `is no output of this rule; it has: ${outputs.join(', ')}`;
  // The short form has two, and a rule that only acts when it turns on needs one.
  const missing = query === undefined ? [] : outputs.filter((name) => !Object.hasOwn(named, name));
  return [
    ...unknown.map((name) => ({ path: [...path, name], message })),
    ...missing.map((name) => ({
      path,
      message: `says nothing of the rows INTO ${name}: add '${name}: [upstream]', or what else is to become of them ('${name}: []': nothing)`,
    })),
  ];
}

/** A value that is a column which its rows do not have, or which its tag never takes: no write would ever be tried. */
function fieldProblems(
  rule: RuleSettings,
  { columns, outputs: known }: CompiledRule,
  sources: readonly QuerySource[],
  nearest: Nearest,
  place: readonly (string | number)[],
): readonly QueryProblem[] {
  return actionsIn(rule).flatMap(({ at, action, output }) => {
    if (action === 'upstream' || !('write' in action) || typeof action.write.value !== 'object') return [];
    const { source, tag, value } = action.write;
    const { field } = value;
    const path = [...place, ...at, 'write', 'value', 'field'];
    const limits = sources.find(({ name }) => name === source)?.writable?.get(tag);
    for (const name of output === undefined ? known : [output]) {
      const all = columns.get(name);
      if (all === undefined) continue;
      const type = all.get(field);
      if (type === undefined) {
        const meant = nearest(field, all.keys());
        const hint = meant === undefined ? '' : `; did you mean ${meant}?`;
        return [
          { path, message: `is no column of ${name}, which has: ${[...all.keys()].join(', ')}${hint}` },
        ];
      }
      const samples = rule.when !== undefined && field === 'state' ? ['on', 'off'] : (samplesOf[type] ?? []);
      const problems = limits === undefined ? [] : samples.map((sample) => valueProblem(limits, sample));
      if (problems.length > 0 && problems.every((problem) => problem !== undefined))
        return [
          {
            path,
            message: `is ${type} in ${name}, and ${source} takes no such value for ${tag}: it ${problems[0]}`,
          },
        ];
    }
    return [];
  });
}

/** Sample values of types whose values are all of one kind. Texts are not: they may be names, or numbers. */
const samplesOf: Readonly<Record<string, readonly Value[]>> = {
  datetime: ['2026-01-01T00:00:00.0000000Z'],
  record: [{}],
  array: [[]],
};

/** What a row calls its time. */
export const isTimeField = (field: string, time: string) =>
  field.toLowerCase() === time.toLowerCase() || /^Event(?:Enqueued|Processed)UtcTime$/i.test(field);
