// Rules from a file, as `rules explain` and `rules replay` take them: a query, or YAML as a site has it, with its sources or without.
import { z } from 'zod';
import { HoldfastError } from '../../../kernel/errors.ts';
import { readNamedFile } from '../../../kernel/small-file.ts';
import { withLists } from '../../config/named-lists.ts';
import { formatProblems, problemText } from '../../config/problem-text.ts';
import { parseParams, problemsOf, toProblem } from '../../config/problems.ts';
import { withDurations, withVariables } from '../../config/values.ts';
import { readYaml } from '../../config/yaml-text.ts';
import { queryInputs } from '../../rules/compile/query-inputs.ts';
import type { RuleConfig } from '../../rules/engine-api.ts';
import { inputStreams, type RuleSettings, ruleConfigOf, ruleSchema } from '../../rules/rule-settings.ts';

import type { TestProject } from './test-project.ts';

const maxFileBytes = 1024 * 1024;
const site = z.object({
  rules: z.array(ruleSchema).min(1, 'has no rule'),
  /** Where a stream has another id than its source has a name. */
  sources: z.array(z.object({ name: z.string(), batchId: z.string().optional() })).default([]),
});

/** What a query alone does not say. */
export interface QueryNames {
  /** Streams by the names after FROM. */
  readonly inputs?: ReadonlyMap<string, string>;
  /** What the query calls the index of a row. */
  readonly time?: string;
}

/** `streams`: ids of what was recorded; each is a source of its own name unless the file says otherwise. @throws HoldfastError `rules-test-invalid` */
export async function readRuleSettings(
  file: string,
  streams: readonly string[],
  names: QueryNames = {},
): Promise<{ readonly rules: readonly RuleSettings[]; readonly sources: ReadonlyMap<string, string> }> {
  const text = (await readNamedFile(file, maxFileBytes)).toString('utf8');
  const own = new Map(streams.map((id) => [id, id]));
  if (!/\.(?:ya?ml|json)$/i.test(file)) return { rules: [ofQuery(text, streams, names)], sources: own };
  if (names.inputs !== undefined || names.time !== undefined)
    throw invalid(
      '--input and --time are for a query alone: in YAML `inputs` says so, {NAME: {source, time}}',
    );
  const read = readYaml(text, false);
  if (!('value' in read)) throw invalid(read.problems.map(problemText).join('; '));
  const filled = withVariables(read.value ?? {}, process.env);
  const lists = withLists(filled.value, read.placeOf);
  const value = withDurations(lists.value);
  const parsed = site.safeParse(value, parseParams);
  const found = [
    // A variable of a source that is not set here does not matter.
    ...filled.problems.filter(({ path }) => path[0] === 'rules'),
    ...lists.problems,
    ...(parsed.success ? [] : problemsOf(parsed.error, value)),
  ];
  if (!parsed.success || found.length > 0) {
    const problems = found.map((raw) => lists.asWritten(toProblem(raw, lists.placeOf, value)));
    throw invalid(`${file}:\n${formatProblems(problems)}`);
  }
  for (const { name, batchId = name } of parsed.data.sources) own.set(name, batchId);
  return { rules: parsed.data.rules, sources: own };
}

/** The query of one rule, to be tried on cases. @throws HoldfastError `rules-test-invalid` */
export async function readRuleQuery(
  file: string,
  name: string | undefined,
): Promise<Pick<TestProject, 'script' | 'query' | 'types'>> {
  const { rules } = await readRuleSettings(file, []);
  const chosen = name === undefined ? rules : rules.filter((rule) => rule.name === name);
  const [rule, another] = chosen;
  const all = rules.map((each) => each.name).join(', ');
  if (rule === undefined) throw invalid(`${file} has no rule ${name}; it has: ${all}`);
  if (another !== undefined) throw invalid(`${file} has several rules: name one with --name; it has: ${all}`);
  const { query, inputs = {} } = rule;
  if (query === undefined)
    throw invalid(`rule ${rule.name} of ${file} is the short form: cases are run with a query`);
  const types = Object.entries(inputs).map(([input, { types: of = {} }]) => [input, of] as const);
  return { script: `rule ${rule.name} of ${file}`, query, types: Object.fromEntries(types) };
}

/** To be compiled. A rule that names no inputs reads the file's sources; where it has none, what its query names. @throws HoldfastError */
export async function readRuleConfigs(file: string): Promise<readonly RuleConfig[]> {
  const { rules, sources } = await readRuleSettings(file, []);
  return rules.map((settings) => {
    const known = inputStreams(settings, sources);
    const named = known.size > 0 || settings.query === undefined ? [] : queryInputs(settings.query);
    return ruleConfigOf(settings, known.size > 0 ? known : new Map(named.map((input) => [input, []])));
  });
}

/** An input is what `names` say, else the stream of its name; where one was recorded alone, that one. */
function ofQuery(
  query: string,
  streams: readonly string[],
  { inputs: given, time }: QueryNames,
): RuleSettings {
  const wanted = queryInputs(query);
  for (const name of given?.keys() ?? [])
    if (!wanted.includes(name))
      throw invalid(`--input: the query has no input ${name}; it reads: ${wanted.join(', ')}`);
  const inputs = wanted.map((input) => {
    const own = streams.includes(input) || streams.length !== 1 ? input : streams[0]!;
    return [input, { source: given?.get(input) ?? own, ...(time === undefined ? {} : { time }) }];
  });
  return ruleSchema.parse({
    name: 'query',
    query,
    inputs: Object.fromEntries(inputs),
    outputs: ['upstream'],
  });
}

function invalid(message: string): HoldfastError {
  return new HoldfastError('rules-test-invalid', message);
}
